"""Files of every format that other programs write, cut and changed at random: read, or one error of this library's."""

import cProfile
import json
import random
from collections.abc import Callable
from pathlib import Path

import geopandas
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import Point

from detect.labels.annotation_files import read_annotations
from detect.labels.annotations import AnnotationError
from tests.labels.formats.test_cvat import box, cvat, image
from tests.labels.formats.test_dotdotgoose import pnt
from tests.labels.formats.test_label_studio import annotation, result, task
from tests.labels.formats.test_labelme import labelme, shape
from tests.labels.formats.test_vectors import PLACES, frame, on_map, raster
from tests.labels.formats.test_via import SHAPES, via_csv, via_json

Make = Callable[..., Path]

REGIONS = {"a.png": [(each, {"label": "t", "note": "x"}) for each in SHAPES], "images/5.jpg": []}
ELLIPSE = result("ellipselabels", x=50, y=50, radiusX=10, radiusY=20, rotation=30)
TEXTS = {
    "a.json": labelme(shape("t", "circle", (9, 8), (1, 2)), shape("t", "polygon", (1, 2), (3, 4), (5, 1))),
    "a.xml": cvat(image(box(1, 2, 3, 4, ' rotation="30"'), '<polygon label="t" points="1,2;3,4;5,6"/>')),
    "ls.json": json.dumps([task(annotation(ELLIPSE)), task(annotation(was_cancelled=True))]),
    "a.txt": "imagesource:x\ngsd:0.1\n1 1 5 1 5 5 1 5 ship 0\n",
    "via.csv": via_csv(REGIONS),
    "via.json": via_json(REGIONS, project=True),
    "s.pnt": pnt({"a.png": {"seal": [{"x": 1.5, "y": 2.0}]}, "images/5.jpg": {}}),
}
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=5), st.just([]),
    st.just({}), st.lists(st.integers(-5, 50), max_size=3),
    st.sampled_from(["..", "/etc/passwd", "C:\\a.png", "\0", "a" * 5000]),
)  # fmt: off


MOST_CALLS = 1_000_000
"""Calls of functions by which a file of some kilobytes is read, whatever numbers it claims."""


def attempt(path: Path, root: Path) -> None:
    """Read a file; whatever is wrong is one error that names it, after no more work than a small file is worth."""
    watched = cProfile.Profile()
    try:
        watched.runcall(read_annotations, path, root)
    except AnnotationError as error:
        assert path.name in str(error)
    assert sum(each.callcount for each in watched.getstats()) < MOST_CALLS


def changed(content: object, generator: random.Random, value: object) -> object:
    """Return JSON with one of its parts replaced."""
    if isinstance(content, dict | list) and content and generator.random() < 0.85:
        keys = list(content) if isinstance(content, dict) else list(range(len(content)))
        key = generator.choice(keys)
        copy = dict(content) if isinstance(content, dict) else list(content)
        copy[key] = changed(copy[key], generator, value)
        return copy
    return value


def mutated(data: bytes, generator: random.Random) -> bytes:
    """Return bytes of which some are changed, cut out or doubled."""
    for _ in range(generator.randint(1, 4)):
        start = generator.randrange(len(data) + 1)
        stop = min(len(data), start + generator.choice([1, 1, 2, 8, 64]))
        middle = generator.choice([b"", data[start:stop] * 2, generator.randbytes(stop - start), b"0", b"9" * 40, b"-"])
        data = data[:start] + middle + data[stop:]
    return data


@pytest.mark.parametrize("name", TEXTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_changed_bytes_are_read_or_one_error(root: Path, tmp_path: Path, name: str, seed: int) -> None:
    path = tmp_path / name
    path.write_bytes(mutated(TEXTS[name].encode(), random.Random(seed)))
    attempt(path, root)


@pytest.mark.parametrize("name", [name for name in TEXTS if name.endswith((".json", ".pnt"))])
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), value=VALUES)
def test_changed_values_are_read_or_one_error(root: Path, tmp_path: Path, name: str, seed: int, value: object) -> None:
    path = tmp_path / name
    path.write_text(json.dumps(changed(json.loads(TEXTS[name]), random.Random(seed), value)))
    attempt(path, root)


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an image, and layers of points on it beside."""
    folder = tmp_path_factory.mktemp("layers")
    raster(folder / "data/a.tif")
    points: geopandas.GeoDataFrame = frame([Point(on_map(xy)) for xy in PLACES], label=["t", "s", "t"])
    for name in ("p.geojson", "p.gpkg", "p.shp"):
        points.to_file(folder / name)
    return folder


@pytest.mark.parametrize("name", ["p.geojson", "p.gpkg", "p.shp", "p.dbf", "p.shx", "p.prj"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_changed_layers_are_read_or_one_error(layers: Path, name: str, seed: int) -> None:
    whole = (layers / name).read_bytes()
    read = layers / ("p.shp" if name[2:] in ("dbf", "shx", "prj") else name)
    try:
        (layers / name).write_bytes(mutated(whole, random.Random(seed)))
        attempt(read, layers / "data")
    finally:
        (layers / name).write_bytes(whole)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), value=VALUES)
def test_changed_values_of_geojson_are_read_or_one_error(layers: Path, seed: int, value: object) -> None:
    path = layers / "q.geojson"
    content = json.loads((layers / "p.geojson").read_text())
    path.write_text(json.dumps(changed(content, random.Random(seed), value)))
    attempt(path, layers / "data")

"""Law 6: writing and reading any format gives back what was written, within the format's own precision."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from detect.imagery.maps.map_kinds import BYTES, FLOATS
from detect.imagery.maps.map_reading import read_tags
from detect.imagery.maps.map_writing import write_map
from detect.imagery.scenes import Scene
from detect.labels.annotation_files import read_annotations
from detect.labels.annotations import AnnotatedImage, Annotations
from detect.labels.detections import Detections
from detect.labels.formats.detections_csv import read_detections, write_detections
from detect.labels.writing.annotation_writing import write_annotations
from detect.nets.card import ModelCard
from detect.nets.modelfile import load_model, save_model
from tests.engines import lively
from tests.grids import lively_grid

HEIGHT, WIDTH = 30, 40
CLASSES = ("cow", "naïve, sheep", "NA")
NEGATIVE = "look-alike"
FILES = ("a.png", "b/ä, 1.png")
in_a_folder = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data folder of images of 30 x 40 pixels."""
    for name in FILES:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (WIDTH, HEIGHT)).save(path)
    return tmp_path / "data"


@st.composite
def thing(draw: st.DrawFn) -> tuple[str, float, float, float, float]:
    """Label, centre and size of a thing that lies in the image, each side from 2 to 20 pixels."""
    width, height = draw(st.floats(2, 20)), draw(st.floats(2, 20))
    x = width / 2 + draw(st.floats(0, 0.999)) * (WIDTH - width)
    y = height / 2 + draw(st.floats(0, 0.999)) * (HEIGHT - height)
    return draw(st.sampled_from([*CLASSES, NEGATIVE])), x, y, width, height


@st.composite
def annotated(draw: st.DrawFn, root: Path, boxes: bool) -> Annotations:
    """No two things of an image lie at one place, and no group on two sides: those are errors of their own."""
    images = []
    for name in FILES:
        things = draw(st.lists(thing(), max_size=7, unique_by=lambda each: each[1:3]))
        labels = [each[0] for each in things if each[0] != NEGATIVE]
        numbers, others = (
            np.array([each[1:] for each in things if (each[0] == NEGATIVE) == negative]).reshape(-1, 4)
            for negative in (False, True)
        )
        images.append(
            AnnotatedImage(
                name,
                root / name,
                (HEIGHT, WIDTH),
                Detections.truth(numbers[:, :2], labels, CLASSES, numbers[:, 2:] if boxes else None),
                others[:, :2],
                draw(st.sampled_from([None, "train", "val", "test"])),
                draw(st.sampled_from([None, f"flight over {name}"])),
                (NEGATIVE,) * len(others),
                others[:, 2:] if boxes else None,
            )
        )
    return Annotations(tuple(images), CLASSES, boxes, root)


def assert_same_things(
    found: tuple[np.ndarray, np.ndarray | None], wanted: tuple[np.ndarray, np.ndarray | None], boxes: bool
) -> None:
    """Points to their last bit; a box is written by its corners, whose sums and differences lose a bit or two."""
    np.testing.assert_allclose(found[0], wanted[0], rtol=0, atol=1e-12 if boxes else 0)
    assert (found[1] is not None) == (wanted[1] is not None) == boxes
    if boxes:
        np.testing.assert_allclose(found[1], wanted[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("target", "boxes"), [("table.csv", False), ("table.csv", True), ("voc", True)])
@in_a_folder
@given(data=st.data())
def test_annotations(root: Path, tmp_path: Path, target: str, boxes: bool, data: st.DataObject) -> None:
    """As points or boxes in a CSV table, and as Pascal VOC: objects, look-alikes, sides, groups and empty images."""
    wanted = data.draw(annotated(root, boxes))
    path = tmp_path / target
    write_annotations(wanted, path)
    found = read_annotations(path, root, negative_labels=[NEGATIVE], classes=CLASSES)
    assert (found.classes, found.boxes, len(found.images)) == (CLASSES, boxes, len(FILES))
    for one, other in zip(found.images, wanted.images, strict=True):
        assert (one.name, one.path, one.shape) == (other.name, other.path, other.shape)
        assert (one.split, one.group, one.negative_names) == (other.split, other.group, other.negative_names)
        assert one.objects.names == other.objects.names and (one.objects.score == 1).all()
        assert_same_things((one.objects.xy, one.objects.wh), (other.objects.xy, other.objects.wh), boxes)
        assert_same_things((one.negatives, one.negative_wh), (other.negatives, other.negative_wh), boxes)


@pytest.mark.parametrize("boxes", [True, False])
@in_a_folder
@given(data=st.data())
def test_annotations_in_coco(root: Path, tmp_path: Path, boxes: bool, data: st.DataObject) -> None:
    """Boxes, and points as keypoints, with sides, groups, regions to ignore and images without objects.

    A file without any object says neither that it holds boxes nor that it holds points.
    """
    wanted = data.draw(annotated(root, boxes))
    regions = np.array(data.draw(st.lists(st.just([1.0, 2.0, 11.0, 12.0]), max_size=1))).reshape(-1, 4)
    first = replace(wanted.images[0], ignored=regions if boxes else np.empty((0, 4)))
    wanted = replace(wanted, images=(first, *wanted.images[1:]))
    write_annotations(wanted, tmp_path / "coco.json")
    found = read_annotations(tmp_path / "coco.json", root, negative_labels=[NEGATIVE], classes=CLASSES)
    for one, other in zip(found.images, wanted.images, strict=True):
        assert (one.name, one.shape, one.split, one.group) == (other.name, other.shape, other.split, other.group)
        assert one.objects.names == other.objects.names and one.negative_names == other.negative_names
        np.testing.assert_allclose(one.objects.xy, other.objects.xy, rtol=0, atol=1e-12)
        np.testing.assert_allclose(one.negatives, other.negatives, rtol=0, atol=1e-12)
        assert one.ignored.tolist() == other.ignored.tolist()
        if boxes and len(other.objects):
            np.testing.assert_allclose(one.objects.wh, other.objects.wh, rtol=0, atol=1e-12)


@in_a_folder
@given(data=st.data())
def test_annotations_in_yolo(root: Path, tmp_path: Path, data: st.DataObject) -> None:
    """Boxes as shares of the image with twelve digits; classes and sides; no groups. The images are in `images`."""
    wanted = data.draw(annotated(root, True))
    sides = {image.split is None for image in wanted.images}
    assume(len(sides) == 1)
    folder = tmp_path / "yolo"
    shutil.rmtree(folder, ignore_errors=True)
    write_annotations(wanted, folder, "yolo")
    shutil.copytree(root, folder / "images")
    found = read_annotations(folder, folder, negative_labels=[NEGATIVE], classes=CLASSES)
    by_name = {image.name.removeprefix("images/"): image for image in found.images}
    assert by_name.keys() == {image.name for image in wanted.images}
    for other in wanted.images:
        one = by_name[other.name]
        assert one.objects.names == other.objects.names and one.negative_names == other.negative_names
        assert sides == {True} or one.split == other.split
        np.testing.assert_allclose(one.objects.xy, other.objects.xy, rtol=0, atol=1e-9)
        np.testing.assert_allclose(one.negatives, other.negatives, rtol=0, atol=1e-9)
        if len(other.objects):
            np.testing.assert_allclose(one.objects.wh, other.objects.wh, rtol=0, atol=1e-9)


@pytest.fixture
def rasters(tmp_path: Path) -> Path:
    """A data folder of rasters of 30 x 40 pixels of 10 cm, which lie turned on the ground."""
    place = Affine(0.08, 0.06, 500_000, 0.06, -0.08, 5_500_000)
    for name in FILES:
        path = tmp_path / "rasters" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        profile = {"driver": "GTiff", "count": 1, "height": HEIGHT, "width": WIDTH, "dtype": "uint8"}
        with rasterio.open(path, "w", **profile, crs="EPSG:32633", transform=place) as target:
            target.write(np.ones((1, HEIGHT, WIDTH), np.uint8))
    return tmp_path / "rasters"


@pytest.mark.parametrize("boxes", [True, False])
@pytest.mark.parametrize(
    ("target", "form", "precision"),
    [
        ("cvat.xml", "cvat", 1e-9),
        ("tasks.json", "labelstudio", 1e-9),
        ("a.geojson", "geojson", 2e-3),
        ("a.gpkg", "gpkg", 1e-6),
    ],
)
@in_a_folder
@given(data=st.data())
def test_annotations_in_the_formats_of_other_programs(
    rasters: Path, tmp_path: Path, target: str, form: str, precision: float, boxes: bool, data: st.DataObject
) -> None:
    """Objects and look-alikes in pixels; GeoJSON's degrees have nine decimals, here a thousandth of a pixel.

    Features of a map say nothing of images without any, and no file without an object says whether it holds boxes.
    """
    wanted = data.draw(annotated(rasters, boxes))
    assume(any(len(image.objects) for image in wanted.images))
    write_annotations(wanted, tmp_path / target, form)
    found = read_annotations(tmp_path / target, rasters, negative_labels=[NEGATIVE], classes=CLASSES)
    by_name = {image.name: image for image in found.images}
    assert found.boxes == boxes
    for other in wanted.images:
        if form in ("geojson", "gpkg") and not len(other.objects) + len(other.negatives):
            continue
        one = by_name[other.name]
        assert (one.split, one.group) == (other.split, other.group)
        assert one.objects.names == other.objects.names and one.negative_names == other.negative_names
        np.testing.assert_allclose(one.objects.xy, other.objects.xy, rtol=0, atol=precision)
        np.testing.assert_allclose(one.negatives, other.negatives, rtol=0, atol=precision)
        if boxes and len(other.objects):
            np.testing.assert_allclose(one.objects.wh, other.objects.wh, rtol=0, atol=2 * precision)


@st.composite
def found_things(draw: st.DrawFn) -> Detections:
    number = draw(st.integers(1, 5))
    xy = draw(arrays(np.float64, (number, 2), elements=st.floats(-10, 1e6)))
    wh = draw(st.none() | arrays(np.float64, (number, 2), elements=st.floats(1e-3, 1e3)))
    score = draw(arrays(np.float64, number, elements=st.floats(0, 1)))
    return Detections(xy, score, draw(arrays(np.int64, number, elements=st.integers(0, 2))), CLASSES, wh)


@in_a_folder
@given(wanted=st.dictionaries(st.sampled_from([*FILES, "007"]), found_things()))
def test_detections(tmp_path: Path, wanted: dict[str, Detections]) -> None:
    """Coordinates have three digits after the point and scores six; what was read is written again to the byte."""
    path = tmp_path / "detections.csv"
    write_detections(wanted, path)
    found = read_detections(path, CLASSES)
    assert list(found) == list(wanted)
    for name, other in wanted.items():
        one = found[name]
        assert one.names == other.names
        np.testing.assert_allclose(one.xy, other.xy, rtol=0, atol=0.000501)
        np.testing.assert_allclose(one.score, other.score, rtol=0, atol=0.000000501)
        assert (one.wh is None) == (other.wh is None)
        if other.wh is not None:
            np.testing.assert_allclose(one.wh, other.wh, rtol=0, atol=0.000501)
    write_detections(found, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == path.read_bytes()


TRANSFORM = (0.5, 0.0, 1000.0, 0.0, -0.5, 2000.0)
"""Half a metre a pixel, north up."""


@in_a_folder
@given(rows=st.lists(st.integers(1, 9), min_size=1, max_size=4), cols=st.integers(1, 300), overhang=st.integers(0, 15))
def test_a_heatmap(tmp_path: Path, rows: list[int], cols: int, overhang: int) -> None:
    """A GeoTIFF, however it is cut into strips, with its stride, classes and georeference.

    Of float32 to the bit, of bytes to half a step of 1/254, by the scale that the file gives.

    A cell is 16 pixels of half a metre: 8 m. The centre of cell 0 is at pixel 8, so that its corner is the scene's.
    """
    heat = np.random.default_rng(len(rows)).random((2, sum(rows), cols), np.float32)
    shape = (16 * sum(rows) - overhang, 16 * cols - overhang)
    scene = Scene(Path("memory"), shape, "uint8", 3, TRANSFORM, "EPSG:32617")
    path = tmp_path / "map.tif"
    strips = np.split(heat, np.cumsum(rows)[:-1], axis=1)
    write_map(path, strips, scene, 16, ("cow", "sheep"), 8.0, BYTES)
    with rasterio.open(path) as source:
        np.testing.assert_allclose(source.read() * source.scales[0], heat, rtol=0, atol=0.5 / 254 + 1e-7)
        assert source.nodata == 255
    write_map(path, strips, scene, 16, ("cow", "sheep"), 8.0, FLOATS)
    with rasterio.open(path) as source:
        np.testing.assert_array_equal(source.read(), heat)
        assert source.descriptions == ("cow", "sheep")
        assert source.crs.to_epsg() == 32617
        assert source.transform.almost_equals(Affine(8, 0, 1000, 0, -8, 2000))
    tags = read_tags(path)
    assert (float(tags["stride"]), float(tags["offset"]), tags["classes"]) == (16, 8, "cow, sheep")


@pytest.mark.parametrize("made", [lively, lively_grid, lambda: lively(8, "uint16")])
def test_a_model_file(tmp_path: Path, made) -> None:
    """Every weight to the bit, every entry of the card; the network read back computes the same."""
    net, card = made()
    save_model(tmp_path / "model.safetensors", net, card)
    found, its_card = load_model(tmp_path / "model.safetensors")
    assert isinstance(its_card, ModelCard) and its_card == card
    wanted = net.state_dict()
    assert found.state_dict().keys() == wanted.keys()
    assert all(torch.equal(value, wanted[name]) for name, value in found.state_dict().items())
    pixels = 127 + 60 * torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(found(pixels), net.eval()(pixels), rtol=1e-4, atol=1e-4)

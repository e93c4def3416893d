"""A predictions folder that somebody made to harm: the page is written without the picture, or the table is named."""

import base64
import json
import os
import re
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from detect.reporting.output.layout import PredictionPaths
from detect.reporting.output.predictions import read_predictions
from detect.reporting.page.figures import draw_figures
from detect.reporting.page.report_page import write_report

pytestmark = pytest.mark.filterwarnings("error::PIL.Image.DecompressionBombWarning")
NAME = "c.jpg"


def jpeg(width: int, height: int, scans: int = 1) -> bytes:
    """A JPEG that claims a size, and has so many scans more than one."""
    buffer = BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, format="JPEG")
    data = buffer.getvalue()
    at = data.index(b"\xff\xc0") + 5
    data = data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]
    scan = data[data.index(b"\xff\xda") : -2]
    return data[:-2] + scan * (scans - 1) + data[-2:]


def heat(path: Path, shape: tuple[int, int, int] = (1, 8, 10), dtype: str = "float32", **tags: str) -> None:
    """A GeoTIFF of a shape (C, h, w) that it does not fill."""
    path.unlink(missing_ok=True)
    profile = {"count": shape[0], "height": shape[1], "width": shape[2], "dtype": dtype, "sparse_ok": True}
    with rasterio.open(path, "w", driver="GTiff", tiled=True, blockxsize=256, blockysize=256, **profile) as target:
        target.update_tags(**tags)


def in_place_of(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


def to_outside(path: Path) -> None:
    """A link to a picture, heatmap or table that could be read, outside the folder."""
    target = Path(*path.parts[: path.parts.index("predictions")], f"secret{path.suffix}")
    Image.new("RGB", (80, 60), (1, 200, 3)).save(target, format="JPEG")
    path.symlink_to(target)


PICTURES = {
    "bomb": lambda path: path.write_bytes(jpeg(60_000, 60_000)),
    "many scans": lambda path: path.write_bytes(jpeg(4000, 4000, 1000)),
    "png": lambda path: Image.new("RGB", (8, 8)).save(path, format="PNG"),
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "link": to_outside,
    "loop": lambda path: path.symlink_to(path.name),
    "large": lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_RDWR), 1 << 40),
    "nothing": Path.touch,
}


@pytest.mark.parametrize("place", ["overlay", "thumbnail"])
@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_that_is_none_is_a_remark(folder: Path, kind: str, place: str) -> None:
    path = getattr(PredictionPaths(folder), place)(NAME)
    in_place_of(path, PICTURES[kind])
    figures = draw_figures(read_predictions(folder), NAME)
    assert len(figures.missing) == 1 and path.name in figures.missing[0]
    assert getattr(figures, place) is None and figures.heat is not None
    write_report(folder, None, 200)


HEATMAPS = {
    **{f"{tag}={value}": {tag: value} for tag in ("stride", "size") for value in ("0", "nan", "-8", "1e300", "x")},
    **{f"offset={value}": {"offset": value} for value in ("nan", "1e12", "-1e12", "4 4 4")},
    "bytes": {"dtype": "uint8"},
    "no overviews": {"shape": (1, 40_000, 40_000)},
    "many classes": {"shape": (3000, 512, 512)},
}


@pytest.mark.parametrize("kind", HEATMAPS)
def test_a_heatmap_that_is_none_is_a_remark(folder: Path, kind: str) -> None:
    path = PredictionPaths(folder).heatmap(NAME)
    heat(path, **{"stride": "8", "offset": "4", "size": "80 60", **HEATMAPS[kind]})
    figures = draw_figures(read_predictions(folder), NAME)
    assert len(figures.missing) == 1 and path.name in figures.missing[0]
    assert figures.heat is None and figures.overlay is not None


@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "loop", "nothing"])
def test_a_heatmap_that_is_no_file_of_the_folder_is_a_remark(folder: Path, kind: str) -> None:
    in_place_of(PredictionPaths(folder).heatmap(NAME), PICTURES[kind])
    assert draw_figures(read_predictions(folder), NAME).heat is None


def test_overviews_beside_a_heatmap_are_not_opened(folder: Path, tmp_path: Path) -> None:
    """A text of another format in them would lead anywhere; here a raster of ones, where the map itself is zero."""
    path = PredictionPaths(folder).heatmap(NAME)
    heat(path, (1, 1024, 1024), stride="8", offset="4")
    profile = {"count": 1, "height": 512, "width": 512, "dtype": "float32"}
    with rasterio.open(path.with_name(f"{path.name}.ovr"), "w", driver="GTiff", **profile) as target:
        target.write(np.ones((1, 512, 512), np.float32))
    PredictionPaths(folder).thumbnail(NAME).unlink()
    shown = draw_figures(read_predictions(folder), NAME).heat
    assert shown is not None
    assert np.asarray(Image.open(BytesIO(base64.b64decode(shown.partition(",")[2])))).max() < 32


def test_the_page_opens_no_file_outside_its_folder(folder: Path) -> None:
    """`run.json` names the images, the first of which is there: neither it nor a secret is shown."""
    run = json.loads((folder / "run.json").read_text())
    secret = folder.parent / "secret.png"
    Image.new("RGB", (80, 60), (1, 200, 3)).save(secret)
    (folder / "run.json").write_text(json.dumps({**run, "sources": {NAME: str(secret), "a/b.jpg": "/dev/zero"}}))
    PredictionPaths(folder).thumbnail(NAME).unlink()
    figures = draw_figures(read_predictions(folder), NAME)
    assert figures.thumbnail is None and "thumbnails/c.jpg.jpg is missing" in figures.missing[0]


@pytest.mark.parametrize("name", ["counts.csv", "detections.csv", "failures.csv", "run.json"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "loop", "large"])
def test_a_table_that_is_no_file_of_the_folder_is_named(folder: Path, name: str, kind: str) -> None:
    """But for detections that are too many to read, which the page can do without."""
    in_place_of(folder / name, PICTURES[kind])
    if (name, kind) == ("detections.csv", "large"):
        assert any(name in remark for remark in read_predictions(folder).remarks)
        return
    with pytest.raises((ValueError, OSError), match=re.escape(name)):
        write_report(folder, None, 200)


COUNTS = {
    "twice": "c.jpg,0,1,1\nc.jpg,0,1,1\n",
    "negative": "c.jpg,-1,2,1\n",
    "beyond int64": "c.jpg,99999999999999999999999,0,1\n",
    "too many": "c.jpg,5000000000000000000,5000000000000000000,-8446744073709551616\n",
    "up and out": "../c.jpg,0,1,1\n",
    "absolute": "/c.jpg,0,1,1\n",
    "nul": '"c\0.jpg",0,1,1\n',
    "short row": "c.jpg,0\n",
    "bare return": "c.jpg,0\r,1,1\n",
    "long": f"{'c' * 200_000},0,1,1\n",
}


@pytest.mark.parametrize("kind", COUNTS)
def test_counts_that_are_none_are_named(folder: Path, kind: str) -> None:
    (folder / "counts.csv").write_bytes(b"image,cow,sheep,total\n" + COUNTS[kind].encode())
    with pytest.raises(ValueError, match=r"counts\.csv"):
        write_report(folder, None, 200)


ODD = ["x" * 400 + ".jpg", "\u202egpj.exe", "tab\t.jpg", "line\nbreak.jpg", "<img src=x onerror=alert(1)>.jpg"]


def test_names_that_no_file_has_are_rows_without_pictures(folder: Path) -> None:
    rows = "".join('"{}",0,1,1\n'.format(name.replace('"', '""')) for name in ODD)
    (folder / "counts.csv").write_text(f"image,cow,sheep,total\n{rows}", newline="")
    page = write_report(folder, None, 200).read_text()
    assert page.count("missing</td>") == len(ODD) and "<img src=x" not in page


WRONG = [None, True, -1, 2**62, 1e300, "x", "\0", [], [[]], [None], {"a": {"b": 1}}]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_values_of_other_types_in_json_are_shown_or_left_out(folder: Path, scores: Path, wrong: object) -> None:
    run, measures = json.loads((folder / "run.json").read_text()), json.loads(scores.read_text())
    model = ("path", "threshold", "radius", "nms_iou", "image_scale", "gsd")
    image = {"true": wrong, "found": wrong, "f1": wrong}
    for facts, numbers in (
        (dict.fromkeys([*run, "pixels", "images"], wrong), dict.fromkeys(measures, wrong)),
        (
            {"model": dict.fromkeys(model, wrong), "settings": {"runtime": wrong, "tta": wrong}, "pixels": wrong},
            {**measures, "per_class": {"cow": image}, "per_image": {NAME: image}},
        ),
    ):
        (folder / "run.json").write_text(json.dumps(facts))
        scores.write_text(json.dumps(numbers))
        assert NAME in write_report(folder, scores, 0).read_text()

"""Annotation files of every format with bytes and values changed: read, or refused by an `AnnotationError` alone."""

import copy
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from PIL import Image

from detect.labels.annotation_files import read_annotations, read_unchecked
from detect.labels.annotations import AnnotationError
from tools.fuzzing.mutations import VALUES, changed_bytes, places

POINTS = "image,x,y,label,split\n" + "".join(f"a.png,{5 * i},{3 * i + 0.5},cow,train\n" for i in range(8))
BOXES = "image;left;top;width;height;class\n" + "".join(f"b.png;{5 * i};{3 * i},5;4;4;cow\n" for i in range(7))
VOC = (
    '<?xml version="1.0" encoding="utf-8"?>\n<annotation><filename>a.png</filename><size><width>40</width>'
    "<height>30</height></size><object><name>cow</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>8</ymax>"
    "</bndbox></object><object><name>pig</name><polygon><x1>3</x1><y1>4</y1><x2>9</x2><y2>9</y2></polygon></object>"
    "</annotation>"
)
COCO: dict[str, Any] = {
    "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}, {"id": 2, "file_name": "b.png"}],
    "categories": [{"id": 1, "name": "cow"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "iscrowd": 0},
        {"id": 2, "image_id": 1, "category_id": 1, "segmentation": [[1, 2, 9, 2, 9, 9]]},
        {"id": 3, "image_id": 2, "category_id": 1, "segmentation": {"size": [30, 40], "counts": [100, 9, 1091]}},
        {"id": 4, "image_id": 2, "category_id": 1, "segmentation": {"size": [30, 40], "counts": "PTT1"}},
        {"id": 5, "image_id": 2, "category_id": 1, "keypoints": [3, 4, 2, 5, 6, 1]},
    ],
}
YAML = "path: .\ntrain: images\nval:\n  - images\nnames:\n  0: cow\n  1: sheep\n"
ROWS = "0 0.5 0.5 0.2 0.2\n1 0.1 0.1 0.2 0.1 0.3 0.3\n"

FILES: dict[str, dict[str, bytes]] = {
    "points": {"t.csv": POINTS.encode()},
    "boxes": {"t.csv": BOXES.encode("utf-16")},
    "voc": {"t.xml": VOC.encode()},
    "coco": {"t.json": json.dumps(COCO).encode()},
    "yolo": {"data.yaml": YAML.encode(), "images/a.txt": ROWS.encode(), "images/b.txt": b""},
}
"""The files of a data set of each format; the first is given, and one of them is changed."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name in ("a.png", "b.png", "images/a.png", "images/b.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        Image.new("L", (40, 30)).save(folder / name)
    return folder


def read(path: Path, root: Path) -> None:
    for each in (lambda: read_annotations(path, root), lambda: read_unchecked(path)):
        try:
            each()
        except AnnotationError as error:
            assert str(error) and len(str(error)) < 20_000


@pytest.mark.parametrize("kind", FILES)
def test_changed_bytes_are_read_or_refused(root: Path, kind: str, number: int = 60) -> None:
    """The names of images end in two folders, so that some are ambiguous."""
    rng = Random(kind)
    files = FILES[kind]
    given = root / next(iter(files))
    for _ in range(number):
        for name, data in files.items():
            (root / name).write_bytes(data)
        name = rng.choice(list(files))
        (root / name).write_bytes(changed_bytes(files[name] or b"0", rng)[0])
        read(given, root)
    for name in files:
        (root / name).unlink()


def changed_value(tree: dict[str, Any], rng: Random) -> dict[str, Any]:
    """Return nested data in which one value is another one or left out."""
    made = copy.deepcopy(tree)
    *way, last = rng.choice(list(places(made)))
    inner: Any = made
    for key in way:
        inner = inner[key]
    if rng.random() < 0.2:
        del inner[last]
    else:
        inner[last] = rng.choice(VALUES)
    return made


def test_changed_values_of_coco_are_read_or_refused(root: Path, number: int = 200) -> None:
    rng = Random(1)
    for _ in range(number):
        text = json.dumps(changed_value(COCO, rng))
        (root / "t.json").write_bytes(text.encode("utf-8", "surrogatepass"))
        read(root / "t.json", root)
    (root / "t.json").unlink()


@pytest.mark.parametrize(
    "text",
    [
        "names: &a [x]\ntrain: " + "[" * 2000,
        "a: &a [x]\n"
        + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(9))
        + "names: *j\ntrain: images\n",
        "names: [x]\ntrain: " + "a/" * 5000,
        "names: {99999999999999999999: x}\ntrain: images\n",
    ],
)
def test_descriptions_that_grow_are_refused_at_once(root: Path, text: str) -> None:
    (root / "data.yaml").write_text(text)
    with pytest.raises(AnnotationError):
        read_annotations(root / "data.yaml", root)
    (root / "data.yaml").unlink()

"""Inputs of the kind formats: annotations of other programs, given to `detect.convert`."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from .case import Case, Material, Place
from .mutations import changed_bytes, changed_data, places, with_value
from .tables import CELLS

Tree = dict[str, Any] | list[Any]

NAMES, SIDE = ("0.png", "1.png"), 128
POINT = {"type": "Point", "coordinates": [20, 20]}
REGION = {"shape_attributes": {"name": "rect", "x": 9, "y": 9, "width": 20, "height": 20}}
RESULT = {"original_width": SIDE, "original_height": SIDE, "image_rotation": 0, "type": "rectanglelabels"}
VALUE = {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 30, "rectanglelabels": ["square"]}

TREES: Mapping[str, Callable[[], Tree]] = {
    "coco.json": lambda: {
        "images": [{"id": i, "file_name": name, "width": SIDE, "height": SIDE} for i, name in enumerate(NAMES)],
        "categories": [{"id": 1, "name": "square"}],
        "annotations": [
            {"id": 1, "image_id": 0, "category_id": 1, "bbox": [9, 9, 20, 20], "iscrowd": 0},
            {"id": 2, "image_id": 0, "category_id": 1, "segmentation": [[40, 40, 60, 40, 60, 60]]},
            {"id": 3, "image_id": 1, "category_id": 1, "segmentation": {"size": [SIDE, SIDE], "counts": [9, 9, 16366]}},
            {"id": 4, "image_id": 1, "category_id": 1, "segmentation": {"size": [SIDE, SIDE], "counts": "PPYo0"}},
            {"id": 5, "image_id": 1, "category_id": 1, "bbox": [90, 90, 20, 20], "iscrowd": 1},
        ],
    },
    "labelme.json": lambda: {
        "imagePath": "0.png",
        "imageHeight": SIDE,
        "imageWidth": SIDE,
        "shapes": [
            {"label": "square", "shape_type": "rectangle", "points": [[9, 9], [29, 29]]},
            {"label": "square", "shape_type": "circle", "points": [[60, 60], [70, 60]]},
        ],
    },
    "tasks.json": lambda: [
        {"id": 1, "data": {"image": "/data/upload/1/abcdef12-0.png"}, "annotations": [{"result": [_result()]}]},
        {"id": 2, "data": {"image": "1.png", "split": "val"}, "annotations": [{"result": []}], "predictions": []},
    ],
    "via.json": lambda: {
        name: {"filename": name, "size": -1, "regions": [_region()], "file_attributes": {}} for name in NAMES
    },
    "dots.pnt": lambda: {
        "classes": ["square"],
        "colors": {"square": [255, 0, 0]},
        "points": {name: {"square": [{"x": 20, "y": 20}, {"x": 70, "y": 30}]} for name in NAMES},
        "survey_id": "",
    },
    "map.geojson": lambda: {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}},
        "features": [
            {"type": "Feature", "geometry": POINT, "properties": {"label": "square", "image": name}} for name in NAMES
        ],
    },
}
"""Good files in JSON, by their names."""

TEXTS = {
    "cvat.xml": '<?xml version="1.0"?><annotations><version>1.1</version><image id="0" name="0.png" width="128" '
    'height="128"><box label="square" xtl="9" ytl="9" xbr="29" ybr="29" rotation="30"/><points label="square" '
    'points="70,30;40,75"/></image><image id="1" name="1.png" width="128" height="128"/></annotations>',
    "0.txt": "imagesource:x\ngsd:0.1\n9 9 29 9 29 29 9 29 square 0\n60 20 80 20 80 40 60 40 square 1\n",
    "yolo": "0 0.15 0.15 0.15 0.15\n0 0.5 0.1 0.75 0.5 0.5 0.9\n",
}
"""Good files of text; `yolo` is the labels of an image in a folder."""

TARGETS = ("out.csv", "out.json", "out.xml", "voc")


def make_format_case(place: Place, material: Material) -> Case:
    """Make annotations of the two small images in a format of others, with something wrong, and convert them."""
    place.input.mkdir()
    rng = place.rng
    name = rng.choice((*TREES, *TEXTS))
    if name in TREES:
        data, what = _tree(TREES[name](), place)
    else:
        data, what = _text(TEXTS[name], place)
    if rng.random() < 0.2:
        data, more = changed_bytes(data, rng)
        what += f" {more}"
    source = _yolo(place, data) if name == "yolo" else place.input / name
    if name != "yolo":
        source.write_bytes(data)
    place.out.mkdir()
    given = [f"source={source}", f"target={place.out / rng.choice(TARGETS)}", f"summary={place.out / 'summary.txt'}"]
    given += [f"root={material.data / 'images'}"] if rng.random() < 0.8 else []
    return Case(f"{name} {what}", (("convert", *given),))


def _result() -> dict[str, Any]:
    return {**RESULT, "id": "a", "value": dict(VALUE)}


def _region() -> dict[str, Any]:
    return {**REGION, "region_attributes": {"label": "square"}}


def _tree(tree: Tree, place: Place) -> tuple[bytes, str]:
    """Return JSON with values of plain data or cells of tables in place of some."""
    rng, words = place.rng, []
    for _ in range(rng.choice((1, 1, 2, 5))):
        if rng.random() < 0.3:
            tree, what = _with_cell(tree, place)
        else:
            tree, what = changed_data(tree, rng)
        words.append(what)
    return json.dumps(tree).encode("utf-8", "surrogatepass"), " ".join(words)


def _with_cell(tree: Tree, place: Place) -> tuple[Tree, str]:
    path = place.rng.choice(list(places(tree)))
    cell = _cell(place)
    return with_value(tree, path, cell), f"{'.'.join(map(str, path))}={cell[:20]!r}"


def _cell(place: Place) -> str:
    cell = place.rng.choice(CELLS)
    return cell.replace("{address}", place.address).replace("{outside}", str(place.outside))


def _text(text: str, place: Place) -> tuple[bytes, str]:
    """Return text with a cell of a table in place of one of its words or numbers."""
    start, end = _word(text, place.rng)
    cell = _cell(place)
    changed = f"{text[:start]}{cell}{text[end:]}"
    return changed.encode("utf-8", "surrogatepass"), f"{text[start:end]}={cell[:20]!r}"


def _word(text: str, rng: Random) -> tuple[int, int]:
    """Return where one of the words of a text begins and ends."""
    ends = [i for i, letter in enumerate(text) if not (letter.isalnum() or letter == ".")]
    found = [(a + 1, b) for a, b in zip([-1, *ends], ends, strict=False) if b > a + 1]
    return rng.choice(found)


def _yolo(place: Place, labels: bytes) -> Path:
    """Make a data set in YOLO's layout, with a description of which a value may be a cell of a table."""
    rng = place.rng
    folder = place.input / "set"
    (folder / "labels").mkdir(parents=True)
    (folder / "labels/0.txt").write_bytes(labels)
    values = {"path": ".", "train": "images", "names": "[square]"}
    if rng.random() < 0.5:
        values[rng.choice(list(values))] = rng.choice(
            (json.dumps(_cell(place)), "*a", "[*a]", "{0: *a}", "!!python/name:os.system")
        )
    levels = "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9))
    text = f"a0: &a0 [x]\n{levels}a: &a [*a8]\n" + "".join(f"{name}: {value}\n" for name, value in values.items())
    (folder / "data.yaml").write_text(text, encoding="utf-8", errors="surrogatepass")
    return folder

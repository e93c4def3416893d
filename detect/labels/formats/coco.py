"""COCO: one JSON object with `images`, `annotations` and `categories` (Lin et al. 2014, https://cocodataset.org).

`bbox` is x, y, width, height in pixels from 0; `segmentation` polygons or a run-length mask; `keypoints` x, y,
visibility; `iscrowd` marks a region in which objects are not told apart, in which nothing is learned or scored.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from detect.labels.annotations import AnnotationError
from detect.labels.entries import Entry, Problems, name_beside
from detect.labels.formats.csv_table import SPLITS
from detect.labels.json_files import MAX_LABELS_BYTES, read_json
from detect.labels.reading.coco_shapes import box_around_mask, box_of, middle_of, stated_size
from detect.labels.reading.shapes import ShapeError, shown

_HEAD_BYTES, _LOOKED_AT, _FOLDERS_DEEP = 1 << 16, 50, 3
_ONE_KEYPOINT = 3
"""Numbers of one keypoint: x, y, visibility."""

_KEY = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')


def is_coco(path: Path) -> bool:
    """Return whether a path is a COCO file, or a folder that has some, by what they hold."""
    if path.is_dir():
        return any(_begins_as_coco(file) for file in islice(_json_files(path), _LOOKED_AT))
    return path.suffix.lower() == ".json" and _begins_as_coco(path)


def read_coco(path: Path, root: Path | None, problems: Problems) -> tuple[list[Entry], bool]:
    """Read the entries of a COCO file, or of every COCO file below a folder (Roboflow: `train`, `valid` and `test`).

    Boxes are read as they are. Where an annotation has none, the box around its mask is; a file that has neither holds
    points: the middle of each object's visible keypoints. Images without annotations are images without objects. The
    folder or name of one of several files says the side of the split.

    Args:
        path: the file or folder.
        root: the data folder; None if no image is opened.
        problems: collects what cannot be used.

    Returns:
        The entries, and whether they are boxes.

    Raises:
        AnnotationError: not such a file, beyond a bound, or images or categories are missing.
    """
    files = [file for file in _json_files(path) if _begins_as_coco(file)] if path.is_dir() else [path]
    read = [(file, _content(file)) for file in files]
    boxes = any(_has_boxes(content) for _, content in read) and not all(_are_points(content) for _, content in read)
    entries: list[Entry] = []
    for file, content in read:
        split = _side(file, path) if len(files) > 1 else None
        entries += _File(file, content, root, split, boxes).entries(problems)
    return entries, boxes


def _json_files(folder: Path) -> Iterator[Path]:
    """Yield the `.json` files of a folder and a few levels below it, sorted, without hidden ones."""
    for deep in range(_FOLDERS_DEEP):
        for path in sorted(folder.glob("*/" * deep + "*.json")):
            if not path.name.startswith(".") and path.is_file():
                yield path


def _begins_as_coco(path: Path) -> bool:
    """Return whether a file begins as an object and has one of COCO's lists near its beginning or its end."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            file.seek(max(0, path.stat().st_size - _HEAD_BYTES))
            tail = file.read(_HEAD_BYTES)
    except OSError:
        return False
    if not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{") or b'"shapes"' in head or b'"_via' in head:
        return False
    return _KEY.search(head) is not None or _KEY.search(tail) is not None


def _content(path: Path) -> Mapping[str, Any]:
    """Read a file and check that it has the three lists of objects; one without annotations may lack that list."""
    try:
        content = read_json(path, most_bytes=MAX_LABELS_BYTES)
    except FileNotFoundError as error:
        raise AnnotationError(f"{path}: no such file") from error
    except ValueError as error:
        raise AnnotationError(str(error)) from error
    if not isinstance(content, dict):
        raise AnnotationError(f"{path}: a COCO file holds an object, this one a {type(content).__name__}")
    for key in ("images", "annotations", "categories"):
        items = content.get(key, [])
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise AnnotationError(f"{path}: {key} must be a list of objects")
    if not content.get("images"):
        raise AnnotationError(f"{path}: has no images; a COCO file lists those that were looked at")
    if content.get("annotations") and not content.get("categories"):
        raise AnnotationError(f"{path}: has no categories, so that nobody knows what the annotations are; add them")
    return content


def _has_boxes(content: Mapping[str, Any]) -> bool:
    """Return whether some annotation has a box or a mask."""
    return any(each.get("bbox") or each.get("segmentation") for each in content.get("annotations", []))


def _are_points(content: Mapping[str, Any]) -> bool:
    """Return whether every annotation is one keypoint; a box around it stands for it in programs without points."""
    return all(
        isinstance(each.get("keypoints"), list) and len(each["keypoints"]) == _ONE_KEYPOINT
        for each in _objects(content)
    )


def _objects(content: Mapping[str, Any]) -> list[Any]:
    """Return the annotations."""
    found = content.get("annotations", [])
    return found if isinstance(found, list) else []


def _side(file: Path, folder: Path) -> str | None:
    """Return the side of the split that a file's name or the folders between it and the given one name."""
    words = re.findall(r"[a-z]+", "/".join(file.relative_to(folder).with_suffix("").parts).lower())
    sides = {SPLITS[word] for word in words if word in SPLITS}
    return sides.pop() if len(sides) == 1 else None


@dataclass(frozen=True, eq=False)
class _File:
    """One COCO file, being read.

    Attributes:
        path: the file.
        content: what it holds.
        root: the data folder, None if no image is opened.
        split: the side that its name says, None for none.
        boxes: whether boxes are read, else points.
    """

    path: Path
    content: Mapping[str, Any]
    root: Path | None
    split: str | None
    boxes: bool

    def entries(self, problems: Problems) -> Iterator[Entry]:
        """Yield the entries of the images in the file's order."""
        images = self._images(problems)
        categories = self._categories(problems)
        found: dict[str, list[Entry]] = {key: [] for key in images}
        labelled: set[str] = set()
        for number, item in enumerate(self.content.get("annotations", []), 1):
            place = f"{self.path} annotation {_number(item.get('id'), number)}"
            image = images.get(_key(item.get("image_id")))
            if image is None:
                problems.skip(place, f"is of image_id {shown(item.get('image_id'))}, which is not in images")
                continue
            labelled.add(_key(item.get("image_id")))
            label = categories.get(_key(item.get("category_id")))
            if label is None:
                problems.add(place, f"is of category_id {shown(item.get('category_id'))}, which is not in categories")
                continue
            head = replace(image, line=_number(item.get("id"), number), unit="annotation", label=label)
            entry = self._entry(head, item, problems)
            if entry is not None:
                found[_key(item.get("image_id"))].append(entry)
        for key, image in images.items():
            yield from found[key] if key in labelled else [image]

    def _images(self, problems: Problems) -> dict[str, Entry]:
        """Return an entry without an object for each image, by its id."""
        images: dict[str, Entry] = {}
        for number, item in enumerate(self.content["images"], 1):
            place, name = f"{self.path} image {number}", item.get("file_name")
            if not isinstance(name, str) or not name.strip() or item.get("id") is None:
                problems.add(place, f"an image needs an id and a file_name, got {shown(item.get('file_name'))}")
                continue
            key, split = _key(item["id"]), item.get("split")
            side = SPLITS.get(split.lower()) if isinstance(split, str) else self.split
            group = item.get("group") if isinstance(item.get("group"), str) else None
            full, size = name_beside(self.path, name, self.root), stated_size(item)
            others = (name,) if full != name else ()
            entry = Entry(self.path, number, full, None, "", side, group or None, size, others, unit="image")
            if key in images:
                problems.add(place, f"has the id of image {images[key].line}; give every image one of its own")
            images[key] = entry
        return images

    def _categories(self, problems: Problems) -> dict[str, str]:
        """Return the name of each category by its id."""
        names: dict[str, str] = {}
        for number, item in enumerate(self.content.get("categories", []), 1):
            name = item.get("name")
            name = str(name).strip() if isinstance(name, str | int) and not isinstance(name, bool) else ""
            if not name or item.get("id") is None:
                problems.add(f"{self.path} category {number}", f"needs an id and a name, got {shown(item.get('name'))}")
                continue
            if names.setdefault(_key(item["id"]), name) != name:
                problems.add(f"{self.path} category {number}", f"{name!r} has the id of {names[_key(item['id'])]!r}")
        return names

    def _entry(self, head: Entry, item: Mapping[str, Any], problems: Problems) -> Entry | None:
        """Return the entry of an annotation; None where it is left out."""
        crowd = item.get("iscrowd") in (1, "1")
        boxes, what = self.boxes or crowd, ""
        try:
            numbers = box_of(item) if boxes else middle_of(item.get("keypoints"))
            if numbers is None and boxes:
                numbers = box_around_mask(item.get("segmentation"))
                what = "annotations without bbox are read as the boxes around their masks"
            elif not boxes and len(item.get("keypoints") or ()) > _ONE_KEYPOINT:
                what = "objects of several keypoints are read as the middle of those that are visible"
        except ShapeError as error:
            problems.skip(head.place, str(error), head.image)
            return None
        if numbers is None:
            problems.skip(head.place, f"has no {'bbox and no segmentation' if boxes else 'keypoints'}", head.image)
            return None
        if crowd:
            problems.tell("crowds (iscrowd) are regions in which nothing is learned or scored", head.place)
            return replace(head, numbers=numbers, label="", ignored=True)
        if what:
            problems.tell(what, head.place)
        return replace(head, numbers=numbers)


def _key(value: Any) -> str:
    """Return an id as text, by which 1 and "1" are one."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _number(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise

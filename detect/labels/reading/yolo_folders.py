"""The files of a data set in YOLO's layout: `data.yaml` or a list of classes, and the images that they name.

Ultralytics: https://docs.ultralytics.com/datasets/detect.
"""

import os
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from detect.imagery.files import read_regular
from detect.imagery.finding.endings import SUFFIXES
from detect.labels.annotations import AnnotationError
from detect.labels.images import ImageFolder

SIDES = {"train": "train", "val": "val", "valid": "val", "test": "test"}
"""The keys of `data.yaml` that name images, and the side of the split that each is."""

MAX_YAML_BYTES, MAX_LABEL_BYTES = 1 << 20, 64 << 20
"""Most bytes of `data.yaml` or a list of classes, and of one image's labels or a list of images."""

MAX_PATH = 1024
"""Most characters of a path that a description or a list names."""

_LARGEST_NAME = 1e15
"""A number beyond this is no name of a class."""

CLASS_LISTS = ("classes.txt", "obj.names", "labels.txt")


def description_in(folder: Path) -> Path | None:
    """Return the file of a folder that names classes and sides; None without one."""
    files = sorted(each for each in folder.iterdir() if each.suffix.lower() in (".yaml", ".yml") and each.is_file())
    found = [each for each in files if is_description(each)]
    return next((each for each in found if each.stem == "data"), found[0] if found else None)


def is_description(path: Path) -> bool:
    """Return whether a YAML file names classes and sides of a split."""
    try:
        content = read_description(path)
    except AnnotationError:
        return False
    return "names" in content and any(content.get(key) for key in SIDES)


def read_description(path: Path) -> Mapping[str, Any]:
    """Read a YAML file of plain values.

    Raises:
        AnnotationError: too large, not YAML, or something else than a table of values.
    """
    import yaml

    try:
        content = yaml.safe_load(read_regular(path, MAX_YAML_BYTES))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise AnnotationError(f"{path}: not YAML that is read ({str(error)[:200]})") from error
    if not isinstance(content, dict):
        raise AnnotationError(f"{path}: must hold names of classes and sides, got a {type(content).__name__}")
    return content


def described_names(path: Path, content: Mapping[str, Any]) -> dict[int, str]:
    """Return the name of each class by its number."""
    names = content["names"]
    pairs = names.items() if isinstance(names, dict) else enumerate(names) if isinstance(names, list) else []
    found = {}
    for number, name in pairs:
        key, text = _short_text(number), _short_text(name)
        if not key.isdecimal() or len(key) > 9 or not text:
            raise AnnotationError(
                f"{path}: names must be a list of texts, or a text by number, got {key[:20] or type(number).__name__}: "
                f"{text[:40] or type(name).__name__}"
            )
        found[int(key)] = text
    if not found:
        raise AnnotationError(f"{path}: names no classes; it needs a list of names")
    return found


def _short_text(value: Any) -> str:
    """Return a text or a bounded number as text; nothing of something else.

    What YAML's aliases repeat would fill the memory as text.
    """
    if isinstance(value, str):
        return value.strip()
    short = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST_NAME
    return str(value) if short else ""


def class_list_in(folder: Path) -> Path | None:
    """Return the list of classes in a folder or its folder of labels; None without one."""
    places = (folder, folder / "labels")
    return next((place / name for name in CLASS_LISTS for place in places if (place / name).is_file()), None)


def listed_names(folder: Path) -> dict[int, str]:
    """Read the names of classes, a line each."""
    file = class_list_in(folder)
    if file is None:
        raise AnnotationError(f"{folder}: has no classes.txt; write the name of each class in a line of its own")
    return dict(enumerate(line.strip() for line in text_lines(file, MAX_YAML_BYTES) if line.strip()))


def text_lines(path: Path, most: int) -> list[str]:
    """Read the lines of a text file.

    Raises:
        AnnotationError: not a file, too large, or not UTF-8.
    """
    try:
        return read_regular(path, most).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{path}: not text in UTF-8 (byte {error.start})") from error
    except (OSError, ValueError) as error:
        raise AnnotationError(f"{path}: cannot be read ({error})") from error


def images_below(folder: Path) -> list[Path]:
    """List the images of a folder and those below it, sorted, without hidden ones."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(place, name) for name in names if Path(name).suffix.lower() in SUFFIXES and name[0] != "."]
    return sorted(found)


@dataclass(frozen=True)
class LabelledFile:
    """An image of the data set and its labels.

    Attributes:
        image: the image file.
        labels: its label file; None if there is none.
        split: the side that the image is on, None for none.
    """

    image: Path
    labels: Path | None
    split: str | None = None


def files_in(folder: Path, root: Path | None) -> list[LabelledFile]:
    """List the images of a folder without a description; where it has none, the images of its labels (`_of_labels`)."""
    images = images_below(folder)
    return [LabelledFile(image, label_file(image)) for image in images] or _of_labels(folder / "labels", root)


def described_files(path: Path, content: Mapping[str, Any], root: Path | None) -> list[LabelledFile]:
    """List the images that `data.yaml` names, each once, with its side; on several sides, as in examples, with none.

    Raises:
        AnnotationError: a folder, list or image is not there, or lies outside of the data set's and the data folder.
    """
    found: dict[Path, LabelledFile] = {}
    sides: dict[Path, set[str]] = defaultdict(set)
    for key, side in SIDES.items():
        given = content.get(key)
        for text in given if isinstance(given, list) else [] if given is None else [given]:
            if not isinstance(text, str):
                raise AnnotationError(
                    f"{path}: {key} must name folders or lists of images, got a {type(text).__name__}"
                )
            for each in _named_files(path, content.get("path"), text, root):
                found.setdefault(each.image, each)
                sides[each.image].add(side)
    both = [image for image, those in sides.items() if len(those) > 1]
    if both and len(both) < len(found):
        raise AnnotationError(f"{path}: {both[0]} is on the sides {sorted(sides[both[0]])}; keep it on one side")
    if both:
        return list(found.values())
    return [replace(each, split=min(sides[image])) for image, each in found.items()]


def _named_files(path: Path, base: Any, text: str, root: Path | None) -> list[LabelledFile]:
    """List the images of a folder or list that a description names; where only its labels are there, their images."""
    place = _place(path, base, text, root)
    if place is None:
        inside = [part for part in PurePosixPath(text.replace("\\", "/")).parts if part not in ("..", "/")]
        known = len(text) <= MAX_PATH and "images" in inside
        labels = path.parent.joinpath(*("labels" if part == "images" else part for part in inside))
        found = _of_labels(labels, root) if known else []
        if not found:
            allowed = " or ".join(dict.fromkeys(str(each) for each in (path.parent, root) if each is not None))
            raise AnnotationError(f"{path}: {text[:200]!r} is not below {allowed}; correct the path")
        return found
    if place.is_file():
        return _listed(place, root)
    return [LabelledFile(image, label_file(image)) for image in images_below(place)]


def _of_labels(folder: Path, root: Path | None) -> list[LabelledFile]:
    """List the label files of a folder with their images below the data folder, of the same path without its ending."""
    files = sorted(each for each in folder.rglob("*.txt") if each.is_file() and each.name not in CLASS_LISTS)
    if not files or root is None:
        return []
    images = ImageFolder(root)
    return [LabelledFile(_below(images, file.relative_to(folder).with_suffix("").as_posix()), file) for file in files]


def _below(images: ImageFolder, name: str) -> Path:
    """Find an image by its name without an ending, which must be the one image of that name.

    Raises:
        AnnotationError: there is none, or several are called so.
    """
    for ending in SUFFIXES:
        for text in (name + ending, name + ending.upper()):
            with suppress(AnnotationError):
                return images.find(text)
    return images.find(name)


def label_file(image: Path) -> Path | None:
    """Return the label file of an image: in `labels` in place of the last `images` of its path, or beside it."""
    parts = image.parts
    tried = []
    if "images" in parts[:-1]:
        position = len(parts) - 2 - parts[:-1][::-1].index("images")
        tried.append(Path(*parts[:position], "labels", *parts[position + 1 :]).with_suffix(".txt"))
    tried += [image.with_suffix(".txt"), image.parent / "labels" / f"{image.stem}.txt"]
    return next((path for path in tried if path.is_file() and path.name not in CLASS_LISTS), None)


def _place(file: Path, base: Any, text: str, root: Path | None) -> Path | None:
    """Return the folder or list that a text names, below the file's own folder or the data folder; None without one.

    Paths are tried as Ultralytics reads them, then without the `..` and the folders of another machine before them.
    """
    here = file.parent
    base = base if isinstance(base, str) else ""
    if "\0" in text + base or max(len(text), len(base)) > MAX_PATH:
        return None
    parts = [part for part in PurePosixPath(text.replace("\\", "/")).parts if part != ".."]
    tried = [here / base / text, here / text]
    tried += [here.joinpath(*parts[start:]) for start in range(len(parts)) if not parts[start].startswith("/")]
    allowed = [here] if root is None else [here, root]
    for place in tried:
        real = Path(os.path.realpath(place))
        if os.path.exists(real) and any(real.is_relative_to(os.path.realpath(each)) for each in allowed):  # noqa: PTH110
            return place
    return None


def _listed(file: Path, root: Path | None) -> list[LabelledFile]:
    """List the images that a list names, a path a line, below the list's folder or the data folder."""
    found = []
    images = None if root is None else ImageFolder(root)
    for number, line in enumerate(text_lines(file, MAX_LABEL_BYTES), 1):
        parts = [part for part in PurePosixPath(line.strip().replace("\\", "/")).parts if part not in ("..", "/")]
        if not parts:
            continue
        if "\0" in line or len(line) > MAX_PATH:
            raise AnnotationError(f"{file} line {number}: is no path of an image")
        tried = [file.parent.joinpath(*parts[start:]) for start in range(len(parts))]
        image = next((each for each in tried if os.path.isfile(each)), None)  # noqa: PTH113
        if image is not None:
            found.append(LabelledFile(image, label_file(image)))
            continue
        inside = parts[parts.index("images") + 1 :] if "images" in parts[:-1] else parts
        if images is None:
            raise AnnotationError(f"{file} line {number}: {line.strip()[:200]!r} is not below {file.parent}")
        labels = file.parent.joinpath("labels", *inside).with_suffix(".txt")
        found.append(LabelledFile(images.find("/".join(inside)), labels if labels.is_file() else None))
    return found

"""The files of a data set in YOLO's layout: `data.yaml` or a list of classes, and the images that they name.

Ultralytics: https://docs.ultralytics.com/datasets/detect.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from detect.imagery.files import read_regular
from detect.imagery.finding.endings import SUFFIXES
from detect.labels.annotations import AnnotationError

SIDES = {"train": "train", "val": "val", "valid": "val", "test": "test"}
"""The keys of `data.yaml` that name images, and the side of the split that each is."""

MAX_YAML_BYTES, MAX_LABEL_BYTES = 1 << 20, 64 << 20
"""Most bytes of `data.yaml` or a list of classes, and of one image's labels or a list of images."""

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
        text = str(name).strip() if isinstance(name, str | int | float) and not isinstance(name, bool) else ""
        if not str(number).isdecimal() or len(str(number)) > 9 or not text:
            raise AnnotationError(
                f"{path}: names must be a list of texts, or a text by number, got {str(number)[:20]}: {str(name)[:40]}"
            )
        found[int(str(number))] = text
    if not found:
        raise AnnotationError(f"{path}: names no classes; it needs a list of names")
    return found


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


def described_images(path: Path, content: Mapping[str, Any], root: Path | None) -> Iterator[tuple[Path, str | None]]:
    """Yield the images that `data.yaml` names, each with its side; each once, for the first side that has it.

    Raises:
        AnnotationError: a folder or list is not there, or lies outside of the data set's and the data folder.
    """
    seen: dict[Path, str] = {}
    for key, side in SIDES.items():
        given = content.get(key)
        for text in given if isinstance(given, list) else [] if given is None else [given]:
            if not isinstance(text, str):
                raise AnnotationError(f"{path}: {key} must name a folder or a list of images, got {str(text)[:40]!r}")
            place = _place(path, content.get("path"), text, root)
            images = _listed(place) if place.is_file() else images_below(place)
            for image in images:
                before = seen.setdefault(image, side)
                if before != side:
                    raise AnnotationError(f"{path}: {image} is in {before} and in {side}; keep it on one side")
            yield from ((image, side) for image in images if seen[image] == side)


def _place(file: Path, base: Any, text: str, root: Path | None) -> Path:
    """Return the folder or list that a text names, below the file's own folder or the data folder.

    Paths are tried as Ultralytics reads them, then without the `..` and the folders of another machine before them.
    """
    here = file.parent
    parts = [part for part in PurePosixPath(text.replace("\\", "/")).parts if part != ".."]
    tried = [here / str(base or "") / text, here / text]
    tried += [here.joinpath(*parts[start:]) for start in range(len(parts)) if not parts[start].startswith("/")]
    allowed = [here] if root is None else [here, root]
    for place in tried:
        real = Path(os.path.realpath(place)) if "\0" not in str(place) else None
        if real is not None and real.exists() and any(real.is_relative_to(os.path.realpath(each)) for each in allowed):
            return place
    raise AnnotationError(f"{file}: {text[:200]!r} is not below {' or '.join(map(str, allowed))}; correct the path")


def _listed(file: Path) -> list[Path]:
    """Return the images that a list names, a path a line, below the list's folder."""
    found = []
    for number, line in enumerate(text_lines(file, MAX_LABEL_BYTES), 1):
        parts = [part for part in PurePosixPath(line.strip().replace("\\", "/")).parts if part not in ("..", "/")]
        tried = [file.parent.joinpath(*parts[start:]) for start in range(len(parts))]
        image = next((each for each in tried if "\0" not in line and os.path.isfile(each)), None)  # noqa: PTH113
        if parts and image is None:
            raise AnnotationError(f"{file} line {number}: {line.strip()[:200]!r} is not below {file.parent}")
        if image is not None:
            found.append(image)
    return found

"""DOTA: a text file an image, a line an object: the corners of a turned box, class, difficulty (Xia et al. 2018)."""

import re
from collections.abc import Iterator
from pathlib import Path

from detect.imagery.files import read_regular
from detect.imagery.finding.endings import SUFFIXES
from detect.labels.entries import Entry, Problems
from detect.labels.json_files import MAX_LABELS_BYTES
from detect.labels.reading.drawings import Drawings, Drawn, Numbers, one
from detect.labels.reading.json_heads import files_below, first_files
from detect.labels.reading.naming import with_endings
from detect.labels.reading.shapes import box_around, numbers_of

_HEADS = ("imagesource:", "gsd:", "acquisition dates:")
_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_OBJECT = re.compile(rf"({_NUMBER}[\s,]+){{8}}(?!{_NUMBER}(\s|$))\S+")
_LOOKED_AT_BYTES = 4096
_PNG_FIRST = (".png", *(each for each in SUFFIXES if each != ".png"))


def is_dota(path: Path) -> bool:
    """Return whether a path is a DOTA file, by its first lines, or a folder of such, as `labelTxt`."""
    if path.is_dir():
        return any(_is_file(each) for each in first_files(path, ".txt"))
    return path.suffix.lower() == ".txt" and _is_file(path)


def _is_file(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            lines = file.read(_LOOKED_AT_BYTES).decode("utf-8-sig", "replace").splitlines()
    except OSError:
        return False
    lines = [line.strip() for line in lines if line.strip()]
    head = [line for line in lines if line.lower().startswith(_HEADS)]
    return bool(lines) and (bool(head) or _OBJECT.match(lines[0]) is not None)


def read_dota(path: Path, root: Path | None, problems: Problems) -> tuple[list[Entry], bool]:
    """Read the turned boxes of DOTA files as the upright boxes around them.

    Args:
        path: a file, called as its image, or a folder of files.
        root: the data folder; not used, images are found by name, with any ending.
        problems: collects lines that cannot be used.

    Returns:
        The entries, and True: they are boxes.
    """
    drawings = Drawings(problems)
    for file in files_below(path, ".txt") if path.is_dir() else [path]:
        if path.is_dir() and not _may_be_labels(file):
            problems.tell("text files that are no labels are not read", str(file))
            continue
        try:
            text = read_regular(file, MAX_LABELS_BYTES).decode("utf-8-sig")
        except ValueError as error:
            problems.add(str(file), f"not text in UTF-8 ({error})")
            continue
        name, others = with_endings(file.stem, _PNG_FIRST)
        drawings.add(Entry(file, 1, name, None, other_names=others), _drawn(text))
    entries, _ = drawings.finished()
    return entries, True


def _may_be_labels(file: Path) -> bool:
    """Return whether a file of a folder has objects, or is empty, as of an image without any."""
    return file.stat().st_size == 0 or _is_file(file)


def _drawn(text: str) -> Iterator[Drawn]:
    """Yield the objects of a file."""
    for line, row in enumerate(text.splitlines(), start=1):
        fields = row.replace(",", " ").split()
        if not fields or row.strip().lower().startswith(_HEADS):
            continue
        yield Drawn(line, fields[8] if len(fields) > 8 else "", one(_numbers, fields))


def _numbers(fields: list[str]) -> Numbers:
    values = numbers_of(fields[:8], "the corners")
    return box_around(list(zip(values[::2], values[1::2], strict=True)))

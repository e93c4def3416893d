"""`Task`: a drawn window as a picture for a labelling team, and the table that says where each picture was cut from."""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from detect.imagery.files import check_inside
from detect.imagery.windows import Window
from detect.labels.annotations import AnnotationError
from detect.labels.sheets import read_sheet, sheet_text, writable
from detect.reviewing.acts import MAX_PIXELS
from detect.reviewing.review_objects import ReviewObject, rounded

TASKS = "survey/tasks"
"""The folder of the pictures and files for a labelling team, in a predictions folder."""

TABLE = f"{TASKS}/tasks.csv"
"""Where each picture was cut from, and the window in it that is reviewed."""

WINDOW = ("row", "col", "height", "width")
PICTURE_WINDOW = tuple(f"picture_{name}" for name in WINDOW)
HEADER = ("picture", "image", "bytes", *WINDOW, *PICTURE_WINDOW)

PICTURE = re.compile(r"window-\d{4,}-([0-9a-f]{16})\.png")
"""The name of a picture: the window's number, and a digest of where it lies, by which it is known when it comes back
under another folder or with a prefix. Photographs of one name, such as cameras give in each flight, differ in it by the
size of their files."""

MOST_DIGITS = 15
"""Digits of a number of bytes, at most."""

WAY_OUT = "put back the file that was written, or move survey/tasks away and export the windows anew"


@dataclass(frozen=True)
class Task:
    """A drawn window as a picture.

    Attributes:
        picture: the name of the picture's file.
        image: the name of the image that it was cut from.
        window: that is reviewed, in pixels of the image.
        bounds: of the picture, in pixels of the image: the window, and context around it.
        file_size: of the image's file, in bytes.
    """

    picture: str
    image: str
    window: Window
    bounds: Window
    file_size: int

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the picture in pixels."""
        return self.bounds.height, self.bounds.width

    def shown(self, each: ReviewObject) -> tuple[float, ...]:
        """Return where the picture shows an object: x, y, or the corners x1, y1, x2, y2 of its box, cut at the edge."""
        x, y = each.x - self.bounds.col, each.y - self.bounds.row
        if each.w is None or each.h is None:
            return x, y
        height, width = self.shape
        half_w, half_h = each.w / 2, each.h / 2
        return max(0.0, x - half_w), max(0.0, y - half_h), min(width, x + half_w), min(height, y + half_h)

    def holds(self, x: float, y: float, shape: tuple[int, int]) -> bool:
        """Return whether a place in pixels of the picture is in the window of an image of `shape`, as a review rounds.

        The far edges of the image are in its last window.
        """
        col, row = rounded(x + self.bounds.col), rounded(y + self.bounds.row)
        height, width = shape
        if not (0 <= col <= width and 0 <= row <= height):
            return False
        return ReviewObject("", col, row, None, None, "", 1.0, "added").inside(self.window, shape)


def task_of(number: int, image: str, window: Window, context: int, shape: tuple[int, int], file_size: int) -> Task:
    """Return the task of a window.

    Args:
        number: of the window in the order of the draws, from 1.
        image: the image's name.
        window: the window.
        context: pixels around it that the picture shows, where the image has them.
        shape: (height, width) of the image.
        file_size: of the image's file, in bytes.
    """
    bounds = window.grown(context).within(shape)
    name = f"window-{number:04d}-{_digest(image, file_size, window, bounds)}.png"
    return Task(name, image, window, bounds, file_size)


def _digest(image: str, file_size: int, window: Window, bounds: Window) -> str:
    text = "\0".join([image, *map(str, (file_size, *_numbers(window), *_numbers(bounds)))])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _numbers(window: Window) -> tuple[int, int, int, int]:
    return window.row, window.col, window.height, window.width


def tasks_bytes(tasks: Iterable[Task]) -> bytes:
    """Return tasks as CSV.

    Raises:
        ValueError: an image's name cannot be written.
    """
    rows = []
    for each in tasks:
        numbers = each.file_size, *_numbers(each.window), *_numbers(each.bounds)
        rows.append([each.picture, writable(each.image, "image name"), *map(str, numbers)])
    return sheet_text(HEADER, rows).encode("utf-8")


def read_tasks(folder: Path, shapes: Mapping[str, tuple[int, int]]) -> dict[str, Task]:
    """Read the tasks of a predictions folder, by the names of their pictures; none where none were exported.

    Args:
        folder: the output folder of `detect.predict`.
        shapes: (height, width) of each image of the run.

    Raises:
        AnnotationError: the table is damaged or was changed, or names an image or window that is not of the run.
        ValueError: a link leads out of the folder.
    """
    path = folder / TABLE
    if not os.path.lexists(path):
        return {}
    check_inside(path, folder)
    sheet = read_sheet(path)
    if sheet.header != HEADER:
        raise AnnotationError(f"{path}: the header must be {','.join(HEADER)}; {WAY_OUT}")
    tasks = {}
    for line, (picture, image, *texts) in zip(sheet.lines, sheet.rows, strict=True):
        values = [int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else -1 for text in texts]
        window, bounds = values[1:5], values[5:]
        if image not in shapes:
            raise AnnotationError(f"{path} line {line}: {image[:80]!r} is no image of the run; {WAY_OUT}")
        if min(values) < 0 or min(*window[2:], *bounds[2:]) < 1 or max(values[1:]) > MAX_PIXELS:
            raise AnnotationError(f"{path} line {line}: {texts} are no windows; {WAY_OUT}")
        task = Task(picture, image, Window(*window), Window(*bounds), values[0])
        _check(task, shapes[image], f"{path} line {line}")
        tasks[picture] = task
    return tasks


def _check(task: Task, shape: tuple[int, int], place: str) -> None:
    """Check that a row was written by an export, of an image as it is."""
    named = PICTURE.fullmatch(task.picture)
    if named is None or named[1] != _digest(task.image, task.file_size, task.window, task.bounds):
        raise AnnotationError(f"{place}: {task.picture[:80]!r} is no picture of that window of that image; {WAY_OUT}")
    if not (task.bounds.inside(shape) and task.window.inside(shape)):
        raise AnnotationError(f"{place}: the window is not in {task.image}, {shape[1]} x {shape[0]} pixels; {WAY_OUT}")

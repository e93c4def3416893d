"""What a labelling team changed in a window: what it left, moved, called otherwise, added and took out."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from detect.evaluation.matching import Criterion
from detect.labels.detections import Detections
from detect.reviewing.review_objects import ReviewObject
from detect.reviewing.tasks.returned import ReturnedObject
from detect.reviewing.tasks.task_table import Task

SAME_PX = 0.02
"""How far the numbers of an object that nobody touched may lie from those exported, in pixels: CVAT has 2 decimals."""

MOST_TRUSTED = ("added", "moved", "relabelled", "accepted", "found", "candidate", "rejected")
"""Statuses in the order in which an object is taken for one that came back at its place."""

SHOWN = frozenset(MOST_TRUSTED[:5])
"""Statuses of objects that are in a window as long as nobody says otherwise."""


@dataclass
class Planned:
    """What a window that came back changes.

    Attributes:
        kept: ids of the objects that are as they were.
        acts: on known objects, as `ReviewSession.act` takes them, without the image.
        contested: acts that change what a person has said already.
        added: objects that were not known.
        left_out: ids of shown objects that the team took out.
        rejected: those among them of which a person said that they are there.
        outside: number of objects that came back with their centre outside of the window.
    """

    kept: list[str] = field(default_factory=list)
    acts: list[dict[str, Any]] = field(default_factory=list)
    contested: int = 0
    added: list[ReturnedObject] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    outside: int = 0

    @property
    def changes(self) -> bool:
        """Whether anything is to be done but to say that the window was looked at."""
        return bool(self.acts or self.added or self.left_out)


def plan(
    task: Task,
    shape: tuple[int, int],
    known: Sequence[ReviewObject],
    returned: Sequence[ReturnedObject],
    same: Criterion,
) -> Planned:
    """Return what makes the known objects of a window those that came back.

    An object that came back at the place of a known one is that: first those of its class, then any that the team was
    shown, which got another class. One at the place of an object beside the window, which the picture shows too, is
    that, however a program rounds places, so that it counts in one window alone. Of those that are left and have their
    centre in the window, the ones of one class that lie within `same` were moved.

    Args:
        task: the window's.
        shape: (height, width) of the image.
        known: all objects in the picture, candidates and rejected ones too.
        returned: those that came back.
        same: the rule by which a moved object is the same.
    """
    planned, open_ = Planned(), dict(enumerate(returned))
    left = _Places(task, [each for each in known if each.inside(task.window, shape)])
    beside = _Places(task, [each for each in known if not each.inside(task.window, shape)])
    for relabelled in (False, True):
        for number, each in list(open_.items()):
            found = left.at(each, relabelled)
            if found is not None:
                left.remove(found)
                del open_[number]
                _take(planned, found, each)
    inside = {
        number: each
        for number, each in open_.items()
        if task.holds(*each.centre, shape) and beside.at(each, relabelled=True) is None
    }
    planned.outside = len(open_) - len(inside)
    shown = [each for each in left.objects if each.status in SHOWN]
    for found, number in _moved(task, shown, inside, same):
        planned.acts.append({"kind": "move", "id": found.id, **place_of(task, inside.pop(number))})
        planned.contested += found.sure
        left.remove(found)
    planned.added = list(inside.values())
    gone = [each for each in left.objects if each.status in SHOWN]
    planned.left_out, planned.rejected = [each.id for each in gone], [each.id for each in gone if each.sure]
    planned.contested += len(planned.rejected)
    return planned


class _Places:
    """The known objects of a window that did not come back yet, found by where the picture shows them."""

    def __init__(self, task: Task, known: Sequence[ReviewObject]) -> None:
        self._task = task
        self._left = {each.id: each for each in sorted(known, key=lambda each: MOST_TRUSTED.index(each.status))}
        self._cells: dict[tuple[int, int], list[str]] = defaultdict(list)
        for each in self._left.values():
            self._cells[_cell(ReturnedObject("", task.shown(each)))].append(each.id)

    @property
    def objects(self) -> list[ReviewObject]:
        """Those that are left."""
        return list(self._left.values())

    def at(self, each: ReturnedObject, relabelled: bool) -> ReviewObject | None:
        """Return the one that is shown where an object came back: of its class, or of any if it may be relabelled."""
        col, row = _cell(each)
        cells = ((x, y) for x in (col - 1, col, col + 1) for y in (row - 1, row, row + 1))
        near = (self._left[name] for cell in cells for name in self._cells.get(cell, ()) if name in self._left)
        fitting = [
            other
            for other in near
            if (other.status in SHOWN if relabelled else other.label == each.label)
            and _at_place(self._task, other, each)
        ]
        return min(fitting, key=lambda other: MOST_TRUSTED.index(other.status), default=None)

    def remove(self, found: ReviewObject) -> None:
        """Remove one that came back."""
        del self._left[found.id]


def _cell(each: ReturnedObject) -> tuple[int, int]:
    """Return the pixel of a picture that a centre is in."""
    x, y = each.centre
    return math.floor(x), math.floor(y)


def _take(planned: Planned, found: ReviewObject, each: ReturnedObject) -> None:
    """Plan what makes an object of one that came back at its place."""
    if found.label != each.label:
        planned.acts.append({"kind": "relabel", "id": found.id, "label": each.label})
        planned.contested += found.sure
    elif found.status == "rejected":
        planned.acts.append({"kind": "accept", "id": found.id})
        planned.contested += 1
    else:
        planned.kept.append(found.id)


def _at_place(task: Task, known: ReviewObject, each: ReturnedObject) -> bool:
    """Return whether an object came back where the picture shows a known one."""
    shown = task.shown(known)
    if len(shown) != len(each.numbers):
        x, y = ReturnedObject("", shown).centre
        return max(abs(x - each.centre[0]), abs(y - each.centre[1])) <= SAME_PX
    return max(abs(one - other) for one, other in zip(shown, each.numbers, strict=True)) <= SAME_PX


def _moved(
    task: Task, shown: Sequence[ReviewObject], returned: Mapping[int, ReturnedObject], same: Criterion
) -> list[tuple[ReviewObject, int]]:
    """Return the pairs of objects that were shown and of those that came back, by their number."""
    numbers = list(returned)
    if not shown or not numbers:
        return []
    labels = [each.label for each in shown], [each.label for each in returned.values()]
    classes = tuple(dict.fromkeys((*labels[0], *labels[1])))
    before = np.array([ReturnedObject("", task.shown(each)).centre for each in shown])
    after = np.array([returned[number].centre for number in numbers])
    found, true = (Detections.truth(xy, names, classes) for xy, names in zip((before, after), labels, strict=True))
    match = same.match(found, true, same_class=True)
    return [(shown[i], numbers[j]) for i, j in zip(match.found_index, match.truth_index, strict=True)]


def place_of(task: Task, each: ReturnedObject) -> dict[str, float]:
    """Return the place of an object that came back in pixels of the image, and its size, if it has one."""
    x, y = each.centre
    place = {"x": x + task.bounds.col, "y": y + task.bounds.row}
    if len(each.numbers) == 2:
        return place
    x1, y1, x2, y2 = each.numbers
    return {**place, "w": x2 - x1, "h": y2 - y1}

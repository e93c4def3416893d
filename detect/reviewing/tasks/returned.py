"""What comes back from a labelling team: the windows that it looked at, and what it says is in them."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from detect.labels.annotations import AnnotationError
from detect.labels.entries import Entry, Problems
from detect.labels.formats.cvat import NO_OBJECTS, TAGS, TRACKS, cvat_states, is_cvat, read_cvat
from detect.labels.formats.label_studio import is_label_studio, label_studio_states, read_label_studio
from detect.labels.reading.task_states import TaskState
from detect.labels.rules.doubles import tell_near, without_repeats
from detect.reviewing.tasks.task_formats import REVIEWED_TAG
from detect.reviewing.tasks.task_table import PICTURE, Task

logger = logging.getLogger("detect.survey")

MOST_NAMED = 5
"""Most pictures that a line of the log names."""

LEAST_SIDE = 0.01
"""A box that is narrower, in pixels, has no size: CVAT writes two decimals."""

Reviewed = Literal["tagged", "all"]
"""Which pictures of a CVAT file a person looked at: those with `REVIEWED_TAG`, or all that are in it."""


@dataclass(frozen=True)
class ReturnedObject:
    """An object that a team drew, in pixels of the picture.

    Attributes:
        label: its class name.
        numbers: x, y of a point, or the corners x1, y1, x2, y2 of a box.
    """

    label: str
    numbers: tuple[float, ...]

    @property
    def centre(self) -> tuple[float, float]:
        """X and y of the middle."""
        if len(self.numbers) == 2:
            return self.numbers[0], self.numbers[1]
        x1, y1, x2, y2 = self.numbers
        return (x1 + x2) / 2, (y1 + y2) / 2


@dataclass
class ReturnedFile:
    """A file of a labelling program, as far as it is of the tasks that were exported.

    Attributes:
        objects: what was drawn in each window that was looked at, by the name of its picture.
        unlabelled: pictures that came back without having been looked at.
        refused: why a picture that was looked at cannot be used, by its name.
        foreign: names of pictures that are none of the tasks.
    """

    objects: dict[str, list[ReturnedObject]] = field(default_factory=dict)
    unlabelled: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)


def read_returned(path: Path, tasks: Mapping[str, Task], reviewed: Reviewed | None) -> ReturnedFile:
    """Read the JSON export of Label Studio, or the XML export of CVAT ("CVAT for images 1.1"), of exported tasks.

    Pictures are known by their own names, whatever folder or prefix a server has put before. Of Label Studio, tasks
    with a submitted annotation were looked at, also those without an object; skipped ones were not. CVAT's files do not
    say what was looked at, so that `reviewed` must. A picture with a shape that cannot be read is not used at all: what
    is in its window would not be complete.

    Args:
        path: the file.
        tasks: by the names of their pictures.
        reviewed: which pictures of a CVAT file were looked at.

    Raises:
        AnnotationError: the file is damaged, or of neither program.
        ValueError: `reviewed` is missing for CVAT, or given for Label Studio; or no picture is one of the tasks.
    """
    problems = Problems(path)
    if is_label_studio(path):
        if reviewed is not None:
            raise ValueError(f"reviewed={reviewed}: {path} is Label Studio's, which says itself what was submitted")
        states, (entries, _) = label_studio_states(path), read_label_studio(path, None, problems)
    elif is_cvat(path):
        states, (entries, _) = _looked_at(path, cvat_states(path), reviewed), read_cvat(path, None, problems)
    else:
        raise AnnotationError(
            f"corrections={path}: neither Label Studio's export (a .json file, with a task at least) nor CVAT's ('CVAT "
            "for images 1.1', the annotations.xml in the archive that it makes)"
        )
    if TRACKS in problems.notes:
        problems.add(
            problems.notes[TRACKS][0], "tracks, whose objects may be in any picture; export the task, not a video"
        )
    problems.stop()
    made = ReturnedFile()
    _sort(states, tasks, made)
    if len(made.foreign) == len(states):
        raise ValueError(
            f"corrections={path}: none of its {len(states)} pictures is one of the {len(tasks)} in survey/tasks; is it "
            "the file of another run?"
        )
    for name in problems.images:
        if (picture := picture_of(name)) in made.objects:
            made.refused[picture] = "has a shape that cannot be read"
    _collect(_without_doubles(entries, made, problems), made)
    for picture in made.refused:
        made.objects.pop(picture, None)
    problems.notes.pop(NO_OBJECTS.format(TAGS), None)
    for sentence in problems.told():
        logger.warning("%s: %s", path, sentence)
    return made


def picture_of(name: str) -> str:
    """Return the name under which a picture was exported, in one that a program has for it; empty if it was not."""
    found = PICTURE.search(name.rpartition("/")[2])
    return "" if found is None else found[0]


def _looked_at(path: Path, states: Sequence[TaskState], reviewed: Reviewed | None) -> list[TaskState]:
    """Return the states of a CVAT file, with whether a person looked at each."""
    if reviewed is None:
        raise ValueError(
            f"corrections={path}: CVAT's files do not say which pictures a person has looked at, and one without a "
            f"change may be right or untouched; give reviewed=tagged, if the tag {REVIEWED_TAG} was set on each that "
            "was, or reviewed=all, if the whole job is done"
        )
    if reviewed == "tagged" and not any(REVIEWED_TAG in each.tags for each in states):
        raise ValueError(
            f"corrections={path}: none of its {len(states)} images has the tag {REVIEWED_TAG}, so none counts as "
            "looked at; reviewed=all takes all of them"
        )
    return [replace(each, labelled=reviewed == "all" or REVIEWED_TAG in each.tags) for each in states]


def _sort(states: Sequence[TaskState], tasks: Mapping[str, Task], made: ReturnedFile) -> None:
    """Sort pictures by what can be done with them."""
    by_picture: dict[str, list[TaskState]] = defaultdict(list)
    for each in states:
        picture = picture_of(each.image)
        if picture in tasks:
            by_picture[picture].append(each)
        else:
            made.foreign.append(each.image)
    for picture, all_states in by_picture.items():
        labelled = [each for each in all_states if each.labelled]
        if not labelled:
            made.unlabelled.append(picture)
        elif len(labelled) > 1:
            made.refused[picture] = "is there twice; keep the one that holds"
        elif labelled[0].unread:
            made.refused[picture] = f"has {', '.join(labelled[0].unread)}, which are not read; remove or redraw them"
        elif labelled[0].size not in (None, tasks[picture].shape):
            height, width = labelled[0].size or (0, 0)
            wanted = tasks[picture].shape
            made.refused[picture] = (
                f"was labelled at {width} x {height} pixels and was exported with {wanted[1]} x {wanted[0]}"
            )
        else:
            made.objects[picture] = []


def _without_doubles(entries: Sequence[Entry], made: ReturnedFile, problems: Problems) -> list[Entry]:
    """Return the entries of the pictures that are used without exact repeats; those and double clicks are told."""
    by_image: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if picture_of(entry.image) in made.objects:
            by_image[entry.image].append(entry)
    kept = [without_repeats(those, problems) for those in by_image.values()]
    for those in kept:
        tell_near(those, problems)
    return [entry for those in kept for entry in those]


def _collect(entries: Sequence[Entry], made: ReturnedFile) -> None:
    """Collect the objects of the pictures that were looked at."""
    for entry in entries:
        picture = picture_of(entry.image)
        if picture not in made.objects or entry.numbers is None:
            continue
        made.objects[picture].append(ReturnedObject(entry.label, numbers := _in_order(entry.numbers)))
        if len(numbers) == 4 and min(numbers[2] - numbers[0], numbers[3] - numbers[1]) < LEAST_SIDE:
            made.refused[picture] = f"has a box of {entry.label[:40]!r} without a size; remove it or draw it"


def _in_order(numbers: tuple[float, ...]) -> tuple[float, ...]:
    """Return a point, or the corners of a box with the upper left one first."""
    if len(numbers) == 2:
        return numbers
    x1, y1, x2, y2 = numbers
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)

"""The files that a labelling program takes beside the pictures: tasks with pre-annotations, and the labels."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args
from xml.sax.saxutils import quoteattr

import numpy as np

from detect.labels.detections import Detections
from detect.labels.writing.cvat_images import write_cvat
from detect.labels.writing.label_studio_tasks import write_label_studio
from detect.labels.writing.outgoing import OutImage, OutSet, checked_set
from detect.reporting.pictures.colours import class_colours
from detect.reviewing.review_objects import ReviewObject
from detect.reviewing.tasks.task_table import TASKS, Task

Program = Literal["label_studio", "cvat"]
"""The programs for whose teams windows are exported."""

PROGRAMS: tuple[Program, ...] = get_args(Program)

REVIEWED_TAG = "window_reviewed"
"""The tag that a team sets in CVAT on a picture that it has looked at: CVAT's files do not say so by themselves."""


ADVICE = "All objects with their centre within the dark line; those beside it may stay as they are."
"""What a team is to label in a picture."""


@dataclass(frozen=True)
class ProgramFiles:
    """What a labelling program takes.

    Attributes:
        tasks: name of the file of the tasks, in the predictions folder.
        labels: name of the file that sets up the labels.
        write_tasks: writes the objects of the pictures to a path.
        label_text: returns the second file's text for class names and whether objects are boxes.
    """

    tasks: str
    labels: str
    write_tasks: Callable[[OutSet, Path], None]
    label_text: Callable[[Sequence[str], bool], str]


def label_studio_config(classes: Sequence[str], boxes: bool) -> str:
    """Return the labelling interface of Label Studio as XML (labelstud.io/tags), for boxes or key points."""
    kind = "RectangleLabels" if boxes else "KeyPointLabels"
    colours = {name: f"#{red:02x}{green:02x}{blue:02x}" for name, (red, green, blue) in class_colours(classes).items()}
    labels = "".join(
        f"    <Label value={quoteattr(name)} background={quoteattr(colours[name])}/>\n" for name in classes
    )
    return (
        f'<View>\n  <Header value="{ADVICE}"/>\n  <Image name="image" value="$image" zoom="true" zoomControl="true"/>\n'
        f'  <{kind} name="label" toName="image">\n{labels}  </{kind}>\n</View>\n'
    )


def cvat_labels(classes: Sequence[str], boxes: bool) -> str:
    """Return the labels of a CVAT task as JSON, as its constructor takes them in the tab Raw, with `REVIEWED_TAG`.

    It refuses an attribute without values, also of texts, whose one value is their default.

    Raises:
        ValueError: a class has the name of that tag.
    """
    if REVIEWED_TAG in classes:
        raise ValueError(f"a class is called {REVIEWED_TAG}, as the tag of windows that were looked at; rename it")
    score = {"name": "score", "mutable": False, "input_type": "text", "default_value": "", "values": [""]}
    kind = "rectangle" if boxes else "points"
    labels = [{"name": name, "type": kind, "attributes": [score]} for name in classes]
    return json.dumps([*labels, {"name": REVIEWED_TAG, "type": "tag", "attributes": []}], indent=2) + "\n"


PROGRAM_FILES: Mapping[Program, ProgramFiles] = {
    "label_studio": ProgramFiles(f"{TASKS}/tasks.json", f"{TASKS}/labels.xml", write_label_studio, label_studio_config),
    "cvat": ProgramFiles(f"{TASKS}/annotations.xml", f"{TASKS}/labels.json", write_cvat, cvat_labels),
}
"""The files of each program."""


def pre_annotated(
    contents: Iterable[tuple[Task, Sequence[ReviewObject]]], classes: tuple[str, ...], boxes: bool, address: str
) -> OutSet:
    """Return pictures with the objects in them, in pixels of the pictures, as a model's.

    Args:
        contents: each task, and the objects whose centres are in its picture.
        classes: the class names.
        boxes: whether objects are boxes; those without a size are left to points.
        address: put before the name of each picture.

    Raises:
        UnwritableError: a class cannot be written.
    """
    images = [
        OutImage(f"{address}{task.picture}", task.shape, _shown(task, objects, classes, boxes))
        for task, objects in contents
    ]
    return checked_set(images, classes, scored=True)


def _shown(task: Task, objects: Sequence[ReviewObject], classes: tuple[str, ...], boxes: bool) -> Detections:
    """Return objects in pixels of a picture."""
    numbers = np.array([task.shown(each) for each in objects], np.float64).reshape(-1, 4 if boxes else 2)
    xy, wh = (numbers[:, :2] + numbers[:, 2:]) / 2 if boxes else numbers, None
    if boxes:
        wh = numbers[:, 2:] - numbers[:, :2]
    label = np.array([classes.index(each.label) for each in objects], np.int64)
    return Detections(xy, np.array([each.score for each in objects], np.float64), label, classes, wh)

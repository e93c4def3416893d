"""Drawn windows for a labelling team: pictures of them, tasks with what was found, and the labels."""

import logging
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from detect.assembly.settings.survey_settings import SurveySettings
from detect.imagery.files import check_inside
from detect.imagery.mosaics import MosaicRule, mosaics_by
from detect.reporting.output.journal import read_records
from detect.reporting.output.records import Record
from detect.reporting.output.written import WrittenFiles
from detect.reporting.writing import write_bytes
from detect.reviewing.review_objects import ReviewObject
from detect.reviewing.session import ReviewSession
from detect.reviewing.tasks.changes import SHOWN
from detect.reviewing.tasks.task_formats import PROGRAM_FILES, Program, pre_annotated
from detect.reviewing.tasks.task_pictures import task_pictures
from detect.reviewing.tasks.task_table import TABLE, TASKS, Task, read_tasks, task_of, tasks_bytes

logger = logging.getLogger("detect.survey")

LEAST_CONTEXT = 16
"""Pixels around a window that its picture shows at least, where that is not set."""

MOST_NAMED = 5
"""Most images that a line of the log names."""

HOW_TO: Mapping[Program, str] = {
    "label_studio": (
        "serve the folder survey (LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT, or address=), set up a project with "
        "labels.xml, import tasks.json; the team submits each task, an empty one too. Export JSON"
    ),
    "cvat": (
        "make a task of the pictures with labels.json (tab Raw), upload annotations.xml as CVAT 1.1; the team sets the "
        "tag window_reviewed on each picture that it has looked at. Export 'CVAT for images 1.1'"
    ),
}
"""What to do with the files."""


def export_tasks(settings: SurveySettings, folder: Path) -> None:
    """Write the drawn windows that nobody has reviewed to `survey/tasks`, where that is asked for.

    Pictures are written first, then the table of all tasks, earlier ones too, then the files of the program.

    Raises:
        FileExistsError: a person changed a file that is written here.
        FileNotFoundError: an image is not where it was counted.
        ValueError: an image cannot be read or has another size than when it was counted, or nothing was found at all.
    """
    if settings.export is None:
        return
    form, files = PROGRAM_FILES[settings.export], WrittenFiles(folder)
    files.check((TABLE, form.tasks, form.labels), ", or leave the export as it is")
    session, records = ReviewSession(folder, more_classes=settings.new_classes), read_records(folder)
    shapes = {image.name: image.shape for image in session.images}
    context = _context(settings, records.values())
    drawn = list(enumerate(session.windows, start=1))
    left = [(number, each) for number, each in drawn if not each.reviewed]
    if not left:
        logger.info("export: all %d windows that are drawn are reviewed, so there is nothing to export", len(drawn))
        return
    sizes = _file_sizes(session, {each.image for _, each in left})
    tasks = [
        task_of(number, each.image, each.window, context, shapes[each.image], sizes[each.image])
        for number, each in left
    ]
    contents, boxes = _contents(session, tasks)
    text = form.label_text(session.classes, boxes)
    address = settings.address if settings.export == "label_studio" else ""
    out = pre_annotated(((task, contents[task.picture]) for task in tasks), session.classes, boxes, address)
    _write_pictures(session, records, tasks)
    earlier = read_tasks(folder, shapes)
    every = {**earlier, **{task.picture: task for task in tasks}}
    files.write({TABLE: tasks_bytes(every.values()), form.labels: text.encode("utf-8")})
    files.write_made(form.tasks, lambda path: form.write_tasks(out, path))
    number = sum(each.inside(task.window, shapes[task.image]) for task in tasks for each in contents[task.picture])
    reviewed = len(drawn) - len(tasks)
    logger.info(
        "export: %d windows with %d objects are in %s, for %s%s",
        *(len(tasks), number, folder / TASKS, settings.export),
        f"; {reviewed} more are reviewed already" if reviewed else "",
    )
    logger.info("export: %s; then detect.survey predictions=%s corrections=FILE", HOW_TO[settings.export], folder)


def _file_sizes(session: ReviewSession, names: Collection[str]) -> dict[str, int]:
    """Return the size of the file of each image in bytes.

    Raises:
        FileNotFoundError: some are not there.
    """
    paths = {image.name: image.path for image in session.images if image.name in names}
    missing = [path for path in paths.values() if not path.exists()]
    if missing:
        raise FileNotFoundError(
            f"export: {len(missing)} of {len(paths)} images are not where they were counted, such as {missing[0]}; put "
            "them back there, or count them where they are with detect.predict"
        )
    return {name: path.stat().st_size for name, path in paths.items()}


def _context(settings: SurveySettings, records: Collection[Record]) -> int:
    """Return how many pixels around a window are shown, as it is set or by the objects; too few are told."""
    usual = automatic_context(records)
    if settings.context is None:
        return usual
    if 2 * settings.context < usual:
        logger.warning(
            "export: context=%d is less than half of a typical object, %d pixels: a team draws the part of an object "
            "that it sees, whose centre may be in another window than the object's; context=auto is %d",
            *(settings.context, usual, usual),
        )
    return settings.context


def automatic_context(records: Iterable[Record]) -> int:
    """Return how much around a window is shown: the side of a typical object in pixels."""
    sides = [max(each.object_wh) for each in records if each.object_wh is not None]
    return max(LEAST_CONTEXT, round(float(np.median(sides)))) if sides else LEAST_CONTEXT


def _contents(session: ReviewSession, tasks: Sequence[Task]) -> tuple[dict[str, list[ReviewObject]], bool]:
    """Return what is in the picture of each task as far as is known, by its name, and whether objects are boxes.

    What is beside the window is shown too: of an object on its edge, both windows are told where its centre is.

    Raises:
        ValueError: nothing was found in the whole run, so that it is not known whether objects are boxes.
    """
    shapes = {image.name: image.shape for image in session.images}
    contents, boxes = {}, session.boxes
    for name, those in _by_image(tasks).items():
        objects = session.objects(name)
        boxes = next((each.w is not None for each in objects), None) if boxes is None else boxes
        present = [each for each in objects if each.status in SHOWN]
        for task in those:
            contents[task.picture] = [each for each in present if each.inside(task.bounds, shapes[name])]
    if boxes is None:
        raise ValueError(
            "export: the run found nothing, so whether its objects are points or boxes is not known; review the "
            f"windows with detect.review predictions={session.folder}"
        )
    return contents, boxes


def _write_pictures(session: ReviewSession, records: Mapping[str, Record], tasks: Sequence[Task]) -> None:
    """Write the pictures, each whole or not at all.

    Raises:
        SceneError: an image cannot be read, or is of another size than when it was counted.
        ValueError: the folder is a link that leads elsewhere.
    """
    check_inside(session.folder / TASKS, session.folder)
    paths = {image.name: image.path for image in session.images}
    shapes = {image.name: image.shape for image in session.images}
    by_image = _by_image(tasks)
    changed = [name for name in by_image if name not in records or not records[name].describes(paths[name])]
    if changed:
        logger.warning(
            "export: %d images were changed or copied after they were counted, and are shown as they are now: %s%s",
            *(len(changed), ", ".join(changed[:MOST_NAMED]), " ..." if len(changed) > MOST_NAMED else ""),
        )
    above = Path(os.path.commonpath([path.absolute().parent for path in paths.values()]))
    with mosaics_by(MosaicRule(above)):
        for name, those in by_image.items():
            for task, picture in task_pictures(paths[name], shapes[name], those):
                write_bytes(picture, session.folder / TASKS / task.picture)


def _by_image(tasks: Sequence[Task]) -> dict[str, list[Task]]:
    """Return the tasks of each image."""
    by_image: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        by_image[task.image].append(task)
    return by_image

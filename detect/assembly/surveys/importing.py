"""What a labelling team says of exported windows, kept as a review keeps what a person does."""

import filecmp
import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from detect.assembly.given_paths import existing
from detect.assembly.settings.survey_settings import SurveySettings
from detect.imagery.windows import Window
from detect.reporting.survey.surveyed_run import read_surveyed_run
from detect.reviewing.session import ReviewSession
from detect.reviewing.tasks.recording import Recorder
from detect.reviewing.tasks.returned import ReturnedFile, ReturnedObject, read_returned
from detect.reviewing.tasks.task_formats import PROGRAM_FILES
from detect.reviewing.tasks.task_table import TABLE, Task, read_tasks

logger = logging.getLogger("detect.survey")

MOST_NAMED = 5
"""Most pictures that a line of the log names."""


def take_corrections(settings: SurveySettings, folder: Path) -> None:
    """Keep what came back from a labelling team, where a file of it is given.

    Each window that was looked at is finished by the acts of a review, so that `corrections.csv`, and all that is made
    of it, has it. A second time the same file changes nothing.

    Raises:
        FileNotFoundError: there is no such file, or no windows were exported.
        OSError: `corrections.csv` cannot be written.
        ValueError: it cannot be read, is of other tasks, or has a class that there is not.
    """
    if settings.corrections is None:
        return
    path = existing(settings.corrections, "corrections", "file")
    session = ReviewSession(folder, more_classes=settings.new_classes)
    tasks = read_tasks(folder, {image.name: image.shape for image in session.images})
    if not tasks:
        raise FileNotFoundError(
            f"corrections={path}: {folder / TABLE} says where the pictures were cut from, and is not there; put it "
            "back, or export windows (export=label_studio or cvat)"
        )
    _check_returned(path, folder)
    returned = read_returned(path, tasks, settings.reviewed)
    _check_classes(returned.objects, session.classes, path)
    recorder = Recorder(session, read_surveyed_run(folder).criterion, settings.overrule)
    with session.together():
        for picture, task in tasks.items():
            if picture in returned.objects:
                recorder.record(task, returned.objects[picture])
    if session.stale:
        raise OSError(f"corrections={path}: {session.stale}; give it again")
    _log(path, returned, recorder)
    _log_missing(session, tasks, returned)


def _check_returned(path: Path, folder: Path) -> None:
    """Check that a file is not what was exported, in which everything would pass for looked at and right.

    Raises:
        ValueError: it is.
    """
    exported = (folder / each.tasks for each in PROGRAM_FILES.values())
    if any(each.is_file() and filecmp.cmp(path, each, shallow=False) for each in exported):
        raise ValueError(
            f"corrections={path}: is what was exported from here, as nobody has looked at it yet; give the file that "
            "the labelling program exports"
        )


def _check_classes(objects: Mapping[str, Sequence[ReturnedObject]], classes: Sequence[str], path: Path) -> None:
    """Check that every object has a class that there is, before the first is kept.

    Raises:
        ValueError: one has not.
    """
    unknown = Counter(each.label for those in objects.values() for each in those if each.label not in classes)
    if unknown:
        name, number = unknown.most_common(1)[0]
        raise ValueError(
            f"corrections={path}: {number} objects are of {name[:80]!r}, and the classes are {', '.join(classes)}; if "
            f"it is one more, give new_classes=[...]{f' ({len(unknown)} are unknown)' if len(unknown) > 1 else ''}"
        )


def _log(path: Path, returned: ReturnedFile, recorder: Recorder) -> None:
    """Log what was kept, and what was not."""
    counted = recorder.counted
    logger.info(
        "corrections: %d windows of %s recorded, %d of them empty: %d objects left as they were, %d added, %d moved, "
        "%d relabelled, %d taken out",
        *(counted["recorded"], path, counted["empty"], counted["left"] + counted["accepted"], counted["added"]),
        *(counted["moved"], counted["relabelled"], counted["taken out"]),
    )
    if counted["unchanged"]:
        logger.info("corrections: %d windows were recorded before and are the same", counted["unchanged"])
    if counted["outside"]:
        logger.info(
            "corrections: %d objects beside the windows, in the paler parts of pictures, are of other windows and are "
            "left out",
            counted["outside"],
        )
    told = {
        "are not taken: a person has said otherwise of them already; overrule=true takes them": recorder.contested,
        "came back unlabelled (or skipped), and are not taken as empty": returned.unlabelled,
        "are none of the windows that were exported": returned.foreign,
    }
    for what, names in told.items():
        if names:
            logger.warning("corrections: %d pictures %s: %s", len(names), what, _named(names))
    for picture, why in returned.refused.items():
        logger.warning("corrections: %s %s; its window is not taken", picture, why)


def _log_missing(session: ReviewSession, tasks: Mapping[str, Task], returned: ReturnedFile) -> None:
    """Log the drawn windows that are neither in the file nor reviewed, and what an estimate lacks by that."""
    there = {*returned.objects, *returned.unlabelled, *returned.refused}
    pictures: dict[tuple[str, Window], list[str]] = defaultdict(list)
    for picture, task in tasks.items():
        pictures[task.image, task.window].append(picture)
    drawn = session.windows
    exported = [pictures[each.image, each.window] for each in drawn if not each.reviewed]
    missing = [names[-1] for names in exported if names and there.isdisjoint(names)]
    if missing:
        told = "corrections: %d exported windows are not in the file, and not reviewed yet: %s"
        logger.warning(told, len(missing), _named(missing))
    first = next((number for number, each in enumerate(drawn) if not each.reviewed), len(drawn))
    after = sum(each.reviewed for each in drawn[first:])
    if after:
        logger.warning(
            "corrections: an estimate takes windows in the order of their draw, up to the first that is not reviewed, "
            "which is number %d of %d; %d reviewed ones come after it and are left out of it: review that first",
            *(first + 1, len(drawn), after),
        )


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(repr(name[:80]) for name in names[:MOST_NAMED]) + more

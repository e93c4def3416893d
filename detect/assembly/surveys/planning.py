"""What a survey draws by: its settings, or those that it was begun with, and the part of the images that it is of."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from detect.assembly.prediction.ground_settings import areas_of_images
from detect.assembly.settings.survey_settings import SurveySettings
from detect.imagery.ground.polygons import Areas, read_areas
from detect.labels.annotations import AnnotationError
from detect.labels.corrections import Corrections, ReviewedWindow, read_corrections
from detect.labels.image_names import match_names
from detect.labels.json_files import read_json_object
from detect.reporting.output.ground_counts import AREAS_FACT
from detect.reporting.survey.said import joined, said_of
from detect.reporting.survey.survey_plan import WAY_OUT, SurveyPlan
from detect.reporting.survey.surveyed_run import SurveyedRun

logger = logging.getLogger("detect.survey")

FIRST_WINDOWS = 40
"""How many different windows are drawn where none are yet, and how many are ranked, where that is not said."""

LEAST_SIDE = 512
"""Side in pixels of a window at least: what fits a screen."""

USUAL_FLOOR = 0.03
"""Least score of a candidate that counts, where none is given: lower ones are of the ground, a hundred to an object."""

OBJECTS_ACROSS = 8
"""Typical objects side by side in a window, where that makes it larger."""

MOST_NAMED = 5
"""Most images that a line of the log names."""


def survey_plan(
    settings: SurveySettings, run: SurveyedRun, earlier: SurveyPlan | None, areas: Areas | None
) -> SurveyPlan:
    """Return how windows are drawn: as they were before, more of them if more are asked for.

    Args:
        settings: of the command.
        run: that is surveyed.
        earlier: how windows were drawn before; None the first time.
        areas: the polygons in which is surveyed; None for whole images.

    Raises:
        FileExistsError: windows were drawn by other settings, or of other detections.
        ValueError: a class that the run does not have.
    """
    unknown = [name for name in settings.classes if name not in run.classes]
    if unknown:
        raise ValueError(f"classes: the run has no {unknown[0]}; its classes are {', '.join(run.classes)}")
    if earlier is not None:
        _check_same(settings, run, earlier, areas)
        return replace(earlier, windows=max(settings.windows or 1, earlier.windows))
    within = None if areas is None else str(areas.path.absolute())
    return SurveyPlan(
        windows=settings.windows or FIRST_WINDOWS,
        side=automatic_side(run) if settings.side is None else settings.side,
        seed=int(run.guide_digest[:8], 16) if settings.seed is None else settings.seed,
        floor=USUAL_FLOOR if settings.floor is None else settings.floor,
        classes=tuple(settings.classes) or None,
        within=within,
        within_layer=settings.within_layer,
        areas=None if areas is None else areas.digest,
        guide=run.guide_digest,
    )


def automatic_side(run: SurveyedRun) -> int:
    """Return a side of windows in pixels of the files: some objects wide, and what fits a screen at least."""
    side = run.object_side
    return LEAST_SIDE if side is None else max(LEAST_SIDE, round(OBJECTS_ACROSS * side))


def _check_same(settings: SurveySettings, run: SurveyedRun, earlier: SurveyPlan, areas: Areas | None) -> None:
    """Check that windows can be added to those that were drawn."""
    if earlier.guide != run.guide_digest:
        raise FileExistsError(
            f"{run.folder}: the windows in survey/ were drawn of other detections than there are now; {WAY_OUT}"
        )
    changed = [
        f"{name}: {then} then, {now} now"
        for name, then, now in _differences(settings, earlier, None if areas is None else areas.digest)
    ]
    if changed:
        raise FileExistsError(
            f"{run.folder}: the windows in survey/ were drawn by other settings ({'; '.join(changed)}); leave those "
            f"out, or {WAY_OUT}"
        )


def _differences(settings: SurveySettings, earlier: SurveyPlan, areas: str | None) -> Iterator[tuple[str, Any, Any]]:
    """Yield the settings that are not what they were: name, value then, value now."""
    if settings.side not in (None, earlier.side):
        yield "side", earlier.side, settings.side
    if settings.seed not in (None, earlier.seed):
        yield "seed", earlier.seed, settings.seed
    if settings.floor not in (None, earlier.floor):
        yield "floor", earlier.floor, settings.floor
    if settings.classes and {*settings.classes} != {*(earlier.classes or ())}:
        then = "all" if earlier.classes is None else list(earlier.classes)
        yield "classes", then, list(settings.classes)
    if areas != earlier.areas:
        yield "within", earlier.within or "whole images", "other polygons" if areas else "whole images"


def survey_areas(run: SurveyedRun, within: Path | None, layer: str | None, earlier: SurveyPlan | None) -> Areas | None:
    """Return the polygons in which is surveyed: those that are given, or of an earlier draw, or of the run.

    Raises:
        FileNotFoundError: their file is not there.
        ValueError: it cannot be read, is on a map where no image is, or is not that in which the run counted.
    """
    if within is None and earlier is not None and earlier.within is not None:
        within, layer = Path(earlier.within), earlier.within_layer
    counted = run.predictions.run.get(AREAS_FACT)
    if within is None and isinstance(counted, Mapping):
        within = Path(str(counted.get("file")))
    if within is None:
        return None
    if not within.exists():
        raise FileNotFoundError(f"within={within}: no such file of polygons; name it by within=FILE where it is now")
    areas = read_areas(within, layer)
    if areas.crs is None:
        areas = areas_of_images(areas, [*run.records, *(name for name, _ in run.predictions.failures)])
    elif not any(each.placement is not None and each.placement.crs is not None for each in run.records.values()):
        raise ValueError(
            f"within={within}: its polygons are on a map, and none of {len(run.records)} images has a georeference; "
            "draw the polygons in pixels (a column `image`, no CRS)"
        )
    if counted is not None and areas.digest != _digest_of_run(run):
        raise ValueError(
            f"within={within}: the run counted inside of other polygons, {_file_of(counted)}; survey inside of those, "
            "or count whole images"
        )
    return areas


def _digest_of_run(run: SurveyedRun) -> Any:
    try:
        return read_json_object(run.predictions.paths.settings, run.folder).get("within")
    except (FileNotFoundError, ValueError):
        return None


def _file_of(counted: Any) -> str:
    return f"{counted.get('file') if isinstance(counted, Mapping) else counted!s:.200}"


def known_windows(settings: SurveySettings, run: SurveyedRun) -> Corrections:
    """Return the windows that were reviewed before the first draw: in this folder, and in files that are given.

    Raises:
        AnnotationError: a file cannot be read.
    """
    known = said_of(run)
    for name in settings.known:
        known = joined(_named_as(run, read_corrections(Path(name).expanduser()), name), known)
    return known


def _named_as(run: SurveyedRun, said: Corrections, path: str) -> Corrections:
    """Return reviewed windows with the names that their images have in the run; those of other images are left out."""
    try:
        pairs = {other: name for name, other in match_names(list(run.records), list(said.images)).items()}
    except AnnotationError as error:
        raise AnnotationError(f"known={path}: {error}; write more of the path in its column image") from error
    left = [name for name in said.images if name not in pairs]
    if left:
        shown = ", ".join(left[:MOST_NAMED])
        logger.info("known=%s: %d of its images are not among those of the run: %s", path, len(left), shown)
    windows = (
        ReviewedWindow(pairs[each.image], each.window, each.objects) for each in said.windows if each.image in pairs
    )
    return Corrections(tuple(windows), said.classes)

"""Windows of a run ranked by what labelling them would teach."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.assembly.settings.survey_settings import SurveySettings
from detect.assembly.surveys.planning import FIRST_WINDOWS, automatic_side, known_windows, survey_areas
from detect.assembly.surveys.surveying import drawn_survey
from detect.evaluation.survey.partition import SurveyWindows, survey_windows
from detect.reporting.output.layout import RANKED
from detect.reporting.output.written import WrittenFiles
from detect.reporting.survey.ranked_windows import ranked_bytes, ranked_windows
from detect.reporting.survey.said import covered_windows
from detect.reporting.survey.survey_ground import survey_ground
from detect.reporting.survey.survey_plan import read_plan
from detect.reporting.survey.surveyed_run import SurveyedRun, read_surveyed_run

logger = logging.getLogger("detect.survey")

USUAL_THRESHOLD = 0.5
"""Threshold of a run that does not say its own."""


def rank(settings: SurveySettings, folder: Path) -> None:
    """Write `ranked.csv`; windows that were reviewed are left out, and those that a survey drew.

    Where a survey was drawn, its side, polygons and classes are those of the ranking too, if it has none of its own.

    Raises:
        FileExistsError: a person changed the file.
        ValueError: a file is damaged, a class is not of the run, or no window is left.
    """
    _check_ranked(settings)
    files = WrittenFiles(folder)
    files.check([RANKED])
    run, plan = read_surveyed_run(folder), read_plan(folder)
    unknown = [name for name in settings.classes if name not in run.classes]
    if unknown:
        raise ValueError(f"classes: the run has no {unknown[0]}; its classes are {', '.join(run.classes)}")
    ground = survey_ground(run.records, survey_areas(run, settings.within, settings.within_layer, plan))
    side = settings.side or (automatic_side(run) if plan is None else plan.side)
    windows = survey_windows(run.shapes, side)
    left_out = covered_windows(windows, known_windows(settings, run)) | (ground.pixels(windows) < 1)
    if plan is not None:
        left_out |= _drawn(windows, folder)
    if left_out.all():
        raise ValueError("every window was reviewed or drawn already, so there is none to rank")
    chosen = set(settings.classes or (None if plan is None else plan.classes) or run.classes)
    guide = {
        name: found[np.array([each in chosen for each in found.names], bool)]
        for name, found in ground.inside(run.guide).items()
    }
    unlike = {name: record.unlike for name, record in run.records.items() if record.unlike is not None}
    ranked, most = ranked_windows(windows, guide, _thresholds(run), unlike, left_out), settings.windows or FIRST_WINDOWS
    files.write({RANKED: ranked_bytes(ranked, most)})
    logger.info(
        "survey: %d of %d windows of about %d px are in %s, the most uncertain first; they are for labelling, and "
        "nothing can be estimated from them, as they were not drawn by chance",
        *(min(most, len(ranked.order)), len(windows), side, folder / RANKED),
    )


def _check_ranked(settings: SurveySettings) -> None:
    """Check that nothing is set that is for windows drawn by chance.

    Raises:
        ValueError: something is.
    """
    for name in ("seed", "floor"):
        if getattr(settings, name) is not None:
            raise ValueError(
                f"{name} is for windows that are drawn by chance, and rank={settings.rank} draws none; leave it out"
            )


def _drawn(windows: SurveyWindows, folder: Path) -> NDArray[np.bool_]:
    """Return which windows (N,) meet one that the survey of a folder drew."""
    row, col, height, width = windows.bounds.T
    drawn, survey = np.zeros(len(row), bool), drawn_survey(folder)
    for name, window in () if survey is None else survey.tasks:
        rows = (row < window.row_stop) & (window.row < row + height)
        drawn |= windows.of_image(name) & rows & (col < window.col_stop) & (window.col < col + width)
    return drawn


def _thresholds(run: SurveyedRun) -> dict[str, float]:
    """Return the threshold of each class of a run."""
    told = run.predictions.model.get("threshold")
    each = told if isinstance(told, Mapping) else dict.fromkeys(run.classes, told)
    return {
        name: float(value) if isinstance(value := each.get(name), int | float) and 0 <= value <= 1 else USUAL_THRESHOLD
        for name in run.classes
    }

"""A survey of a run: windows drawn, or added to those that were, and totals estimated from those that were reviewed."""

import logging
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from detect.assembly.gate import default_embed_limit
from detect.assembly.settings.survey_settings import SurveySettings
from detect.assembly.surveys.planning import known_windows, survey_areas, survey_plan
from detect.assembly.surveys.telling import tell_again, tell_drawn
from detect.labels.corrections import Corrections, corrections_bytes
from detect.reporting.output.journal import lock_folder
from detect.reporting.output.layout import COUNTS, DESIGN, KNOWN, REPORT, SURVEY, SURVEY_PLAN, PredictionPaths
from detect.reporting.output.written import WrittenFiles
from detect.reporting.page.report_page import write_report
from detect.reporting.survey.drawn_survey import DrawnSurvey
from detect.reporting.survey.person_columns import counts_with_person
from detect.reporting.survey.said import joined, read_said, said_of
from detect.reporting.survey.survey_ground import survey_ground
from detect.reporting.survey.survey_plan import WAY_OUT, check_design, design_bytes, read_plan
from detect.reporting.survey.survey_words import headline, number_of, shared_words
from detect.reporting.survey.surveyed_run import SurveyedRun, read_surveyed_run
from detect.reporting.writing import json_bytes

logger = logging.getLogger("detect.survey")

WAIT_S = 30.0
"""How long what was corrected waits for a run that writes into the folder."""


def survey(settings: SurveySettings, folder: Path) -> None:
    """Draw windows of a run, or add to those that were drawn, and write what the reviewed ones tell.

    Raises:
        FileExistsError: a person changed a file that is written here, or windows were drawn by other settings.
        ValueError: a file is damaged, or there is nothing to draw.
    """
    files, way_out = WrittenFiles(folder), f", or {WAY_OUT}"
    files.check((DESIGN, SURVEY_PLAN, KNOWN), way_out)
    files.check((SURVEY, REPORT))
    run = read_surveyed_run(folder)
    drawn, new = _drawn(settings, run)
    if new:
        tell_drawn(drawn)
        files.write(
            {
                KNOWN: corrections_bytes(drawn.known),
                DESIGN: design_bytes(drawn.windows, drawn.design),
                SURVEY_PLAN: json_bytes(drawn.plan.to_record(), PredictionPaths(folder).survey_plan),
            }
        )
    _write_estimate(drawn, files)


def _drawn(settings: SurveySettings, run: SurveyedRun) -> tuple[DrawnSurvey, bool]:
    """Return the survey, and whether windows are drawn that were not before."""
    earlier = read_plan(run.folder)
    areas = survey_areas(run, settings.within, settings.within_layer, earlier)
    plan, ground = survey_plan(settings, run, earlier, areas), survey_ground(run.records, areas)
    if earlier is None:
        return DrawnSurvey(run, ground, plan, joined(known_windows(settings, run), Corrections((), ()))), True
    if settings.known:
        logger.warning(
            "known: what was reviewed elsewhere is taken when windows are drawn first; it is passed over now"
        )
    known = read_said(run.predictions.paths.known, run.folder)
    before = DrawnSurvey(run, ground, earlier, known)
    check_design(run.folder, before.windows, before.design)
    if plan == earlier:
        tell_again(before, settings.windows)
        return before, False
    return DrawnSurvey(run, ground, plan, known), True


def _write_estimate(drawn: DrawnSurvey, files: WrittenFiles) -> None:
    """Write what the reviewed windows tell: `survey.json`, columns of `counts.csv`, and the report if there is one."""
    run, paths = drawn.run, drawn.run.predictions.paths
    said = said_of(run)
    facts = drawn.facts(said)
    files.write({SURVEY: json_bytes(facts, paths.survey)})
    files.write({COUNTS: counts_with_person(run, drawn.ground, said)})
    _write_page(paths)
    logger.info("survey: %s", headline(facts))
    if facts["warning"]:
        logger.warning("survey: %s", facts["warning"])
    for sentence in shared_words(facts):
        logger.warning("survey: %s", sentence)
    if facts["windows_left"]:
        left = number_of(facts["windows_left"], "window")
        logger.info("survey: %s left; python -m detect.review predictions=%s", left, run.folder)


def _write_page(paths: PredictionPaths) -> None:
    """Write the report anew, if the run wrote one."""
    if paths.report.exists():
        write_report(paths.folder, paths.scores if paths.scores.exists() else None, default_embed_limit())


def drawn_survey(folder: Path) -> DrawnSurvey | None:
    """Return the survey of a predictions folder as it was drawn; None where none was.

    Raises:
        FileExistsError: the detections by which it was drawn are others now.
        ValueError: a file is damaged.
    """
    plan = read_plan(folder)
    if plan is None:
        return None
    run = read_surveyed_run(folder)
    if plan.guide != run.guide_digest:
        raise FileExistsError(f"{folder}: survey/ was drawn of other detections than there are now; {WAY_OUT}")
    areas = survey_areas(run, None, None, plan)
    if (None if areas is None else areas.digest) != plan.areas:
        raise FileExistsError(f"{folder}: survey/ was drawn inside of other polygons than {plan.within} has; {WAY_OUT}")
    made = DrawnSurvey(run, survey_ground(run.records, areas), plan, read_said(run.predictions.paths.known, folder))
    check_design(folder, made.windows, made.design)
    return made


def estimator(folder: Path) -> Callable[[Corrections], Mapping[str, Any] | None]:
    """Return what estimates totals from reviewed windows, as `survey.json` has them; None where no survey was drawn.

    The survey is read when it is called first, and kept.

    Args:
        folder: the output folder of `detect.predict`.
    """
    survey_of = cache(drawn_survey)

    def estimated(said: Corrections) -> Mapping[str, Any] | None:
        drawn = survey_of(folder)
        return None if drawn is None else drawn.facts(said)

    return estimated


def write_corrected(folder: Path) -> None:
    """Write `survey.json`, `counts.csv` and the report anew with the corrections that there are.

    Where no survey was drawn, the counts alone have them. For the end of a review, and after its windows.

    Raises:
        FileExistsError: a person changed one of the files.
        ValueError: a file is damaged.
    """
    with lock_folder(folder, WAIT_S):
        files = WrittenFiles(folder)
        files.check((SURVEY, REPORT))
        if estimate_again(folder):
            return
        run = read_surveyed_run(folder)
        ground = survey_ground(run.records, survey_areas(run, None, None, None))
        said = said_of(run)
        files.write({COUNTS: counts_with_person(run, ground, said)})
        _write_page(PredictionPaths(folder))


def estimate_again(folder: Path) -> bool:
    """Estimate anew by the survey of a folder that is locked; return whether it has one.

    Raises:
        FileExistsError: a person changed a file of the run, or the survey is of other detections.
        ValueError: a file is damaged.
    """
    drawn = drawn_survey(folder)
    if drawn is not None:
        _write_estimate(drawn, WrittenFiles(folder))
    return drawn is not None

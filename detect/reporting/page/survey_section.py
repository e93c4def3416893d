"""The page's words on what a person reviewed: nothing, some windows, or windows of a survey with its estimate."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detect.reporting.output.predictions import Predictions
from detect.reporting.page.scorecard import DASH
from detect.reporting.survey.person_columns import digest_of, read_survey
from detect.reporting.survey.said import NOTHING, read_said
from detect.reporting.survey.survey_words import MEANING, NOT_CHECKED, headline, number_of, rate_words, shared_words
from detect.reporting.tables import CORRECTED, read_facts

logger = logging.getLogger(__name__)

MOST_ROWS = 1000
"""Most rows of a table of estimates on the page."""

KINDS = (("per_class", "Class"), ("per_group", "Group"), ("per_polygon", "Polygon"), ("per_image", "Image"))
"""Entries of `survey.json` that are shown as tables, and what their rows are."""

PARTS = (
    "Classes, images and their groups add up to the total, and no part is estimated at less than a person saw in it: "
    "what the others have beyond that is fitted. So parts of few objects are estimated too high on average, and large "
    "ones too low; a total of few objects is a little too high."
)
"""What the page says of the tables of parts."""

OF_OTHER_COUNTS = "What survey.json estimates is of other counts than these; detect.survey estimates anew."
"""What the page says where the counts changed after the estimate."""


@dataclass(frozen=True)
class EstimateTable:
    """Estimates of parts of the total.

    Attributes:
        what: the rows are.
        rows: name, and count, estimate, low and high end as text.
        more: number of rows that are not shown.
    """

    what: str
    rows: list[tuple[str, list[str]]]
    more: int


@dataclass(frozen=True)
class SurveySection:
    """What the page says of a person's look.

    Attributes:
        checked: whether a person reviewed anything.
        headline: the first sentence.
        sentences: further ones.
        tables: estimates of parts.
    """

    checked: bool
    headline: str
    sentences: list[str]
    tables: list[EstimateTable]


def survey_section(content: Predictions) -> SurveySection:
    """Return what the page says of a person's look; damaged files are told, and not shown.

    Args:
        content: the predictions folder.
    """
    folder = content.folder
    try:
        facts, said = read_survey(folder), read_said(content.paths.corrections, folder)
    except (OSError, ValueError) as error:
        logger.warning("what a person reviewed cannot be shown: %s", error)
        facts, said = None, NOTHING
        return SurveySection(False, NOT_CHECKED, [f"What a person reviewed cannot be read: {error}"], [])
    stale = facts is not None and facts.get("detections") != digest_of(content.paths.detections)
    if not said.windows and (facts is None or facts.get("estimate") is None):
        drawn = [] if facts is None else [f"{number_of(facts.get('windows_drawn'), 'window')} drawn for a review."]
        return SurveySection(False, NOT_CHECKED, drawn, [])
    looked = f"A person reviewed {number_of(len(said.windows), 'window')} of {number_of(len(said.images), 'image')}."
    changed = _changed(content)
    if facts is None or stale or facts.get("estimate") is None:
        return SurveySection(True, looked, [*changed, OF_OTHER_COUNTS if stale else _no_estimate(facts)], [])
    method, warning = facts.get("why"), facts.get("warning")
    counted = facts.get("method") == "counted"
    tables = [made for key, what in KINDS if (made := _table(facts.get(key), what)) is not None]
    sentences = [
        looked,
        *changed,
        *([] if counted else [MEANING, f"How it was made: {method}."]),
        *([f"Careful: {warning}."] if warning else []),
        *shared_words(facts),
        *rate_words(facts),
        *([PARTS] if tables else []),
    ]
    return SurveySection(True, _sentence(headline(facts)), sentences, tables)


def _no_estimate(facts: Mapping[str, Any] | None) -> str:
    """Return why no total is estimated."""
    if facts is None:
        return "The windows were not drawn by chance, so no total is estimated from them; detect.survey draws windows."
    return _sentence(headline(facts))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _changed(content: Predictions) -> list[str]:
    """Return a sentence on the counts with the corrections in them."""
    cells = read_facts(content.paths.counts).get(CORRECTED, {})
    totals = dict(zip(content.counts["image"], content.counts["total"], strict=True))
    known = {name: int(cell) for name, cell in cells.items() if cell.isascii() and cell.isdigit() and name in totals}
    if not known:
        return []
    before, after = sum(int(totals[name]) for name in known), sum(known.values())
    return [f"With what they corrected, {after:,} objects are counted in those images instead of {before:,}."]


def _table(parts: Any, what: str) -> EstimateTable | None:
    """Return estimates as a table; None where there are none, or a single one, which is the total."""
    if not isinstance(parts, Mapping) or len(parts) < 2:
        return None
    names = ("count", "estimate", "low", "high")
    rows = [
        (str(name), [_cell(each.get(key)) for key in names])
        for name, each in parts.items()
        if isinstance(each, Mapping)
    ]
    return EstimateTable(what, rows[:MOST_ROWS], max(0, len(rows) - MOST_ROWS))


def _cell(value: Any) -> str:
    return f"{value:,.0f}" if isinstance(value, int | float) and not isinstance(value, bool) else DASH

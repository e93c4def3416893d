"""The report: one self-contained HTML page, to read, print and pass on."""

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from detect.labels.detections import Detections
from detect.reporting.bill import COST, WORKER_HOURS
from detect.reporting.output.layout import LOTS, REPORT, PredictionPaths
from detect.reporting.output.predictions import Predictions, read_predictions
from detect.reporting.output.written import WrittenFiles
from detect.reporting.page.areas_section import areas_section
from detect.reporting.page.facts_section import facts_section, tells_whole_images
from detect.reporting.page.image_rows import image_rows, may_be_linked
from detect.reporting.page.page_templates import page_templates
from detect.reporting.page.score_histogram import score_histogram
from detect.reporting.page.scorecard import DASH, Scorecard, read_scorecard
from detect.reporting.page.survey_section import survey_section
from detect.reporting.page.value_texts import flatten, format_value
from detect.reporting.pictures.colours import PALETTE, class_colours
from detect.reporting.tables import IMAGE, TOTAL
from detect.reporting.writing import text_bytes

HIDDEN_RUN_FACTS = (
    *("sources", "notes", "passed_over"),
    *("seconds", "megapixels_per_second", "peak_memory_mib", WORKER_HOURS, COST),
)
"""Entries of `run.json` that are not listed among the settings: shown elsewhere, or different in every run."""


def write_report(
    predictions: Path, scores: Path | None, embed_limit: int, found: Mapping[str, Detections] | None = None
) -> Path:
    """Write `report.html` into a predictions folder, from the files in it.

    The page needs no network and no other file. Names and texts from files are shown as text, never as HTML.

    Args:
        predictions: a folder that `detect.predict` wrote.
        scores: a `scores.json` that `detect.evaluate` wrote for it, None to leave accuracy out.
        embed_limit: number of images whose pictures are embedded in the page; later ones only link to their overlays.
        found: the detections of each image where the tables were just written of them: the same page, sooner.

    Returns:
        The path of the page.

    Raises:
        FileNotFoundError: the folder has no `counts.csv`, or there is no such `scores` file.
        ValueError: a file is damaged or goes beyond a bound, or `embed_limit` is negative.
    """
    if embed_limit < 0:
        raise ValueError(f"embed_limit must be 0 or more, got {embed_limit}")
    content = read_predictions(predictions, found)
    scorecard = read_scorecard(scores, predictions) if scores is not None else None
    page = text_bytes(render(content, scorecard, embed_limit))
    WrittenFiles(predictions).write({REPORT: page})
    return PredictionPaths(predictions).report


def render(content: Predictions, scorecard: Scorecard | None, embed_limit: int) -> str:
    """Return the page's HTML; see `write_report`."""
    from markupsafe import Markup

    environment = page_templates()
    environment.filters["number"] = format_value
    script = (files("detect.reporting.page") / "templates" / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    rows = image_rows(content, scorecard, embed_limit)
    return environment.get_template("report.html.j2").render(
        script=Markup(script),
        script_hash=digest,
        content=content,
        classes=_class_totals(content),
        total=int(content.counts[TOTAL].sum()),
        noun="pattern" if tells_whole_images(content) else "object",
        rows=rows,
        unknown=sum(row.unknown or False for row in rows) if any(row.unknown is not None for row in rows) else None,
        embed_limit=embed_limit,
        facts=facts_section(content),
        settings=flatten({key: value for key, value in content.run.items() if key not in HIDDEN_RUN_FACTS}),
        notes=_notes(content, scorecard),
        scorecard=scorecard,
        histogram=score_histogram(content),
        masked=any(part.share is not None and part.share < 1 for part in content.surveyed.values()),
        located=any(part.hectares is not None for part in content.surveyed.values()),
        colours_repeat=len(content.classes) > len(PALETTE),
        areas=areas_section(content.areas),
        survey=survey_section(content),
        lots=may_be_linked(content.folder / LOTS / "index.html", content.folder),
        dash=DASH,
    )


def _class_totals(content: Predictions) -> list[tuple[str, str, int]]:
    """Return (class, colour in CSS, total over all images) in the order of the classes."""
    colours = class_colours(content.classes)
    return [(name, f"rgb{colours[name]}", int(content.counts[name].sum())) for name in content.classes]


def _notes(content: Predictions, scorecard: Scorecard | None) -> list[str]:
    """Return remarks on files that are missing or disagree, then the run's own notes."""
    counted = dict(zip(content.counts[IMAGE], content.counts[TOTAL], strict=True))
    measured = scorecard.found if scorecard else {}
    other = [name for name, number in measured.items() if counted.get(name) != number]
    remarks = list(content.remarks)
    if other:
        more = f" and {len(other) - 1} more" if len(other) > 1 else ""
        remarks.append(f"The scores were measured on other counts of {other[0]}{more}: evaluate this folder again.")
    notes = content.run.get("notes")
    return remarks + [str(note) for note in (notes if isinstance(notes, list) else [])]

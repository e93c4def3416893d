"""The report: one self-contained HTML page, to read, print and pass on."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from detect.imagery.files import check_regular
from detect.labels.detections import Detections
from detect.nets.heads.specs import WholeHead
from detect.reporting.bill import COST, WORKER_HOURS
from detect.reporting.output.layout import LOTS, REPORT, PredictionPaths, overlay_address
from detect.reporting.output.predictions import Predictions, SurveyedPart, read_predictions
from detect.reporting.output.written import WrittenFiles
from detect.reporting.page.areas_section import areas_section
from detect.reporting.page.figures import MAX_PICTURE_BYTES, Figures, draw_figures
from detect.reporting.page.page_templates import page_templates
from detect.reporting.page.scorecard import DASH, Scorecard, read_scorecard
from detect.reporting.page.survey_section import survey_section
from detect.reporting.pictures.colours import PALETTE, class_colours
from detect.reporting.tables import IMAGE, TOTAL, UNKNOWN, read_facts
from detect.reporting.writing import text_bytes

HISTOGRAM_BARS = 20
"""Number of equal ranges of score in the histogram."""


HIDDEN_RUN_FACTS = (
    *("sources", "notes", "passed_over"),
    *("seconds", "megapixels_per_second", "peak_memory_mib", WORKER_HOURS, COST),
)
"""Entries of `run.json` that are not listed among the settings: shown elsewhere, or different in every run."""


@dataclass(frozen=True)
class Row:
    """One image of the page.

    Attributes:
        number: from 1, in the order of the table.
        name: of the image.
        counts: per class.
        total: their sum.
        truth: objects annotated on it, None where that is not known.
        overlay: quoted address of the overlay file relative to the page, None where the file is missing.
        figures: its pictures, None for an image whose pictures are not embedded.
        share: part of its pixels that was surveyed, in [0, 1]; None where that is not known.
        hectares: surveyed area on the ground, None where it is not known.
        unknown: whether it is as a whole of none of the classes; None where that is not told.
    """

    number: int
    name: str
    counts: list[int]
    total: int
    truth: int | None
    overlay: str | None
    figures: Figures | None
    share: float | None
    hectares: float | None
    unknown: bool | None

    @property
    def density(self) -> float | None:
        """Objects per surveyed hectare, None where that is not known or nothing was surveyed."""
        return self.total / self.hectares if self.hectares else None


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
    rows = _rows(content, scorecard, embed_limit)
    return environment.get_template("report.html.j2").render(
        script=Markup(script),
        script_hash=digest,
        content=content,
        classes=_class_totals(content),
        total=int(content.counts[TOTAL].sum()),
        noun="pattern" if _whole_images(content) else "object",
        rows=rows,
        unknown=sum(row.unknown or False for row in rows) if any(row.unknown is not None for row in rows) else None,
        embed_limit=embed_limit,
        facts=_facts(content),
        settings=flatten({key: value for key, value in content.run.items() if key not in HIDDEN_RUN_FACTS}),
        notes=_notes(content, scorecard),
        scorecard=scorecard,
        histogram=_histogram(content),
        masked=any(part.share is not None and part.share < 1 for part in content.surveyed.values()),
        located=any(part.hectares is not None for part in content.surveyed.values()),
        colours_repeat=len(content.classes) > len(PALETTE),
        areas=areas_section(content.areas),
        survey=survey_section(content),
        lots=_may_be_linked(content.folder / LOTS / "index.html", content.folder),
        dash=DASH,
    )


def flatten(data: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """List the values of nested objects, keys joined with dots: `{"a": {"b": 1}}` gives `[("a.b", 1)]`."""
    pairs: list[tuple[str, Any]] = []
    for key, value in data.items():
        if isinstance(value, Mapping) and value:
            pairs += flatten(value, f"{prefix}{key}.")
        else:
            pairs.append((f"{prefix}{key}", value))
    return pairs


def format_value(value: Any) -> str:
    """Format a setting or a count: commas in large numbers, four significant digits, `yes` and `no`."""
    if value is None or value == "":
        return DASH
    if isinstance(value, list | tuple):
        return ", ".join(format_value(item) for item in value) or DASH
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {format_value(item)}" for key, item in value.items()) or DASH
    return _format_number(value) if isinstance(value, int | float) else str(value)


def _format_number(value: float) -> str:
    """Format one number or truth value."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _class_totals(content: Predictions) -> list[tuple[str, str, int]]:
    """Return (class, colour in CSS, total over all images) in the order of the classes."""
    colours = class_colours(content.classes)
    return [(name, f"rgb{colours[name]}", int(content.counts[name].sum())) for name in content.classes]


def _rows(content: Predictions, scorecard: Scorecard | None, embed_limit: int) -> list[Row]:
    """Return a row per image, in the order of the table of counts."""
    rows, unknown = [], read_facts(content.paths.counts).get(UNKNOWN, {})
    for number, record in enumerate(content.counts.itertuples(index=False, name=None), start=1):
        name, *counts, total = record
        part = content.surveyed.get(name, SurveyedPart(None, None))
        has_overlay = _may_be_linked(content.paths.overlay(name), content.folder)
        rows.append(
            Row(
                number=number,
                name=name,
                counts=[int(count) for count in counts],
                total=int(total),
                truth=scorecard.truth.get(name) if scorecard else None,
                overlay=quote(overlay_address(name), errors="surrogateescape") if has_overlay else None,
                figures=draw_figures(content, name) if number <= embed_limit else None,
                share=part.share,
                hectares=part.hectares,
                unknown=unknown[name] != "0" if name in unknown else None,
            )
        )
    return rows


def _may_be_linked(overlay: Path, folder: Path) -> bool:
    """Return whether the page may link to an overlay or another page: a regular file inside the folder."""
    try:
        check_regular(overlay, MAX_PICTURE_BYTES, folder)
    except (OSError, ValueError):
        return False
    return True


def _whole_images(content: Predictions) -> bool:
    """Return whether the model tells patterns of whole images, instead of finding objects in them."""
    return bool(content.model.get("kind") == WholeHead.name)


def _expected(content: Predictions) -> str | None:
    """Return the number of objects that is expected by probabilities, in words; None where no image has one.

    It is a sum over images: what several of them show is in it as often, which is said where that was looked for.
    """
    if not content.expected:
        return None
    some = f" in {len(content.expected):,} images" if len(content.expected) < len(content.counts) else ""
    again = ", with repeats in several images" if _different(content) is not None else ""
    return f"{sum(content.expected.values()):,.1f} objects{some}{again}"


def _facts(content: Predictions) -> list[tuple[str, str]]:
    """Return (name, value as text) of the model, its settings and the amount of data.

    Speed and date are in `run.json` alone: the page of a run that was killed and continued is the same as that of one
    that was not.
    """
    run, model = content.run, content.model
    whole = run.get("valid_pixels") == run.get("pixels")
    alone = _whole_images(content) or not model.get("nms_iou")
    overlap = None if alone else f"IoU {format_value(model['nms_iou'])}"
    facts = [
        ("Model", str(model["path"]).replace("\\", "/").rsplit("/", 1)[-1] if "path" in model else None),
        ("Score threshold", model.get("threshold")),
        ("Expected by probabilities", _expected(content)),
        ("Least distance of two", f"{format_value(model['radius'])} px" if model.get("radius") else None),
        ("Greatest overlap of two boxes", overlap),
        ("Images resampled by", model.get("image_scale") if model.get("image_scale") != 1 else None),
        ("Images resampled to", f"{format_value(model['gsd'])} m a pixel" if model.get("gsd") else None),
        ("Images", f"{len(content.counts):,} done, {len(content.failures):,} failed"),
        ("Pixels read", _megapixels(run.get("pixels"))),
        ("Pixels surveyed", None if whole else _megapixels(run.get("valid_pixels"))),
        *_area_facts(content),
        ("Computed with", _runtime(run.get("settings"))),
        ("Version", run.get("version")),
    ]
    return [(name, format_value(value)) for name, value in facts if value is not None]


def _area_facts(content: Predictions) -> list[tuple[str, str]]:
    """Return the surveyed area and the density on it, of the images whose ground resolution is known."""
    counted = dict(zip(content.counts[IMAGE], content.counts[TOTAL], strict=True))
    areas = {name: part.hectares for name, part in content.surveyed.items() if part.hectares is not None}
    area = sum(areas.values())
    if not area:
        return []
    number = sum(int(counted[name]) for name in areas if name in counted)
    of = "" if len(areas) == len(counted) else f", in the {len(areas):,} images whose resolution is known"
    density = f"{format_value(number / area)} objects per surveyed hectare{of}"
    different = _different(content)
    each = "" if different is None else ", ground that several images show each time"
    facts = [("Area surveyed", f"{format_value(area)} hectares{each}"), ("Density", density)]
    return facts if different is None else [*facts, ("Different on the ground", f"{format_value(different)} objects")]


def _different(content: Predictions) -> int | None:
    """Return the number of different objects on the ground, None where they were not looked for."""
    overlap = content.run.get("overlap")
    number = overlap.get("unique") if isinstance(overlap, dict) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _runtime(settings: Any) -> str | None:
    """Return in one line how counts were computed (runtime, views, how images were met), None where it is not known."""
    if not isinstance(settings, dict) or "runtime" not in settings:
        return None
    names = ("runtime", "precision", "device")
    parts = [f"{settings['runtime']}", *(f"{settings[name]}" for name in names[1:] if name in settings)]
    if settings.get("tta", "none") != "none":
        parts.append(f"test-time augmentation {settings['tta']}")
    if isinstance(settings.get("adapt"), list):
        parts.append(f"images met by {' and '.join(map(str, settings['adapt']))}")
    if "rescale" in settings:
        parts.append(f"rescaled by {settings.get('rescale_factor', settings['rescale'])}")
    return ", ".join(parts)


def _megapixels(pixels: Any) -> str | None:
    """Format a number of pixels as megapixels, None where it is not known."""
    return f"{format_value(pixels / 1e6)} megapixels" if isinstance(pixels, int | float) else None


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


def _histogram(content: Predictions) -> dict[str, Any] | None:
    """Count the detections in `HISTOGRAM_BARS` equal ranges of score.

    Returns:
        `bars` of (range, number, height in percent of the highest bar), `highest`, the number of the highest bar, and
        `threshold`, None where it is not known; None where there are no scores.
    """
    if content.scores is None or not len(content.scores):
        return None
    counts, edges = np.histogram(content.scores, bins=HISTOGRAM_BARS, range=(0, 1))
    bars = [
        (f"{low:.2f}–{high:.2f}", int(number), 100 * int(number) / int(counts.max()))
        for low, high, number in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    threshold = content.model.get("threshold")
    known = isinstance(threshold, int | float) and 0 <= threshold <= 1
    return {"bars": bars, "highest": int(counts.max()), "threshold": threshold if known else None}

"""The page of a classifier that was judged: one self-contained HTML page."""

import base64
from collections.abc import Mapping
from typing import Any

from detect.evaluation.classes.class_figures import ClassConfusions, ClassFigures
from detect.evaluation.classes.classified import Classification
from detect.evaluation.classes.unknown_scores import UnknownFigures
from detect.reporting.classes.class_tables import class_table
from detect.reporting.page.page_templates import page_templates
from detect.reporting.page.scorecard import DASH, MEASURES, Measure, ShownConfusion, format_measure, shown_percent

HEADINGS: Mapping[str, str] = {
    "examples": "Examples",
    "found": "Found",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
    "ece": "Calibration error",
    "nearest_threshold": "Threshold nearest (0, 1)",
    "nearest_false_positive_rate": "False positives there",
    "nearest_true_positive_rate": "True positives there",
}
"""Columns of the table of classes, and what they are called."""

MEANINGS: Mapping[str, str] = {
    "confusion": "Confusion in percent of each true class",
    "roc": "Receiver operating characteristic, one class against the rest",
    "precision_recall": "Precision over recall, one class against the rest",
    "reliability": "Are probabilities what they say?",
}
"""The pictures, by the stem of their names, and what they show."""


def classes_page(
    classified: Classification, figures: ClassFigures, scores: Mapping[str, Any], pictures: Mapping[str, bytes]
) -> str:
    """Return the page's HTML; names from files are shown as text.

    Args:
        classified: the examples.
        figures: of them.
        scores: numbers as in `scores.json`.
        pictures: PNGs by the name of their file.
    """
    environment = page_templates()
    measures = [
        Measure(name, format_measure(key, scores[key]), meaning)
        for key, (name, meaning) in MEASURES.items()
        if isinstance(scores.get(key), int | float)
    ]
    return environment.get_template("classes.html.j2").render(
        examples=len(classified),
        right=int((classified.truth == classified.found).all(axis=1).sum()),
        remarks=figures.remarks,
        measures=measures,
        confusion=shown(figures.confusions),
        many=classified.many,
        unknown=_unknown(figures),
        headings=list(HEADINGS.values()),
        rows=_rows(classified, figures),
        pictures=[
            (MEANINGS[name.removesuffix(".png")], f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}")
            for name, data in pictures.items()
        ],
    )


def shown(confusions: ClassConfusions) -> ShownConfusion:
    """Return confusions as the page shows them."""
    rows = zip(confusions.true, confusions.numbers.tolist(), confusions.examples.tolist(), strict=True)
    return ShownConfusion(
        list(confusions.found),
        [(name, [shown_percent(each, total) for each in row], total) for name, row, total in rows],
    )


def _unknown(figures: ClassFigures) -> list[Measure]:
    """Return the numbers on examples of none of the classes, as the page shows them."""
    if figures.unknown is None:
        return []
    texts = {"auroc": "ROC AUC", "false_unknown_rate": "False unknown", "unknown_rate": "Told unknown"}
    confidence = _confidence(figures.unknown)
    meanings = {
        "auroc": f"How well {confidence} ranks the known above {figures.unknown.unknown:,} of no class.",
        "false_unknown_rate": f"Share of the {figures.unknown.known:,} known that are told to be unknown.",
        "unknown_rate": "Share of those of no class that are told so.",
        "false_known_rate_at_95": "Share of those of no class that pass where 95 % of the known do.",
    }
    texts["false_known_rate_at_95"] = "Passing with 95 % of the known"
    return [Measure(name, _cell(getattr(figures.unknown, key)), meanings[key]) for key, name in texts.items()]


def _confidence(unknown: UnknownFigures) -> str:
    """Return in words by what examples of none of the classes are told."""
    if unknown.auroc_by_probability is None:
        return "the highest probability"
    return f"likeness to the training (the highest probability: {_cell(unknown.auroc_by_probability)})"


def _rows(classified: Classification, figures: ClassFigures) -> list[tuple[str, list[str]]]:
    """Return a row a class: its name and the numbers as text."""
    rows = []
    for record in class_table(classified, figures).to_dict("records"):
        rows.append((str(record["class"]), [_cell(record[key]) for key in HEADINGS]))
    return rows


def _cell(value: Any) -> str:
    """Return a number as text; a dash for one that is not defined."""
    if value is None or value != value:  # noqa: PLR0124, NaN alone differs from itself
        return DASH
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"

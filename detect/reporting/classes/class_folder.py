"""The folder `classes/` beside the scores of a classifier: tables, pictures and a page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from detect.evaluation.classes.class_figures import ClassFigures, figures_of
from detect.evaluation.classes.classified import Classification
from detect.imagery.files import check_inside, remove_written
from detect.reporting.classes.class_tables import STRANGE, TABLES, class_tables
from detect.reporting.classes.classes_page import classes_page
from detect.reporting.output.layout import CLASSES
from detect.reporting.output.written import WrittenFiles
from detect.reporting.pictures.confusions import draw_confusions
from detect.reporting.pictures.curves import RELIABILITY, draw_reliability
from detect.reporting.pictures.operating_curves import draw_precision_recall, draw_roc
from detect.reporting.writing import text_bytes

PAGE = "index.html"
"""The page, which holds the pictures."""

CONFUSION, ROC, PRECISION_RECALL = "confusion.png", "roc.png", "precision_recall.png"
PICTURES = (CONFUSION, ROC, PRECISION_RECALL, RELIABILITY)
"""The names of the pictures."""

WRITTEN = tuple(f"{CLASSES}/{name}" for name in (*TABLES, PAGE))
"""The files that a person may have changed, in the output folder."""


def write_classes(folder: Path, classified: Classification, scores: Mapping[str, Any]) -> ClassFigures:
    """Write the figures of a classifier into `classes/` of an output folder: tables (CSV), pictures and a page.

    Args:
        folder: the output folder.
        classified: the examples.
        scores: numbers for the page, as in `scores.json`.

    Returns:
        The figures.

    Raises:
        ValueError: the folder is a link that leads elsewhere.
    """
    place, figures = folder / CLASSES, figures_of(classified)
    check_inside(place, folder)
    draw_confusions(figures.confusions, place / CONFUSION)
    draw_roc(figures.curves, place / ROC)
    draw_precision_recall(figures.curves, place / PRECISION_RECALL)
    draw_reliability(next(iter(figures.calibration.values()))["reliability"], place / RELIABILITY)
    tables = class_tables(classified, figures)
    pictures = {name: (place / name).read_bytes() for name in PICTURES if (place / name).is_file()}
    page = text_bytes(classes_page(classified, figures, scores, pictures))
    if STRANGE not in tables:
        WrittenFiles(folder).remove([f"{CLASSES}/{STRANGE}"])
    WrittenFiles(folder).write({f"{CLASSES}/{name}": content for name, content in (*tables.items(), (PAGE, page))})
    return figures


def clear_classes(folder: Path) -> None:
    """Remove what `write_classes` wrote into an output folder; anything else in `classes/` stays.

    Raises:
        ValueError: the folder is a link that leads elsewhere.
    """
    place = folder / CLASSES
    check_inside(place, folder)
    written = WrittenFiles(folder)
    if not {*WRITTEN} & {*written.names()}:
        return
    written.remove(WRITTEN)
    for name in PICTURES if place.is_dir() else ():
        remove_written(place / name, place)

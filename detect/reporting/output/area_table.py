"""`areas.csv`: what is counted in each area, how much of it was surveyed, and how dense it is."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from detect.imagery.files import check_inside
from detect.imagery.ground.geodesy import SQUARE_METRES_PER_HECTARE
from detect.imagery.ground.polygons import Areas
from detect.reporting.output.area_parts import AreaPart
from detect.reporting.output.records import Record
from detect.reporting.output.repeats import SeenAgain
from detect.reporting.tables import TOTAL, read_text_table

logger = logging.getLogger(__name__)

AREA, IMAGES, UNIQUE = "area", "images", "unique"
"""Columns of an area's name, of the number of images that show some of it, and of different objects on the ground."""

PIXELS, HECTARES, DENSITY = "surveyed_pixels", "surveyed_ha", "density_per_ha"
"""The last columns: of the images' pixels and of the ground what has data, and objects per hectare of it."""

MAX_NAMED = 5
"""Most areas or images that a line of the log names."""


def area_table(
    areas: Areas,
    records: Mapping[str, Record],
    classes: Sequence[str],
    seen: SeenAgain | None,
    once: Mapping[int, float],
) -> pd.DataFrame:
    """Count the detections of each area.

    Args:
        areas: the polygons.
        records: the images of the run that are done.
        classes: the class names in the order of the columns.
        seen: objects that several images show; None where they were not looked for.
        once: share of an area's surveyed ground that is left when what several images show counts once; by the area's
            position; 1 where it is missing.

    Returns:
        A row an area, in the order of the file: `area`, `images`, a column of integers per class, `total`, their sum,
        `unique` where objects were looked for that several images show, `surveyed_pixels`, `surveyed_ha` and
        `density_per_ha`: of `unique` objects where there are such, else of all. The last two are empty where the size
        of pixels on the ground is not known, the density also where nothing was surveyed.
    """
    counts = np.zeros((len(areas.areas), len(classes)), np.int64)
    images = np.zeros(len(areas.areas), np.int64)
    pixels, metres = np.zeros(len(areas.areas)), np.zeros(len(areas.areas))
    objects: list[list[Any]] = [[] for _ in areas.areas]
    for name, record, part in _parts(records):
        counts[part.area] += np.bincount(record.detections.label[part.rows], minlength=len(classes))
        images[part.area] += 1
        pixels[part.area] += part.surveyed_pixels
        metres[part.area] += np.nan if part.surveyed_m2 is None else part.surveyed_m2
        if seen is not None:
            objects[part.area].append(seen.objects[name][part.rows])
    total = counts.sum(axis=1)
    unique = np.array([len(np.unique(np.concatenate(each))) if each else 0 for each in objects], np.int64)
    shares = np.array([once.get(number, 1.0) for number in range(len(areas.areas))])
    hectares = metres * shares / SQUARE_METRES_PER_HECTARE
    density = np.divide(
        total if seen is None else unique, hectares, out=np.full(len(total), np.nan), where=hectares > 0
    )
    table = pd.DataFrame({AREA: [each.name for each in areas.areas], IMAGES: images})
    table = table.join(pd.DataFrame(counts, columns=_columns(classes)))
    table[TOTAL] = total
    if seen is not None:
        table[UNIQUE] = unique
    table[PIXELS] = np.round(pixels).astype(np.int64)
    table[HECTARES] = [_digits(value) for value in hectares]
    table[DENSITY] = [_digits(value) for value in density]
    return table


def _parts(records: Mapping[str, Record]) -> Iterator[tuple[str, Record, AreaPart]]:
    for name, record in records.items():
        for part in record.areas:
            yield name, record, part


def _columns(classes: Sequence[str]) -> list[str]:
    """Return the columns of classes: one that has the name of another column begins with `class_`."""
    taken = {AREA, IMAGES, UNIQUE, PIXELS, HECTARES, DENSITY, TOTAL}
    names: list[str] = []
    for each in classes:
        name = each
        while name in taken or (name != each and name in classes):
            name = f"class_{name}"
        names.append(name)
    return names


def _digits(value: float) -> str:
    """Return six significant digits of a number, without an exponent where that is short; empty for NaN."""
    return "" if np.isnan(value) else f"{value:.6g}"


def tell_areas(areas: Areas, records: Mapping[str, Record]) -> list[str]:
    """Return what a reader must know of areas and images that do not meet, as sentences."""
    met = {part.area for _, _, part in _parts(records)}
    empty = [each.name for number, each in enumerate(areas.areas) if number not in met]
    apart = [name for name, record in records.items() if not record.areas]
    outside = sum(record.outside for record in records.values())
    twice = sum(int((np.bincount(rows) > 1).sum()) for rows in map(_rows, records.values()) if len(rows))
    said = [
        (outside, f"{outside:,} objects lie outside of the areas of {areas.path.name} and are not counted"),
        (len(empty), f"{len(empty)} of {len(areas.areas)} areas meet no image that was counted: {_some(empty)}"),
        (len(apart), f"{len(apart)} of {len(records)} images meet no area, nothing in them is counted: {_some(apart)}"),
        (twice, f"{twice:,} objects lie in more than one area: the rows of areas.csv add up to more than counts.csv"),
    ]
    return [sentence for number, sentence in said if number]


def _rows(record: Record) -> Any:
    return np.concatenate([np.empty(0, np.int64), *(part.rows for part in record.areas)])


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")


def read_area_table(path: Path) -> pd.DataFrame:
    """Read `areas.csv` for the report, every cell as text.

    Raises:
        ValueError: it is not such a table, or a link leads out of the folder.
    """
    check_inside(path, path.parent)
    table = read_text_table(path)
    missing = [name for name in (AREA, IMAGES, TOTAL, HECTARES, DENSITY) if name not in table.columns]
    if missing:
        raise ValueError(f"{path}: columns missing: {', '.join(missing)}; count the images again")
    return table

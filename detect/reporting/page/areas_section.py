"""The page's table of areas in which was counted."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from detect.reporting.output.area_table import AREA, DENSITY, HECTARES, IMAGES, PIXELS
from detect.reporting.page.scorecard import DASH
from detect.reporting.tables import TOTAL

MOST_ROWS = 1000
"""Most areas on the page."""

HEADINGS: Mapping[str, str] = {
    AREA: "Area",
    IMAGES: "Images",
    TOTAL: "Total",
    HECTARES: "Surveyed ha",
    DENSITY: "Per hectare",
    PIXELS: "Surveyed pixels",
}
"""What columns are called on the page; others have their own name."""


@dataclass(frozen=True)
class AreasSection:
    """Areas as the page shows them.

    Attributes:
        columns: their headings, that of the areas' names first.
        rows: name of each area and the other cells, as text.
        more: number of areas that are not shown.
    """

    columns: list[str]
    rows: list[tuple[str, list[str]]]
    more: int


def areas_section(areas: pd.DataFrame | None) -> AreasSection | None:
    """Return the areas of a run as the page shows them; None of one that counted whole images.

    Pixels are shown where the size of no area on the ground is known.

    Args:
        areas: of `read_area_table`.
    """
    if areas is None:
        return None
    known = bool((areas[HECTARES] != "").any())
    hidden = {PIXELS} if known else {HECTARES, DENSITY}
    columns = [name for name in areas.columns if name not in hidden and name != AREA]
    shown = areas.iloc[:MOST_ROWS]
    rows = [
        (str(name), [cell or DASH for cell in cells])
        for name, cells in zip(shown[AREA], shown[columns].to_numpy().tolist(), strict=True)
    ]
    return AreasSection([HEADINGS.get(name, name) for name in (AREA, *columns)], rows, len(areas) - len(shown))

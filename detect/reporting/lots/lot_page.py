"""The page of lots: a gallery of wafers with map, pattern and confidence, and each lot's defects by zone, drawn."""

import base64
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise

import numpy as np
from PIL import Image

from detect.reporting.lots.lot_tables import Lot, digits
from detect.reporting.lots.lot_wafers import LotWafer
from detect.reporting.lots.zones import ZoneCounts, Zones
from detect.reporting.output.predictions import Predictions
from detect.reporting.page.figures import small_picture
from detect.reporting.page.page_templates import page_templates
from detect.reporting.page.scorecard import DASH
from detect.reporting.pictures.colours import HATCH, probability_colours

RADIUS = 100.0
"""Radius of a drawn wafer, in units of its picture."""


@dataclass(frozen=True)
class DrawnZone:
    """A zone of the picture of a lot: its outline as an SVG path, its colour from 0 to 1, and what it says."""

    path: str
    shade: float
    words: str


@dataclass(frozen=True)
class LotSection:
    """A lot as the page shows it.

    Attributes:
        name: of the lot, in words.
        words: sentences on it.
        zones: drawn, none where no defects are known.
        wafers: each with its picture, None for one beyond the limit, or without.
    """

    name: str
    words: list[str]
    zones: list[DrawnZone]
    wafers: list[tuple[LotWafer, str, str | None]]


def lot_page(predictions: Predictions, lots: Sequence[Lot], zones: Zones, embed_limit: int) -> str:
    """Return the page's HTML; names from files are shown as text.

    Args:
        predictions: the run, whose small pictures are shown.
        lots: its wafers.
        zones: how wafers are parted.
        embed_limit: number of wafers whose pictures the page holds.
    """
    environment = page_templates()
    wafers, shown, sections = sum(len(lot.wafers) for lot in lots), 0, []
    for lot in lots:
        gallery = []
        for wafer in lot.wafers:
            gallery.append((wafer, _words(wafer), _picture(predictions, wafer) if shown < embed_limit else None))
            shown += 1
        drawn = [] if lot.zones is None else list(drawn_zones(lot.zones, zones))
        sections.append(LotSection(lot.name or "no lot", list(_lot_words(lot)), drawn, gallery))
    return environment.get_template("lots.html.j2").render(
        title=(some(wafers, "wafer"), some(len(lots), "lot")),
        sections=sections,
        wafers=wafers,
        embed_limit=embed_limit,
        radius=RADIUS,
    )


def _picture(predictions: Predictions, wafer: LotWafer) -> str | None:
    """Return a picture of a wafer as a `data:` address: of its list, else the run's own small picture; or None."""
    if wafer.map is None:
        return small_picture(predictions, wafer.image)
    side = len(wafer.map)
    middle = (np.arange(side) + 0.5) * 2 / side - 1
    shade = np.log1p(wafer.map) / max(float(np.log1p(wafer.map.max())), 1.0)
    picture = probability_colours(shade)
    picture[(np.hypot(middle[:, None], middle) > 1) & (wafer.map == 0)] = HATCH[0]
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def some(number: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _words(wafer: LotWafer) -> str:
    """Return what is known of a wafer's defects, in words."""
    if wafer.zones is None:
        return f"defects not known: {wafer.why}"
    density = digits(wafer.zones.inside / float(wafer.zones.area_cm2.sum()))
    outside = f", {wafer.zones.outside:,} outside" if wafer.zones.outside else ""
    per = f", {float(density):.3g} a cm²" if density else ""
    return f"{some(wafer.zones.total, 'defect')}{outside}{per}"


def _lot_words(lot: Lot) -> Iterator[str]:
    named = {name: sum(wafer.counts[name] for wafer in lot.wafers) for name in lot.wafers[0].counts}
    found = ", ".join(f"{name} {number:,}" for name, number in named.items() if number)
    unknown = sum(wafer.unknown for wafer in lot.wafers)
    yield f"{some(len(lot.wafers), 'wafer')}. Found: {found or 'nothing'}{f', unknown {unknown:,}' if unknown else ''}."
    if lot.zones is None:
        yield "Its defects are not known."
        return
    area = float(lot.zones.area_cm2.sum())
    density = DASH if math.isnan(area) else f"{lot.zones.inside / area:.3g}"
    on = "" if lot.known == len(lot.wafers) else f" on the {lot.known:,} wafers whose defects are known"
    beyond = f", {lot.zones.outside:,} of them outside of the zones" if lot.zones.outside else ""
    yield f"{some(lot.zones.total, 'defect')}{on}{beyond}; {density} a cm²."


def drawn_zones(counts: ZoneCounts, zones: Zones) -> Iterator[DrawnZone]:
    """Yield each zone as an outline in a circle of `RADIUS` about (0, 0), y down, shaded by its density."""
    radii = (0.0, *zones.rings, 1.0)
    area = [math.pi * (high**2 - low**2) / zones.sectors for low, high in pairwise(radii)]
    densities = counts.numbers / [[each] for each in area]
    highest = float(densities.max())
    mean = counts.inside / math.pi
    for ring, name in enumerate(zones.ring_names):
        for sector in range(zones.sectors):
            start, end = zones.degrees(sector)
            times = f", {densities[ring, sector] / mean:.2f} times the mean density" if mean else ""
            words = f"{name}, {start:.4g}° to {end:.4g}°: {some(int(counts.numbers[ring, sector]), 'defect')}{times}"
            shade = float(densities[ring, sector]) / highest if highest else 0.0
            yield DrawnZone(_outline(radii[ring], radii[ring + 1], start, end), shade, words)


def _outline(low: float, high: float, start: float, end: float) -> str:
    """Return the SVG path of a part of a ring; a whole ring is two halves."""
    if end - start > 180:
        middle = (start + end) / 2
        return f"{_outline(low, high, start, middle)} {_outline(low, high, middle, end)}"
    inner, outer = low * RADIUS, high * RADIUS
    (x1, y1), (x2, y2) = _point(outer, start), _point(outer, end)
    (x3, y3), (x4, y4) = _point(inner, end), _point(inner, start)
    arcs = f"A{outer:.2f} {outer:.2f} 0 0 0 {x2:.2f} {y2:.2f} L{x3:.2f} {y3:.2f}"
    return f"M{x1:.2f} {y1:.2f} {arcs} A{inner:.2f} {inner:.2f} 0 0 1 {x4:.2f} {y4:.2f} Z"


def _point(radius: float, degrees: float) -> tuple[float, float]:
    return radius * math.cos(math.radians(degrees)), -radius * math.sin(math.radians(degrees))

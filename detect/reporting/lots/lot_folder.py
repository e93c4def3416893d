"""The folder `lots/` beside the counts of a run: tables of wafers, lots and zones, and a page with a gallery."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from detect.imagery.files import check_inside
from detect.imagery.wafers.drawn.drawing import current_drawing, keeps_truncated
from detect.imagery.wafers.notches import AS_GIVEN, side_of
from detect.reporting.lots.lot_names import MOST_NAMED, read_lots
from detect.reporting.lots.lot_page import lot_page
from detect.reporting.lots.lot_tables import TABLES, ZONES, Lot, lot_tables, lots_of, write_zones
from detect.reporting.lots.lot_wafers import LotWafer, wafers_of
from detect.reporting.lots.zones import LotSettings
from detect.reporting.output.layout import LOTS
from detect.reporting.output.predictions import read_predictions
from detect.reporting.output.written import WrittenFiles
from detect.reporting.tables import IMAGE
from detect.reporting.writing import text_bytes

logger = logging.getLogger(__name__)

PAGE = "index.html"
"""The page, which holds the pictures."""

WRITTEN = tuple(f"{LOTS}/{name}" for name in (*TABLES, PAGE))
"""The files that are written, in the output folder."""


def write_lots(folder: Path, table: Path | None, settings: LotSettings, embed_limit: int) -> Path:
    """Write the report for lots into `lots/` of a predictions folder.

    Args:
        folder: that `detect.predict` wrote.
        table: of the lot of each image (`read_lots`); None where lists of defects and folders say it.
        settings: how wafers are parted.
        embed_limit: number of wafers whose pictures the page holds.

    Returns:
        The path of the page.

    Raises:
        FileExistsError: a person changed one of the files.
        FileNotFoundError: the folder has no counts.
        ValueError: a file of it is damaged, or zones are asked for that a wafer cannot have.
    """
    check_inside(folder / LOTS, folder)
    written, predictions = WrittenFiles(folder), read_predictions(folder)
    written.check(WRITTEN, adopt=False)
    lots = None if table is None else read_lots(table, [str(name) for name in predictions.counts[IMAGE]])
    settings = _as_in_run(settings)
    wafers = list(wafers_of(predictions, lots, settings, embed_limit))
    if not wafers:
        logger.warning("%s: the run counted no image, so there are no wafers", folder)
    for why, number in Counter(each.why for each in wafers if each.why).most_common():
        logger.warning("of %d of %d wafers no defect is counted in zones: %s", number, len(wafers), why)
    found = lots_of(wafers)
    _tell_turns(wafers, found, settings)
    for lot in found:
        _tell_again(lot)
    tables = lot_tables(found, predictions.classes)
    page = text_bytes(lot_page(predictions, found, settings.zones, embed_limit))
    written.write_made(f"{LOTS}/{ZONES}", lambda path: write_zones(path, found, settings.zones))
    written.write({f"{LOTS}/{name}": content for name, content in (*tables.items(), (PAGE, page))})
    return folder / LOTS / PAGE


def _as_in_run(settings: LotSettings) -> LotSettings:
    """Return settings with what they leave to the run, whose lists are opened as it opened them."""
    drawing = current_drawing()
    notch = AS_GIVEN if drawing is None else drawing.notch
    return replace(
        settings,
        notch=notch if settings.notch is None else settings.notch,
        keep=keeps_truncated() if settings.keep is None else settings.keep,
    )


def _tell_turns(wafers: Sequence[LotWafer], lots: Sequence[Lot], settings: LotSettings) -> None:
    """Log where zones by angle mix wafers that lie in several ways, and which could not be turned."""
    if settings.notch != AS_GIVEN:
        left = [each.image for each in wafers if each.zones is not None and side_of(each.mark) is None]
        if left:
            logger.warning(
                "%d of %d wafers are not turned to zones.notch=%s, as no list says at which side their notch or flat "
                "lies, such as %s",
                *(len(left), len(wafers), settings.notch, left[0]),
            )
        return
    for lot in lots:
        marks = Counter(each.mark for each in lot.wafers if each.mark)
        if len(marks) > 1:
            ways = ", ".join(f"{mark} of {number}" for mark, number in marks.most_common())
            logger.warning(
                "lot %s: its wafers lie in several ways (%s), and zones by angle mix them: zones.notch=down turns them",
                *(lot.name, ways),
            )


def _tell_again(lot: Lot) -> None:
    """Log wafers of a lot that are there twice, which makes its sums other than they seem."""
    listed = [each for each in lot.wafers if lot.name and each.counted == "list"]
    number = Counter(each.wafer for each in listed)
    again = [each for each in listed if number[each.wafer] > 1]
    if again:
        names = ", ".join(f"{each.wafer} ({each.image})" for each in again[:MOST_NAMED])
        more = f" and {len(again) - MOST_NAMED} more" if len(again) > MOST_NAMED else ""
        logger.warning("lot %s: several images are of one wafer, and each is counted: %s%s", lot.name, names, more)


def clear_lots(folder: Path) -> None:
    """Remove what `write_lots` wrote into a predictions folder; anything else in `lots/` stays.

    Raises:
        ValueError: the folder is a link that leads elsewhere.
    """
    check_inside(folder / LOTS, folder)
    WrittenFiles(folder).remove(WRITTEN)

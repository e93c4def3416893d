"""The wafers of a run: lot, pattern and confidence of each, and its defects by zone."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detect.imagery.wafers.errors import WaferError
from detect.imagery.wafers.notches import AS_GIVEN
from detect.imagery.wafers.wafer_files import is_wafer_file
from detect.labels.detections import Detections
from detect.reporting.lots.lot_names import lot_of
from detect.reporting.lots.places import ListedWafer, zones_of_found, zones_of_list, zones_of_map
from detect.reporting.lots.zones import LotSettings, ZoneCounts
from detect.reporting.output.journal import read_records
from detect.reporting.output.predictions import Predictions
from detect.reporting.output.records import Record
from detect.reporting.tables import IMAGE, read_facts

logger = logging.getLogger(__name__)

WHOLE = "whole"
"""The kind of a model that classifies whole images, as `run.json` has it."""

UNKNOWN = "unknown"
"""The fact of a table of counts that says that an image's pattern is none of the classes."""

MOST_PATTERNS = 4
"""Most classes that the words on a wafer name."""

Counted = Literal["list", "map", "found", ""]
"""What the defects of a wafer are: those of its list, the failing dies of a map, what the run found, or not known."""


@dataclass(frozen=True, eq=False)
class LotWafer:
    """A wafer of a run.

    Attributes:
        lot: empty where nothing says it.
        wafer: its id, or the image's name without folders and ending.
        image: the image's name in the run.
        mark: where its orientation mark is, as its list says; empty where nothing says it.
        counts: what was found, by class.
        pattern: that in words, the likeliest first.
        confidence: the score of the likeliest pattern, of a model that classifies whole images; None where there is
            none.
        unknown: whether its pattern is none that the model knows.
        zones: its defects by zone; None where they are not known.
        counted: what those are.
        why: why they are not known, as a sentence; empty where they are.
        map: the defects of its list in squares over the wafer, for a picture; None where it is not kept.
    """

    lot: str
    wafer: str
    image: str
    mark: str
    counts: Mapping[str, int]
    pattern: str
    confidence: float | None
    unknown: bool
    zones: ZoneCounts | None
    counted: Counted
    why: str
    map: NDArray[np.int64] | None


def wafers_of(
    predictions: Predictions, lots: Mapping[str, str] | None, settings: LotSettings, maps: int
) -> Iterator[LotWafer]:
    """Yield the wafers of a run, in the order of its counts.

    A file that changed since it was counted, or cannot be read, leaves its wafer without zones, which says why.

    Args:
        predictions: the run.
        lots: the lot by the image's name; None where lists of defects and folders say it.
        settings: how wafers are parted.
        maps: number of wafers, the first, whose maps of defects are kept.

    Raises:
        ValueError: the journal is damaged, or zones are asked for that a wafer cannot have.
    """
    records = read_records(predictions.folder)
    unknown = read_facts(predictions.paths.counts).get(UNKNOWN, {})
    whole = predictions.model.get("kind") == WHOLE
    for number, row in enumerate(predictions.counts.to_dict("records")):
        name, record = str(row[IMAGE]), records.get(str(row[IMAGE]))
        counts = {each: int(row[each]) for each in predictions.classes}
        listed, zones, counted, why = _placed(record, whole, settings)
        none_known = unknown.get(name, "") not in ("", "0")
        pattern, confidence = _pattern(counts, None if record is None else record.detections, whole, none_known)
        yield LotWafer(
            lot_of(name, lots, "" if listed is None else listed.lot),
            PurePosixPath(name).stem if listed is None or not listed.name else listed.name,
            name,
            "" if listed is None else listed.mark,
            counts,
            pattern,
            confidence,
            none_known,
            zones,
            counted,
            why,
            None if listed is None or number >= maps else listed.map,
        )


def _pattern(
    counts: Mapping[str, int], found: Detections | None, whole: bool, unknown: bool
) -> tuple[str, float | None]:
    """Return what was found on a wafer in words, and how sure a classifier of whole images is of the likeliest."""
    if not whole:
        some = sorted(((number, name) for name, number in counts.items() if number), reverse=True)
        more = f" and {len(some) - MOST_PATTERNS} more" if len(some) > MOST_PATTERNS else ""
        return ", ".join(f"{number:,} {name}" for number, name in some[:MOST_PATTERNS]) + more or "nothing found", None
    if found is None or not len(found):
        return "unknown" if unknown else "no pattern", None
    order = (-found.score).argsort(kind="stable")
    return " + ".join(found.classes[found.label[i]] for i in order), float(found.score[order[0]])


_Placed = tuple[ListedWafer | None, ZoneCounts | None, Counted, str]


def _placed(record: Record | None, whole: bool, settings: LotSettings) -> _Placed:
    """Return the wafer as its list has it, its defects by zone, what those are, and why there are none."""
    if record is None:
        return _unknown("the run's journal does not have it")
    path = Path(record.path)
    there = record.describes(path)
    if there and is_wafer_file(path):
        return _listed(path, settings)
    if settings.values is not None:
        return _mapped(path, there, settings.values, settings)
    if whole:
        return _unknown("its file is no list of defects that is there unchanged, and the model looks at no places")
    if min(record.shape) < 1:
        return _unknown("the run's journal does not have its size")
    return None, zones_of_found(record.detections, record.shape, settings.diameter_mm, settings.zones), "found", ""


def _listed(path: Path, settings: LotSettings) -> _Placed:
    try:
        wafers = zones_of_list(path, settings.zones, bool(settings.keep), settings.notch or AS_GIVEN)
    except (OSError, WaferError) as error:
        return _unknown(f"its list cannot be read: {_short(error, path)}")
    if len(wafers) != 1:
        return _unknown(f"its list has {len(wafers)} wafers, and a file of one alone can be told from the others")
    return wafers[0], wafers[0].zones, "list", ""


def _mapped(path: Path, there: bool, values: tuple[float, float], settings: LotSettings) -> _Placed:
    if not there:
        return _unknown("its file is gone, or has changed since it was counted")
    try:
        return None, zones_of_map(path, values, settings.diameter_mm, settings.zones), "map", ""
    except OSError as error:
        return _unknown(f"its map cannot be read: {_short(error, path)}")


def _short(error: Exception, path: Path) -> str:
    """Return what is wrong with a file, with its name for its path: the page goes to others."""
    return str(error).replace(str(path), path.name)


def _unknown(why: str) -> _Placed:
    return None, None, "", why

"""Which lot a wafer is of: by a table, by its list of defects, or by the folder that its image lies in."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from detect.labels.annotations import AnnotationError
from detect.labels.columns import ALIASES
from detect.labels.image_names import match_names
from detect.labels.sheets import read_sheet

logger = logging.getLogger(__name__)

LOT_COLUMNS = ("lot", "lot_id", "lotid", "lotname", "lot_name", *ALIASES["group"])
"""What a column of lots may be called, in any case; the first of them that there is counts."""

MOST_NAMED = 5
"""Most images that a line of the log names."""


def read_lots(path: Path, images: Sequence[str]) -> dict[str, str]:
    """Read the lot of each image from a table (CSV) with a column of images and one of lots, or groups.

    Args:
        path: the table; annotations with a column of groups are such.
        images: the names of a run's images; those that the table does not name are told, and have no lot, and so are
            those that it names beside them.

    Returns:
        The lot by the image's name.

    Raises:
        ValueError: it is no such table, or names an image with two lots, or no image of the run.
    """
    sheet = read_sheet(path)
    columns = {name.lower(): name for name in sheet.header}
    image = next((columns[name] for name in ALIASES["image"] if name in columns), None)
    lot = next((columns[name] for name in LOT_COLUMNS if name in columns), None)
    if image is None or lot is None:
        raise AnnotationError(
            f"{path}: needs a column 'image' and a column 'lot' (or 'group'); it has {', '.join(sheet.header)}"
        )
    known: dict[str, str] = {}
    for line, name, given in zip(sheet.lines, sheet.column(image), sheet.column(lot), strict=True):
        if known.setdefault(name, given) != given:
            raise AnnotationError(f"{path} line {line}: {name} is of lot {given!r}, and of {known[name]!r} above")
    pairs = match_names(images, list(known))
    if not pairs:
        raise AnnotationError(f"{path}: names no image of the run; {list(known)[:3]} against {list(images)[:3]}")
    left = [name for name in images if name not in pairs]
    if left:
        logger.warning("%d images have no lot in %s: %s", len(left), path, ", ".join(left[:MOST_NAMED]))
    other = sorted({*known} - {*pairs.values()})
    if other:
        logger.info("%s: %d images are none of the run: %s", path, len(other), ", ".join(other[:MOST_NAMED]))
    return {name: known[theirs] for name, theirs in pairs.items()}


def lot_of(image: str, table: Mapping[str, str] | None, listed: str) -> str:
    """Return the lot of an image; empty where nothing says it.

    Args:
        image: its name, a path below the folder of images.
        table: the lot by image, which alone counts; None without a table.
        listed: what the wafer's list of defects says, empty where it says nothing.
    """
    if table is not None:
        return table.get(image, "")
    folder = PurePosixPath(image).parent.as_posix()
    return listed or ("" if folder == "." else folder)

"""Lists of defects of wafers as CSV: one file, or a folder with one a wafer."""

import logging
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from detect.assembly.conversion.converting import check_free
from detect.assembly.settings.convert_settings import ConvertSettings
from detect.imagery.wafers.defect_writing import write_defects
from detect.imagery.wafers.wafer import Wafer
from detect.imagery.wafers.wafer_files import is_wafer_file, read_parts

logger = logging.getLogger("detect.convert")

ENDING = ".wafer.csv"
"""What the names of files with one wafer each end in."""


def is_wafer_list(settings: ConvertSettings) -> bool:
    """Return whether the source is a list of a wafer's defects.

    Raises:
        ValueError: it is none, and a setting is given that only such a list has.
    """
    found = is_wafer_file(settings.source)
    if settings.truncated != "refuse" and not found:
        raise ValueError(f"truncated={settings.truncated} is for lists of wafers' defects; {settings.source} is none")
    return found


def convert_wafers(settings: ConvertSettings) -> None:
    """Write the defects of a list as CSV: all wafers in one file, or one file a wafer where the target is a folder.

    Raises:
        ValueError: another format is asked for, or something else than a target.
        WaferError: the list is wrong; nothing is written to a file, wafers before are to a folder.
        FileExistsError: something is there already.
    """
    target = settings.target
    for name, path in {"root": settings.root, "summary": settings.summary, "sheet": settings.sheet}.items():
        if path is not None:
            raise ValueError(f"{name}={path}: a list of wafers' defects has no images and no {name}; leave it away")
    if target is None:
        raise ValueError("nothing to write: give target=FILE.csv, or a folder for one file a wafer")
    if settings.format not in (None, "csv"):
        raise ValueError(f"format={settings.format}: defects of wafers are written as csv")
    if target.suffix.lower() not in ("", ".csv"):
        raise ValueError(f"target={target} must end in .csv, or be a folder for one file a wafer")
    check_free(settings, {"target": target})
    parts = _told(read_parts(settings.source, settings.truncated == "keep"))
    if target.suffix:
        write_defects(target, parts)
    else:
        _write_each(target, parts)
    logger.info("wrote %s", target)


def _write_each(folder: Path, parts: Iterable[Wafer]) -> None:
    """Write one file a wafer, named after lot and wafer."""
    names: set[str] = set()
    for (lot, wafer), some in groupby(parts, key=lambda each: (each.lot, each.name)):
        name = re.sub(r"[^\w-]+", "_", f"{lot}_{wafer}" if lot else wafer)[:100]
        if name.lower() in names:
            raise ValueError(f"two wafers would be written to {name}{ENDING}; give one file for all, target=FILE.csv")
        names.add(name.lower())
        write_defects(folder / f"{name}{ENDING}", some)


def _told(parts: Iterable[Wafer]) -> Iterator[Wafer]:
    """Yield parts of wafers, and log what each wafer has."""
    for (lot, wafer), some in groupby(parts, key=lambda each: (each.lot, each.name)):
        count = 0
        for part in some:
            count += len(part)
            yield part
        logger.info("wafer %r of lot %r, defects: %s", wafer, lot, f"{count:,}")
        for remark in part.remarks:
            logger.warning("wafer %r: %s", wafer, remark)

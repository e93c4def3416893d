"""What an image file is, by its first bytes, and which one of GDAL's drivers opens it.

GDAL alone would try some 140 drivers on a file, whatever its name, and several of them read texts that name other
files, pipes or network addresses. Here a file is opened by one driver, chosen from a short list of formats of pixels.
"""

import inspect
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import rasterio
from rasterio.errors import NotGeoreferencedWarning

from detect.imagery.finding.endings import RAW, way_out
from detect.imagery.remote.stand_ins import gdal_name
from detect.imagery.wafers.wafer_files import is_wafer_file

SIGNATURES = (
    (b"II*\x00", "GTiff"),
    (b"MM\x00*", "GTiff"),
    (b"II+\x00", "GTiff"),
    (b"MM\x00+", "GTiff"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JP2OpenJPEG"),
    (b"\xff\x4f\xff\x51", "JP2OpenJPEG"),
    (b"BM", "BMP"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
)
"""First bytes of the formats that are read, and GDAL's drivers of them; the two with + are BigTIFF."""

HEAD_BYTES = 16
"""How much of a file says what it is."""

MOSAIC, MOSAIC_SUFFIX = "VRT", ".vrt"
"""GDAL's driver of texts that put images together, and the only ending with which such a text is read."""

WAFER = "list of a wafer's defects"
"""What stands for a driver of lists of defects, which are drawn (`imagery/wafers`) and not opened by GDAL."""

READABLE = (
    "TIFF, JPEG, PNG, JPEG 2000, BMP, WebP, GIF, and VRT by its ending, and lists of a wafer's defects (KLARF, CSV)"
)
"""The formats, for messages."""


_open_in_env = inspect.unwrap(rasterio.open)
"""`rasterio.open` inside of a `rasterio.Env`, without one of its own around it, which costs as much as the opening."""


class SceneError(OSError):
    """An image that cannot be opened or read, with its path and the reason."""


@contextmanager
def image_errors(path: Path, what: str = "damaged or unreadable", local: Path | None = None) -> Iterator[None]:
    """Make whatever goes wrong with an image inside the block a `SceneError` that names it.

    GDAL, rasterio and numpy raise errors of a dozen kinds for a broken file, no one of which may end a run.

    Args:
        path: the image.
        what: is said of it.
        local: the file on this machine that is read for it; None where that is `path` itself.
    """
    try:
        yield
    except SceneError:
        raise
    except MemoryError as error:
        raise SceneError(f"{path}: there is not enough memory to read it ({error})") from error
    except Exception as error:
        said = _without_path(local or path, str(error.__cause__ or error))
        raise SceneError(f"{path}: {what} ({said})") from error


def _without_path(path: Path, said: str) -> str:
    """Return what was said of a file without the path that it begins with: the message that holds it names it."""
    for start in (str(gdal_name(path)), str(path), ":", ","):
        said = said.removeprefix(start) or said
    return said.lstrip() or said


def driver_of(path: Path) -> str:
    """Return GDAL's name of the driver of an image, by the file's first bytes; a VRT is one by its ending.

    Of a list of a wafer's defects it is `WAFER`.

    Raises:
        SceneError: there is no file, something else than a file, or a file of another format.
    """
    head = read_head(path)
    if path.suffix.lower() in RAW.split():  # by its first bytes many a one is a TIFF, of a preview
        raise SceneError(f"{path}: camera raw is not read: {way_out(path)}")
    for start, driver in SIGNATURES:
        if head.startswith(start):
            return driver
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if path.suffix.lower() == MOSAIC_SUFFIX:
        return MOSAIC
    if is_wafer_file(path):
        return WAFER
    hint = f"; {way_out(path)}" if way_out(path) else ""
    hint = f"; a VRT is read by its ending {MOSAIC_SUFFIX} alone" if b"<VRT" in head else hint
    raise SceneError(f"{path}: not a readable image: its first bytes are of none of {READABLE}{hint}")


def read_head(path: Path) -> bytes:
    """Read the first bytes of a file that is sure to be one: a pipe or device is not opened, so that nothing waits.

    Raises:
        SceneError: there is nothing; or, beginning with `passed over`, something that is no file with content.
    """
    try:
        facts = path.stat()
    except (OSError, ValueError) as error:
        raise SceneError(_not_there(path, error)) from error
    reason = _no_file(path, facts)
    if reason:
        raise SceneError(reason)
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise SceneError(f"passed over: {path} cannot be read ({error.strerror})") from error


def _not_there(path: Path, error: Exception) -> str:
    """Return why a path has no facts: missing, a link that leads nowhere, or in a folder that may not be entered."""
    if isinstance(error, PermissionError):
        return f"passed over: {path} cannot be read ({error.strerror})"
    try:
        return f"passed over: {path} is a link that leads nowhere, to {path.readlink()}"
    except (OSError, ValueError):
        return f"{path}: no such image file"


def _no_file(path: Path, facts: os.stat_result) -> str:
    """Return why something is no file with content, empty where it is one."""
    if stat.S_ISDIR(facts.st_mode):
        if path.is_symlink():
            return f"passed over: {path} is a link to a folder, which is not followed; name that folder as images"
        try:
            next(os.scandir(path), None)
        except OSError as error:
            return f"passed over: the folder {path} cannot be read ({error.strerror})"
        return f"{path}: a folder, no such image file"
    if not stat.S_ISREG(facts.st_mode):
        return f"passed over: {path} is a pipe, socket or device, not a file"
    return "" if facts.st_size else f"passed over: {path} is an empty file"


class _Quiet(AbstractContextManager[None]):
    """A block in which rasterio does not warn that an image has no georeference, entered by several threads at once.

    Filters of warnings belong to the process: the first thread sets them, and the last one puts them back.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._inside = 0
        self._filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._turn:
            if not self._inside:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
            self._inside += 1

    def __exit__(self, *raised: object) -> None:
        with self._turn:
            self._inside -= 1
            if not self._inside:
                self._filters.__exit__(None, None, None)


_quiet = _Quiet()


def no_georeference_needed() -> AbstractContextManager[None]:
    """Return the block in which images are opened without rasterio's warning that they have no georeference."""
    return _quiet


def open_with(target: Path | str, driver: str) -> Any:
    """Open an image for reading with one driver, as a rasterio dataset.

    Args:
        target: a file, or the text of a VRT.
        driver: GDAL's name; a file of another format is an error, also when it has changed since it was looked at.

    Raises:
        SceneError: the file says that its overviews are in another file, which GDAL would open whatever it is.
    """
    opening = _open_in_env if rasterio.env.hasenv() else rasterio.open
    with no_georeference_needed():
        source = opening(gdal_name(target) if isinstance(target, Path) else target, driver=driver)
    if driver != MOSAIC and any("OVERVIEW_FILE" in name.upper() for name in source.tags(ns="OVERVIEWS")):
        source.close()
        raise SceneError(f"{target}: names another file as its overviews; write it anew (gdal_translate in out.tif)")
    return source


def georeference_lies_beside(path: Path) -> bool:
    """Return whether anything lies beside an image under the names that its driver reads (`georeference_files`).

    Raises:
        SceneError: one is a pipe, socket or device, on which reading would wait.
    """
    found = False
    for place in georeference_files(path):
        try:
            mode = os.stat(place).st_mode  # noqa: PTH116
        except (OSError, ValueError):
            continue
        if not stat.S_ISREG(mode):
            raise SceneError(f"{place}: lies where the image's georeference is read from, and is no file; remove it")
        found = True
    return found


def georeference_files(path: Path) -> list[str]:
    """Return the names under which a driver looks for an image's georeference: world files and MapInfo tables."""
    whole = str(path)
    _, dot, ending = path.name.rpartition(".")
    stem = whole[: len(whole) - len(ending) - 1] if dot else whole
    own = (f"{ending[0]}{ending[-1]}w", f"{ending}w") if dot and ending else ()
    return [f"{stem}.{each}" for low in (*own, "wld", "tab") for each in (low.lower(), low.upper())]

"""GDAL's options: what it may open, and how much it keeps, while this program reads an image."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import rasterio

from detect.imagery.gdal.drivers import MOSAIC_SUFFIX
from detect.imagery.remote.stand_ins import gdal_access

BLOCK_CACHE_BYTES = 64 << 20
"""Most bytes of decoded blocks that GDAL keeps (its own default is a twentieth of the machine's memory)."""

_options = threading.local()
"""What each thread's `gdal_options` are now."""


@contextmanager
def gdal_options(beside: bool = False, trusted: bool = False, path: Path | None = None) -> Iterator[None]:
    """Set GDAL to make a damaged JPEG or PNG an error, write no side-car files and bound its cache, in a block.

    A block inside of another one with the same options costs nothing: of many small images it is worth a block. What
    is closed around a trusted image stays closed for it.

    Args:
        beside: whether files beside an image may be opened, for its georeference. Its pixels come from the file alone:
            overviews and masks beside it can be of any of GDAL's formats.
        trusted: whether GDAL may go wherever an image, a trusted VRT, leads it.
        path: the file that is read; where it stands for an object of a store, GDAL may reach that one.
    """
    reached = gdal_access(path)
    asked = (beside, trusted, reached)
    before, _options.now = getattr(_options, "now", None), asked
    try:
        if before == asked and rasterio.env.hasenv():
            yield
            return
        closed = {
            "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE" if beside else "EMPTY_DIR",
            "GDAL_VRT_ENABLE_PYTHON": "NO",
            "GDAL_VRT_ENABLE_RAWRASTERBAND": "NO",
            **(reached or {"CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none"}),
        }
        with rasterio.Env(
            GDAL_ERROR_ON_LIBJPEG_WARNING=True,
            GDAL_PNG_WHOLE_IMAGE_OPTIM=False,
            GDAL_PAM_ENABLED=False,
            GDAL_CACHEMAX=BLOCK_CACHE_BYTES,
            **({} if trusted else closed),
        ):
            yield
    finally:
        _options.now = before


def described_together(paths: Sequence[Path]) -> AbstractContextManager[None]:
    """Return a block in which images are described for less, as GDAL's options are set once for all of them.

    Where one of them may be a trusted VRT, to which other files must stay open, they are set for each.
    """
    return nullcontext() if any(path.suffix.lower() == MOSAIC_SUFFIX for path in paths) else gdal_options()

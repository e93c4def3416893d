"""Images at addresses as files on this machine, for as long as they are open."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from detect.imagery.gdal.drivers import SceneError
from detect.imagery.remote.address import Address
from detect.imagery.remote.image_cache import image_cache
from detect.imagery.remote.stand_ins import gdal_name

MOSAICS_APART = (
    "a VRT at an address is not read: it names other files; name its rasters as images, or copy them all to a folder"
)


@contextmanager
def on_hand(path: Path, whole: bool) -> Iterator[Path]:
    """Yield a file on this machine for an image: itself, or a copy of one at an address, or what stands for that.

    Errors that name the file name the address instead.

    Args:
        path: the image.
        whole: whether all its pixels are read.

    Raises:
        SceneError: it cannot be read, or there is no room for it.
    """
    if not isinstance(path, Address):
        yield path
        return
    if path.suffix.lower() == ".vrt":
        raise SceneError(f"{path}: {MOSAICS_APART}")
    try:
        with image_cache().borrowed(path, whole) as local:
            try:
                yield local
            except SceneError as error:
                raise SceneError(renamed(str(error), path, local)) from error
    except SceneError:
        raise
    except (OSError, ValueError) as error:
        raise SceneError(str(error)) from error


def renamed(said: str, path: Path, local: Path) -> str:
    """Return what was said of a file on this machine as said of the image for which it is."""
    if path is local:
        return said
    for name in (str(gdal_name(local)), str(local)):
        said = said.replace(name, str(path))
    return said.replace(f"{local.parent}/", f"{path.parent}/")

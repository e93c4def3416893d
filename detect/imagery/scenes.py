"""Scenes: source images of any size, read by window through rasterio (the only place that imports it)."""

import glob
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window as RasterWindow

from detect.imagery.windows import Window, reflect

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".jp2", ".vrt")
"""File name endings taken for images when a folder is searched; upper case too."""


class SceneError(OSError):
    """An image that cannot be opened or read, with its path and the reason."""


@dataclass(frozen=True)
class Scene:
    """One source image, or a rectangle of one; no pixels are held.

    Attributes:
        path: the image file.
        shape: (height, width) in pixels of what is read from it.
        dtype: numpy name of the pixels' type.
        bands: number of bands in the file.
        transform: affine coefficients (a, b, c, d, e, f) from pixel to map coordinates, None without a georeference.
        crs: coordinate reference system as WKT, None without one.
        nodata: the value of pixels that hold nothing, None without one.
        origin: (row, col) in the file of the scene's top left pixel; (0, 0) for a whole image.
    """

    path: Path
    shape: tuple[int, int]
    dtype: str
    bands: int
    transform: tuple[float, ...] | None = None
    crs: str | None = None
    nodata: float | None = None
    origin: tuple[int, int] = (0, 0)

    @property
    def window(self) -> Window:
        """The whole scene as a window."""
        return Window(0, 0, *self.shape)


def open_dataset(path: Path, mode: str = "r", **profile: Any) -> Any:
    """Open a rasterio dataset without the warning that photographs have no georeference."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(path, mode, **profile)


def gdal_options() -> rasterio.Env:
    """Make a broken JPEG or PNG an error (by default GDAL fills what is missing), and write no side-car files."""
    return rasterio.Env(GDAL_ERROR_ON_LIBJPEG_WARNING=True, GDAL_PNG_WHOLE_IMAGE_OPTIM=False, GDAL_PAM_ENABLED=False)


def open_scene(path: Path) -> Scene:
    """Describe an image file without reading its pixels.

    Raises:
        SceneError: the file is missing, empty, not an image, or has colours by palette.
    """
    if not path.is_file():
        raise SceneError(f"{path}: no such image file")
    try:
        with gdal_options(), open_dataset(path) as source:
            if "palette" in {band.name for band in source.colorinterp}:
                raise SceneError(f"{path}: the colours are a palette; convert the image to RGB or grey first")
            located = source.crs is not None or not source.transform.is_identity
            return Scene(
                path=path,
                shape=(source.height, source.width),
                dtype=str(source.dtypes[0]),
                bands=source.count,
                transform=tuple(source.transform)[:6] if located else None,
                crs=source.crs.to_wkt() if source.crs else None,
                nodata=source.nodata,
            )
    except RasterioError as error:
        raise SceneError(f"{path}: not a readable image ({error})") from error


def view(scene: Scene, window: Window) -> Scene:
    """Take a rectangle of a scene as a scene of its own, mirrored at its own edges.

    Raises:
        ValueError: `window` does not lie in the scene.
    """
    if not window.inside(scene.shape):
        raise ValueError(f"{scene.path}: {window} does not lie in the scene of {scene.shape} (height, width)")
    origin = (scene.origin[0] + window.row, scene.origin[1] + window.col)
    return replace(scene, shape=(window.height, window.width), origin=origin)


def read_window(scene: Scene, window: Window, bands: Sequence[int]) -> NDArray[np.generic]:
    """Read a window that may hang over the scene's edges, where the scene is mirrored.

    Only the part of the file under the window is asked for; a tiled TIFF decodes just its blocks there.

    Args:
        scene: the source.
        window: pixels of the scene.
        bands: band numbers from 1, in the order wanted.

    Returns:
        (len(bands), window.height, window.width) in the scene's dtype.

    Raises:
        SceneError: the file is damaged, lacks one of the bands, or holds NaN.
    """
    check_bands(scene.path, scene.bands, bands)
    rows = reflect(window.row, window.row_stop, scene.shape[0])
    cols = reflect(window.col, window.col_stop, scene.shape[1])
    top, left = int(rows.min()), int(cols.min())
    box = RasterWindow(
        scene.origin[1] + left, scene.origin[0] + top, int(cols.max()) - left + 1, int(rows.max()) - top + 1
    )
    try:
        with gdal_options(), open_dataset(scene.path) as source:
            pixels = source.read(list(bands), window=box)
    except RasterioError as error:
        raise SceneError(f"{scene.path}: damaged or unreadable ({error})") from error
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise SceneError(
            f"{scene.path}: NaN or infinite pixels near {window}; fill them first, such as with gdal_fillnodata"
        )
    if window.inside(scene.shape):
        return np.asarray(pixels)
    return np.asarray(pixels[:, (rows - top)[:, None], (cols - left)[None, :]])


def check_bands(path: Path, number: int, bands: Sequence[int]) -> None:
    """See that an image of so many bands has those asked for.

    Raises:
        SceneError: it lacks one of them, or none is asked for.
    """
    if not bands or min(bands) < 1:
        raise SceneError(f"{path}: bands are numbered from 1 to {number}, asked for {list(bands)}")
    if max(bands) > number:
        raise SceneError(
            f"{path}: band {max(bands)} is asked for, the image has {number}; "
            "use a model of its kind, or convert the image"
        )


def list_images(images: Path) -> list[tuple[str, Path]]:
    """Find the images of a folder (and the folders below it), a file, or a glob pattern.

    Args:
        images: what the user named.

    Returns:
        (name, path) sorted by name; the name is the path below the folder (for a file or a pattern, below the deepest
        folder that holds them all), with forward slashes.

    Raises:
        FileNotFoundError: nothing is there, or no file has an image's ending.
    """
    if images.is_dir():
        paths = [path for path in images.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
        root = images
    elif images.is_file():
        return [(images.name, images)]
    else:
        paths = [Path(path) for path in glob.glob(str(images), recursive=True) if Path(path).is_file()]  # noqa: PTH207
        root = _common_folder(paths)
    if not paths:
        raise FileNotFoundError(f"no images at {images}: give a folder, a file or a pattern; endings {SUFFIXES}")
    return sorted((path.relative_to(root).as_posix(), path) for path in paths)


def _common_folder(paths: Sequence[Path]) -> Path:
    folders = {path.parent for path in paths}
    if not folders:
        return Path()
    shared = set.intersection(*({folder, *folder.parents} for folder in folders))
    return max(shared, key=lambda folder: len(folder.parts))

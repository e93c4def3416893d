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
from PIL import Image
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window as RasterWindow

from detect.imagery.preview import Preview
from detect.imagery.windows import Window, reflect
from detect.imagery.zoom import Zoom, resampled

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".jp2", ".vrt")
"""File name endings taken for images when a folder is searched; upper case too."""


WHOLE = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
"""GDAL's names of formats that are decoded from the top, whichever part is asked for."""

BLOCK_CACHE = 64 << 20
"""Bytes of decoded blocks that GDAL keeps (its own default is a twentieth of the machine's memory)."""

STRIP_PIXELS = 1 << 21
"""Pixels that are resampled at once, at most, of the file and of what is seen, as far as whole rows allow."""


class SceneError(OSError):
    """An image that cannot be opened or read, with its path and the reason."""


@dataclass(frozen=True)
class Scene:
    """One source image, or a rectangle of one, as it lies in the file or resampled; no pixels are held.

    Attributes:
        path: the image file.
        shape: (height, width) in the scene's own pixels.
        dtype: numpy name of the pixels' type.
        bands: number of bands in the file.
        transform: affine coefficients (a, b, c, d, e, f) from the file's pixels to map coordinates, None without a
            georeference.
        crs: coordinate reference system as WKT, None without one.
        nodata: the value of pixels that hold nothing, None without one.
        origin: (row, col) of the scene's top left pixel in the file, or in what is seen of it; (0, 0) for all of it.
        block_pixels: pixels that are decoded for any one of them: a tile or strip of a TIFF, all of a JPEG or PNG.
        zoom: how the file is resampled; None takes its pixels as they are.
    """

    path: Path
    shape: tuple[int, int]
    dtype: str
    bands: int
    transform: tuple[float, ...] | None = None
    crs: str | None = None
    nodata: float | None = None
    origin: tuple[int, int] = (0, 0)
    block_pixels: int = 0
    zoom: Zoom | None = None

    @property
    def windowed(self) -> bool:
        """Whether a part can be read without decoding much more."""
        return 0 < 4 * self.block_pixels <= self.file_pixels

    @property
    def factor_xy(self) -> tuple[float, float]:
        """Pixels of the scene per pixel of the file, along x and along y."""
        return (1.0, 1.0) if self.zoom is None else self.zoom.factor_xy

    @property
    def file_pixels(self) -> int:
        """Number of the file's pixels that the scene covers."""
        x, y = self.factor_xy
        return max(1, round(self.shape[0] / y * self.shape[1] / x))

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
    """Make a broken JPEG or PNG an error (GDAL would fill what is missing), write no side-cars, bound the cache."""
    return rasterio.Env(
        GDAL_ERROR_ON_LIBJPEG_WARNING=True, GDAL_PNG_WHOLE_IMAGE_OPTIM=False, GDAL_PAM_ENABLED=False,
        GDAL_CACHEMAX=BLOCK_CACHE,
    )  # fmt: skip


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
                block_pixels=_block_pixels(source),
            )
    except RasterioError as error:
        raise SceneError(f"{path}: not a readable image ({error})") from error


def _block_pixels(source: Any) -> int:
    height, width = source.shape if source.driver in WHOLE else source.block_shapes[0]
    return int(height * width)


def view(scene: Scene, window: Window) -> Scene:
    """Take a rectangle of a scene as a scene of its own, mirrored at its own edges.

    Raises:
        ValueError: `window` does not lie in the scene.
    """
    if not window.inside(scene.shape):
        raise ValueError(f"{scene.path}: {window} does not lie in the scene of {scene.shape} (height, width)")
    origin = (scene.origin[0] + window.row, scene.origin[1] + window.col)
    return replace(scene, shape=(window.height, window.width), origin=origin)


def original(scene: Scene) -> Scene:
    """Give the same place in the file's own pixels; a part of a resampled scene is taken to the nearest of them."""
    if scene.zoom is None:
        return scene
    source, (x, y) = scene.zoom.source, scene.factor_xy
    top, left = round(scene.origin[0] / y), round(scene.origin[1] / x)
    height = max(1, round((scene.origin[0] + scene.shape[0]) / y) - top)
    width = max(1, round((scene.origin[1] + scene.shape[1]) / x) - left)
    return replace(scene, shape=(height, width), origin=(source.row + top, source.col + left), zoom=None)


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
    with SceneReader(scene, bands) as reader:
        return reader.read(window)


class SceneReader:
    """Reads windows of one scene from a file that stays open, so that its blocks are decoded once; a context manager.

    Args:
        scene: the source.
        bands: band numbers from 1, in the order wanted.

    Raises:
        SceneError: the file is damaged or lacks one of the bands.
    """

    def __init__(self, scene: Scene, bands: Sequence[int]) -> None:
        check_bands(scene.path, scene.bands, bands)
        self.scene = scene
        self.bands = list(bands)
        self._resident: NDArray[np.generic] | None = None
        self._source: Any = None

    def __enter__(self) -> "SceneReader":
        try:
            with gdal_options():
                self._source = open_dataset(self.scene.path)
        except RasterioError as error:
            raise SceneError(f"{self.scene.path}: damaged or unreadable ({error})") from error
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._source.close()
        self._resident = None

    @property
    def nbytes(self) -> int:
        """Bytes of the whole scene when decoded: as it is seen, or as it lies in the file where that is more."""
        pixels = max(self.scene.shape[0] * self.scene.shape[1], self.scene.file_pixels)
        return len(self.bands) * pixels * np.dtype(self.scene.dtype).itemsize

    def hold(self) -> None:
        """Decode the whole scene now and keep it: what JPEG and PNG need, which start from the top for every window.

        Raises:
            SceneError: the file is damaged, or holds NaN.
        """
        self._resident = self._decode(self.scene.window)

    def read(self, window: Window) -> NDArray[np.generic]:
        """Read a window that may hang over the scene's edges, where the scene is mirrored.

        Returns:
            (bands, window.height, window.width) in the scene's dtype; it may share memory with what is held.

        Raises:
            SceneError: the file is damaged, or holds NaN.
        """
        rows = reflect(window.row, window.row_stop, self.scene.shape[0])
        cols = reflect(window.col, window.col_stop, self.scene.shape[1])
        top, left = int(rows.min()), int(cols.min())
        inner = Window(top, left, int(rows.max()) - top + 1, int(cols.max()) - left + 1)
        pixels = self._decode(inner) if self._resident is None else self._resident[
            :, inner.row : inner.row_stop, inner.col : inner.col_stop
        ]  # fmt: skip
        if window.inside(self.scene.shape):
            return pixels
        return _mirrored(pixels, inner, window, rows, cols)

    def preview(self, longest_side: int) -> NDArray[np.generic]:
        """Give the scene reduced to at most `longest_side` pixels, (bands, h, w) in the scene's dtype, averaged.

        Raises:
            SceneError: the file is damaged.
        """
        shrink = max(1.0, max(self.scene.shape) / longest_side)
        height, width = (max(1, round(side / shrink)) for side in self.scene.shape)
        if self._resident is not None and self._resident.dtype != np.uint8:
            preview = Preview(len(self.bands), self.scene.shape, longest_side, self.scene.dtype)
            preview.add(self.scene.window, self._resident)
            return preview.finished()
        if self._resident is not None:
            bands = [Image.fromarray(band).resize((width, height), Image.Resampling.BOX) for band in self._resident]
            return np.stack([np.asarray(band) for band in bands])
        whole = original(self.scene)
        return self._stored(whole.window.shifted(*whole.origin), (height, width))

    def _decode(self, window: Window) -> NDArray[np.generic]:
        """Read a window that lies in the scene, (bands, h, w)."""
        placed = window.shifted(*self.scene.origin)
        return self._stored(placed) if self.scene.zoom is None else self._resampled(self.scene.zoom, placed)

    def _resampled(self, zoom: Zoom, window: Window) -> NDArray[np.generic]:
        """Read a window of what is seen of the file, in strips of whole rows that bound what is decoded at once."""
        rows, cols = zoom.taps(window)
        widest = max((cols.stop - cols.start) / zoom.factor_xy[1], window.width)
        step = max(1, int(STRIP_PIXELS / widest))
        result = np.empty((len(self.bands), window.height, window.width), self.scene.dtype)
        for top in range(0, window.height, step):
            strip = rows.part(top, top + step)
            box = Window(strip.start, cols.start, strip.stop - strip.start, cols.stop - cols.start)
            taps = strip.shifted(-box.row), cols.shifted(-box.col)
            result[:, top : top + step] = resampled(self._stored(box), *taps, self.scene.nodata)
        return result

    def _stored(self, window: Window, shape: tuple[int, int] | None = None) -> NDArray[np.generic]:
        """Read a window of the file, in its own pixels, or reduced to a shape."""
        box = RasterWindow(window.col, window.row, window.width, window.height)
        reduced = None if shape is None else (len(self.bands), *shape)
        try:
            with gdal_options():
                pixels = self._source.read(self.bands, window=box, out_shape=reduced, resampling=Resampling.average)
        except RasterioError as error:
            raise SceneError(f"{self.scene.path}: damaged or unreadable ({error})") from error
        if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
            raise SceneError(
                f"{self.scene.path}: NaN or infinite pixels near {window}; fill them first, as gdal_fillnodata does"
            )
        return np.asarray(pixels)


def _mirrored(
    pixels: NDArray[np.generic], inner: Window, window: Window, rows: NDArray[np.intp], cols: NDArray[np.intp]
) -> NDArray[np.generic]:
    """Lay the pixels of the part `inner` of a scene out over a window; only what lies over the edge is gathered."""
    own_rows, own_cols = (
        np.flatnonzero(places == np.arange(start, start + len(places)))
        for places, start in ((rows, window.row), (cols, window.col))
    )
    if not (len(own_rows) and len(own_cols)):
        return np.asarray(np.take(np.take(pixels, rows - inner.row, axis=1), cols - inner.col, axis=2))
    result = np.empty((len(pixels), window.height, window.width), pixels.dtype)
    top, bottom, left, right = own_rows[0], own_rows[-1] + 1, own_cols[0], own_cols[-1] + 1
    first_row, first_col = rows[top] - inner.row, cols[left] - inner.col
    result[:, top:bottom, left:right] = pixels[
        :, first_row : first_row + bottom - top, first_col : first_col + right - left
    ]
    for part in (slice(0, left), slice(right, window.width)):
        result[:, top:bottom, part] = pixels[:, first_row : first_row + bottom - top][:, :, cols[part] - inner.col]
    for part in (slice(0, top), slice(bottom, window.height)):
        for row, source in zip(range(*part.indices(window.height)), rows[part], strict=True):
            if top <= source - window.row < bottom:
                result[:, row] = result[:, source - window.row]
            else:
                result[:, row] = np.take(pixels[:, source - inner.row], cols - inner.col, axis=1)
    return result


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

"""Reading windows of scenes, mirrored beyond their edges and resampled where they are seen at another size."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window as RasterWindow

from detect.imagery.resampling import Zoom, resampled
from detect.imagery.scenes import Scene, SceneError, check_bands, gdal_options, open_dataset, original
from detect.imagery.thumbnails import Preview
from detect.imagery.windows import Window, reflect

STRIP_PIXELS = 1 << 21
"""Pixels that are resampled at once, at most, of the file and of what is seen, as far as whole rows allow."""


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
        pixels = (
            self._decode(inner)
            if self._resident is None
            else self._resident[:, inner.row : inner.row_stop, inner.col : inner.col_stop]
        )
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
        rows, cols = zoom.filters(window)
        widest = max((cols.stop - cols.start) / zoom.factor_xy[1], window.width)
        step = max(1, int(STRIP_PIXELS / widest))
        result = np.empty((len(self.bands), window.height, window.width), self.scene.dtype)
        for top in range(0, window.height, step):
            strip = rows.part(top, top + step)
            box = Window(strip.start, cols.start, strip.stop - strip.start, cols.stop - cols.start)
            filters = strip.shifted(-box.row), cols.shifted(-box.col)
            result[:, top : top + step] = resampled(self._stored(box), *filters, self.scene.nodata)
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

"""Reading windows of scenes, mirrored beyond their edges, and resampled where the scene has a `Zoom`."""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import Resampling
from rasterio.windows import Window as RasterWindow

from detect.imagery.checked_reading import read_checked
from detect.imagery.checksums import DeflateSums
from detect.imagery.damage import decoder_warnings
from detect.imagery.gdal.datasets import open_image
from detect.imagery.gdal.drivers import image_errors
from detect.imagery.gdal.options import gdal_options
from detect.imagery.remote.on_hand import on_hand
from detect.imagery.resampling import Zoom, resample
from detect.imagery.scenes import Scene, SceneError, check_bands, layout_of, original
from detect.imagery.thumbnails import Preview, reduced_shape
from detect.imagery.validity.filling import filled
from detect.imagery.validity.masks import Masks
from detect.imagery.values.mirroring import mirrored
from detect.imagery.wafers.drawn.drawn_wafer import wafer_raster
from detect.imagery.wafers.drawn.wafer_raster import WaferRaster
from detect.imagery.windows import Window, reflect

logger = logging.getLogger(__name__)

STRIP_PIXELS = 1 << 21
"""Most pixels that are resampled at once, of the file and of the resampled image; at least one row is."""

COPIED_BYTES = 1 << 19
"""About how many bytes are copied at once on the way to another library, so that they stay in the cache."""

_told: set[Path] = set()
"""Damaged images that the log has named, each once in a process."""


def tell_damaged(path: Path, damaged: str) -> None:
    """Log what the decoder of an image warned of, once in a process; nothing where that is empty."""
    if damaged and path not in _told:
        _told.add(path)
        logger.warning("%s: its pixels are damaged, and are used as they are: %s", path, damaged)


def read_window(scene: Scene, window: Window, bands: Sequence[int]) -> NDArray[np.generic]:
    """Read a window; where it reaches beyond the scene's edges, the scene is mirrored.

    Only the part of the file under the window is read; of a tiled TIFF, only the blocks there are decoded.

    Args:
        scene: the source.
        window: pixels of the scene.
        bands: band numbers from 1, in the order wanted.

    Returns:
        (len(bands), window.height, window.width) in the scene's dtype.

    Raises:
        SceneError: the file is damaged, lacks one of the bands, or holds infinite pixels.
    """
    with SceneReader(scene, bands) as reader:
        return reader.read(window)


class SceneReader:
    """A context manager that reads windows of one scene from a file kept open, so that its blocks are decoded once.

    Args:
        scene: the source.
        bands: band numbers from 1, in the order wanted.
        pixels: (bands, height, width) of the whole scene, filled, where they are in memory already; the file is not
            opened.
        valid: (height, width), which of `pixels` are valid; None where all are.

    Attributes:
        damaged: what the decoder warned of while pixels were read, empty where it did not; of several warnings the
            first by the alphabet, which does not depend on the order of reading.

    Raises:
        SceneError: the file is damaged, has changed since the scene was described, or lacks one of the bands.
    """

    def __init__(
        self,
        scene: Scene,
        bands: Sequence[int],
        pixels: NDArray[np.generic] | None = None,
        valid: NDArray[np.bool_] | None = None,
    ) -> None:
        check_bands(scene.path, scene.bands, bands)
        self.scene = scene
        self.bands = scene.file_bands(bands)
        self._asked = list(bands)
        self._resident = pixels
        self._resident_valid = valid
        self._source: Any = None
        self._raster: WaferRaster | None = None
        self._masks: Masks | None = None
        self._sums: DeflateSums | None = None
        self._opened = ExitStack()
        self._local = scene.path
        self.damaged = ""

    def __enter__(self) -> "SceneReader":
        if self.resident:
            return self
        with ExitStack() as opened:
            self._local = opened.enter_context(on_hand(self.scene.path, whole=True))
            if self.scene.drawing is not None:
                with self._errors("not a readable list of defects"):
                    self._raster, _ = wafer_raster(self._local, self.scene.drawing, self.scene.truncated)
                return self
            with self._errors(), self._options():
                self._open(opened)
            self._opened = opened.pop_all()
        return self

    def _open(self, opened: ExitStack) -> None:
        """Open the file, its sums and its masks, which `opened` closes."""
        self._source = opened.enter_context(closing(open_image(self._local, self.scene.rule)))
        self._check_layout()
        self._sums = opened.enter_context(closing(DeflateSums(self._local, self._source.stored)))
        if self.scene.masked:
            self._masks = Masks(self._source, self.scene.validity.beside_file(self._local), self.bands, opened)

    def _errors(self, what: str = "damaged or unreadable") -> AbstractContextManager[None]:
        return image_errors(self.scene.path, what, self._local)

    def _options(self) -> Any:
        return gdal_options(trusted=self.scene.trusted, path=self._local)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._opened.close()
        self._resident = None
        tell_damaged(self.scene.path, self.damaged)

    def _check_layout(self) -> None:
        """Check that the file is still of the shape, bands and types that the scene was made from."""
        now = layout_of(self._source)
        if self.scene.layout not in (None, now):
            raise SceneError(f"{self.scene.path}: the file was changed after it was looked at, to {now}")
        dtypes = {now.dtypes[band - 1] for band in self.bands}
        if dtypes != {self.scene.dtype}:
            raise SceneError(
                f"{self.scene.path}: bands {self.bands} are of {', '.join(sorted(dtypes))}, and {self.scene.dtype} is "
                "needed of all; convert the image to one dtype"
            )

    @property
    def resident(self) -> bool:
        """Whether the whole scene is in memory."""
        return self._resident is not None

    @property
    def nbytes(self) -> int:
        """Bytes of the whole scene when decoded: at the scene's size, or at the file's where that is larger."""
        pixels = max(self.scene.shape[0] * self.scene.shape[1], self.scene.file_pixels)
        return (len(self.bands) * np.dtype(self.scene.dtype).itemsize + self.scene.masked) * pixels

    def hold(self, into: NDArray[np.generic] | None = None) -> None:
        """Decode the whole scene and keep it in memory, for JPEG and PNG, which are decoded from the top every time.

        Args:
            into: (bands, height, width) in which it is kept; None takes other memory.

        Raises:
            SceneError: the file is damaged, or holds infinite pixels.
        """
        with self._errors():
            self._resident, self._resident_valid = self._decode_filled(self.scene.window, into)

    def read(self, window: Window) -> NDArray[np.generic]:
        """Read a window; where it reaches beyond the scene's edges, the scene is mirrored.

        Pixels that are not valid are filled with the scene's `fill`.

        Returns:
            (bands, window.height, window.width) in the scene's dtype; it may share memory with the pixels of `hold`.

        Raises:
            SceneError: the file is damaged, or holds infinite pixels.
        """
        return self.read_valid(window)[0]

    def read_valid(
        self, window: Window, into: NDArray[np.generic] | None = None
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Read a window as `read` does, and which of its pixels are valid.

        Args:
            window: pixels of the scene.
            into: (bands, window.height, window.width) that is filled with the pixels; None takes other memory.

        Returns:
            (bands, window.height, window.width) pixels, and (window.height, window.width) valid, mirrored as they are;
            where all are valid, it takes no memory and cannot be written to.

        Raises:
            SceneError: the file is damaged, or holds infinite pixels.
        """
        with self._errors():
            pixels, valid = self._read(window, into)
        whole = np.broadcast_to(np.True_, (window.height, window.width))
        return pixels, whole if valid is None else valid

    def _read(
        self, window: Window, into: NDArray[np.generic] | None = None
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
        rows = reflect(window.row, window.row_stop, self.scene.shape[0])
        cols = reflect(window.col, window.col_stop, self.scene.shape[1])
        top, left = int(rows.min()), int(cols.min())
        inner = Window(top, left, int(rows.max()) - top + 1, int(cols.max()) - left + 1)
        inside = window.inside(self.scene.shape)
        if self._resident is not None:
            pixels, valid = self._of_resident(inner)
        elif inside:
            pixels, valid = self._decode_filled(inner, into)
        else:
            if into is None:
                into = np.empty((len(self.bands), window.height, window.width), self.scene.dtype)
            pixels, valid = self._decode_filled(inner, _shown(into, window, inner))
        if inside:
            if into is None or pixels is into:
                return pixels, valid
            into[:] = pixels
            return into, valid
        if valid is not None:
            valid = mirrored(valid[None], inner, rows, cols)[0]
        return mirrored(pixels, inner, rows, cols, into), valid

    def _of_resident(self, window: Window) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
        """Return a window inside the scene from memory."""
        assert self._resident is not None
        part = slice(window.row, window.row_stop), slice(window.col, window.col_stop)
        return self._resident[:, *part], None if self._resident_valid is None else self._resident_valid[part]

    def _decode_filled(
        self, window: Window, into: NDArray[np.generic] | None = None
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
        """Read a window inside the scene, with what is not valid filled, into some memory where it is given."""
        pixels, valid = self._decode(window, into)
        if valid is not None:
            pixels = filled(pixels, valid, self._asked, self.scene.fill)
        if into is None or pixels is into:
            return pixels, valid
        into[:] = pixels
        return into, valid

    def reduced(self, window: Window, shape: tuple[int, int]) -> NDArray[np.generic]:
        """Read a window reduced to a shape, for a picture: through the overviews in the file where there are some.

        Args:
            window: pixels of the scene, inside it.
            shape: (height, width) to make of it, at most its own.

        Returns:
            (bands, height, width) in the scene's dtype, averages; masked where pixels are not valid.

        Raises:
            SceneError: the file is damaged, or holds infinite pixels.
        """
        with self._errors():
            if self._resident is None and self.scene.zoom is None:
                pixels, valid = self._read_file(window.shifted(*self.scene.origin), shape)
            else:
                whole, seen = self._read(window)
                if seen is None and whole.dtype == np.uint8:
                    return _boxed(whole, shape)
                rows, cols = Zoom(Window(0, 0, window.height, window.width), shape).filters(Window(0, 0, *shape))
                pixels, valid = resample(whole, rows, cols, seen)
        return pixels if valid is None else np.ma.MaskedArray(pixels, np.broadcast_to(~valid, pixels.shape).copy())

    @property
    def overviews(self) -> list[int]:
        """The factors by which the file's own overviews are reduced, in their order; none where it has none."""
        return [] if self._source is None else list(self._source.overviews(1))

    @property
    def blocks(self) -> tuple[int, int]:
        """(height, width) of the blocks of the file, each of which is decoded whole; (0, 0) where none is open."""
        return (0, 0) if self._source is None else self._source.block_shapes[0]

    def preview(self, longest_side: int) -> NDArray[np.generic]:
        """Read the scene reduced to at most `longest_side` pixels along its longer side.

        Returns:
            (bands, h, w) in the scene's dtype, averages of the valid pixels; masked where there are none.

        Raises:
            SceneError: the file is damaged.
        """
        with self._errors():
            return self._preview(longest_side)

    def _preview(self, longest_side: int) -> NDArray[np.generic]:
        height, width = reduced_shape(self.scene.shape, longest_side)
        if self._raster is not None and not self.resident:
            whole = original(self.scene)
            pixels, valid = self._read_file(whole.window.shifted(*whole.origin), (height, width))
            return pixels if valid is None else np.ma.MaskedArray(pixels, ~np.broadcast_to(valid, pixels.shape))
        gathered = self._resident_valid is not None or (self.scene.masked and not self.resident)
        if gathered or (self._resident is not None and self._resident.dtype != np.uint8):
            preview = Preview(len(self.bands), self.scene.shape, longest_side, self.scene.dtype)
            step = max(1, STRIP_PIXELS // self.scene.shape[1])
            for top in range(0, self.scene.shape[0], step):
                strip = Window(top, 0, step, self.scene.shape[1]).within(self.scene.shape)
                preview.add(strip, *self._read(strip))
            return preview.finished()
        if self._resident is not None:
            return _boxed(self._resident, (height, width))
        whole = original(self.scene)
        return self._read_file(whole.window.shifted(*whole.origin), (height, width))[0]

    def _decode(
        self, window: Window, into: NDArray[np.generic] | None = None
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
        """Read a window inside the scene, (bands, h, w), `into` memory where it is given and that can be done.

        Returns:
            The pixels, and which of them are valid, None where all are.
        """
        shifted = window.shifted(*self.scene.origin)
        if self.scene.zoom is None:
            return self._read_file(shifted, into=into)
        return self._read_resampled(self.scene.zoom, shifted)

    def _drawn(
        self, pixels: NDArray[np.uint8], valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
        """Return the pixels (h, w) of a drawn wafer as those of the bands, and which are valid, None where all are."""
        return np.repeat(pixels[None], len(self.bands), axis=0), None if valid.all() else valid

    def _read_resampled(self, zoom: Zoom, window: Window) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
        """Read a window of the resampled image, in strips of whole rows of at most `STRIP_PIXELS` pixels."""
        if self._raster is not None:
            return self._drawn(*self._raster.reduced(zoom, window))
        rows, cols = zoom.filters(window)
        widest = max((cols.stop - cols.start) / zoom.factor_xy[1], window.width)
        step = max(1, int(STRIP_PIXELS / widest))
        result = np.empty((len(self.bands), window.height, window.width), self.scene.dtype)
        marked: NDArray[np.bool_] | None = None
        for top in range(0, window.height, step):
            strip = rows.part(top, top + step)
            box = Window(strip.start, cols.start, strip.stop - strip.start, cols.stop - cols.start)
            pixels, valid = self._read_file(box)
            result[:, top : top + step], valid = resample(
                pixels, strip.shifted(-box.row), cols.shifted(-box.col), valid
            )
            if valid is not None:
                marked = np.ones((window.height, window.width), np.bool_) if marked is None else marked
                marked[top : top + step] = valid
        return result, marked

    def _read_file(
        self, window: Window, shape: tuple[int, int] | None = None, into: NDArray[np.generic] | None = None
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
        """Read a window in the file's own pixels, reduced to `shape` (height, width) where one is given.

        They are read `into` an array of their shape where that is given and can be; it is returned then.
        """
        if self._raster is not None:
            if shape is None:
                return self._drawn(self._raster.draw(window), self._raster.valid(window))
            return self._drawn(*self._raster.reduced(Zoom(window, shape), Window(0, 0, *shape)))
        alpha = None if self._masks is None else self._masks.alpha
        bands = self.bands if alpha is None else [*self.bands, alpha]
        with self._options(), decoder_warnings() as warned:
            pixels, wrong = self._stored_pixels(bands, window, shape, into if alpha is None else None)
            valid = None
            if self._masks is not None:
                opacity = None if alpha is None else pixels[-1]
                valid = self._valid(pixels[: len(self.bands)], opacity, window, shape)
        warned += wrong
        if warned:
            self.damaged = min(warned + [self.damaged] * bool(self.damaged))
        return pixels if alpha is None else pixels[:-1], valid

    def _stored_pixels(
        self, bands: list[int], window: Window, shape: tuple[int, int] | None, into: NDArray[np.generic] | None
    ) -> tuple[NDArray[np.generic], list[str]]:
        """Read bands of a window of the file, and check the sums of its blocks, unless they are reduced."""
        box = RasterWindow(window.col, window.row, window.width, window.height)
        source, sums = self._source, self._sums
        if shape is not None:
            reduced = (len(bands), *shape)
            return np.asarray(source.read(bands, box, reduced, Resampling.average)), []
        if sums is None or not sums.needed:
            return np.asarray(source.read(bands, box, into=into)), []
        if source.as_stored:
            return read_checked(source, sums, bands, window, into)
        pixels = np.asarray(source.read(bands, box, into=into))
        return pixels, sums.wrong(source.stored_window(window), source.stored_bands(bands))

    def _valid(
        self,
        pixels: NDArray[np.generic],
        alpha: NDArray[np.generic] | None,
        window: Window,
        shape: tuple[int, int] | None,
    ) -> NDArray[np.bool_] | None:
        """Mark the valid pixels of a window of the file, reduced to a shape where one is given; None where all are."""
        assert self._masks is not None
        box = RasterWindow(window.col, window.row, window.width, window.height)
        try:
            return self._masks.valid(pixels, alpha, box, shape)
        except ValueError as error:
            raise SceneError(f"{self.scene.path}: near {window}: {error}") from error


def _shown(tile: NDArray[np.generic], window: Window, inner: Window) -> NDArray[np.generic] | None:
    """Return the part of a tile's memory that shows a window's `inner` part as it is; None where not all of it does."""
    top, left = inner.row - window.row, inner.col - window.col
    if min(top, left) < 0 or inner.row_stop > window.row_stop or inner.col_stop > window.col_stop:
        return None
    return tile[:, top : top + inner.height, left : left + inner.width]


def _boxed(pixels: NDArray[np.generic], shape: tuple[int, int]) -> NDArray[np.generic]:
    """Return bytes (bands, H, W), all valid, reduced to a shape (height, width) by averages: fast by whole factors.

    Of the same shape it is the bytes themselves.
    """
    if shape == pixels.shape[1:]:
        return pixels
    factor = -(-max(pixels.shape[1:]) // max(shape))
    if shape == tuple(-(-side // factor) for side in pixels.shape[1:]):
        return np.stack([_reduced(band, factor) for band in pixels])
    return np.stack([np.asarray(Image.fromarray(band).resize(shape[::-1], Image.Resampling.BOX)) for band in pixels])


def _reduced(band: NDArray[np.generic], factor: int) -> NDArray[np.generic]:
    """Return bytes (H, W) reduced by a whole factor, strip by strip in a larger array, of which Pillow makes copies."""
    step = len(band) if band.flags.c_contiguous else max(1, COPIED_BYTES // (factor * band.shape[1])) * factor
    strips = [Image.fromarray(band[top : top + step]).reduce(factor) for top in range(0, len(band), step)]
    return np.concatenate([np.asarray(strip) for strip in strips])

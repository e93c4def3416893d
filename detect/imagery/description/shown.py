"""An open image as a viewer shows it: all that is above sees upright pixels of plain colours, however stored."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.windows import Window as RasterWindow

from detect.imagery.description.orientation import Turn, orientation_of
from detect.imagery.description.palettes import colour_table
from detect.imagery.windows import Window

AS_SHOWN = "as viewers show them (EXIF orientation, palettes, transparency)"
"""How images are read, for the records of runs; an earlier version, which says nothing, read them as stored."""


EXPANDED = {
    1: (ColorInterp.gray,),
    2: (ColorInterp.gray, ColorInterp.alpha),
    3: (ColorInterp.red, ColorInterp.green, ColorInterp.blue),
    4: (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha),
}
"""What the bands of a table of colours are, by their number."""

MOST_TWICE = 1 << 22
"""Most pixels of an image that are in memory twice while it is read."""


class ShownImage:
    """A rasterio dataset, read only, whose rows, columns and bands are those of the image that is shown.

    Args:
        path: the image.
        stored: its dataset, which is closed with this one.

    Attributes:
        stored: the dataset, in the rows and columns of the file.
        turn: from stored to shown pixels; none of an image with a place on the map, whose `transform` it would break.
        table: (bands, values) what the values of its one stored band mean; None where they are brightness. The value
            that is declared to be no data is transparent in it.
    """

    def __init__(self, path: Path, stored: Any) -> None:
        self.stored = stored
        self.turn = Turn(orientation_of(path, stored))
        self.driver: str = stored.driver
        self.shape: tuple[int, int] = self.turn.shape(stored.shape)
        self.height, self.width = self.shape
        self.table = colour_table(stored)
        self.count: int = stored.count if self.table is None else len(self.table)
        self.indexes = tuple(range(1, self.count + 1))
        self.dtypes: tuple[str, ...] = stored.dtypes if self.table is None else (str(self.table.dtype),) * self.count

    @cached_property
    def colorinterp(self) -> tuple[Any, ...]:
        """What each band is."""
        return tuple(self.stored.colorinterp) if self.table is None else EXPANDED[self.count]

    @cached_property
    def descriptions(self) -> tuple[str | None, ...]:
        """What each band is called in the file."""
        return tuple(self.stored.descriptions) if self.table is None else (None,) * self.count

    @cached_property
    def nodata(self) -> float | None:
        """The value of pixels without data, None without one."""
        return self.nodatavals[0]

    @cached_property
    def nodatavals(self) -> tuple[float | None, ...]:
        """The same, of each band."""
        return tuple(self.stored.nodatavals) if self.table is None else (None,) * self.count

    @property
    def mask_flag_enums(self) -> tuple[Any, ...]:
        """Of what kind the mask of each band is, as rasterio says it; GDAL looks for a mask beside the image."""
        flags: tuple[Any, ...] = self.stored.mask_flag_enums
        if self.table is None:
            return flags
        if self.transparent:
            return (*([MaskFlags.per_dataset, MaskFlags.alpha],) * (self.count - 1), [MaskFlags.all_valid])
        return (flags[0],) * self.count

    @property
    def as_stored(self) -> bool:
        """Whether pixels are shown as they are stored: none is turned, or looked up in a table of colours."""
        return self.table is None and self.turn.orientation == 1

    @property
    def transparent(self) -> bool:
        """Whether the last band is the transparency of a palette."""
        return self.table is not None and self.count in (2, 4)

    @property
    def block_shapes(self) -> list[tuple[int, int]]:
        """The (height, width) of the blocks of each band, as they are shown."""
        return [self.turn.shape(block) for block in self.stored.block_shapes[:1]] * self.count

    def read(
        self,
        bands: int | Sequence[int] | None = None,
        window: RasterWindow | None = None,
        out_shape: tuple[int, ...] | None = None,
        resampling: Resampling = Resampling.nearest,
        into: NDArray[np.generic] | None = None,
    ) -> NDArray[np.generic]:
        """Read pixels as rasterio does: (bands, h, w), or (h, w) of a single band number.

        Args:
            bands: band numbers from 1; None for all.
            window: of the shown image, with whole numbers, inside it; None for all.
            out_shape: of the result, where it is reduced or enlarged.
            resampling: how, where it is.
            into: (bands, h, w) that is filled and returned; None takes new memory.
        """
        if into is not None and not self.as_stored:
            into[:] = self.read(bands, window, out_shape, resampling)
            return into
        box = self._window(window)
        if self.table is None:
            if out_shape is None and self._line_by_line(bands, box):
                return self.turn.turned(read_by_pixel(self.stored, into))
            if into is not None:
                return np.asarray(self.stored.read(bands, window=box, out=into, resampling=resampling))
            pixels = self.stored.read(bands, window=box, out_shape=self._out(out_shape), resampling=resampling)
            return self.turn.turned(pixels)
        shape = None if out_shape is None else self._out(out_shape[-2:])
        values = self.turn.turned(self.stored.read(1, window=box, out_shape=shape, resampling=resampling))
        chosen = self.indexes if bands is None else bands
        return np.asarray(self.table[np.asarray(chosen) - 1][..., values])

    def read_masks(
        self,
        bands: int | Sequence[int] | None = None,
        window: RasterWindow | None = None,
        out_shape: tuple[int, ...] | None = None,
        resampling: Resampling = Resampling.nearest,
    ) -> NDArray[np.generic]:
        """Read which pixels of bands have data, as rasterio does: uint8, 0 where there are none; as for `read`."""
        box = self._window(window)
        if self.table is None:
            masks = self.stored.read_masks(bands, window=box, out_shape=self._out(out_shape), resampling=resampling)
            return self.turn.turned(masks)
        shape = None if out_shape is None else self._out(out_shape[-2:])
        mask = self.turn.turned(self.stored.read_masks(1, window=box, out_shape=shape, resampling=resampling))
        if self.transparent:
            mask = np.minimum(mask, self.read(self.count, window, out_shape and out_shape[-2:], resampling))
        chosen = self.indexes if bands is None else bands
        return mask if isinstance(chosen, int) else np.stack([mask] * len(chosen))

    def read_beside(self, beside: Any, window: RasterWindow) -> NDArray[np.generic]:
        """Read the first band of a dataset of the stored image's size as this image is shown: (h, w) of a window."""
        return self.turn.turned(beside.read(1, window=self._window(window)))

    def stored_window(self, window: Window) -> Window:
        """Return where the pixels of a window of the shown image are stored."""
        return self.turn.stored(window, self.shape)

    def stored_bands(self, bands: Sequence[int]) -> list[int]:
        """Return the file's own bands in which those of the shown image are stored."""
        return list(bands) if self.table is None else [1]

    def tags(self, ns: str | None = None) -> dict[str, str]:
        """Return the tags of the file, as rasterio does."""
        return dict(self.stored.tags(ns=ns))

    def overviews(self, band: int) -> list[int]:
        """Return the factors of a band's overviews, as rasterio does."""
        return list(self.stored.overviews(band))

    def close(self) -> None:
        """Close the file."""
        self.stored.close()

    def _line_by_line(self, bands: int | Sequence[int] | None, box: RasterWindow | None) -> bool:
        """Return whether stored pixels are all of a small coloured JPEG, which GDAL can hand out as they are decoded.

        It keeps no lines of bands then, which takes a sixth of the time; the pixels are in memory twice for a moment.
        """
        height, width = self.stored.shape
        every = box is None or (box.row_off, box.col_off, box.height, box.width) == (0, 0, height, width)
        coloured = self.stored.count == 3 and (bands is None or bands == [1, 2, 3])
        return self.driver == "JPEG" and every and coloured and height * width <= MOST_TWICE

    def _window(self, window: RasterWindow | None) -> RasterWindow | None:
        """Return the window of the stored pixels."""
        if window is None or self.turn.orientation == 1:
            return window
        box = (round(each) for each in (window.row_off, window.col_off, window.height, window.width))
        at = self.stored_window(Window(*box))
        return RasterWindow(at.col, at.row, at.width, at.height)

    def _out(self, shape: tuple[int, ...] | None) -> tuple[int, ...] | None:
        """Return the shape of the stored pixels of a result."""
        return None if shape is None else (*shape[:-2], *self.turn.shape((shape[-2], shape[-1])))


def read_by_pixel(source: Any, into: NDArray[np.generic] | None = None) -> NDArray[np.generic]:
    """Read all of a rasterio dataset of three bands pixel by pixel, and return it band by band: (3, h, w).

    Args:
        source: the dataset.
        into: that is filled and returned; None takes new memory. Where its bands lie side by side, it is read at once.
    """
    import cv2

    if into is not None and into.transpose(1, 2, 0).flags.c_contiguous:
        return np.asarray(source.read([1, 2, 3], out=into))
    pixels = np.empty((source.height, source.width, 3), source.dtypes[0])
    source.read([1, 2, 3], out=pixels.transpose(2, 0, 1))
    planes = np.empty((3, *pixels.shape[:2]), pixels.dtype) if into is None else into
    cv2.mixChannels([pixels], list(planes), [0, 0, 1, 1, 2, 2])
    return planes

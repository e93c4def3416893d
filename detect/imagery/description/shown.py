"""An open image as a viewer shows it: all that is above sees upright pixels, and nothing of how they are stored."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.windows import Window as RasterWindow

from detect.imagery.description.orientation import Turn, orientation_of
from detect.imagery.windows import Window


class ShownImage:
    """A rasterio dataset, read only, whose rows and columns are those of the image that is shown.

    Args:
        path: the image.
        stored: its dataset, which is closed with this one.

    Attributes:
        stored: the dataset, in the rows and columns of the file.
        turn: from stored to shown pixels; none of an image with a place on the map, whose `transform` it would break.
    """

    def __init__(self, path: Path, stored: Any) -> None:
        self.stored = stored
        self.turn = Turn(orientation_of(path, stored))
        self.driver: str = stored.driver
        self.shape: tuple[int, int] = self.turn.shape(stored.shape)
        self.height, self.width = self.shape
        self.count: int = stored.count
        self.indexes: tuple[int, ...] = stored.indexes
        self.dtypes: tuple[str, ...] = stored.dtypes
        self.colorinterp: tuple[Any, ...] = stored.colorinterp
        self.descriptions: tuple[str | None, ...] = stored.descriptions
        self.nodata: float | None = stored.nodata
        self.nodatavals: tuple[float | None, ...] = stored.nodatavals
        self.crs: Any = stored.crs
        self.transform: Any = stored.transform

    @property
    def mask_flag_enums(self) -> tuple[Any, ...]:
        """The flags of each mask. GDAL looks for one beside the file too: asked for only where it may not do so."""
        return tuple(self.stored.mask_flag_enums)

    @property
    def block_shapes(self) -> list[tuple[int, int]]:
        """The (height, width) of the blocks of each band, as they are shown."""
        return [self.turn.shape(block) for block in self.stored.block_shapes]

    def read(
        self,
        bands: int | Sequence[int] | None = None,
        window: RasterWindow | None = None,
        out_shape: tuple[int, ...] | None = None,
        resampling: Resampling = Resampling.nearest,
    ) -> NDArray[np.generic]:
        """Read pixels as rasterio does: (bands, h, w), or (h, w) of a single band number.

        Args:
            bands: band numbers from 1; None for all.
            window: of the shown image, with whole numbers, inside it; None for all.
            out_shape: of the result, where it is reduced or enlarged.
            resampling: how, where it is.
        """
        pixels = self.stored.read(
            bands, window=self._window(window), out_shape=self._out(out_shape), resampling=resampling
        )
        return self.turn.turned(pixels)

    def read_masks(
        self,
        bands: int | Sequence[int] | None = None,
        window: RasterWindow | None = None,
        out_shape: tuple[int, ...] | None = None,
        resampling: Resampling = Resampling.nearest,
    ) -> NDArray[np.generic]:
        """Read which pixels of bands have data, as rasterio does: uint8, 0 where there are none; as for `read`."""
        masks = self.stored.read_masks(
            bands, window=self._window(window), out_shape=self._out(out_shape), resampling=resampling
        )
        return self.turn.turned(masks)

    def dataset_mask(
        self, window: RasterWindow | None = None, out_shape: tuple[int, ...] | None = None
    ) -> NDArray[np.generic]:
        """Read which pixels have data in any band, as rasterio does: (h, w) uint8, 0 where there are none."""
        mask = self.stored.dataset_mask(window=self._window(window), out_shape=self._out(out_shape))
        return self.turn.turned(mask)

    def stored_window(self, window: Window) -> Window:
        """Return where the pixels of a window of the shown image are stored."""
        return self.turn.stored(window, self.shape)

    def tags(self, ns: str | None = None) -> dict[str, str]:
        """Return the tags of the file, as rasterio does."""
        return dict(self.stored.tags(ns=ns))

    def overviews(self, band: int) -> list[int]:
        """Return the factors of a band's overviews, as rasterio does."""
        return list(self.stored.overviews(band))

    def close(self) -> None:
        """Close the file."""
        self.stored.close()

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

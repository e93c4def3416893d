"""Reading, window by window, which pixels of an open image are valid."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window as RasterWindow

from detect.imagery.description.shown import ShownImage
from detect.imagery.validity.declared import Validity, with_data
from detect.imagery.validity.sidecar import open_sidecar


class Masks:
    """Says which pixels of some bands of an image are valid.

    An alpha band that is itself among the bands is data, and makes nothing invalid.

    Args:
        source: the open image.
        validity: what its file says.
        bands: band numbers from 1 that are read.
        opened: closes the mask beside the image, if there is one.

    Attributes:
        alpha: the band to read with the others, None where there is none.

    Raises:
        SceneError: the mask beside the image does not fit it any more.
    """

    def __init__(self, source: ShownImage, validity: Validity, bands: Sequence[int], opened: ExitStack) -> None:
        self.validity = validity
        self.bands = list(bands)
        self.alpha = None if validity.alpha in bands else validity.alpha
        self._source = source
        self._beside: Any = None
        if validity.beside is not None:
            self._beside = opened.enter_context(closing(open_sidecar(validity.beside, source.stored.shape)))

    def valid(
        self,
        pixels: NDArray[np.generic],
        alpha: NDArray[np.generic] | None,
        box: RasterWindow,
        shape: tuple[int, int] | None = None,
    ) -> NDArray[np.bool_] | None:
        """Mark the valid pixels of a window of the file.

        Args:
            pixels: (C, H, W) of the bands.
            alpha: (H, W) of the band of opacity, None where none is read.
            box: the window.
            shape: (H, W) where the window was reduced to it: of a mask, the nearest pixels are taken.

        Returns:
            (H, W), or None where all are valid.

        Raises:
            ValueError: infinite values.
        """
        parts = [with_data(pixels, self.bands, self.validity.nodata)]
        if alpha is not None:
            parts.append(alpha != 0)
        masks = self.bands[:1] if self.validity.mask else [n for n in self.validity.masked_bands if n in self.bands]
        parts += [self._source.read_masks(band, window=box, out_shape=shape) != 0 for band in masks]
        if self._beside is not None:
            beside = self._source.read_beside(self._beside, box) != 0
            parts.append(beside if shape is None else _nearest(beside, shape))
        given = [part for part in parts if part is not None]
        if not given:
            return None
        valid = np.logical_and.reduce(given)
        return None if valid.all() else valid


def _nearest(mask: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return a mask (H, W) reduced to a shape by the pixels in the middle of what each stands for."""
    rows, cols = ((2 * np.arange(to) + 1) * side // (2 * to) for to, side in zip(shape, mask.shape, strict=True))
    return mask[np.ix_(rows, cols)]

"""What is gathered of the pixels of an image while its tiles are read, of all of them or of a strip."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.imagery.scenes import Scene, display_bands
from detect.imagery.thumbnails import Preview, PreviewPiece
from detect.imagery.values.sparse_pixels import SparsePixels
from detect.imagery.windows import Window


@dataclass(frozen=True, eq=False)
class StripPixels:
    """What is gathered of a strip.

    Attributes:
        pieces: what each tile adds to the preview, in their order; none where the run makes no previews.
        sparse: pixels (bands, n) of a sparse grid of the whole image.
    """

    pieces: Sequence[PreviewPiece | None]
    sparse: NDArray[np.generic]


class Gathering:
    """Gathers a sparse grid of an image's pixels and, where a side is given, its preview.

    Args:
        scene: the image.
        bands: number of bands.
        preview_side: longest side of the preview in pixels; None makes none.
        apart: whether what is added is of a strip, and the preview is put together with those of others.

    Attributes:
        sparse: the grid.
    """

    def __init__(self, scene: Scene, bands: int, preview_side: int | None, *, apart: bool) -> None:
        self.sparse = SparsePixels(bands, scene.shape)
        self._shown = len(display_bands(bands))
        self._apart = apart
        self._pieces: list[PreviewPiece | None] = []
        self._preview = None
        if preview_side is not None:
            self._preview = Preview(self._shown, scene.shape, preview_side, scene.dtype)

    def add(self, core: Window, pixels: NDArray[np.generic], valid: NDArray[np.bool_] | None) -> None:
        """Add the pixels (bands, h, w) of a tile's core, with those (h, w) that are valid; None for all."""
        self.sparse.add(core, pixels, valid)
        if self._preview is None:
            return
        piece = self._preview.piece(core, pixels[: self._shown], valid)
        if self._apart:
            self._pieces.append(piece)
        else:
            self._preview.put(core, piece)

    def preview(self) -> NDArray[np.generic] | None:
        """Return the preview (bands, h, w) of what was added, the whole image; None where none is made."""
        return None if self._preview is None else self._preview.finished()

    def of_strip(self) -> StripPixels:
        """Return what was added, of a strip."""
        return StripPixels(self._pieces, self.sparse.finished())

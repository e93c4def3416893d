"""What a run of a model gives of a scene: its objects, and the map that they were taken from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detect.imagery.maps.map_writing import block_side
from detect.imagery.scratch import release
from detect.imagery.validity.surveyed import Surveyed
from detect.imagery.windows import Window
from detect.inference.decoding.blocks import planes
from detect.inference.decoding.geometry import CellGeometry
from detect.inference.shift.judging import Unlike
from detect.labels.detections import Detections


@dataclass(frozen=True, eq=False)
class SceneResult:
    """The objects found in a scene, with its map.

    Attributes:
        detections: the objects, in pixels of the image file.
        geometry: places of the heatmap's cells, in resampled pixels, and the valid pixels.
        preview: the scene reduced to a small picture, (bands, h, w), of the model's bands; None where the run
            makes none.
        logits: (K, h, w), the stitched map, in memory or in a file.
        cells: cells of the map whose probabilities may be made at once.
        heat: returns the probabilities of the classes from rows of the map.
        damaged: what the decoder of the image warned of, empty where it did not.
        surveyed: how much of the image was looked at, None where that is not known.
        unlike: how far the image is from those that the model learned from, and in what.
        candidates: the same as detections, down to a low score; None where they are not kept, or too many.
        crowded: whether candidates were to be kept, and are too many.
        sureness: how sure the model is that the scene as a whole is of some class that it knows; 0 where it is like
            none of its training, whatever the threshold; None if not told.
        unknown: whether the scene as a whole is of none of the classes; None where that is not told.
    """

    detections: Detections
    geometry: CellGeometry
    preview: NDArray[np.generic] | None
    logits: NDArray[np.float32]
    cells: int
    heat: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    damaged: str = ""
    surveyed: Surveyed | None = None
    unlike: Unlike = field(default_factory=lambda: Unlike(None))
    candidates: Detections | None = None
    crowded: bool = False
    sureness: float | None = None
    unknown: bool | None = None

    @property
    def every(self) -> Detections | None:
        """All that may be an object: candidates, or detections where these are more; None where none are kept."""
        found, more = self.detections, self.candidates
        return found if more is not None and len(more) < len(found) else more

    def heat_pieces(self) -> Iterator[NDArray[np.float32]]:
        """Yield the posteriors of the classes, (C, rows, cols) in [0, 1], from the top, left to right.

        Cells without a valid pixel are NaN. A piece is whole blocks of a written map, one at least: a strip of the map,
        or a part of a strip. The values do not depend on where the map is kept, as in `planes`.
        """
        height, width = self.logits.shape[1:]
        side = block_side(len(self.detections.classes))
        number, across = max(1, self.cells // side**2), -(-width // side)
        rows, cols = (number // across * side, width) if number >= across else (side, number * side)
        for row in range(0, height, rows):
            for col in range(0, width, cols):
                heat = self.heat(np.ascontiguousarray(self.logits[:, row : row + rows, col : col + cols]))
                yield self._without_unseen(heat, row, col)
                release(self.logits)

    @cached_property
    def heatmap(self) -> NDArray[np.float32]:
        """The posteriors of the classes, (C, h, w) in [0, 1], in memory; NaN in cells without a valid pixel."""
        return self._without_unseen(planes(self.logits, self.heat), 0, 0)

    def _without_unseen(self, heat: NDArray[np.float32], row: int, col: int) -> NDArray[np.float32]:
        """Return posteriors (C, h, w), from a cell on, with NaN in cells without a valid pixel."""
        seen = self.geometry.seen_cells(Window(row, col, *heat.shape[1:]))
        return heat if seen is None else np.where(seen, heat, np.float32(np.nan))

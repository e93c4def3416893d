"""The stitched map of a patch classifier: local maxima of the foreground, one class each."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter
from scipy.special import expit, log_softmax, logsumexp, softmax
from torch.nn import functional as F

from detect.imagery.windows import Window, clamp_far_edges
from detect.inference.decoding.blocks import likeliest, planes
from detect.inference.decoding.geometry import LOG_ODDS_STEPS, CellGeometry, Turn
from detect.labels.detections import Detections
from detect.nets.net_spec import NetSpec

ADDED_CURVATURE = 2e-2
"""Added to the curvature of a peak's parabola, so that the last digits of its neighbours do not move a flat top."""


def foreground(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log odds of 'any class' against the background: (K, h, w) logits, background first, to (h, w).

    The probability saturates at 1 where the log odds still fall from the middle of an object to its rim.
    """
    return np.asarray(logsumexp(logits[1:], axis=0) - logits[0], np.float32)


def posteriors(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the posterior of every class but the background, the first: (K, h, w) to (K - 1, h, w) in [0, 1]."""
    return np.asarray(softmax(logits, axis=0)[1:], np.float32)


def find_peaks(heat: NDArray[np.float32], radius: int) -> NDArray[np.intp]:
    """Find the cells that no cell within `radius` cells, along both axes, exceeds.

    Of equal cells within reach of each other, the first in reading order is the peak. Whether a cell is a peak depends
    on its neighbourhood alone, so it cannot depend on tiles, strips or threads.

    Args:
        heat: (h, w); -inf never peaks.
        radius: in cells, 1 or more.

    Returns:
        (N, 2) rows and columns, in reading order.
    """
    if radius < 1:
        raise ValueError(f"the peaks' radius must be 1 cell or more, got {radius}")
    grid = torch.from_numpy(np.ascontiguousarray(heat))[None, None]
    highest = F.max_pool2d(grid, 2 * radius + 1, stride=1, padding=radius)[0, 0].numpy()
    highest_here = (heat == highest) & np.isfinite(heat)
    order = np.where(highest_here, np.arange(heat.size).reshape(heat.shape), heat.size)
    first = minimum_filter(order, size=2 * radius + 1, mode="nearest")
    return np.argwhere(highest_here & (order == first))


def decode_patches(
    logits: NDArray[np.float32],
    classes: tuple[str, ...],
    geometry: CellGeometry,
    *,
    radius: float,
    threshold: float,
    rows: int | None = None,
) -> Detections:
    """Decode the stitched logits of a patch classifier into points.

    Peaks of the foreground's log odds, in steps of 1/1024 (the last digits depend on the shape of the tiles, and would
    decide on flat ground), refined to a part of a cell by a parabola through each peak and its neighbours along each
    axis; the class of a peak is the likeliest one in its cell.

    Args:
        logits: (K, h, w), background first.
        classes: the class names, without the background.
        geometry: places of the cells; those whose centre is outside the scene, or which see no valid pixel, are left
            out, and so are the points that are not on a valid one.
        radius: in pixels; in whole cells, at least one, it is the reach in which a peak must be the highest.
        threshold: least score in [0, 1]; the score is the probability of 'any class' against the background.
        rows: rows of the map that are decoded at once, or as many as the reach is; all by default. The result does not
            depend on it.

    Returns:
        Points in pixels of the scene, in reading order.
    """
    reach = max(1, round(radius / geometry.stride))
    step = max(rows or logits.shape[1], reach)
    found = []
    for top in range(0, logits.shape[1], step):
        above = min(top, 2 * reach)
        heat = planes(logits[:, top - above : top + step + 2 * reach], foreground)
        cells, score, shift = _peaks_of(heat, top - above, geometry, reach, threshold)
        own = (cells[:, 0] >= top) & (cells[:, 0] < top + step)
        found.append((cells[own], score[own], shift[own]))
    cells, score, shift = (np.concatenate(parts) for parts in zip(*found, strict=True))
    at = geometry.offset + geometry.stride * (cells + shift)
    xy = np.maximum(clamp_far_edges(at[:, ::-1], geometry.shape), 0)
    seen = geometry.seen(xy)
    return Detections(xy[seen], score[seen], likeliest(logits[1:], cells[seen]), classes)


def _peaks_of(
    heat: NDArray[np.float32], top: int, geometry: CellGeometry, reach: int, threshold: float
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Return cells (in the whole map), scores and shifts of the peaks of a strip's log odds, from row `top` on."""
    height, width = geometry.shape
    rows = geometry.offset + geometry.stride * (top + np.arange(heat.shape[0])) < height
    cols = geometry.offset + geometry.stride * np.arange(heat.shape[1]) < width
    inside = rows[:, None] & cols[None, :]
    near = geometry.near_cells(Window(top, 0, *heat.shape))
    heat = np.where(inside if near is None else inside & near, heat, np.float32(-np.inf))
    cells = find_peaks(np.round(heat * LOG_ODDS_STEPS), reach)
    score = expit(heat[tuple(cells.T)].astype(np.float64))
    cells, score = cells[score >= threshold], score[score >= threshold]
    return cells + np.array([[top, 0]]), score, _refined(heat, cells)


def _refined(heat: NDArray[np.float32], cells: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the shift of each peak, at most half a cell along each axis, to the top of its parabola."""
    padded = np.pad(heat.astype(np.float64), 1, constant_values=-np.inf)
    row, col = (cells + 1).T
    middle = padded[row, col]
    shift = np.zeros(cells.shape, np.float64)
    for axis, (down, right) in enumerate(((1, 0), (0, 1))):
        before, after = padded[row - down, col - right], padded[row + down, col + right]
        usable = np.isfinite(before) & np.isfinite(after)
        bend = np.where(usable, np.maximum(2 * middle - before - after, 0), 1.0)
        lean = np.where(usable, after, 0.0) - np.where(usable, before, 0.0)
        shift[:, axis] = np.clip(0.5 * lean / (bend + ADDED_CURVATURE), -0.5, 0.5)
    return shift


class PatchDecoder:
    """Maps of a patch classifier: logits of the background and the classes."""

    def __init__(self, spec: NetSpec) -> None:
        self.classes = spec.classes
        self.channels = len(spec.outputs)

    def heat(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the posteriors of the classes."""
        return posteriors(logits)

    def detections(
        self,
        logits: NDArray[np.float32],
        geometry: CellGeometry,
        *,
        separation: float,
        threshold: float,
        rows: int | None = None,
    ) -> Detections:
        """Find points; see `decode_patches`."""
        return decode_patches(logits, self.classes, geometry, radius=separation, threshold=threshold, rows=rows)

    def sureness(self, logits: NDArray[np.float32], geometry: CellGeometry) -> float | None:
        """Return None: of scenes in which places are found, that is not told."""
        return None

    def turned_back(self, maps: NDArray[np.float32], turn: Turn) -> NDArray[np.float32]:
        """Return the maps as they are: logits of classes have no direction."""
        return maps

    def combined(self, maps: NDArray[np.float32], how: str) -> NDArray[np.float32]:
        """Return the logarithms of the mean posteriors, or of the shares of votes.

        In a vote, a view votes for its likeliest class, and the mean posterior is one more vote, so that it breaks ties
        and peaks in the middle of an object.
        """
        mean = logsumexp(log_softmax(maps, axis=2), axis=0) - np.log(len(maps))
        if how == "mean":
            return np.asarray(mean, np.float32)
        likeliest = maps.argmax(axis=2)[:, :, None] == np.arange(maps.shape[2])[None, None, :, None, None]
        share = (likeliest.sum(axis=0) + np.exp(mean)) / (len(maps) + 1)
        return np.asarray(np.log(np.maximum(share, np.finfo(np.float32).tiny)), np.float32)

"""The stitched map of a grid head: peaks of objectness, their centres and sizes, non-maximum suppression."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, logit, logsumexp, softmax

from detect.imagery.windows import Window, clamp_far_edges
from detect.inference.decoding.blocks import likeliest, planes
from detect.inference.decoding.geometry import LOG_ODDS_STEPS, CellGeometry, Turn
from detect.inference.decoding.separation import separated_boxes, separated_points
from detect.labels.detections import Detections
from detect.nets.heads.grid import CHANNELS_PER_SLOT
from detect.nets.heads.specs import GridHead
from detect.nets.net_spec import NetSpec

LOG_SIZE_BOUNDS = (-6.0, 6.0)
"""Bounds of the logarithm of a box's side over the typical object's; a net that is not trained yet exceeds them."""


AROUND = np.array([(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if (down, right) != (0, 0)])
"""(8, 2) rows and columns from a cell to its neighbours, in reading order."""

BEFORE = 4
"""How many of those come before the cell."""

AT_ONCE = 1 << 14
"""Cells that are compared with their neighbours at once."""


VOTE_MARGIN = 1e-6
"""Least distance of a share of votes from 0 and 1, so that its log odds are finite."""


def objectness(logits: NDArray[np.float32], slots: int) -> NDArray[np.float32]:
    """Return the log odds that a cell holds an object, (slots, h, w), of a map (slots * 5 + C, h, w)."""
    return logits[: slots * CHANNELS_PER_SLOT : CHANNELS_PER_SLOT]


def grid_heat(logits: NDArray[np.float32], slots: int) -> NDArray[np.float32]:
    """Return the probability of an object of each class in every cell, (C, h, w) in [0, 1]."""
    there = expit(objectness(logits, slots).max(axis=0))
    return np.asarray(there * softmax(logits[slots * CHANNELS_PER_SLOT :], axis=0), np.float32)


def decode_grid(
    logits: NDArray[np.float32],
    head: GridHead,
    classes: tuple[str, ...],
    geometry: CellGeometry,
    *,
    separation: float,
    threshold: float,
    rows: int | None = None,
) -> Detections:
    """Decode the stitched map of a grid head into boxes or points.

    Each cell with an object of its own (`find_centres`, objectness in steps of 1/1024 of log odds) has its centre and
    size; boxes are cut at the scene's edge. Then, from the highest objectness down, a box removes the later ones of its
    class that overlap it by more than an IoU (NMS), and a point those closer than a radius, of any class.
    There is no limit on their number.

    Args:
        logits: (slots * 5 + C, h, w) of `GridDetector`.
        head: slots, and the size of a logarithm of 0.
        classes: the class names.
        geometry: places of the cells; those that see no valid pixel hold nothing, and objects whose centre is not on
            one are left out.
        separation: IoU in [0, 1] for boxes, radius in pixels for points.
        threshold: least score in [0, 1]; the score is the probability of an object's centre in the cell.
        rows: rows of the map that are decoded at once, all by default; the result does not depend on it.

    Returns:
        Boxes or points in pixels of the scene, in reading order of their cells.
    """
    place, value = _occupied_cells(logits, head.slots, geometry, threshold, rows or logits.shape[1])
    seen = geometry.seen(_centres(place[:, :2], value, geometry))
    place, value = place[seen], value[:, seen]
    label = likeliest(logits[head.slots * CHANNELS_PER_SLOT :], place[:, :2])
    found = _placed(place[:, :2], value, label, head, classes, geometry)
    order = np.argsort(-np.round(value[0].astype(np.float32) * LOG_ODDS_STEPS), kind="stable")
    separated = separated_points if head.object_size is None else separated_boxes
    return found[separated(found, order, separation)]


def _occupied_cells(
    logits: NDArray[np.float32], slots: int, geometry: CellGeometry, threshold: float, step: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the cells with an object of their own, read in strips of `step` rows.

    Returns:
        (N, 3) row, column and slot in reading order, and the slot's values there, (5, N).
    """
    places, values = [], []
    for top in range(0, logits.shape[1], step):
        above = min(top, 1)
        strip = planes(logits[:, top - above : top + step + 1], lambda part: part[: slots * CHANNELS_PER_SLOT])
        near = geometry.near_cells(Window(top - above, 0, *strip.shape[1:]))
        if near is not None:
            strip[::CHANNELS_PER_SLOT, ~near] = -np.inf
        for slot in range(slots):
            own_channels = strip[slot * CHANNELS_PER_SLOT : (slot + 1) * CHANNELS_PER_SLOT]
            row, col = find_centres(own_channels, threshold)
            own = (row >= above) & (row < above + step)
            row, col = row[own], col[own]
            values.append(own_channels[:, row, col].astype(np.float64))
            places.append(np.stack([row + (top - above), col, np.full(len(row), slot)], axis=1))
    place, value = np.concatenate(places), np.concatenate(values, axis=1)
    reading_order = np.lexsort(place.T[::-1])
    return place[reading_order], value[:, reading_order]


def find_centres(slot: NDArray[np.float32], threshold: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the cells with an object of their own.

    A cell is removed for a neighbour (of the eight) of higher objectness, or of equal and before it in reading order,
    if their centres are less than one cell apart. Two objects in neighbouring cells are both kept.

    Args:
        slot: (5, h, w), one slot of a map.
        threshold: least objectness as a probability.

    Returns:
        Rows and columns, in reading order.
    """
    score = expit(slot[0].astype(np.float64))
    row, col = np.nonzero(score >= threshold)
    height, width = slot.shape[1:]
    levels = np.full((height + 2, width + 2), -np.inf, np.float32)
    levels[1:-1, 1:-1] = np.round(slot[0] * LOG_ODDS_STEPS)
    shift = np.zeros((2, height + 2, width + 2), np.float32)
    shift[:, 1:-1, 1:-1] = slot[1:3]
    kept = [_is_first(levels, shift, row[i : i + AT_ONCE], col[i : i + AT_ONCE]) for i in range(0, len(row), AT_ONCE)]
    own = np.concatenate([np.empty(0, np.bool_), *kept])
    return row[own], col[own]


def _is_first(
    levels: NDArray[np.float32], shift: NDArray[np.float32], row: NDArray[np.intp], col: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Mark the cells (N,) that no neighbour removes, in a map with a cell around it."""
    at = row + 1 + AROUND[:, :1], col + 1 + AROUND[:, 1:]
    own, near = levels[row + 1, col + 1], levels[at]
    higher = near > own
    higher[:BEFORE] = near[:BEFORE] >= own
    steps = AROUND.astype(np.float32)
    right, down = (steps[:, 1 - i : 2 - i] + shift[i][at] - shift[i][row + 1, col + 1] for i in (0, 1))
    return ~(higher & (np.hypot(right, down) < 1)).any(axis=0)


def _placed(
    cells: NDArray[np.intp],
    values: NDArray[np.float64],
    label: NDArray[np.intp],
    head: GridHead,
    classes: tuple[str, ...],
    geometry: CellGeometry,
) -> Detections:
    """Return the detections of (N, 2) cells with the slot's values there, (5, N), and their classes."""
    height, width = geometry.shape
    xy = _centres(cells, values, geometry)
    score = expit(values[0])
    if head.object_size is None:
        return Detections(xy, score, label, classes)
    half = head.object_size * np.exp(np.clip(values[3:CHANNELS_PER_SLOT].T, *LOG_SIZE_BOUNDS)) / 2
    low, high = np.clip(xy - half, 0, (width, height)), np.clip(xy + half, 0, (width, height))
    return Detections((low + high) / 2, score, label, classes, high - low)


def _centres(cells: NDArray[np.intp], values: NDArray[np.float64], geometry: CellGeometry) -> NDArray[np.float64]:
    """Return the objects' centres (N, 2) in the scene of (N, 2) cells with the slot's values there, (5, N)."""
    xy = geometry.offset + geometry.stride * (cells[:, ::-1] + values[1:3].T)
    return np.maximum(clamp_far_edges(xy, geometry.shape), 0)


def turned_channels(maps: NDArray[np.float32], slots: int, turn: tuple[bool, bool, bool]) -> NDArray[np.float32]:
    """Map offsets and sizes in the (B, K, h, w) maps of a mirrored tile back to the tile's orientation.

    Args:
        maps: with the cells turned back already.
        slots: of the head.
        turn: transpose, then flip of rows, then flip of columns, as the tile was turned.
    """
    swap, rows, cols = turn
    maps = np.array(maps)
    for first in range(0, slots * CHANNELS_PER_SLOT, CHANNELS_PER_SLOT):
        if cols:
            maps[:, first + 1] *= -1
        if rows:
            maps[:, first + 2] *= -1
        if swap:
            maps[:, first + 1 : first + CHANNELS_PER_SLOT] = maps[:, [first + 2, first + 1, first + 4, first + 3]]
    return maps


def combined_grids(maps: NDArray[np.float32], slots: int, how: str) -> NDArray[np.float32]:
    """Combine (V, B, K, h, w) maps of several views: objectness by `mean` or `vote`.

    Offsets and sizes are averaged with each view's objectness as weight, posteriors of the classes evenly. In a vote, a
    view votes for an object from a probability of a half; their mean is one more vote.
    """
    result = np.empty(maps.shape[1:], np.float32)
    log_views = np.log(len(maps))
    for first in range(0, slots * CHANNELS_PER_SLOT, CHANNELS_PER_SLOT):
        logits = maps[:, :, first].astype(np.float64)
        there, not_there = log_expit(logits), log_expit(-logits)
        mean = logsumexp(there, axis=0) - log_views, logsumexp(not_there, axis=0) - log_views
        if how == "mean":
            result[:, first] = mean[0] - mean[1]
        else:
            share = ((logits >= 0).sum(axis=0) + np.exp(mean[0])) / (len(maps) + 1)
            result[:, first] = logit(np.clip(share, VOTE_MARGIN, 1 - VOTE_MARGIN))
        weight = softmax(there, axis=0)
        result[:, first + 1 : first + CHANNELS_PER_SLOT] = np.einsum(
            "vbhw,vbkhw->bkhw", weight, maps[:, :, first + 1 : first + CHANNELS_PER_SLOT]
        )
    classes = log_softmax(maps[:, :, slots * CHANNELS_PER_SLOT :], axis=2)
    result[:, slots * CHANNELS_PER_SLOT :] = logsumexp(classes, axis=0) - log_views
    return result


class GridDecoder:
    """Maps of a grid head: slots of objectness, offsets and sizes, then class logits."""

    def __init__(self, spec: NetSpec, head: GridHead) -> None:
        self.head = head
        self.classes = spec.classes
        self.channels = head.slots * CHANNELS_PER_SLOT + len(spec.classes)

    def heat(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of an object of each class; see `grid_heat`."""
        return grid_heat(logits, self.head.slots)

    def detections(
        self,
        logits: NDArray[np.float32],
        geometry: CellGeometry,
        *,
        separation: float,
        threshold: float,
        rows: int | None = None,
    ) -> Detections:
        """Find boxes or points; see `decode_grid`."""
        return decode_grid(
            logits, self.head, self.classes, geometry, separation=separation, threshold=threshold, rows=rows
        )

    def sureness(self, logits: NDArray[np.float32], geometry: CellGeometry) -> float | None:
        """Return None: of scenes in which places are found, that is not told."""
        return None

    def turned_back(self, maps: NDArray[np.float32], turn: Turn) -> NDArray[np.float32]:
        """Map offsets and sizes back; see `turned_channels`."""
        return turned_channels(maps, self.head.slots, turn)

    def combined(self, maps: NDArray[np.float32], how: str) -> NDArray[np.float32]:
        """Combine objectness, offsets, sizes and classes; see `combined_grids`."""
        return combined_grids(maps, self.head.slots, how)

"""The stitched map of a grid head: peaks of objectness, their centres and sizes, non-maximum suppression."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import expit, log_softmax, logit, logsumexp, softmax
from torchvision.ops import batched_nms

from detect.inference.decoding import LEVELS, CellGeometry, find_peaks
from detect.inference.stitching import release
from detect.labels import Detections
from detect.nets import ModelCard
from detect.nets.grid import PER_SLOT

NEIGHBOURS = 1
"""Cells, along both axes, in which a peak of the objectness must be the highest."""

SIZES = (-6.0, 6.0)
"""Bounds of the logarithm of a box's side over the typical object's; beyond, a net that is not trained yet says it."""

SURE = 1e-6
"""Least distance of an averaged objectness from 0 and 1, so that its log odds are finite."""


def objectness(logits: NDArray[np.float32], slots: int) -> NDArray[np.float32]:
    """Give the log odds that a cell holds an object, (slots, h, w), of a map (slots * 5 + C, h, w)."""
    return logits[: slots * PER_SLOT : PER_SLOT]


def grid_heat(logits: NDArray[np.float32], slots: int) -> NDArray[np.float32]:
    """Give the probability of an object of each class in every cell, (C, h, w) in [0, 1]."""
    there = expit(objectness(logits, slots).max(axis=0))
    return np.asarray(there * softmax(logits[slots * PER_SLOT :], axis=0), np.float32)


def decode_grid(
    logits: NDArray[np.float32],
    card: ModelCard,
    geometry: CellGeometry,
    *,
    suppression: float,
    threshold: float,
    rows: int | None = None,
) -> Detections:
    """Turn the stitched map of a grid head into boxes or points.

    Cells whose objectness no neighbour exceeds (in steps of 1/1024 of log odds, the first in reading order of equals)
    say where the centre lies and how large the object is; boxes are cut at the scene's edge. Then, from the highest
    objectness down, of boxes of one class that overlap by more than an IoU all but the first go (torchvision's NMS),
    and of points closer than a radius, whatever their class. There is no limit on their number.

    Args:
        logits: (slots * 5 + C, h, w) of `GridDetector`.
        card: the classes and the head.
        geometry: where the cells lie.
        suppression: IoU in [0, 1] for boxes, radius in pixels for points.
        threshold: least score in [0, 1]; the score is the probability that an object's centre lies in the cell.
        rows: rows of the map that are worked on at once, all by default; the outcome does not depend on it.

    Returns:
        Boxes or points in pixels of the scene, in reading order of their cells.
    """
    assert card.grid is not None
    slots, size = card.grid.slots, card.grid.object_size
    step = rows or logits.shape[1]
    cells, values, steps = [], [], []
    for top in range(0, logits.shape[1], step):
        above = min(top, 2 * NEIGHBOURS)
        strip = np.asarray(logits[:, top - above : top + step + 2 * NEIGHBOURS])
        for slot in range(slots):
            levels = np.round(objectness(strip, slots)[slot] * LEVELS)
            peaks = find_peaks(levels, NEIGHBOURS)
            score = expit(strip[slot * PER_SLOT][tuple(peaks.T)].astype(np.float64))
            own = (peaks[:, 0] >= above) & (peaks[:, 0] < above + step) & (score >= threshold)
            at = tuple(peaks[own].T)
            own_slot = strip[slot * PER_SLOT : (slot + 1) * PER_SLOT][:, *at]
            values.append(np.concatenate([own_slot, strip[slots * PER_SLOT :][:, *at]]).astype(np.float64))
            cells.append(peaks[own] + (top - above, 0))
            steps.append(levels[at])
        release(logits)
    found = _placed(np.concatenate(cells), np.concatenate(values, axis=1), card, geometry)
    order = np.lexsort((np.arange(len(found)), -np.concatenate(steps)))
    kept = _far_points(found, order, suppression) if size is None else _apart_boxes(found, order, suppression)
    return found[kept]


def _placed(
    cells: NDArray[np.intp], values: NDArray[np.float64], card: ModelCard, geometry: CellGeometry
) -> Detections:
    """Turn (N, 2) cells and what the map says there, (5 + C, N), into detections."""
    assert card.grid is not None
    height, width = geometry.shape
    last = np.array([np.nextafter(width, 0), np.nextafter(height, 0)])
    xy = geometry.offset + geometry.stride * (cells[:, ::-1] + values[1:3].T)
    xy = np.clip(xy, 0, last)
    score, label = expit(values[0]), values[PER_SLOT:].argmax(axis=0)
    if card.grid.object_size is None:
        return Detections(xy, score, label, card.classes)
    half = card.grid.object_size * np.exp(np.clip(values[3:PER_SLOT].T, *SIZES)) / 2
    low, high = np.clip(xy - half, 0, (width, height)), np.clip(xy + half, 0, (width, height))
    return Detections((low + high) / 2, score, label, card.classes, high - low)


def _apart_boxes(found: Detections, order: NDArray[np.intp], iou: float) -> NDArray[np.intp]:
    """Give, ascending, the boxes that NMS leaves; it goes by the order, not by the last digits of scores."""
    rank = np.empty(len(found))
    rank[order] = np.arange(len(found), 0, -1)
    boxes, label = torch.from_numpy(found.boxes_xyxy), torch.from_numpy(found.label)
    return np.sort(batched_nms(boxes, torch.from_numpy(rank), label, iou).numpy())


def _far_points(found: Detections, order: NDArray[np.intp], radius: float) -> NDArray[np.intp]:
    """Give, ascending, the points that remain when each drops those closer than `radius` that come after it."""
    if radius <= 0 or len(found) < 2:
        return np.arange(len(found))
    tree = cKDTree(found.xy)
    standing = np.ones(len(found), bool)
    for place in order.tolist():
        if standing[place]:
            near = np.array(tree.query_ball_point(found.xy[place], radius), np.intp)
            closer = np.hypot(*(found.xy[near] - found.xy[place]).T) < radius
            standing[near[closer]] = False
            standing[place] = True
    return np.flatnonzero(standing)


def turned_channels(maps: NDArray[np.float32], slots: int, turn: tuple[bool, bool, bool]) -> NDArray[np.float32]:
    """Make (B, K, h, w) maps of a mirrored tile, laid back, say offsets and sizes as the tile itself would.

    Args:
        maps: whose cells lie where they belong already.
        slots: of the head.
        turn: transpose, then flip of rows, then flip of columns, as the tile was shown.
    """
    swap, rows, cols = turn
    maps = np.array(maps)
    for first in range(0, slots * PER_SLOT, PER_SLOT):
        if cols:
            maps[:, first + 1] *= -1
        if rows:
            maps[:, first + 2] *= -1
        if swap:
            maps[:, first + 1 : first + PER_SLOT] = maps[:, [first + 2, first + 1, first + 4, first + 3]]
    return maps


def combined_grids(maps: NDArray[np.float32], slots: int, how: str) -> NDArray[np.float32]:
    """Combine (V, B, K, h, w) maps of several views: objectness by `mean` or `vote`, the rest weighted by it.

    In a vote, a view is for an object from a probability of a half; their mean is one more voice.
    """
    result = np.empty(maps.shape[1:], np.float32)
    for first in range(0, slots * PER_SLOT, PER_SLOT):
        there = expit(maps[:, :, first].astype(np.float64))
        mean = there.mean(axis=0)
        share = mean if how == "mean" else ((there >= 0.5).sum(axis=0) + mean) / (len(maps) + 1)
        result[:, first] = logit(np.clip(share, SURE, 1 - SURE))
        weight = there / there.sum(axis=0)
        result[:, first + 1 : first + PER_SLOT] = np.einsum(
            "vbhw,vbkhw->bkhw", weight, maps[:, :, first + 1 : first + PER_SLOT]
        )
    classes = log_softmax(maps[:, :, slots * PER_SLOT :], axis=2)
    result[:, slots * PER_SLOT :] = logsumexp(classes, axis=0) - np.log(len(maps))
    return result

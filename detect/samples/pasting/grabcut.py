"""Objects cut out of their ground by its colours (GrabCut: Rother, Kolmogorov and Blake 2004)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.scenes import display_bands
from detect.samples.pasting.cutouts import CutOut, relative_offsets, soft_box, with_contrast

CERTAIN_REACH, LIKELY_REACH, MAX_REACH = 0.1, 0.5, 0.9
"""Distances from an object's centre, in its sides, up to which pixels certainly, probably and possibly belong to it."""


MIN_BOX_SHARE = 0.6
"""Least width and height of what is cut out of a box, relative to the box."""


GRABCUT_ROUNDS = 4
"""Iterations of GrabCut."""


MAX_GRABCUT_SIDE = 52
"""Greatest size in pixels at which GrabCut is applied to an object; larger ones are reduced for it."""


RIM_SOFTNESS = 0.023
"""Standard deviation of the blur of the rim, relative to an object's shorter side."""


def cut_object(
    pixels: NDArray[Any],
    xy: NDArray[np.float64],
    wh: NDArray[np.float64],
    *,
    feather: float | None = None,
    others: Sequence[Any] = (),
) -> CutOut | None:
    """Return an object cut out of its ground.

    Args:
        pixels: (C, h, w); GrabCut is given the first three bands, or the first one if there are fewer.
        xy: the object's centre, in these pixels.
        wh: its width and height in pixels.
        feather: of a box that the object fills, the greatest width of its soft rim relative to the half sides; None if
            the sides are about the object's length, and it may be thin.
        others: centres of other objects of its size; pixels nearer to them do not belong to it.

    Returns:
        A cut-out with the height and width of the pixels. None if the object cannot be separated from its ground,
        reaches the edge of the pixels or does not fill its box, or if a pixel is not finite.
    """
    import cv2

    if not np.isfinite(pixels).all():
        return None
    reduced = [
        max(1, round(n * min(1.0, MAX_GRABCUT_SIDE / side))) for n, side in zip(pixels.shape[1:], wh[::-1], strict=True)
    ]
    scale = np.array(reduced[::-1]) / pixels.shape[:0:-1]
    image = np.asarray(cv2.resize(_eight_bits(pixels), reduced[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    rows, cols = relative_offsets(reduced, xy * scale, wh * scale)
    distance = np.hypot(rows, cols)
    certain = distance <= max(CERTAIN_REACH, distance.min())
    excluded = distance > MAX_REACH if feather is None else np.maximum(abs(rows), abs(cols)) > 0.5
    for other in others:
        excluded |= np.hypot(*relative_offsets(reduced, other * scale, wh * scale)) < distance
    excluded &= ~certain
    if not excluded.any():
        return None
    mask = _segmented(image, certain, excluded, distance)
    if mask[[0, -1]].any() or mask[:, [0, -1]].any():
        return None
    spans = [mask.any(axis=axis).sum() for axis in (0, 1)] / (wh * scale)
    if mask.sum() < 2 * certain.sum() if feather is None else (spans < MIN_BOX_SHARE).any():
        return None
    across, down = RIM_SOFTNESS * wh.min() * scale
    soft = np.minimum(2 * cv2.GaussianBlur(mask.astype(np.float32), (0, 0), across, sigmaY=down), 1)
    cover = cv2.resize(soft, pixels.shape[:0:-1], interpolation=cv2.INTER_LINEAR).clip(0, 1)
    if feather is not None:
        cover = cover * soft_box(pixels, xy, wh, feather)
    return with_contrast(pixels, cover.astype(np.float32), xy, wh)


def _segmented(
    image: NDArray[np.uint8], certain: NDArray[np.bool_], excluded: NDArray[np.bool_], distance: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return the mask (h, w) of the object in the middle of an image.

    Args:
        image: (h, w, 3).
        certain: (h, w), pixels that belong to the object.
        excluded: (h, w), pixels that do not.
        distance: (h, w), from the object's centre, in its sides.
    """
    import cv2

    kinds = [cv2.GC_FGD, cv2.GC_BGD, cv2.GC_PR_FGD]
    labels = np.select([certain, excluded, distance <= LIKELY_REACH], kinds, default=cv2.GC_PR_BGD).astype(np.uint8)
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(image, labels, None, *models, GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    foreground = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, parts = cv2.connectedComponents(foreground)
    middle = np.unravel_index(distance.argmin(), distance.shape)
    return (parts == parts[middle]) & (foreground > 0)


def _eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return a uint8 image (H, W, 3) of pixels (C, H, W).

    Other dtypes are stretched: all but 1 % of the values at either end of each band fill the range.
    """
    shown = np.broadcast_to(pixels[: len(display_bands(len(pixels)))], (3, *pixels.shape[1:]))
    if shown.dtype != np.uint8:
        low, high = np.percentile(shown.astype(np.float64), (1, 99), axis=(1, 2), keepdims=True)
        shown = np.rint(np.clip((shown - low) / np.maximum(high - low, 1e-9), 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(shown, 0, -1))

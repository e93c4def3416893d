"""Where pixels go: the geometric transforms of a sample as one map of the plane, and the warp of pixels by it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.samples.varying.interleaved import interleaved, planes_of

AT_ONCE = 4
"""Bands that OpenCV warps at once; three are warped as four, which takes half of the time."""

MOST_PADDED = 1.0
"""Greatest border that is made before a warp, as a part of the longer side; beyond, the warp finds each pixel's."""

LEAST_SLOPE = 1e-9
"""Of an edge that meets a row somewhere; less than that it does not across any image."""

SHORT = 1 << 15
"""Sides below which places are numbers of 16 bits, which are compared twice as fast."""

NEAREST, CONSTANT = 0, 0
"""OpenCV's nearest pixel, and a border of one value."""


@dataclass(frozen=True)
class Sampling:
    """How values between pixels and beyond the image are found.

    Attributes:
        interpolation, border: OpenCV's numbers.
        fill: the value beyond a border of one value, of all bands or of each.
    """

    interpolation: int
    border: int
    fill: float | tuple[float, ...]

    def beyond(self, first: int) -> tuple[float, ...]:
        """Return the values beyond the image of `AT_ONCE` bands from number `first` on."""
        of_bands = self.fill[first : first + AT_ONCE] if isinstance(self.fill, tuple) else (self.fill,) * AT_ONCE
        return (*of_bands, *(0.0,) * (AT_ONCE - len(of_bands)))


@dataclass(frozen=True, eq=False)
class Move:
    """A map of the plane.

    Attributes:
        matrix: (3, 3) from the pixels of an image to those of what is made of it, (x, y) of their middles.
        hw: height and width of what is made.
        sampling: None where pixels change places, and none is interpolated.
    """

    matrix: NDArray[np.float64]
    hw: tuple[int, int]
    sampling: Sampling | None

    def points(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return moved points (N, 2), pixel i spanning [i, i + 1)."""
        moved = np.column_stack([xy - 0.5, np.ones(len(xy))]) @ self.matrix.T
        return np.asarray(moved[:, :2] / moved[:, 2:] + 0.5)

    def planes(self, planes: NDArray[Any]) -> NDArray[Any]:
        """Return moved pixels (C, H, W) of uint8, uint16 or float32."""
        if self.sampling is None:
            return self._replaced(planes)
        if len(planes) <= AT_ONCE:
            return self._warped(planes, 0, self.sampling)
        parts = [planes[start : start + AT_ONCE] for start in range(0, len(planes), AT_ONCE)]
        return np.concatenate([self._warped(part, i * AT_ONCE, self.sampling) for i, part in enumerate(parts)])

    def mask(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return a moved mask (H, W), of the nearest pixels; False beyond the image."""
        if self.sampling is not None and mask.all():
            inside = _inside(self.matrix, mask.shape, self.hw)
            if inside is not None:
                return inside
        bytes_of = np.ascontiguousarray(mask).view(np.uint8)[None]
        if self.sampling is None:
            return self._replaced(bytes_of)[0].view(bool)
        return self._warped(bytes_of, 0, Sampling(NEAREST, CONSTANT, 0.0))[0].view(bool)

    def _replaced(self, planes: NDArray[Any]) -> NDArray[Any]:
        """Return pixels (C, H, W) in their new places."""
        across, down = self.matrix[0, :2], self.matrix[1, :2]
        if planes.transpose(1, 2, 0).flags.c_contiguous and len(planes) <= AT_ONCE:
            return _turned(planes, swap=not across[0], mirrored=(down.sum() < 0, across.sum() < 0))
        turned = planes if across[0] else planes.swapaxes(1, 2)
        return np.ascontiguousarray(turned[:, :: round(down.sum()), :: round(across.sum())])

    def _warped(self, planes: NDArray[Any], first: int, sampling: Sampling) -> NDArray[Any]:
        """Return warped pixels of `AT_ONCE` bands at most, of which the first one is the image's number `first`."""
        import cv2

        values = sampling.beyond(first)
        number, matrix, border = len(planes), self.matrix, sampling.border
        stacked = interleaved(planes)
        if border != CONSTANT:
            above, left, below, right = _beyond(matrix, planes.shape[1:], self.hw)
            if max(above, left, below, right) <= MOST_PADDED * max(planes.shape[1:]):
                stacked = cv2.copyMakeBorder(stacked, above, below, left, right, border)
                matrix, border = matrix @ [[1, 0, -left], [0, 1, -above], [0, 0, 1]], CONSTANT
        if number == 3:
            stacked = cv2.cvtColor(stacked, cv2.COLOR_RGB2RGBA)
        size, how = self.hw[::-1], {"flags": sampling.interpolation, "borderMode": border, "borderValue": values}
        if matrix[2, :2].any():
            made = cv2.warpPerspective(stacked, matrix, size, **how)  # type: ignore[call-overload]
        else:
            made = cv2.warpAffine(stacked, matrix[:2], size, **how)  # type: ignore[call-overload]
        if number == 3:
            made = cv2.cvtColor(made, cv2.COLOR_RGBA2RGB)
        return planes_of(np.asarray(made).reshape(*self.hw, number))


def _turned(planes: NDArray[Any], *, swap: bool, mirrored: tuple[bool, bool]) -> NDArray[Any]:
    """Return bands that lie side by side with rows and columns exchanged, then rows and columns mirrored."""
    import cv2

    image = planes.transpose(1, 2, 0)
    number = image.shape[2]
    image = np.asarray(cv2.transpose(image)) if swap else image
    if any(mirrored):
        image = np.asarray(cv2.flip(image, -1 if all(mirrored) else int(mirrored[1])))
    return planes_of(image.reshape(*image.shape[:2], number))


def merged(moves: Sequence[Move]) -> list[Move]:
    """Return moves as few: what follows another one and samples as that does is one map with it."""
    few: list[Move] = []
    for move in moves:
        last = few[-1] if few else None
        if last is not None and (last.sampling is None or move.sampling in (None, last.sampling)):
            few[-1] = Move(move.matrix @ last.matrix, move.hw, last.sampling or move.sampling)
        else:
            few.append(move)
    return few


def _back(matrix: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    """Return the rows of a map's inverse, up to a factor: of what is made to the image.

    The arithmetic of nine numbers takes numpy ten times as long as Python.
    """
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    rows = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    scale = 1 / (a * rows[0][0] + b * rows[1][0] + c * rows[2][0])
    return tuple(tuple(value * scale for value in row) for row in rows)


def _seen(back: tuple[tuple[float, ...], ...], made: Sequence[int]) -> list[tuple[float, float, float]]:
    """Return the places x, y in the image of the middles of a made one's corners, and their depth.

    Args:
        back: of `_back`.
        made: height and width of what is made.
    """
    right, bottom = made[1] - 1.0, made[0] - 1.0
    corners = ((0.0, 0.0), (right, 0.0), (right, bottom), (0.0, bottom))
    at = [[p * x + q * y + r for p, q, r in back] for x, y in corners]
    return [(x / (depth or 1e-300), y / (depth or 1e-300), depth) for x, y, depth in at]


def _beyond(matrix: NDArray[np.float64], hw: Sequence[int], made: Sequence[int]) -> tuple[int, int, int, int]:
    """Return how many pixels above, left, below and right of an image a warp looks for."""
    across, down, _ = zip(*_seen(_back(matrix), made), strict=True)
    before = (max(0, math.ceil(-min(along)) + 2) for along in (down, across))
    after = (max(0, math.ceil(max(along) - (length - 1)) + 2) for along, length in zip((down, across), hw, strict=True))
    return (*before, *after)


def _inside(matrix: NDArray[np.float64], hw: Sequence[int], made: Sequence[int]) -> NDArray[np.bool_] | None:
    """Return which pixels (h, w) of what a map makes have their nearest one in the image; None where a horizon is.

    A row of them begins and ends where it meets the image's edges, which are half a pixel beyond the outer middles.

    Args:
        matrix: (3, 3), of a `Move`.
        hw: height and width of the image.
        made: height and width of what is made.
    """
    back = _back(matrix)
    seen, right, bottom = _seen(back, made), hw[1] - 0.5, hw[0] - 0.5
    if min(depth for _, _, depth in seen) <= 0:
        return None
    if all(-0.5 < x < right and -0.5 < y < bottom for x, y, _ in seen):
        return np.ones((made[0], made[1]), bool)
    across, down, depth = back
    edges = [[u + w / 2 for u, w in zip(axis, depth, strict=True)] for axis in (across, down)]
    edges += [
        [end * w - u for u, w in zip(axis, depth, strict=True)]
        for axis, end in zip((across, down), (right, bottom), strict=True)
    ]
    rows, first, last = np.arange(made[0]), np.zeros(made[0]), np.full(made[0], made[1] - 1.0)
    for slope, by_row, rest in edges:
        if abs(slope) < LEAST_SLOPE:
            last[by_row * rows + rest < 0] = -1
        elif slope > 0:
            np.maximum(first, np.ceil(rows * (-by_row / slope) - rest / slope), out=first)
        else:
            np.minimum(last, np.floor(rows * (-by_row / slope) - rest / slope), out=last)
    kind = np.dtype(np.int16 if max(made) < SHORT else np.int32)
    cols: NDArray[Any] = np.arange(made[1], dtype=kind)
    starts, ends = (each.clip(-1, made[1]).astype(kind)[:, None] for each in (first, last))
    inside: NDArray[np.bool_] = cols >= starts
    inside &= cols <= ends
    return inside

"""Dots: discs of one size and a few colours, found in the marks of one or more pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.labels.dotted.dot_colours import ALIKE, colour_groups, lab_of, names_of, nearest
from detect.labels.dotted.marks import Mark

LEAST_SHARE = 0.4
"""The part of a dot that has to be seen for it to be one, of those that touch or cover others."""

VIVID_CHROMA = 45.0
"""Chroma in CIELAB of red, magenta, blue, green, yellow and other vivid colours, at least; brown has about 32."""

FAINT_SHARE = 0.2
"""The part of a dot from which a mark of its colour is told, and is no dot."""

_ROUND, _CUT = (LEAST_SHARE, 2.2), (LEAST_SHARE, 1.0)
"""Area of a round mark that is one dot, and of one that is not, whose ground looks like the dot, in usual areas."""

_FILL, _ASPECT = (0.6, 0.95), 1.45
"""How much of its bounding box a disc fills (pi / 4, for a few pixels more), and its longest side in shortest ones."""

_WIDEST = 2.8
"""Longest side of one dot, in radii."""


@dataclass(frozen=True)
class Dots:
    """The dots of one picture.

    Attributes:
        xy: (N, 2) middles in pixels.
        colour: (N,) positions in the groups of colours.
        strange: (x, y) of marks that are no dots.
    """

    xy: NDArray[np.float64]
    colour: NDArray[np.intp]
    strange: list[tuple[float, float]]


@dataclass(frozen=True)
class DotStyle:
    """How the dots of a set of pictures look.

    Attributes:
        area: pixels of one that stands alone.
        middles: (K, 3) CIELAB of their colours.
        names: a word for each colour.
    """

    area: float
    middles: NDArray[np.float64]
    names: tuple[str, ...]

    @property
    def vivid(self) -> NDArray[np.bool_]:
        """Which of the colours (K,) are vivid, as nothing else in most photographs is."""
        return np.asarray(np.hypot(self.middles[:, 1], self.middles[:, 2]) >= VIVID_CHROMA)

    @property
    def radius(self) -> float:
        """Radius in pixels."""
        return float(np.sqrt(self.area / np.pi))


def style_of(marks: Sequence[Mark]) -> DotStyle | None:
    """Return how the dots look of which most marks are made; None where no mark has the shape of a dot."""
    area = usual_area(marks, least=1)
    if area is None:
        return None
    round_ones = [mark for mark in marks if _is_compact(mark)]
    single = [mark for mark in round_ones if _ROUND[0] <= mark.area / area <= _ROUND[1]]
    middles = colour_groups(np.array([colour_of(mark) for mark in single]).reshape(-1, 3))
    return DotStyle(area, middles, tuple(names_of(middles)))


def usual_area(marks: Sequence[Mark], least: int) -> float | None:
    """Return the area in pixels of one dot, the most frequent of round marks; None where fewer than `least` have it."""
    areas = np.array([mark.area for mark in marks if _is_compact(mark)], np.float64)
    bins = np.round(np.log(areas) / np.log(1.25))
    votes = {each: np.sqrt(areas[bins == each]).sum() for each in np.unique(bins)}
    best = max(votes, key=lambda each: votes[each], default=0.0)
    usual = areas[np.abs(bins - best) <= 1]
    return float(np.median(usual)) if len(usual) >= least else None


def dots_of(marks: Sequence[Mark], style: DotStyle) -> Dots:
    """Find the dots of one picture: marks that are one dot, and those that several which touch or overlap make."""
    xy: list[tuple[float, float]] = []
    colours: list[int] = []
    strange: list[tuple[float, float]] = []
    for mark in marks:
        if mark.area < LEAST_SHARE * style.area:
            strange += [_middle(mark)] if _is_faint(mark, style) else []
            continue
        found = _single(mark, style) or _several(mark, style)
        if not found:
            strange.append(_middle(mark))
        for x, y, colour in found:
            xy.append((x, y))
            colours.append(colour)
    return Dots(np.array(xy, np.float64).reshape(-1, 2), np.array(colours, np.intp), strange)


def colour_of(mark: Mark) -> NDArray[np.float64]:
    """Return the colour, in CIELAB, of the inner pixels of a mark, which the ground around has not tinged."""
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(np.pad(mark.mask, 1))[1:-1, 1:-1]
    inner = depth >= 0.6 * depth.max()
    return np.asarray(lab_of(np.median(mark.rgb[inner], axis=0)[None])[0])


def _is_compact(mark: Mark) -> bool:
    height, width = mark.mask.shape
    if mark.area <= 2:
        return True
    return max(height, width) <= _ASPECT * min(height, width) and _FILL[0] <= mark.area / (height * width) <= (
        1.0 if max(height, width) <= 4 else _FILL[1]
    )


def _is_faint(mark: Mark, style: DotStyle) -> bool:
    """Return whether a mark is of the colour of dots, and may be what is seen of one."""
    distance = nearest(colour_of(mark)[None], style.middles)[1][0] if len(style.middles) else np.inf
    return bool(mark.area >= FAINT_SHARE * style.area and distance <= ALIKE)


def _middle(mark: Mark) -> tuple[float, float]:
    rows, cols = np.nonzero(mark.mask)
    return float(mark.col + cols.mean() + 0.5), float(mark.row + rows.mean() + 0.5)


def _single(mark: Mark, style: DotStyle) -> list[tuple[float, float, int]]:
    """Return the dot that a mark is; none where it is something else."""
    share = mark.area / style.area
    whole = _is_compact(mark) and _ROUND[0] <= share <= _ROUND[1]
    cut = max(mark.mask.shape) <= _WIDEST * style.radius and _CUT[0] <= share <= _CUT[1]
    if not (whole or cut):
        return []
    best, distance = nearest(colour_of(mark)[None], style.middles)
    return [(*_middle(mark), int(best[0]))] if distance[0] <= ALIKE else []


def _several(mark: Mark, style: DotStyle) -> list[tuple[float, float, int]]:
    """Return the dots that a mark is made of: each time the disc that covers most of one colour and least ground."""
    if style.area < 9:
        return []
    disc = _disc(style.radius)
    half = disc.shape[0] // 2
    best, distance = nearest(lab_of(mark.rgb), style.middles)
    inside = np.pad(mark.mask, half)
    group = np.where((distance <= ALIKE).reshape(mark.mask.shape) & mark.mask, best.reshape(mark.mask.shape), -1)
    found: list[tuple[float, float, int]] = []
    left = [np.pad(group == colour, half) for colour in range(len(style.middles))]
    while True:
        scored = [_best_disc(own, inside, disc) for own in left]
        colour = int(np.argmax([score for score, _, _ in scored]))
        score, row, col = scored[colour]
        if score < LEAST_SHARE * style.area:
            return found
        found.append((mark.col + col - half + 0.5, mark.row + row - half + 0.5, colour))
        part = (slice(row - half, row + half + 1), slice(col - half, col + half + 1))
        left[colour][part] &= ~_disc(style.radius + 1, half)


def _best_disc(own: NDArray[np.bool_], inside: NDArray[np.bool_], disc: NDArray[np.bool_]) -> tuple[float, int, int]:
    """Return the greatest number of own pixels that a disc covers, less those of the ground, and its middle."""
    from scipy import ndimage

    worth = own.astype(np.float32) - (~inside).astype(np.float32)
    scores = ndimage.correlate(worth, disc.astype(np.float32), mode="constant", cval=-1.0)
    row, col = np.unravel_index(int(scores.argmax()), scores.shape)
    return float(scores[row, col]), int(row), int(col)


def _disc(radius: float, half: int | None = None) -> NDArray[np.bool_]:
    """Return a disc in a square of 2 half + 1 pixels, just large enough where `half` is not given."""
    half = int(np.ceil(radius)) if half is None else half
    offsets = np.arange(-half, half + 1)
    return np.asarray(np.hypot(*np.meshgrid(offsets, offsets)) <= radius)

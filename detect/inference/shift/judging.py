"""Whether an image is unlike the training scenes: as far from them as none of their pieces is from the others.

How far each training image, or each quarter of one where there are few, is from the rest is known. The distance of a
further image of the same scenes then follows Student's distribution of a new observation, in logarithms: of such images
one in twenty is beyond `WARNING`. One of another scene may be beyond it although it is of the same kind: quarters of
few images do not tell by how much scenes differ. In 24 trials each of drawn ground, whose light differs from image to
image, 7, 3, 3, 5 and 4 % of further ones were beyond it with 3, 4, 6, 8 and 12 to learn from (2 % the standard error).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from detect.inference.shift.measuring import Measured
from detect.nets.facts.window_looks import CHANGES, OCTAVES, WindowLooks

WARNING = 0.95
"""From which on an image is said to be unlike the training scenes."""

ASPECTS = 3
"""Light, texture and content: each may be far by chance."""

LEAST_SPREAD = 0.1
"""Least spread of the logarithms of distances: no two images are the same but for chance."""

LEAST_LIKENESS = 0.75
"""Least cosine of how an image differs and how changed windows do, that it is said to be changed so."""

NEAREST = 3
"""Training windows with which a window is compared: the nearest (Sun et al., Out-of-Distribution Detection with Deep
Nearest Neighbors, 2022)."""

LEAST_SIZED = 10
"""Objects from which on their sizes tell an image's scale."""


@dataclass(frozen=True)
class Unlike:
    """How an image differs from the training scenes.

    Attributes:
        share: of images of the training scenes' kind that differ less, in [0, 1]; None where that is not known.
        kinds: in what it does, each beginning with `light`, `blur`, `scale` or `content`; none where it is not far.
    """

    share: float | None
    kinds: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """In what the image is unlike, empty where it is not."""
        return "; ".join(self.kinds)


@dataclass(frozen=True, eq=False)
class _Piece:
    """A training image of a number, or a quarter of it."""

    image: int
    windows: Measured


class ShiftJudge:
    """Judges images by a model's training windows.

    Args:
        known: from the model's card.
    """

    def __init__(self, known: WindowLooks) -> None:
        self.known = known
        arrays = (np.array(each, np.float64) for each in (known.light, known.texture, known.content))
        windows = Measured(*arrays)
        self._scale = Measured(
            *(
                _spread(each, least)
                for each, least in ((windows.light, 0.02), (windows.texture, 0.05), (windows.content, 0))
            )
        )
        scaled = self._scaled(windows)
        piece, image = np.array(known.piece), np.array(known.image)
        places = [piece == number for number in range(piece.max() + 1)]
        self._pieces = [_Piece(int(image[place][0]), _part(scaled, place)) for place in places]
        self._mean = np.mean([each.windows.seen.mean(axis=0) for each in self._pieces], axis=0)
        self._usual = lru_cache(maxsize=64)(self._usual_distances)

    def unlike(self, image: Measured, sizes: NDArray[np.float64] | None = None) -> Unlike:
        """Return how an image differs from the training scenes.

        Args:
            image: what its windows look like.
            sizes: sides of the objects found in it, in resampled pixels; None of points.
        """
        scaled = self._scaled(image)
        middle, spread = self._usual(len(image.light))
        away = np.log(_distances(scaled, self._pieces)) - middle
        nearer = student.cdf(away / (spread * np.sqrt(1 + 1 / len(set(self.known.image)))), len(self._pieces) - 1)
        share = float(nearer.max() ** ASPECTS)
        if share < WARNING:
            return Unlike(share)
        far = nearer**ASPECTS >= WARNING
        kinds = {"light"} if far[0] else set()
        if far[1:].any():
            kinds.add(self._seen_kind(scaled, np.exp(middle[1:]), sizes))
        return Unlike(share, tuple(sorted(kinds, key=("light", "blur", "scale", "content").index)))

    def _seen_kind(self, image: Measured, usual: NDArray[np.float64], sizes: NDArray[np.float64] | None) -> str:
        """Return what best explains another texture and content: a known change, or else other things."""
        known = self.known.object_sizes
        told = known is not None and sizes is not None and len(sizes) >= LEAST_SIZED
        if told and not known[0] <= np.median(sizes) <= known[2]:  # type: ignore[index, arg-type]
            return "scale"
        weights = np.repeat(1 / usual, [OCTAVES, image.content.shape[1]])
        own = (image.seen.mean(axis=0) - self._mean) * weights
        per_number = np.concatenate([self._scale.texture, self._scale.content])
        best, likeness = "content", LEAST_LIKENESS
        for name, change in self.known.changes.items():
            moved = np.array(change) / per_number * weights
            cosine = float(own @ moved / max(np.linalg.norm(own) * np.linalg.norm(moved), 1e-12))
            if cosine > likeness:
                best, likeness = CHANGES[name], cosine
        return best

    def _usual_distances(self, windows: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return middle and spread (`ASPECTS`,) of the logarithms of each piece's distance from the others.

        Args:
            windows: of a piece that are looked at, as many as there are of the image, spread over it.
        """
        found = []
        for number, piece in enumerate(self._pieces):
            others = self._pieces[:number] + self._pieces[number + 1 :]
            count = len(piece.windows.light)
            chosen = np.unique(np.linspace(0, count - 1, min(windows, count)).round().astype(int))
            found.append(np.log(_distances(_part(piece.windows, chosen), others)))
        return np.mean(found, axis=0), np.maximum(np.std(found, axis=0, ddof=1), LEAST_SPREAD)

    def _scaled(self, windows: Measured) -> Measured:
        scale = self._scale
        return Measured(windows.light / scale.light, windows.texture / scale.texture, windows.content / scale.content)


def _spread(values: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    """Return the standard deviation (k,) of numbers of windows (n, k), not far below the others'."""
    found = values.std(axis=0)
    return np.maximum(found, max(least, 0.1 * float(found.mean()), 1e-6))


def _part(windows: Measured, chosen: NDArray[np.generic]) -> Measured:
    return Measured(windows.light[chosen], windows.texture[chosen], windows.content[chosen])


def _distances(image: Measured, pieces: Sequence[_Piece]) -> NDArray[np.float64]:
    """Return how far (`ASPECTS`,) an image is from pieces.

    Light and texture are those of the whole image, beside the nearest piece's, or what is there of the nearest image's,
    as quarters of an image may lie all around its middle; content is judged window by window.
    """
    whole = [[each.windows for each in pieces if each.image == number] for number in {each.image for each in pieces}]
    beside = [*(each.windows for each in pieces), *map(Measured.joined, whole)]
    light = min(_apart(image.light, each.light) for each in beside)
    texture = min(_apart(image.texture, each.texture) for each in beside)
    every = np.concatenate([each.windows.content for each in pieces])
    apart = np.sqrt(np.maximum(((image.content[:, None] - every[None]) ** 2).sum(axis=2), 0))
    nearest = np.sort(apart, axis=1)[:, :NEAREST].mean()
    return np.maximum([light, texture, float(nearest)], 1e-9)


def _apart(mine: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Return the distance of the means of windows (n, k) and (m, k)."""
    return float(np.linalg.norm(mine.mean(axis=0) - theirs.mean(axis=0)))

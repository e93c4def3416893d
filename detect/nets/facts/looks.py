"""What images look like in a few numbers, and whether an image is unlike those that a model learned from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.nets.bounds import GREATEST, MOST_BANDS, check_number, check_whole, shown

LOW, MIDDLE, HIGH = 1, 50, 99
"""Percentiles of pixels that describe a band: a few glints, or a few black pixels, change none of them."""

DESCRIBED = (0, LOW, MIDDLE, HIGH, 100)
"""Percentiles that are kept of a band, its extremes too."""

COLOUR_BANDS = 3
"""Bands, the first of an image, in which colour is measured, where it has as many."""

OTHER_SCALE = 20.0
"""How many times smaller or larger an image's values are that must have been scaled otherwise.

Eight bits against one (255), sixteen bits against eight (256) and reflectances times 10,000 are far beyond it.
"""

BEYOND, BEYOND_OF_GREATEST = 0.25, 0.15
"""How far the middle of an image's values is outside the training images' range, as a part of that range and of its
greatest value, at least. Another photograph of a kind is not so far, even where a single one was trained on (measured
on sea lions, livestock, tree crowns, circuit boards and cells); sheep on snow are, of a model of yaks on grass."""

DIM = 0.5
"""An image all darker than the training images is far too dark where its middle is below so much of their low end."""

LEAST_CONTRAST = 0.01
"""Greatest extent of all values, as a part of the training images' range, that is no contrast at all."""

GREY, COLOURED = 0.01, 0.04
"""Greatest difference between bands, as a part of the training images' range, of a grey image, and least of coloured
ones."""


@dataclass(frozen=True)
class BandLooks:
    """The values of a band.

    Attributes:
        least, most: the extremes of what was measured.
        low, middle, high: the `LOW`, `MIDDLE` and `HIGH` percentiles.
        mean: of all.
        spread: their standard deviation; None in the cards of models made before it was kept.

    Raises:
        ValueError: percentiles that do not rise, or a number that is none.
    """

    least: float
    low: float
    middle: float
    high: float
    most: float
    mean: float
    spread: float | None = None

    def __post_init__(self) -> None:
        if self.spread is not None:
            check_number("spread of a band", self.spread, 0, GREATEST)
        for name in ("least", "low", "middle", "high", "most", "mean"):
            check_number(f"{name} of a band", getattr(self, name), -GREATEST, GREATEST)
        rising = (self.least, self.low, self.middle, self.high, self.most)
        if list(rising) != sorted(rising):
            raise ValueError(f"percentiles must rise, got {', '.join(map(str, rising))}")

    @property
    def range(self) -> float:
        """The extent of the values, from low to high."""
        return self.high - self.low


@dataclass(frozen=True)
class Looks:
    """What one image, or all training images together, look like.

    Attributes:
        bands: the values of each band, of valid pixels.
        pixels: how many pixels that was measured on.
        colour: how much the first three bands differ in a pixel: the `MIDDLE` and `HIGH` percentiles of their greatest
            difference; None of images with fewer bands.

    Raises:
        ValueError: no bands or too many, or a number out of its bounds.
    """

    bands: tuple[BandLooks, ...]
    pixels: int
    colour: tuple[float, float] | None

    def __post_init__(self) -> None:
        check_whole("bands of what images look like", len(self.bands), 1, MOST_BANDS)
        check_whole("pixels of what images look like", self.pixels, 1, 1 << 62)
        for value in self.colour or ():
            check_number("colour", value, 0, GREATEST)

    @classmethod
    def of(cls, values: NDArray[np.generic]) -> "Looks | None":
        """Measure pixels (bands, n); None where there are none."""
        if not values.size:
            return None
        columns = _columns_of_bytes(values) if values.dtype == np.uint8 else _columns(values)
        bands = tuple(BandLooks(*map(float, each)) for each in zip(*columns, strict=True))
        colour = None
        if len(values) >= COLOUR_BANDS:
            colours = values[:COLOUR_BANDS]
            extents = np.ptp(colours if values.dtype.kind == "u" else _numbers(colours), axis=0)
            low, high = (float(each[0]) for each in _percentiles(extents[None], MIDDLE, HIGH))
            colour = low, high
        return cls(bands, values.shape[1], colour)

    @classmethod
    def from_data(cls, data: Any) -> "Looks":
        """Read what `dataclasses.asdict` makes.

        Raises:
            TypeError, ValueError, KeyError: it is something else.
        """
        if not isinstance(data, dict) or not isinstance(data.get("bands"), list):
            raise TypeError(f"looks must have a list of bands, got {shown(data)}")
        bands = tuple(BandLooks(**band) for band in data["bands"])
        colour = data["colour"]
        if colour is not None and (not isinstance(colour, list) or len(colour) != 2):
            raise TypeError(f"colour must be two numbers, got {shown(colour)}")
        if set(data) != {"bands", "pixels", "colour"}:
            raise ValueError(f"looks have bands, pixels and colour, got {shown(sorted(data))}")
        return cls(bands, data["pixels"], None if colour is None else tuple(colour))

    @property
    def greatest(self) -> float:
        """The greatest magnitude of a usual value in any band."""
        return max(max(abs(band.low), abs(band.high)) for band in self.bands)


def _numbers(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return values as numbers that a card may hold."""
    return np.clip(values.astype(np.float64), -GREATEST, GREATEST)


def _columns(values: NDArray[np.generic]) -> list[NDArray[np.float64]]:
    """Return the percentiles, the mean and the spread of each band of pixels (bands, n): columns of (bands,)."""
    ordered = _numbers(_ordered(values))  # a sum depends on the order of its terms
    percentiles = (ordered[:, place] for place in _places(ordered.shape[1], *DESCRIBED))
    with np.errstate(over="ignore"):
        spread = np.minimum(ordered.std(axis=1), GREATEST)
    return [*percentiles, ordered.mean(axis=1), spread]


def _columns_of_bytes(values: NDArray[np.generic]) -> list[NDArray[np.float64]]:
    """Return what `_columns` does of bytes, which are counted: many times as fast."""
    counts, number = _counts(values), values.shape[1]
    levels = np.arange(256, dtype=np.float64)
    mean = counts @ levels / number
    spread = np.sqrt((counts * (levels - mean[:, None]) ** 2).sum(axis=1) / number)
    return [*_levels(counts, number, *DESCRIBED), mean, spread]


def _counts(values: NDArray[np.generic]) -> NDArray[np.intp]:
    """Return how often each byte is in rows (rows, n): (rows, 256)."""
    return np.stack([np.bincount(row, minlength=256) for row in values])


def _levels(counts: NDArray[np.intp], number: int, *percentiles: float) -> list[NDArray[np.float64]]:
    """Return percentiles of rows of so many bytes, which are counted (rows, 256): (rows,) each."""
    ends = counts.cumsum(axis=1)
    return [(ends <= place).sum(axis=1).astype(np.float64) for place in _places(number, *percentiles)]


def _percentiles(values: NDArray[np.generic], *percentiles: float) -> list[NDArray[np.float64]]:
    """Return percentiles of rows (rows, n): (rows,) each."""
    if values.dtype == np.uint8:
        return _levels(_counts(values), values.shape[1], *percentiles)
    ordered = _ordered(values)
    return [ordered[:, place].astype(np.float64) for place in _places(values.shape[1], *percentiles)]


def _ordered(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return values (..., n) sorted along the last axis."""
    return np.sort(np.ascontiguousarray(values), kind="stable" if values.dtype.itemsize == 2 else None)


def _places(number: int, *percentiles: float) -> list[int]:
    """Return where percentiles stand among sorted values: each is the greatest value that is not beyond it."""
    return [int((number - 1) * (each / 100)) for each in percentiles]


def unlike(image: Looks, training: Looks) -> str:
    """Return in what an image is unlike all that a model learned from, in a few words; empty where it is not.

    It is meant for what makes counts worthless, such as values of another scale, and not for another light or ground.

    Args:
        image: of its valid pixels.
        training: of the valid pixels of all training images together, in the same bands.
    """
    if len(image.bands) != len(training.bands):
        return f"{len(image.bands)} bands, and {len(training.bands)} in training"
    if not any(band.least or band.most for band in image.bands) and training.greatest:
        return "all black"
    return (
        _of_another_scale(image, training)
        or _of_one_value(image, training)
        or _of_other_light(image, training)
        or _of_other_colour(image, training)
    )


def _of_one_value(image: Looks, training: Looks) -> str:
    pairs = [(mine, theirs) for mine, theirs in zip(image.bands, training.bands, strict=True) if theirs.range]
    if not pairs or any(mine.most - mine.least > LEAST_CONTRAST * theirs.range for mine, theirs in pairs):
        return ""
    values = sorted({f"{mine.middle:.4g}" for mine, _ in pairs})
    return f"hardly any contrast (values near {' and '.join(values[:3])})"


def _of_another_scale(image: Looks, training: Looks) -> str:
    mine, theirs = image.greatest, training.greatest
    if not theirs or 1 / OTHER_SCALE <= mine / theirs <= OTHER_SCALE:
        return ""
    return f"values of another scale (up to {mine:.4g}, and up to {theirs:.4g} in training)"


def _of_other_light(image: Looks, training: Looks) -> str:
    for number, (mine, theirs) in enumerate(zip(image.bands, training.bands, strict=True), start=1):
        margin = max(BEYOND * theirs.range, BEYOND_OF_GREATEST * training.greatest)
        dim = mine.high < theirs.low and mine.middle < DIM * theirs.low
        if dim or not theirs.low - margin <= mine.middle <= theirs.high + margin:
            word = "darker" if mine.middle < theirs.low else "brighter"
            where = f"in band {number}, " if len(image.bands) > 1 else ""
            return (
                f"far {word} ({where}middle value {mine.middle:.4g}, training from {theirs.low:.4g} to "
                f"{theirs.high:.4g})"
            )
    return ""


def _of_other_colour(image: Looks, training: Looks) -> str:
    if image.colour is None or training.colour is None:
        return ""
    extent = max(band.range for band in training.bands[:COLOUR_BANDS])
    if not extent:
        return ""
    if image.colour[1] <= GREY * extent and training.colour[0] >= COLOURED * extent:
        return "grey, and the training images are coloured"
    if training.colour[1] <= GREY * extent and image.colour[0] >= COLOURED * extent:
        return "coloured, and the training images are grey"
    return ""

"""Normalisation: how the numbers of training images become those that a network's weights were made for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never, cast, get_args

import numpy as np
from numpy.typing import NDArray

from detect.nets.bounds import GREATEST, LEAST_SCALE
from detect.nets.facts.looks import Looks

Rule = Literal["auto", "dtype", "percentiles", "mean_std", "imagenet"]
"""How a normalisation is found."""

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's photographs in [0, 1]: red, green and blue."""

BYTE = 255.0
"""Greatest value of eight bits, for which networks' own normalisations are made."""

RULES = get_args(Rule)

Numbers = tuple[float, ...]


def read_rule(value: object) -> "Rule | Given":
    """Read the setting `data.normalisation`: the name of a rule, or a group of a list of means and one of stds.

    Raises:
        ValueError: it is something else.
    """
    if isinstance(value, str) and value in RULES:
        return cast("Rule", value)
    if isinstance(value, Mapping) and {"mean", "std"} <= set(value):
        return Given(*(_numbers(name, value[name]) for name in ("mean", "std")))
    raise ValueError(f"must be one of {', '.join(RULES)}, or {{mean: [...], std: [...]}}, got {value}")


def _numbers(name: str, values: object) -> Numbers:
    of_numbers = isinstance(values, list) and all(isinstance(each, int | float) for each in values)
    if not of_numbers or any(isinstance(each, bool) for each in cast("list[float]", values)):
        raise ValueError(f"must have a list of numbers as its {name}, got {values}")
    return tuple(map(float, cast("list[float]", values)))


@dataclass(frozen=True)
class Given:
    """Statistics that a person gives: a number for all bands, or one a band.

    Attributes:
        mean, std: in values of the images.

    Raises:
        ValueError: numbers of different length, or a deviation that is not positive.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.mean or len(self.mean) != len(self.std):
            raise ValueError(f"must have as many means as stds, got {list(self.mean)} and {list(self.std)}")
        if not all(abs(value) <= GREATEST for value in self.mean):
            raise ValueError(f"must have finite means, got {list(self.mean)}")
        if not all(LEAST_SCALE <= value <= GREATEST for value in self.std):
            raise ValueError(f"must have positive stds, got {list(self.std)}")

    def for_bands(self, number: int) -> tuple[Numbers, Numbers]:
        """Return mean and deviation of each of a number of bands.

        Raises:
            ValueError: they are of another number of bands.
        """
        if len(self.mean) not in (1, number):
            raise ValueError(
                f"data.normalisation has {len(self.mean)} means, and {number} bands are read (data.bands); give one "
                "for all, or one a band"
            )
        return (self.mean * number, self.std * number) if len(self.mean) == 1 else (self.mean, self.std)


@dataclass(frozen=True)
class ValueRange:
    """The usual values of training images, a number a band: what 0 and 255 are to eight bits.

    Attributes:
        low, high: of each band; high is above low.
    """

    low: Numbers
    high: Numbers

    @classmethod
    def of_dtype(cls, dtype: str, bands: int) -> "ValueRange":
        """Return all values that a type of whole numbers has, and 0 to 1 of others."""
        if np.dtype(dtype).kind == "f":
            return cls((0.0,) * bands, (1.0,) * bands)
        info = np.iinfo(dtype)
        return cls((float(info.min),) * bands, (float(info.max),) * bands)

    @classmethod
    def of_looks(cls, looks: Looks) -> "ValueRange":
        """Return the percentiles of training images; of a band of one value, one step more."""
        low = tuple(band.low for band in looks.bands)
        return cls(low, tuple(band.high if band.range > 0 else band.low + 1.0 for band in looks.bands))

    @property
    def extent(self) -> NDArray[np.float64]:
        """Return high - low of each band."""
        return np.array(self.high) - np.array(self.low)

    def scaled(self, offset: Sequence[float], scale: Sequence[float]) -> tuple[Numbers, Numbers]:
        """Return the normalisation of these values that is (x - offset) / scale of the same in [0, 255]."""
        per_byte = self.extent / BYTE
        made = np.array(self.low) + np.array(offset) * per_byte, np.maximum(np.array(scale) * per_byte, LEAST_SCALE)
        return tuple(made[0].tolist()), tuple(made[1].tolist())


def chosen_rule(rule: Rule, dtype: str) -> Rule:
    """Return what `auto` takes: the whole range of 8-bit images, and the percentiles of others."""
    if rule != "auto":
        return rule
    return "dtype" if dtype == "uint8" else "percentiles"


def value_range(rule: Rule | Given, dtype: str, looks: Looks) -> ValueRange:
    """Return the values of training images that stand for 0 and 255: by type where that is the rule, else measured."""
    if not isinstance(rule, Given) and chosen_rule(rule, dtype) in ("dtype", "imagenet"):
        return ValueRange.of_dtype(dtype, len(looks.bands))
    return ValueRange.of_looks(looks)


@dataclass(frozen=True)
class TrainingValues:
    """What training images look like, and how their values are normalised.

    Attributes:
        rule: the setting.
        dtype: numpy name of the pixels' type.
        looks: of the training images' valid pixels.
        deviation: standard deviation of each band's valid pixels.
    """

    rule: Rule | Given
    dtype: str
    looks: Looks
    deviation: Numbers

    @classmethod
    def of(cls, values: NDArray[np.generic], rule: Rule | Given) -> "TrainingValues":
        """Measure valid pixels (bands, n) of training images.

        Raises:
            ValueError: there are none, or one is not finite.
        """
        numbers = values.astype(np.float64)
        if not np.isfinite(numbers).all():
            raise ValueError("the training images hold NaN or infinite pixels; replace them first")
        looks = Looks.of(values)
        if looks is None:
            raise ValueError("the training images have no valid pixels")
        return cls(rule, str(values.dtype), looks, tuple(numbers.std(axis=1).tolist()))

    @property
    def range(self) -> ValueRange:
        """Return the values that stand for 0 and 255."""
        return value_range(self.rule, self.dtype, self.looks)

    def normalisation(self, offset: Sequence[float], scale: Sequence[float]) -> tuple[Numbers, Numbers]:
        """Return offset and scale of each band: the network takes (x - offset) / scale.

        Args:
            offset: of the network's weights, for values in [0, 255].
            scale: of the same.

        Raises:
            ValueError: given statistics of another number of bands.
        """
        number = len(self.looks.bands)
        if isinstance(self.rule, Given):
            return self.rule.for_bands(number)
        rule = chosen_rule(self.rule, self.dtype)
        match rule:
            case "dtype" if self.dtype == "uint8":
                return tuple(offset), tuple(scale)
            case "dtype" | "percentiles":
                return self.range.scaled(offset, scale)
            case "mean_std":
                mean = tuple(band.mean for band in self.looks.bands)
                return mean, tuple(max(value, 1e-6) for value in self.deviation)
            case "imagenet":
                return self.range.scaled(*_imagenet(number))
            case "auto":
                raise AssertionError("auto is one of the others")
            case _:
                assert_never(rule)

    def sentence(self) -> str:
        """Return how values are normalised, for the log."""
        low, high = (", ".join(f"{value:.4g}" for value in values) for values in (self.range.low, self.range.high))
        if isinstance(self.rule, Given):
            return f"pixels are {self.dtype}, normalised by the given mean and std"
        rule = chosen_rule(self.rule, self.dtype)
        how = {
            "dtype": f"by the range of {self.dtype}",
            "percentiles": f"by the training images' 1st and 99th percentiles ({low} to {high})",
            "mean_std": "by the training images' mean and standard deviation",
            "imagenet": f"by ImageNet's mean and standard deviation of {self.dtype}'s range",
        }[rule]
        chosen = " (data.normalisation=auto)" if self.rule == "auto" else ""
        return f"pixels are {self.dtype}, normalised {how}{chosen}"


def _imagenet(bands: int) -> tuple[Numbers, Numbers]:
    """Return ImageNet's mean and deviation in [0, 255] for each band; their means for others than three."""
    mean, std = np.array(IMAGENET_MEAN) * BYTE, np.array(IMAGENET_STD) * BYTE
    if bands != len(mean):
        mean, std = np.full(bands, mean.mean()), np.full(bands, std.mean())
    return tuple(mean.tolist()), tuple(std.tolist())

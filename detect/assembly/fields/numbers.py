"""Settings that are numbers, and their bounds."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, PlainValidator

from detect.imagery.resampling import LARGEST_FACTOR


def bound(must: str, holds: Callable[[Any], bool]) -> AfterValidator:
    """Return what refuses a value for which something does not hold; `must` says what it must be."""

    def check(value: Any) -> Any:
        if not holds(value):
            raise ValueError(f"must be {must}, got {value}")
        return value

    return AfterValidator(check)


Share = Annotated[float, bound("in [0, 1]", lambda value: 0 <= value <= 1)]

PartShare = Annotated[float, bound("in [0, 1)", lambda value: 0 <= value < 1)]

InnerShare = Annotated[float, bound("in (0, 1)", lambda value: 0 < value < 1)]

WholeShare = Annotated[float, bound("in (0, 1]", lambda value: 0 < value <= 1)]

IoU = Annotated[float, bound("in (0, 1]", lambda value: 0 < value <= 1)]

Scale = Annotated[
    float,
    bound(
        f"in [1/{LARGEST_FACTOR:g}, {LARGEST_FACTOR:g}]", lambda value: 1 / LARGEST_FACTOR <= value <= LARGEST_FACTOR
    ),
]

Positive = Annotated[float, bound("positive", lambda value: 0 < value < float("inf"))]

NotNegative = Annotated[float, bound("0 or more", lambda value: 0 <= value < float("inf"))]

OneOrMore = Annotated[int, bound("1 or more", lambda value: value >= 1)]

ZeroOrMore = Annotated[int, bound("0 or more", lambda value: value >= 0)]

Seed = Annotated[int, bound("in [0, 4294967295]", lambda value: 0 <= value < 1 << 32)]

Port = Annotated[int, bound("a port from 0 (a free one) to 65535", lambda value: 0 <= value < 1 << 16)]

Steps = Annotated[int, bound("1 or more, or -1 for no limit", lambda value: value == -1 or value >= 1)]
"""A greatest number of steps."""

Batches = Annotated[int | float, bound("a number of batches, or a share of them in (0, 1]", lambda value: value > 0)]
"""A part of an epoch: whole batches, or a share of them."""

Factors = Annotated[
    tuple[Scale, ...], bound("one factor or more, none of them 1", lambda value: value and 1 not in value)
]
"""Factors of other sizes of an image."""


def _number_or_auto(value: Any) -> float | None:
    if value in ("auto", None):
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f"must be a number, or auto, got {value}")


AutoNumber = Annotated[float | None, PlainValidator(_number_or_auto)]
"""A number, None for `auto`."""


def _pixels_or_auto(value: Any) -> float | None:
    number = _number_or_auto(value)
    if number is not None and not number >= 0:
        raise ValueError(f"must be auto or a number of pixels, got {value}")
    return number


AutoPixels = Annotated[float | None, PlainValidator(_pixels_or_auto)]
"""A number of pixels, None for `auto`."""

AutoPositive = Annotated[
    float | None,
    PlainValidator(_number_or_auto),
    bound("positive, or auto", lambda value: value is None or 0 < value < float("inf")),
]
"""A positive number, None for `auto`."""


def _whole_pixels_or_auto(value: Any) -> int | None:
    if value in ("auto", None):
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"must be whole pixels, or auto, got {value}")
    return value


AutoWholePixels = Annotated[int | None, PlainValidator(_whole_pixels_or_auto)]
"""A whole number of pixels, None for `auto`."""


def _number_of_or_auto(value: Any) -> int | None:
    if value in ("auto", None):
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"must be 1 or more, or auto, got {value}")
    return value


AutoOneOrMore = Annotated[int | None, PlainValidator(_number_of_or_auto)]
"""A whole number of 1 or more, None for `auto`."""

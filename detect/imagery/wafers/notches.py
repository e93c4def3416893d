"""The side of a wafer at which its notch or flat lies, and places turned so that it lies at another."""

import numpy as np
from numpy.typing import NDArray

AS_GIVEN = "as_given"
"""What is said instead of a side where places are not turned."""

SIDES = ("right", "up", "left", "down")
"""Sides of a wafer, each a quarter turn further, counter-clockwise."""

NOT_SAID = "no side is said at which the notch or flat lies, so that it is not turned"
"""How a remark on such a list begins."""

_OTHER_NAMES = {"bottom": "down", "top": "up", "0": "down", "180": "up"}
"""Numbers are degrees, of KLARF 1.8; to which side others than these are counted, files do not say."""


def check_notch(notch: str, name: str) -> None:
    """Check that a side is one, or `AS_GIVEN`.

    Raises:
        ValueError: it is neither; names the setting.
    """
    if notch not in (AS_GIVEN, *SIDES):
        raise ValueError(f"{name} must be {AS_GIVEN} or a side ({', '.join(SIDES)}), got {notch!r:.40}")


def side_of(mark: str | None) -> str | None:
    """Return the side that an orientation mark, such as "notch down", lies at; None where that is not said."""
    last = (mark or "").lower().split()[-1:]
    side = _OTHER_NAMES.get(*last, *last) if last else None
    return side if side in SIDES else None


def turned(xy: NDArray[np.float64], mark: str | None, notch: str) -> NDArray[np.float64]:
    """Return places turned about the wafer's centre by quarters, without rounding.

    Args:
        xy: (N, 2) from the centre, x to the right and y up.
        mark: the wafer's orientation mark; where it says no side, nothing is turned.
        notch: the side at which the mark is to lie, or `AS_GIVEN`.
    """
    side = side_of(mark)
    if notch == AS_GIVEN or side is None:
        return xy
    x, y = xy.T
    match (SIDES.index(notch) - SIDES.index(side)) % len(SIDES):
        case 1:
            return np.stack([-y, x], axis=1)
        case 2:
            return -xy
        case 3:
            return np.stack([y, -x], axis=1)
        case _:
            return xy

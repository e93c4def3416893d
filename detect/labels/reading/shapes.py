"""Shapes that people draw, as the points and upright boxes that this program counts.

Numbers of a shape come from files of others, so that whatever cannot be used is a `ShapeError` that says why.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from detect.labels.entries import MAX_COORDINATE

POINT, BOX = 2, 4
"""How many numbers a point and a box have: x, y, and xmin, ymin, xmax, ymax in pixels."""


class ShapeError(ValueError):
    """A shape that cannot be used, with the reason."""


def shown(value: Any) -> str:
    """Return a value for a message, long ones by their beginning."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def numbers_of(values: Iterable[Any], what: str) -> tuple[float, ...]:
    """Check that values are numbers that may be places, or texts of such, and return them.

    Raises:
        ShapeError: one is not.
    """
    found = []
    for value in values:
        try:
            number = math.nan if isinstance(value, bool) or "_" in str(value) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise ShapeError(f"{what} must be finite numbers, got {shown(value)}")
        if abs(number) > MAX_COORDINATE:
            raise ShapeError(f"{what}: {shown(value)} is beyond {MAX_COORDINATE:g} pixels and no place in an image")
        found.append(number)
    return tuple(found)


def pairs_of(values: Any, what: str) -> list[tuple[float, float]]:
    """Check that a value is a list of pairs of finite numbers, and return those.

    Raises:
        ShapeError: it is something else, or empty.
    """
    if not isinstance(values, list | tuple) or not values:
        raise ShapeError(f"{what} must be a list of points, got {shown(values)}")
    pairs = []
    for value in values:
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise ShapeError(f"{what} must be pairs of x and y, got {shown(value)}")
        x, y = numbers_of(value, what)
        pairs.append((x, y))
    return pairs


def box_around(points: Sequence[tuple[float, float]]) -> tuple[float, ...]:
    """Return the upright box around points: xmin, ymin, xmax, ymax."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return (min(xs), min(ys), max(xs), max(ys))


def box_of_rectangle(
    corner: tuple[float, float], size: tuple[float, float], degrees: float, *, about_middle: bool
) -> tuple[float, ...]:
    """Return the upright box around a turned rectangle.

    Args:
        corner: x and y of its first corner before the turn.
        size: its width and height.
        degrees: the turn, clockwise as an image is seen (y down).
        about_middle: whether it turns about its middle; else about the first corner.
    """
    (x, y), (width, height) = corner, size
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    pivot = (x + width / 2, y + height / 2) if about_middle else (x, y)
    return box_around([turned(point, pivot, degrees) for point in corners])


def box_of_ellipse(middle: tuple[float, float], radii: tuple[float, float], degrees: float = 0.0) -> tuple[float, ...]:
    """Return the upright box around an ellipse that is turned clockwise, y down, about its middle.

    Raises:
        ShapeError: a radius is negative.
    """
    if min(radii) < 0:
        raise ShapeError(f"radii must not be negative, got {radii[0]:g} and {radii[1]:g}")
    angle = math.radians(degrees % 360)
    half_x = math.hypot(radii[0] * math.cos(angle), radii[1] * math.sin(angle))
    half_y = math.hypot(radii[0] * math.sin(angle), radii[1] * math.cos(angle))
    x, y = middle
    return (x - half_x, y - half_y, x + half_x, y + half_y)


def turned(point: tuple[float, float], pivot: tuple[float, float], degrees: float) -> tuple[float, float]:
    """Return a point turned clockwise, y down, about another."""
    quarter = degrees % 360 / 90
    if quarter.is_integer():
        cos, sin = [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)][int(quarter) % 4]
    else:
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = point[0] - pivot[0], point[1] - pivot[1]
    return (pivot[0] + x * cos - y * sin, pivot[1] + x * sin + y * cos)

"""What windows of the training scenes look like: a bounded sample, kept on a card, to judge images by."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.nets.bounds import GREATEST, MOST_BANDS, MOST_PIXELS, check_number, check_whole, shown

MOST_WINDOWS, MOST_SCENES = 512, 128
"""Most windows of all scenes together, and most scenes."""

OCTAVES = 3
"""Ratios of detail that describe a window's texture."""

MOST_CONTENT = 64
"""Most numbers that describe a window's content."""

CHANGES = {
    "darker": "light",
    "brighter": "light",
    "softened": "blur",
    "blurred": "blur",
    "larger": "scale",
    "smaller": "scale",
}
"""Known changes of windows, and in what an image is unlike that differs so."""

DIGITS = 4
"""Decimals that are kept: differences between windows are larger by far."""

Rows = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class WindowLooks:
    """Windows spread evenly over the training scenes.

    Attributes:
        scene: the number of each window's scene, from 0; parts of a single one count as scenes.
        light: of each window (bands + 1): the mean of each band, 0 and 1 being the low and the high percentile of the
            training images, and the logarithm of the contrast.
        texture: of each window (`OCTAVES`): how much detail there is at each octave beside the next coarser one.
        content: of each window (at most `MOST_CONTENT`): the backbone's features, averaged over it.
        changes: how texture and content differ, on average, where windows are changed as of `CHANGES`.
        object_sizes: the 5th, 50th and 95th percentile of the sides of objects in resampled pixels; None of points.

    Raises:
        TypeError, ValueError: numbers out of their bounds, or of other lengths than each other.
    """

    scene: tuple[int, ...]
    light: Rows
    texture: Rows
    content: Rows
    changes: Mapping[str, tuple[float, ...]]
    object_sizes: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        check_whole("windows of what training scenes look like", len(self.scene), 1, MOST_WINDOWS)
        for number in self.scene:
            check_whole("scene of a window", number, 0, MOST_SCENES - 1)
        if set(self.scene) != set(range(max(self.scene) + 1)) or max(self.scene) < 1:
            raise ValueError("scenes of windows must be two or more, numbered from 0 without a gap")
        width = _check_rows("light", self.light, len(self.scene), 2, MOST_BANDS + 1)
        _check_rows("texture", self.texture, len(self.scene), OCTAVES, OCTAVES)
        width = _check_rows("content", self.content, len(self.scene), 1, MOST_CONTENT)
        if set(self.changes) != set(CHANGES):
            raise ValueError(f"changes must be {', '.join(CHANGES)}, got {shown(', '.join(map(str, self.changes)))}")
        _check_rows("changes", tuple(self.changes.values()), len(CHANGES), OCTAVES + width, OCTAVES + width)
        self._check_sizes()

    def _check_sizes(self) -> None:
        if self.object_sizes is None:
            return
        if len(self.object_sizes) != 3:
            raise ValueError(f"object_sizes must be three, got {len(self.object_sizes)}")
        for size in self.object_sizes:
            check_number("size of objects", size, 0, MOST_PIXELS)
        if list(self.object_sizes) != sorted(self.object_sizes):
            raise ValueError(f"object_sizes must rise, got {shown(', '.join(map(str, self.object_sizes)))}")

    @classmethod
    def of(
        cls,
        scene: Sequence[int],
        light: NDArray[np.floating],
        texture: NDArray[np.floating],
        content: NDArray[np.floating],
        changes: Mapping[str, NDArray[np.floating]],
        object_sizes: tuple[float, float, float] | None,
    ) -> "WindowLooks":
        """Make it of arrays, rounded to `DIGITS` decimals."""
        differences = {name: _rows(each[None])[0] for name, each in changes.items()}
        numbers = tuple(map(int, scene))
        return cls(numbers, _rows(light), _rows(texture), _rows(content), differences, object_sizes)

    @classmethod
    def from_data(cls, data: Any) -> "WindowLooks":
        """Read what `dataclasses.asdict` makes.

        Raises:
            TypeError, ValueError, KeyError: it is something else.
        """
        names = {"scene", "light", "texture", "content", "changes", "object_sizes"}
        if not isinstance(data, dict) or set(data) != names:
            raise TypeError(f"looks of windows must have {', '.join(sorted(names))}, got {shown(data)}")
        if not isinstance(data["scene"], list) or not isinstance(data["changes"], dict):
            raise TypeError("looks of windows must have a list of scenes, and changes by name")
        sizes = data["object_sizes"]
        if sizes is not None and not isinstance(sizes, list):
            raise TypeError(f"object_sizes must be a list, got {shown(sizes)}")
        light, texture, content = (_read_rows(name, data[name]) for name in ("light", "texture", "content"))
        changes = dict(zip(data["changes"], _read_rows("changes", list(data["changes"].values())), strict=True))
        three: Any = None if sizes is None else tuple(sizes)
        return cls(tuple(data["scene"]), light, texture, content, changes, three)

    def to_data(self) -> dict[str, Any]:
        """Return plain values, as `from_data` reads them."""
        return asdict(self)


def _rows(values: NDArray[np.floating]) -> Rows:
    return tuple(map(tuple, np.round(values.astype(np.float64), DIGITS).tolist()))


def _read_rows(name: str, rows: Any) -> Rows:
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise TypeError(f"{name} of windows must be lists of numbers, got {shown(rows)}")
    return tuple(map(tuple, rows))


def _check_rows(name: str, rows: Rows, number: int, least: int, most: int) -> int:
    """Check numbers of windows, and return how many each has."""
    if len(rows) != number:
        raise ValueError(f"{name} must be of {number} rows, got {len(rows)}")
    width = len(rows[0])
    check_whole(f"numbers of {name}", width, least, most)
    for row in rows:
        if len(row) != width:
            raise ValueError(f"rows of {name} must be of {width} numbers, got one of {len(row)}")
        for value in row:
            check_number(name, value, -GREATEST, GREATEST)
    return width

"""What windows of the training scenes look like: a bounded sample, kept on a card, to judge images by."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.nets.bounds import GREATEST, MOST_BANDS, MOST_PIXELS, check_number, check_whole, shown

MOST_WINDOWS, MOST_PIECES = 512, 128
"""Most windows of all images together, and most pieces of images."""

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
        piece: the number of the piece that each window is of, from 0: an image, or of few images a quarter.
        image: the number of the image that each window is of.
        light: of each window (bands + 1): the mean of each band, 0 and 1 being the low and the high percentile of the
            training images, and the logarithm of the contrast.
        texture: of each window (`OCTAVES`): how much detail there is at each octave beside the next coarser one.
        content: of each window (at most `MOST_CONTENT`): the backbone's features, averaged over it.
        changes: how texture and content differ, on average, where windows are changed as of `CHANGES`.
        object_sizes: the 5th, 50th and 95th percentile of the sides of objects in resampled pixels; None of points.

    Raises:
        TypeError, ValueError: numbers out of their bounds, or of other lengths than each other.
    """

    piece: tuple[int, ...]
    image: tuple[int, ...]
    light: Rows
    texture: Rows
    content: Rows
    changes: Mapping[str, tuple[float, ...]]
    object_sizes: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        number = len(self.piece)
        check_whole("windows of what training scenes look like", number, 1, MOST_WINDOWS)
        check_whole("numbers of windows' images", len(self.image), number, number)
        for each in (*self.piece, *self.image):
            check_whole("piece or image of a window", each, 0, MOST_PIECES - 1)
        if set(self.piece) != set(range(max(self.piece) + 1)) or max(self.piece) < 1:
            raise ValueError("pieces of windows must be two or more, numbered from 0 without a gap")
        if len(set(self.image)) < 2:
            raise ValueError("windows must be of two images or more")
        if len(set(zip(self.piece, self.image, strict=True))) != max(self.piece) + 1:
            raise ValueError("a piece of windows must be of one image")
        _check_rows("light", self.light, number, 2, MOST_BANDS + 1)
        _check_rows("texture", self.texture, number, OCTAVES, OCTAVES)
        width = _check_rows("content", self.content, number, 1, MOST_CONTENT)
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
        piece: Sequence[int],
        image: Sequence[int],
        light: NDArray[np.floating],
        texture: NDArray[np.floating],
        content: NDArray[np.floating],
        changes: Mapping[str, NDArray[np.floating]],
        object_sizes: tuple[float, float, float] | None,
    ) -> "WindowLooks":
        """Make it of arrays, rounded to `DIGITS` decimals."""
        differences = {name: _rows(each[None])[0] for name, each in changes.items()}
        pieces, images = tuple(map(int, piece)), tuple(map(int, image))
        return cls(pieces, images, _rows(light), _rows(texture), _rows(content), differences, object_sizes)

    @classmethod
    def from_data(cls, data: Any) -> "WindowLooks":
        """Read what `dataclasses.asdict` makes.

        Raises:
            TypeError, ValueError, KeyError: it is something else.
        """
        names = {"piece", "image", "light", "texture", "content", "changes", "object_sizes"}
        if not isinstance(data, dict) or set(data) != names:
            raise TypeError(f"looks of windows must have {', '.join(sorted(names))}, got {shown(data)}")
        if not all(isinstance(data[name], list) for name in ("piece", "image")) or not isinstance(
            data["changes"], dict
        ):
            raise TypeError("looks of windows must have lists of pieces and images, and changes by name")
        sizes = data["object_sizes"]
        if sizes is not None and not isinstance(sizes, list):
            raise TypeError(f"object_sizes must be a list, got {shown(sizes)}")
        light, texture, content = (_read_rows(name, data[name]) for name in ("light", "texture", "content"))
        changes = dict(zip(data["changes"], _read_rows("changes", list(data["changes"].values())), strict=True))
        three: Any = None if sizes is None else tuple(sizes)
        return cls(tuple(data["piece"]), tuple(data["image"]), light, texture, content, changes, three)

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

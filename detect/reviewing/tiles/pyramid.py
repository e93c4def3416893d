"""Deep zoom: the levels of an image, each half of the one above it, cut into tiles; geometry alone, no pixels.

The numbering is that of Microsoft's Deep Zoom, which OpenSeadragon reads: level 0 is one pixel, the last is the image.
"""

from dataclasses import dataclass

from detect.imagery.windows import Window

TILE_PX = 256
"""Side of a tile in its own pixels."""


@dataclass(frozen=True)
class Pyramid:
    """The levels of an image.

    Attributes:
        shape: (height, width) of the image in pixels.
    """

    shape: tuple[int, int]

    @property
    def top(self) -> int:
        """The level that is the image itself: the first whose side, doubled from one pixel, is as long as it."""
        return (max(self.shape) - 1).bit_length()

    def factor(self, level: int) -> int:
        """Return how many of the image's pixels make one of a level, along each axis.

        Raises:
            ValueError: there is no such level.
        """
        if not 0 <= level <= self.top:
            raise ValueError(f"there are levels 0 to {self.top}, asked for {level}")
        return 1 << (self.top - level)

    def window(self, level: int, col: int, row: int) -> Window:
        """Return the part of the image that a tile shows.

        Raises:
            ValueError: there is no such tile.
        """
        side = TILE_PX * self.factor(level)
        if not (0 <= col * side < self.shape[1] and 0 <= row * side < self.shape[0]):
            raise ValueError(f"level {level} has no tile in column {col} and row {row}")
        return Window(row * side, col * side, side, side).within(self.shape)


def reduced_shape(window: Window, factor: int) -> tuple[int, int]:
    """Return (height, width) of a window reduced by a factor; a pixel on the far edge may stand for less."""
    return -(-window.height // factor), -(-window.width // factor)

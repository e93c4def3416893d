"""Deep zoom by its own definition: level 0 is a pixel, every level is twice the one before, tiles cover it once."""

import numpy as np
import pytest

from detect.reviewing.tiles.pyramid import TILE_PX, Pyramid, reduced_shape


@pytest.mark.parametrize("side, top", [(1, 0), (2, 1), (3, 2), (256, 8), (257, 9), (32768, 15)])
def test_the_last_level_is_the_image(side, top):
    """2 ** top is the first power of two that is not below the side."""
    assert Pyramid((side, 1)).top == top
    assert Pyramid((1, side)).factor(top) == 1


@pytest.mark.parametrize("level", [9, 10, 11])
def test_the_tiles_of_a_level_cover_every_pixel_once(level):
    pyramid = Pyramid((700, 1100))
    seen = np.zeros((700, 1100), int)
    side = TILE_PX * pyramid.factor(level)
    for row in range(-(-700 // side)):
        for col in range(-(-1100 // side)):
            window = pyramid.window(level, col, row)
            seen[window.row : window.row_stop, window.col : window.col_stop] += 1
            height, width = reduced_shape(window, pyramid.factor(level))
            assert height <= TILE_PX and width <= TILE_PX
    assert (seen == 1).all()


@pytest.mark.parametrize("level, col, row", [(12, 0, 0), (-1, 0, 0), (11, 5, 0), (11, 0, 3), (11, -1, 0)])
def test_what_is_not_there_is_an_error(level, col, row):
    """1100 pixels are 5 tiles of 256 (0 to 4) at the level 11 (2 ** 11 = 2048), 700 are 3."""
    with pytest.raises(ValueError, match="level"):
        Pyramid((700, 1100)).window(level, col, row)

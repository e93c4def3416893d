import numpy as np
import pytest
import shapely

from detect.imagery.ground.squares import grain_of, squares_of_mask, squares_of_outlines
from detect.labels.regions import area_outside, inside_regions


def covered(squares: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """How many squares each pixel is in."""
    number = np.zeros(shape, int)
    for x1, y1, x2, y2 in squares.astype(int):
        number[y1:y2, x1:x2] += 1
    return number


@pytest.mark.parametrize(
    ("shape", "grain"), [((640, 10), 1), ((10, 641), 2), ((3328, 4992), 8), ((100_000, 100_000), 256)]
)
def test_the_finest_squares_are_a_power_of_two_of_which_640_cover_a_side(shape: tuple[int, int], grain: int) -> None:
    """4,992 / 8 = 624; 100,000 / 128 = 782 are too many, / 256 = 391 are not."""
    assert grain_of(shape) == grain


def test_a_mask_of_the_images_size_comes_back_pixel_by_pixel() -> None:
    mask = np.random.default_rng(0).random((61, 83)) < 0.4
    mask[8:40, 16:64] = True
    squares = squares_of_mask(mask, mask.shape)
    assert np.array_equal(covered(squares, mask.shape), mask.astype(int))
    assert area_outside(mask.shape, squares) == (~mask).sum()
    assert (squares[:, 2] - squares[:, 0]).max() == 8 and len(squares) < mask.sum() / 2


def test_a_smaller_mask_is_stretched_over_its_image() -> None:
    """Each of its pixels is 8 of the image: the right half of 80 x 48 pixels."""
    mask = np.zeros((6, 10), bool)
    mask[:, 5:] = True
    number = covered(squares_of_mask(mask, (48, 80)), (48, 80))
    assert number[:, 40:].min() == number.max() == 1 and number[:, :40].max() == 0


def test_a_polygon_of_a_large_image_is_kept_to_half_a_square() -> None:
    """Of 4,992 x 3,328 pixels squares are 8; the border of the triangle is 4 pixels away from the squares' at most."""
    shape = (3328, 4992)
    triangle = shapely.Polygon([(100, 100), (3000, 400), (900, 3000)])
    squares = squares_of_outlines([triangle], shape)
    xy = np.random.default_rng(1).uniform((0, 0), (4992, 3328), (4000, 2))
    deep = shapely.contains_xy(triangle.buffer(-8), xy)
    far = ~shapely.contains_xy(triangle.buffer(8), xy)
    within = inside_regions(xy, squares)
    assert within[deep].all() and not within[far].any()
    assert shape[0] * shape[1] - area_outside(shape, squares) == pytest.approx(triangle.area, rel=0.002)


def test_polygons_overlap_reach_beyond_the_image_and_have_holes() -> None:
    ring = shapely.box(2, 2, 20, 20) - shapely.box(5, 5, 9, 9)
    squares = squares_of_outlines([ring, shapely.box(10, -50, 99, 4)], (30, 30))
    expected = np.zeros((30, 30), int)
    expected[2:20, 2:20] = 1
    expected[5:9, 5:9] = 0
    expected[:4, 10:] = 1
    assert np.array_equal(covered(squares, (30, 30)), expected)
    assert squares_of_outlines([shapely.Polygon()], (30, 30)).shape == (0, 4)

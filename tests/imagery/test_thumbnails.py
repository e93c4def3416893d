"""The preview of a scene, made of the cores of tiles."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.imagery.thumbnails import Preview, reduced_shape, thumbnail
from detect.imagery.windows import Tiling, Window


def together(pixels: np.ndarray, core: tuple[int, int], longest_side: int, order: Random) -> np.ndarray:
    preview = Preview(len(pixels), pixels.shape[1:], longest_side, str(pixels.dtype))
    cores = list(Tiling(pixels.shape[1:], core))
    order.shuffle(cores)
    for at in cores:
        preview.add(at, pixels[:, at.row : at.row_stop, at.col : at.col_stop])
    return preview.finished()


@given(
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    core=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    longest_side=st.integers(1, 100),
    order=st.randoms(use_true_random=False),
    dtype=st.sampled_from(["uint8", "uint16", "float32"]),
)
@settings(deadline=None)
def test_a_preview_does_not_depend_on_the_tiles_nor_on_their_order(
    shape: tuple[int, int], core: tuple[int, int], longest_side: int, order: Random, dtype: str
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, *shape)).astype(dtype)
    found = together(pixels, core, longest_side, order)
    whole = together(pixels, shape, longest_side, Random(0))
    assert found.dtype == pixels.dtype and max(found.shape[1:]) <= longest_side
    np.testing.assert_array_equal(found, whole)


def test_a_preview_by_hand() -> None:
    """5 x 4 pixels at a longest side of 3: squares of 2, the last row of them half a square.

    0 to 19 in rows of 4: (0 + 1 + 4 + 5) / 4 = 2.5, which is rounded to the even 2; (16 + 17) / 2 = 16.5, to 16.
    """
    pixels = np.arange(20, dtype=np.uint8).reshape(1, 5, 4)
    assert together(pixels, (3, 3), 3, Random(1)).tolist() == [[[2, 4], [10, 12], [16, 18]]]
    assert together(pixels.astype(np.float32), (1, 4), 3, Random(2)).tolist() == [
        [[2.5, 4.5], [10.5, 12.5], [16.5, 18.5]]
    ]


@pytest.mark.parametrize("side", [1, 7, 40])
def test_flat_ground_stays_what_it_is_at_any_reduction(side: int) -> None:
    pixels = np.full((1, 300, 211), 77, np.uint8)
    found = together(pixels, (64, 48), side, Random(0))
    assert (found == 77).all() and max(found.shape) <= side


def test_large_squares_are_averages_of_part_of_their_pixels() -> None:
    """A ramp from 0 to 239 in columns, at a tenth: squares of 10, of which columns 0, 2, 4, 6, 8 are sampled."""
    pixels = np.broadcast_to(np.arange(240, dtype=np.float32), (1, 240, 240)).copy()
    found = together(pixels, (70, 50), 24, Random(3))
    np.testing.assert_allclose(found[0, 0], np.arange(24) * 10 + 4)


def test_a_window_without_sampled_pixels_adds_nothing() -> None:
    preview = Preview(1, (100, 100), 10, "uint8")
    before = Window(1, 1, 1, 1)
    preview.add(before, np.full((1, 1, 1), 200, np.uint8))
    preview.add(Window(0, 0, 1, 100), np.full((1, 1, 100), 50, np.uint8))
    assert preview.finished().max() <= 50


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((3328, 4992), (1110, 1664)),  # 2.44 times too long: a third is 0.81 of 2048
        ((3000, 4000), (1500, 2000)),  # 1.95: a half
        ((2000, 3000), (1365, 2048)),  # 1.46: a half would be 0.73 of 2048, so it is 2000 * 2048 / 3000
        ((640, 640), (640, 640)),
        ((8193, 1), (1639, 1)),  # 4.0005: a fifth, 0.8002 of 2048
    ],
)
def test_a_preview_is_reduced_by_a_whole_factor_where_that_loses_a_fifth_at_most(
    shape: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert reduced_shape(shape, 2048) == expected


@given(height=st.integers(1, 60_000), width=st.integers(1, 60_000), longest=st.integers(1, 4096))
def test_a_preview_is_as_long_as_is_asked_and_not_much_shorter(height: int, width: int, longest: int) -> None:
    """At most as long, and of what is as long as that at least 0.8; an image that is shorter keeps its size."""
    small = reduced_shape((height, width), longest)
    assert min(small) >= 1 and max(small) <= max(longest, 1)
    assert max(small) >= 0.8 * min(longest, max(height, width))


@pytest.mark.parametrize(
    ("hw", "expected"),
    [
        ((640, 320), (320, 160)),  # a half
        ((1000, 2048), (143, 293)),  # 6.4: a seventh, 1000 / 7 = 142.9 and 2048 / 7 = 292.6, is 0.91 of 320
        ((350, 400), (280, 320)),  # 1.25: a half would be 0.63 of 320, so it is 350 / 1.25
        ((4097, 3), (316, 1)),  # 12.8: a thirteenth
    ],
)
def test_a_thumbnail_is_as_large_as_a_preview_and_has_the_averages_of_what_it_stands_for(
    hw: tuple[int, int], expected: tuple[int, int]
) -> None:
    """Every row is 2 brighter than the last, round and round: reduced by averages, its mean stays."""
    rows = (np.arange(hw[0]) * 2 % 200).astype(np.uint8)
    picture = np.broadcast_to(rows[:, None, None], (*hw, 3)).copy()
    small = thumbnail(picture, 320)
    assert small.shape[:2] == reduced_shape(hw, 320) == expected
    assert small.mean() == pytest.approx(picture.mean(), abs=1)
    assert thumbnail(small, 320) is small


def test_a_thumbnail_by_a_half_is_of_means_of_four() -> None:
    """0, 100, 200 and 100 are 100 on average."""
    picture = np.tile(np.array([[0, 100], [200, 100]], np.uint8)[..., None], (320, 320, 3))
    assert np.unique(thumbnail(picture, 320)).tolist() == [100]

"""Where pixels go: the arithmetic of moves, on dots."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.samples.varying.interleaved import interleaved, planes_of
from detect.samples.varying.moves import CONSTANT, Move, Sampling, merged

LINEAR, MIRRORED = 1, 4
TURN = np.array([[0, -1, 9.0], [1, 0, 0], [0, 0, 1]])
"""A quarter turn clockwise of an image of 10 rows: (x, y) of a pixel's middle goes to (9 - y, x)."""


def dot(row: int, col: int, hw: tuple[int, int] = (10, 12)) -> np.ndarray:
    image = np.zeros((1, *hw), np.uint8)
    image[0, row, col] = 200
    return image


def place(planes: np.ndarray) -> tuple[int, int]:
    row, col = np.unravel_index(planes[0].argmax(), planes[0].shape)
    return int(row), int(col)


def test_a_quarter_turn_takes_a_dot_and_its_label_to_the_same_place() -> None:
    """The dot in row 2, column 7, whose middle is (7.5, 2.5), goes to row 7, column 9 - 2 = 7: (7.5, 7.5)."""
    turn = Move(TURN, (12, 10), None)
    made = turn.planes(dot(2, 7))
    assert made.shape == (1, 12, 10) and place(made) == (7, 7) and made.sum() == 200
    np.testing.assert_allclose(turn.points(np.array([[7.5, 2.5], [0, 0]])), [[7.5, 7.5], [10, 0]])
    np.testing.assert_array_equal(turn.mask(dot(2, 7)[0] > 0), made[0] > 0)
    np.testing.assert_array_equal(made, np.rot90(dot(2, 7), -1, (1, 2)))


def test_a_shift_by_whole_pixels_interpolates_nothing_and_fills_what_it_uncovers() -> None:
    shift = Move(np.array([[1, 0, 3.0], [0, 1, -1], [0, 0, 1]]), (10, 12), Sampling(LINEAR, CONSTANT, 9.0))
    made = shift.planes(dot(2, 7))
    assert place(made) == (1, 10) and made[0, 1, 10] == 200
    assert (made[0, :, :3] == 9).all() and (made[0, -1] == 9).all() and made[0, 0, 5] == 0
    np.testing.assert_allclose(shift.points(np.array([[7.5, 2.5]])), [[10.5, 1.5]])
    assert not shift.mask(np.ones((10, 12), bool))[:, :3].any()


def test_half_a_pixel_is_the_mean_of_two() -> None:
    """The value between two pixels of 0 and 200."""
    half = Move(np.array([[1, 0, 0.5], [0, 1, 0], [0, 0, 1]]), (10, 12), Sampling(LINEAR, CONSTANT, 0.0))
    assert half.planes(dot(2, 7))[0, 2, 7:9].tolist() == [100, 100]


def test_a_mirrored_border_continues_the_image() -> None:
    """Reflected without the edge's pixel (OpenCV's number 4): column -1 shows column 1, -2 shows 2."""
    image = np.arange(12, dtype=np.uint8)[None, None].repeat(10, axis=1)
    shift = Move(np.array([[1, 0, 2.0], [0, 1, 0], [0, 0, 1]]), (10, 12), Sampling(LINEAR, MIRRORED, 0.0))
    assert shift.planes(image)[0, 5, :5].tolist() == [2, 1, 0, 1, 2]


@pytest.mark.parametrize("bands", [1, 3, 6])
def test_labels_follow_pixels_under_perspective(bands: int) -> None:
    """A blob's centre of mass is where its label went, to a twentieth of a pixel, in every band."""
    matrix = np.array([[0.9, 0.1, 4.0], [-0.05, 1.1, -2.0], [0.001, 0.0005, 1.0]])
    move = Move(matrix, (96, 96), Sampling(LINEAR, CONSTANT, 0.0))
    rows, cols = np.mgrid[:96, :96] + 0.5
    for x, y in ((30.2, 40.7), (60.0, 25.0), (48.5, 70.5)):
        blob = np.exp(-((cols - x) ** 2 + (rows - y) ** 2) / 8).astype(np.float32)
        for plane in move.planes(np.stack([blob] * bands)):
            centre = (plane * cols).sum() / plane.sum(), (plane * rows).sum() / plane.sum()
            np.testing.assert_allclose(centre, move.points(np.array([[x, y]]))[0], atol=0.05)


def test_two_moves_are_merged_into_the_one_that_does_both() -> None:
    linear = Sampling(LINEAR, CONSTANT, 0.0)
    one = Move(np.array([[1, 0, 2.0], [0, 1, 0], [0, 0, 1]]), (10, 12), linear)
    (both,) = merged([Move(TURN, (12, 10), None), one, one])
    assert place(both.planes(dot(6, 2))) == (2, 3 + 4) and both.hw == (10, 12)
    np.testing.assert_allclose(both.points(np.array([[2.5, 6.5]])), [[7.5, 2.5]])
    nearest = Move(np.eye(3), (10, 12), Sampling(0, CONSTANT, 0.0))
    assert len(merged([one, nearest, nearest])) == 2


@pytest.mark.parametrize("mirrored", [(1, 1), (-1, 1), (1, -1), (-1, -1)])
@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_bands_side_by_side_take_the_same_places(swap: bool, mirrored: tuple[int, int], dtype: str) -> None:
    """The eight symmetries of 10 rows and 12 columns; one pixel more to the right, and half of one, are a warp."""
    hw, (across, down) = ((12, 10) if swap else (10, 12)), mirrored
    turn = [[0, across], [down, 0]] if swap else [[across, 0], [0, down]]
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = turn, [(hw[1] - 1) * (across < 0), (hw[0] - 1) * (down < 0)]
    planes = np.random.default_rng(0).integers(0, 255, (3, 10, 12)).astype(dtype)
    beside = planes_of(interleaved(planes))
    wanted = planes.swapaxes(1, 2) if swap else planes
    wanted = wanted[:, ::down, ::across]
    for lies in (planes, beside):
        np.testing.assert_array_equal(Move(matrix, hw, None).planes(lies), wanted)
    shift = np.array([[1, 0, 1.0], [0, 1, 0], [0, 0, 1]])
    moved = [Move(shift @ matrix, hw, Sampling(LINEAR, CONSTANT, 0.0)).planes(lies) for lies in (planes, beside)]
    np.testing.assert_array_equal(moved[0], moved[1])
    np.testing.assert_array_equal(moved[0][:, :, 1:], wanted[:, :, :-1])


@given(
    turned=st.floats(-np.pi, np.pi),
    scale=st.floats(0.3, 3.0),
    shift=st.tuples(st.floats(-30, 30), st.floats(-30, 30)),
    tilt=st.sampled_from([(0.0, 0.0), (0.004, 0.0), (-0.003, 0.005), (0.05, 0.05)]),
)
@settings(deadline=None, max_examples=60)
def test_what_comes_from_outside_is_marked_as_places_say(
    turned: float, scale: float, shift: tuple[float, float], tilt: tuple[float, float]
) -> None:
    """The middle of a pixel that is made, taken back, lies in one of the image's 20 x 30 pixels or not.

    On its edges, to a hundredth of a pixel, it may be either.
    """
    cos, sin = scale * np.cos(turned), scale * np.sin(turned)
    matrix = np.array([[cos, -sin, 15 + shift[0]], [sin, cos, 10 + shift[1]], [*tilt, 1]])
    matrix = matrix @ [[1, 0, -15], [0, 1, -10], [0, 0, 1]]
    found = Move(matrix, (24, 32), Sampling(LINEAR, MIRRORED, 0.0)).mask(np.ones((20, 30), bool))
    rows, cols = np.mgrid[:24, :32]
    x, y, depth = np.tensordot(np.linalg.inv(matrix), np.stack([cols, rows, np.ones_like(rows)]), 1)
    x, y = (along / np.where(depth > 0.01, depth, 1) for along in (x, y))
    beyond = np.maximum.reduce([-0.5 - x, x - 29.5, -0.5 - y, y - 19.5])
    sure = (depth > 0.01) & (np.abs(beyond) > 0.01)
    np.testing.assert_array_equal(found[sure], (beyond < 0)[sure])

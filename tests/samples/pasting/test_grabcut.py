"""Objects cut out of their ground; patches with an object in the middle are in test_transplant."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detect.samples.pasting.cutouts import cut_box
from detect.samples.pasting.grabcut import cut_object


def disc(middle: tuple[float, float], radius: float, shape: tuple[int, int] = (60, 60)) -> NDArray[np.bool_]:
    rows, cols = np.mgrid[: shape[0], : shape[1]] + 0.5
    return np.hypot(cols - middle[0], rows - middle[1]) < radius


def noise(shape: tuple[int, int] = (60, 60)) -> NDArray[np.uint8]:
    """One band about 50."""
    return np.random.default_rng(0).normal(50, 3, (1, *shape)).astype(np.uint8)


@given(
    kind=st.sampled_from(["uint8", "uint16", "int16", "float32"]),
    swap=st.booleans(),
    rows=st.booleans(),
    cols=st.booleans(),
    factor=st.floats(0.8, 1.25),
    boxed=st.booleans(),
)
@settings(deadline=None, max_examples=40)
def test_law_8_a_piece_is_turned_and_resized_with_its_place(
    kind: str, swap: bool, rows: bool, cols: bool, factor: float, boxed: bool
) -> None:
    """A bright ellipse off the middle of its piece; its middle and sides, measured by eye, are where the piece says."""
    down, across = np.mgrid[:44, :60] + 0.5
    inside = np.hypot((across - 26) / 12, (down - 24) / 8) < 1
    pixels = np.where(inside, 200, 50).astype(kind)[None]
    piece = cut_object(pixels, np.array([26.0, 24.0]), np.array([24.0, 16.0]), feather=0.3 if boxed else None)
    assert piece is not None
    piece = (piece if boxed else piece.cropped()).turned(swap, rows, cols).resized(factor)
    laid = piece.pasted_on(np.full((1, 100, 100), 50, kind), (10, 20))
    assert laid.dtype == kind
    at = np.argwhere(laid[0] > 125)
    np.testing.assert_allclose(at.mean(axis=0)[::-1] + 0.5 - (20, 10), piece.xy, atol=0.5)
    np.testing.assert_allclose(np.ptp(at, axis=0)[::-1] + 1, piece.wh, atol=2)


@pytest.mark.parametrize("wh", [(4, 4), (8, 8), (6, 12), (20, 20), (60, 20), (20, 200), (600, 20), (150, 150)])
def test_boxes_of_every_shape_are_cut_out_without_the_ground_around(wh: tuple[int, int]) -> None:
    """Rectangles of 200 on noise about 50, with the window that a rim of 0.3 has."""
    wide, high = wh
    across, down = (int(np.ceil(0.15 * side)) for side in wh)
    pixels = noise((high + 2 * down, wide + 2 * across))
    pixels[:, down:-down, across:-across] = 200
    xy, sides = np.array([wide / 2 + across, high / 2 + down]), np.array(wh, float)
    for piece in (cut_object(pixels, xy, sides, feather=0.3), cut_box(pixels, xy, sides, 0.3)):
        assert piece is not None and piece.contrast > 100
        assert piece.cover[down + high // 2, across + wide // 2] == pytest.approx(1)
        assert piece.cover[[0, -1]].max() < 0.5 and piece.cover[:, [0, -1]].max() < 0.5
        assert (piece.cover > 0.7).sum() == pytest.approx(wide * high, rel=0.35)


@pytest.mark.parametrize("boxed", [True, False])
def test_an_object_comes_without_its_ground(boxed: bool) -> None:
    """A disc of 20 across in a box of 30, that fills two thirds of its sides."""
    pixels, away = noise(), disc((30, 30), 10)
    pixels[0][away] = 200
    piece = cut_object(pixels, np.array([30.0, 30.0]), np.array([30.0, 30.0]), feather=0.3 if boxed else None)
    assert piece is not None
    assert (piece.cover[disc((30, 30), 9)] > 0.95).all() and (piece.cover[~disc((30, 30), 13)] < 0.02).all()


def test_what_does_not_fill_its_box_has_no_outline() -> None:
    """A disc of a third of the box's side is a part of the object, or not the object."""
    pixels = noise()
    pixels[0][disc((30, 30), 6)] = 200
    xy, wh = np.array([30.0, 30.0]), np.array([36.0, 36.0])
    assert cut_object(pixels, xy, wh, feather=0.3) is None
    assert cut_object(pixels, xy, wh) is not None


def test_neighbours_stay_where_they_are() -> None:
    """Two squares of 24 pixels, side by side: what is nearer to the other's middle is not cut out."""
    pixels = noise()
    pixels[:, 18:42, 6:54] = 200
    args = pixels, np.array([18.0, 30.0]), np.array([36.0, 36.0])
    both, one = cut_object(*args), cut_object(*args, others=[np.array([42.0, 30.0])])
    assert both is not None and both.cover[:, 36:48].max() > 0.9
    assert one is not None and one.cover[:, 34:].max() < 0.02 and one.cover[disc((18, 30), 9)].min() > 0.9

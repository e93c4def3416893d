"""Resampled pixels: known answers, and the law that a part of an axis is that part of the whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.imagery.resampling import Zoom, axis_filter, resample
from detect.imagery.windows import Window


def row(values: list[float], target: int, dtype: str = "float64", nodata: float | None = None) -> list[float | None]:
    """One row of pixels resampled to `target` pixels, None where they are not valid."""
    pixels = np.array(values, dtype).reshape(1, 1, -1)
    valid = None if nodata is None else pixels[0] != nodata
    made, kept = resample(pixels, axis_filter(0, 1, 1, 1), axis_filter(0, target, len(values), target), valid)
    marks = np.ones(target, bool) if kept is None else kept[0]
    return [value if mark else None for value, mark in zip(made[0, 0].tolist(), marks, strict=True)]


def test_a_reduced_pixel_is_the_average_of_what_it_covers() -> None:
    """Of 3 pixels reduced to 2, the first covers 1.5: (0 + 30 / 2) / 1.5 = 10, and (30 / 2 + 90) / 1.5 = 70."""
    assert row([10, 20, 30, 50], 2) == [15, 40]
    assert row([0, 30, 90], 2) == pytest.approx([10, 70])
    assert row([4, 8, 0, 0, 3, 0], 1) == [2.5]


def test_an_enlarged_pixel_is_interpolated_between_its_nearest_two() -> None:
    """The centres of 4 pixels are at 0.25, 0.75, 1.25, 1.75 of 2, whose own centres are at 0.5 and 1.5."""
    assert row([0, 100], 4) == [0, 25, 75, 100]
    assert row([0, 90], 3) == pytest.approx([0, 45, 90])
    assert row([7], 3) == [7, 7, 7]


def test_whole_numbers_are_rounded_and_keep_within_their_range() -> None:
    """(1 + 2 + 2) / 3 is 1.67; the ends of every whole number's range come out as they are."""
    assert row([1, 2, 2, 255, 255, 255], 2, "uint8") == [2, 255]
    for dtype in ("uint8", "int16", "uint16", "int32", "uint32"):
        for end in (np.iinfo(dtype).min, np.iinfo(dtype).max):
            for target in (3, 16):
                assert row([end] * 7, target, dtype) == [end] * target


def test_a_resampled_pixel_is_made_of_valid_ones_and_valid_where_they_are_half_of_it() -> None:
    """Of two pixels one is half: 3 is the average of 3 alone. Of three, one is less."""
    assert row([1, 3, -9999, 5, 6, 8], 3, "float32", -9999) == [2, 5, 7]
    assert row([-9999, 5, -9999, 6, 8, -9999], 2, "float32", -9999) == [None, pytest.approx(7)]
    assert row([0, 4, 4, 4], 8, "uint8", 0) == [None, None, 4, 4, 4, 4, 4, 4]


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_masked_pixel_changes_nothing_of_what_it_is_no_part_of(dtype: str) -> None:
    """To the last digit: a tile with a masked pixel and one without it must read the same where they overlap."""
    rng = np.random.default_rng(0)
    for length, target in ((100, 10), (40, 26), (112, 62), (88, 46), (60, 140)):
        pixels, filter_ = (
            rng.integers(0, 256, (8, length, length)).astype(dtype),
            axis_filter(0, target, length, target),
        )
        valid = np.ones((length, length), bool)
        valid[0, 0] = False
        plain, masked = (resample(pixels, filter_, filter_, marks)[0] for marks in (None, valid))
        assert ((plain != masked)[:, 4:].sum(), (plain != masked)[:, :, 4:].sum()) == (0, 0)


def test_the_factors_of_a_zoom() -> None:
    zoom = Zoom(Window(5, 6, 20, 40), (10, 100))
    assert zoom.factor_xy == (2.5, 0.5)
    with pytest.raises(ValueError, match=r"\b1\b.*\(0, 3\)"):
        Zoom(Window(0, 0, 2, 2), (0, 3))


@given(length=st.integers(1, 200), target=st.integers(1, 200), data=st.data())
@settings(deadline=None)
def test_weights_add_up_and_are_centred_on_the_pixel(length: int, target: int, data: st.DataObject) -> None:
    """Reduced, every source pixel has the same total weight; enlarged, the weights' mean position is pixel i's centre.

    The centre is (i + 0.5) * length / target in the source; at the edges there is no source pixel on one side.
    """
    start = data.draw(st.integers(0, target - 1))
    stop = data.draw(st.integers(start + 1, target))
    filters, whole = axis_filter(start, stop, length, target), axis_filter(0, target, length, target)
    np.testing.assert_array_equal(filters.index, whole.index[start:stop])
    np.testing.assert_array_equal(filters.weight, whole.weight[start:stop])
    np.testing.assert_allclose(whole.weight.sum(axis=1), 1)
    assert (whole.weight >= 0).all() and whole.start >= 0 and whole.stop <= length
    if target < length:
        weight = np.bincount(whole.index.ravel(), whole.weight.ravel(), length)
        np.testing.assert_allclose(weight, target / length)
        return
    middle = (np.arange(target) + 0.5) * length / target
    inner = (middle >= 0.5) & (middle <= length - 0.5)
    np.testing.assert_allclose(((whole.index + 0.5) * whole.weight).sum(axis=1)[inner], middle[inner])

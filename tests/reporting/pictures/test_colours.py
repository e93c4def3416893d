import re

import numpy as np
import pytest

from detect.reporting.pictures.colours import PALETTE, class_colours, probability_colours, span_of, to_display


def test_colours_repeat_after_the_palette():
    names = [str(i) for i in range(len(PALETTE) + 1)]
    colours = class_colours(names)
    assert len(set(PALETTE)) == len(PALETTE)
    assert colours["0"] == PALETTE[0] == colours[names[-1]]


def test_more_probable_is_brighter():
    brightness = probability_colours(np.linspace(0, 1, 11)[None]).astype(int).sum(axis=2)[0]
    assert (np.diff(brightness) > 0).all()


def test_bytes_stay_as_they_are_and_bands_are_chosen():
    pixels = np.arange(4 * 2 * 3, dtype=np.uint8).reshape(4, 2, 3)
    assert (to_display(pixels) == pixels[:3].transpose(1, 2, 0)).all()
    assert (to_display(pixels, bands=(4, 3, 1)) == pixels[[3, 2, 0]].transpose(1, 2, 0)).all()
    assert (to_display(pixels, bands=(2,)) == pixels[1][..., None]).all()


def test_two_bands_show_the_first_in_grey():
    pixels = np.stack([np.full((2, 2), 7, np.uint8), np.full((2, 2), 9, np.uint8)])
    assert (to_display(pixels) == 7).all()


def test_the_first_and_99th_percentile_become_black_and_white():
    pixels = np.arange(101, dtype=np.uint16).reshape(1, 1, 101) * 100
    shown = to_display(pixels)[0, :, 0]
    # percentiles of 0, 100 .. 10000 are 100 and 9900; 5000 is (5000 - 100) / 9800 = 0.5 between them: 127.5
    assert shown[1] == 0 and shown[99] == 255 and shown[100] == 255 and shown[50] in (127, 128)
    assert (np.diff(shown.astype(int)) >= 0).all()


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.int16, bool])
def test_a_constant_image_is_grey(dtype):
    assert (to_display(np.ones((1, 3, 3), dtype)) == 128).all()


def test_a_mask_with_few_true_pixels_is_visible():
    mask = np.zeros((1, 20, 20), bool)
    mask[0, 3, 4] = True
    assert to_display(mask)[3, 4, 0] == 255 and to_display(mask)[0, 0, 0] == 0


def test_nan_infinity_and_nodata_are_black_and_do_not_change_the_stretch():
    pixels = np.array([[[np.nan, np.inf, -9999.0, 0.0, 1.0]]])
    shown = to_display(pixels, nodata=-9999.0)[0, :, 0]
    assert shown.tolist() == [0, 0, 0, 0, 255]
    assert (to_display(np.full((1, 2, 2), np.nan)) == 0).all()


@pytest.mark.parametrize("bands", [(1, 2), (0,), (4,), ()])
def test_bands_that_make_no_picture_are_refused(bands):
    with pytest.raises(ValueError, match=rf"bands.*\[1, 3\].*{re.escape(str(list(bands)))}"):
        to_display(np.zeros((3, 2, 2), np.uint8), bands)


def test_a_plane_without_bands_is_refused():
    with pytest.raises(ValueError, match=r"\(2, 2\)"):
        to_display(np.zeros((2, 2), np.uint8))


def test_a_part_of_an_image_is_stretched_as_the_image_is():
    """The span of 0 to 10,000 in steps of 100 is 100 to 9,900; a part alone would get black and white of its own."""
    pixels = np.arange(101, dtype=np.uint16).reshape(1, 1, 101) * 100
    span = span_of(pixels)
    assert span == (100, 9900) and span_of(pixels.astype(np.uint8)) is None
    whole = to_display(pixels)
    assert (to_display(pixels[:, :, 40:60], spans=[span]) == whole[:, 40:60]).all()


def test_the_span_leaves_out_what_is_no_data():
    values = np.array([np.nan, -1.0, np.inf, 5.0, 5.0])
    assert span_of(values, nodata=-1.0) == (5.0, 5.0)
    assert span_of(values[:3], nodata=-1.0) == (0.0, 0.0)

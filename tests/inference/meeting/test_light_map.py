"""The light of an image, brought to that of the training images."""

import numpy as np
import pytest

from detect.inference.meeting.light_map import LightMap, light_map
from detect.nets.facts.looks import BandLooks, Looks
from tests.inference.meeting.test_sample_windows import reader_of


def looks(*bands: tuple[float, float, float]) -> Looks:
    """Looks of bands of a low end, a mean and a high end."""
    return Looks(tuple(BandLooks(low, low, mean, high, high, mean) for low, mean, high in bands), 100, None)


def test_the_map_by_hand() -> None:
    """From 40..80 with a mean of 50 to 100..200 with one of 120: a gain of 100 / 40, and 120 - 2.5 * 50 = -5."""
    made = LightMap.of(looks((40, 50, 80)), looks((100, 120, 200)))
    assert (made.gain, made.shift) == ((2.5,), (-5.0,))
    pixels = np.array([[[40, 80]]], np.uint8)
    np.testing.assert_allclose(made(pixels, np.ones((1, 2), np.bool_)), [[[95, 195]]])


def test_half_of_the_way() -> None:
    """A gain of 4 is 2 in half of the way; the mean goes from 50 to 85, half of the way to 120."""
    made = LightMap.of(looks((40, 50, 60)), looks((100, 120, 180)), 0.5)
    assert made.gain == (2.0,) and made.gain[0] * 50 + made.shift[0] == 85


def test_pixels_that_are_not_valid_stay_what_the_network_makes_0_of() -> None:
    pixels = np.array([[[10, 20]], [[30, 40]]], np.uint8)
    found = LightMap((2.0, 3.0), (1.0, 0.0))(pixels, np.array([[True, False]]))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[[21, 20]], [[90, 40]]])


@pytest.mark.parametrize(("mine", "theirs"), [((7, 7, 7), (100, 120, 200)), ((40, 50, 80), (9, 9, 9))])
def test_a_band_of_one_value_keeps_its_spread(mine: tuple, theirs: tuple) -> None:
    made = LightMap.of(looks(mine), looks(theirs))
    assert made.gain == (1.0,) and made.shift == (theirs[1] - mine[1],)


def test_a_darker_copy_of_the_training_image_looks_like_it_again() -> None:
    """Of other brightness, contrast and colour, without its numbers being rounded or cut off."""
    training = np.random.default_rng(0).normal(120, 30, (3, 300, 400)).clip(0, 255)
    other = (training * np.array([0.3, 0.5, 0.4])[:, None, None] + 10).astype(np.float32)
    known = Looks.of(training.reshape(3, -1))
    assert known is not None
    with reader_of(other) as reader:
        made = light_map(reader, known, 1.0)
    assert made is not None
    back = made(other, np.ones((300, 400), np.bool_))
    assert np.abs(back - training).max() < 3  # of the sample, which is a part of the image
    assert np.abs(other - training).max() > 90


def test_an_image_without_valid_pixels_has_no_light() -> None:
    pixels = np.zeros((1, 90, 90), np.uint8)
    with reader_of(pixels, np.zeros((90, 90), np.bool_)) as reader:
        assert light_map(reader, looks((0, 1, 2)), 1.0) is None

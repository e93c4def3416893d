"""What values become, by arithmetic; and that they vary as is declared."""

import albumentations as A
import numpy as np
import pytest

from detect.samples.varying.draws import Draws
from detect.samples.varying.photometry import SEEDS_APART, Photometry, looked_up

RAMP = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)


def test_a_table_replaces_every_value() -> None:
    np.testing.assert_array_equal(looked_up(RAMP, 255 - RAMP.reshape(256)), 255 - RAMP)


def test_contrast_multiplies_and_brightness_adds_a_share_of_the_range() -> None:
    """Contrast of 0.5 more: 1.5 times the value; brightness of 0.2: 0.2 * 255 = 51 more; both end at 255."""
    contrast = A.RandomBrightnessContrast(brightness_limit=0.0, contrast_limit=(0.5, 0.5), p=1)
    made = Photometry([("RandomBrightnessContrast", contrast)])(RAMP, 1)
    np.testing.assert_allclose(made, np.minimum(RAMP * 1.5, 255), atol=1)
    bright = A.RandomBrightnessContrast(brightness_limit=(0.2, 0.2), contrast_limit=0.0, p=1)
    made = Photometry([("RandomBrightnessContrast", bright)])(RAMP, 1)
    np.testing.assert_allclose(made, np.minimum(RAMP + 51.0, 255), atol=1)


def test_tables_in_a_row_are_one_after_the_other() -> None:
    """Inverted twice is as it was; inverted and half the contrast is (255 - v) / 2."""
    invert = ("InvertImg", A.InvertImg(p=1))
    half = A.RandomBrightnessContrast(brightness_limit=0.0, contrast_limit=(-0.5, -0.5), p=1)
    np.testing.assert_array_equal(Photometry([invert, invert])(RAMP, 1), RAMP)
    made = Photometry([invert, ("RandomBrightnessContrast", half)])(RAMP, 1)
    np.testing.assert_allclose(made, (255.0 - RAMP) / 2, atol=1)


def test_a_shift_of_value_keeps_grey_grey_and_one_of_hue_turns_red_to_green() -> None:
    """OpenCV's hues of 8 bits: red is 0, green 60 (half degrees)."""
    grey = np.full((3, 4, 4), 100, np.uint8)
    shift = A.HueSaturationValue(hue_shift_limit=0, sat_shift_limit=(30, 30), val_shift_limit=(20, 20), p=1)
    assert (Photometry([("HueSaturationValue", shift)])(grey, 1) == 120).all()
    red = np.zeros((3, 4, 4), np.uint8)
    red[0] = 200
    hue = A.HueSaturationValue(hue_shift_limit=(60, 60), sat_shift_limit=0, val_shift_limit=0, p=1)
    assert Photometry([("HueSaturationValue", hue)])(red, 1)[:, 0, 0].tolist() == [0, 200, 0]


def test_values_vary_as_declared() -> None:
    """A brightness of -0.2 to 0.2 is drawn evenly, in half of the samples: of 2,000, 1,000 +- 4 * 22 change, and those
    change by -51 to 51 with a mean of 0 +- 4 * 29.4 / sqrt(1000) and a deviation of 102 / sqrt(12) = 29.4."""
    transform = A.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.0, p=0.5)
    vary, grey = Photometry([("RandomBrightnessContrast", transform)]), np.full((1, 1, 1), 120, np.uint8)
    by = np.array([int(vary(grey, seed)[0, 0, 0]) - 120 for seed in range(2000)])
    changed = by[by != 0]
    assert abs(len(changed) - 1000) < 100 and changed.min() >= -51 and changed.max() <= 51
    assert abs(changed.mean()) < 4 and abs(changed.std() - 29.4) < 2.5


@pytest.mark.parametrize(
    "transform",
    [
        A.RandomBrightnessContrast(brightness_limit=0.3, contrast_limit=0.3, p=1),
        A.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.5, ensure_safe_range=True, p=1),
        A.RandomGamma(gamma_limit=(40, 200), p=1),
        A.InvertImg(p=1),
    ],
    ids=["contrast", "safe", "gamma", "inverted"],
)
def test_tables_are_what_albumentations_makes_of_an_image(transform: A.ImageOnlyTransform) -> None:
    """Of every value, with the same draws, digit by digit."""
    name = type(transform).__name__
    for seed in range(20):
        made = Photometry([(name, transform)])(RAMP, seed)
        Draws(seed + SEEDS_APART).applies(transform)
        np.testing.assert_array_equal(made[0], transform(image=RAMP[0][:, :, None])["image"][:, :, 0])


def test_two_transforms_are_drawn_independently() -> None:
    """Each in half of 1,000 samples, both in a quarter, within four standard deviations: 250 +- 55."""
    half = [A.RandomBrightnessContrast(brightness_limit=(x, x), contrast_limit=0.0, p=0.5) for x in (0.1, 0.2)]
    vary, grey = Photometry([("RandomBrightnessContrast", each) for each in half]), np.full((1, 1, 1), 100, np.uint8)
    by = np.array([int(vary(grey, seed)[0, 0, 0]) - 100 for seed in range(1000)])
    shares = [int(((by > low) & (by <= high)).sum()) for low, high in ((-1, 5), (5, 35), (35, 60), (60, 90))]
    assert sum(shares) == 1000 and all(abs(each - 250) < 55 for each in shares)

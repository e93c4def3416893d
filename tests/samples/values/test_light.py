"""Light of images of any bands and type, varied as parts of the training images' range."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from detect.samples.augment import Augment
from detect.samples.values.light import CHANGES, Light
from detect.samples.values.normalisation import ValueRange

RANGE = ValueRange((100.0, 1000.0), (300.0, 5000.0))
PIXELS = np.stack([np.linspace(100, 300, 64).reshape(8, 8), np.linspace(1000, 5000, 64).reshape(8, 8)])


def light(name: str, **arguments: Any) -> Light:
    usual = {"p": 1.0, "contrast_limit": (0, 0), "brightness_limit": (0, 0), "per_channel": False}
    return Light({name: SimpleNamespace(**{**usual, **arguments})}, RANGE)


def test_brightness_is_a_part_of_each_band_s_range_and_contrast_grows_from_its_low_end() -> None:
    """A tenth of 200 and of 4,000; twice as far from 100 and from 1,000."""
    brighter = light("RandomBrightnessContrast", brightness_limit=(0.1, 0.1))(PIXELS.astype(np.float32), 0)
    np.testing.assert_allclose(brighter - PIXELS, np.broadcast_to([[[20.0]], [[400.0]]], PIXELS.shape), atol=1e-2)
    doubled = light("RandomBrightnessContrast", contrast_limit=(1, 1))(PIXELS.astype(np.uint16), 0)
    low = np.array([[[100.0]], [[1000.0]]])
    np.testing.assert_allclose(doubled, low + 2 * (np.floor(PIXELS) - low), atol=1)


def test_values_beyond_the_range_are_not_cut_off() -> None:
    """A bright roof stays brighter than the range: validation shows it so too."""
    beyond = PIXELS * 3
    changed = light("RandomGamma", gamma_limit=(70, 70))(beyond.astype(np.float32), 0)
    assert changed.max() > 2 * 5000 and (np.diff(changed.reshape(2, -1), axis=1) > 0).all()


def test_whole_numbers_stay_in_their_type() -> None:
    full = np.array([[[0, 65535]], [[65535, 0]]], np.uint16)
    for seed in range(20):
        changed = light("RandomBrightnessContrast", brightness_limit=(-0.3, 0.3))(full, seed)
        assert changed.dtype == np.uint16 and (changed[0, 0, 1] > 60000 and changed[0, 0, 0] < 100)


def test_each_band_has_a_gain_of_its_own_noise_is_of_the_range_and_blur_keeps_the_mean() -> None:
    gains = light("HueSaturationValue", sat_shift_limit=(-30, 30))(PIXELS.astype(np.float32), 3)
    first, second = ((gains[i] - RANGE.low[i]) / (PIXELS[i] - RANGE.low[i] + 1e-9) for i in (0, 1))
    assert np.ptp(first[1:]) < 1e-3 and abs(first[4, 4] - second[4, 4]) > 1e-3
    flat = np.broadcast_to(np.array([[[200.0]], [[3000.0]]]), (2, 128, 128)).astype(np.float32)
    noisy = light("GaussNoise", std_range=(0.05, 0.05))(flat, 0)
    np.testing.assert_allclose(noisy.std(axis=(1, 2)), (10, 200), rtol=0.05)
    blurred = light("GaussianBlur", sigma_limit=(1.0, 1.0))(noisy, 0)
    np.testing.assert_allclose(blurred.mean(axis=(1, 2)), noisy.mean(axis=(1, 2)), rtol=1e-3)
    assert (blurred.std(axis=(1, 2)) < 0.4 * noisy.std(axis=(1, 2))).all()
    dimmer = light("MultiplicativeNoise", multiplier=(0.5, 0.5))(PIXELS.astype(np.float32), 0)
    np.testing.assert_allclose(dimmer[1].max(), 3000)


def test_a_seed_decides_and_a_chance_of_none_changes_nothing() -> None:
    changes = {name: SimpleNamespace(p=0.0) for name in CHANGES}
    pixels = PIXELS.astype(np.uint16)
    assert Light(changes, RANGE)(pixels, 0) is pixels
    noise = light("GaussNoise", std_range=(0.0, 0.2))
    np.testing.assert_array_equal(noise(pixels, 5), noise(pixels, 5))
    assert (noise(pixels, 5) != noise(pixels, 6)).any()


def test_what_is_followed_is_known_and_colour_is_for_several_bands() -> None:
    transforms = {name: SimpleNamespace(p=1.0) for name in ("HueSaturationValue", "GaussNoise", "ImageCompression")}
    assert Light(transforms, RANGE).followed == ("HueSaturationValue", "GaussNoise")
    assert Light(transforms, RANGE).left_out == ("ImageCompression",)
    assert Light(transforms, ValueRange((0.0,), (1.0,))).followed == ("GaussNoise",)


@pytest.mark.parametrize("kind", [(5, "uint16"), (4, "uint8"), (1, "float32"), (3, "int16")])
def test_a_chain_varies_the_light_of_images_whose_range_it_knows(kind: tuple[int, str]) -> None:
    bands, dtype = kind
    chain = Augment({"RandomBrightnessContrast": {"p": 1.0}, "HorizontalFlip": {"p": 0.5}})
    fitted = chain.within(ValueRange((0.0,) * bands, (200.0,) * bands))
    image = np.random.default_rng(0).integers(20, 180, (bands, 16, 16)).astype(dtype)
    for seed in range(6):
        plain, _ = chain(image, np.empty((0, 2)), seed)
        varied, _ = fitted(image, np.empty((0, 2)), seed)
        assert varied.dtype == image.dtype and (varied != plain).any()
        assert np.corrcoef(plain[0].ravel().astype(float), varied[0].ravel().astype(float))[0, 1] > 0.99


@pytest.mark.parametrize("bands", [1, 3])
def test_photographs_are_varied_as_they_always_were(bands: int) -> None:
    chain = Augment({"RandomBrightnessContrast": {"p": 1.0}, "RandomGamma": {"p": 0.5}})
    image = np.random.default_rng(0).integers(0, 256, (bands, 16, 16), dtype=np.uint8)
    for seed in range(6):
        fitted = chain.within(ValueRange((0.0,) * bands, (200.0,) * bands))
        np.testing.assert_array_equal(*(each(image, np.empty((0, 2)), seed)[0] for each in (chain, fitted)))

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detect.samples.whole.patterns import PatternSettings, superposed, with_other_defects

CODES = arrays(np.uint8, (1, 6, 6), elements=st.sampled_from([0, 1, 2]))


def wafer() -> np.ndarray:
    """Forty good dies and eight bad ones around the middle, outside 0: (1, 8, 8)."""
    pixels = np.ones((1, 8, 8), np.uint8)
    pixels[0, :2, 2:6] = 2
    pixels[0, ::7, ::7] = pixels[0, 7, 2:6] = 0
    pixels[0, 6, ::7] = pixels[0, 1, ::7] = 0
    return pixels


@given(first=CODES, second=CODES)
@settings(deadline=None)
def test_a_place_is_bad_where_it_is_in_one_of_two(first: np.ndarray, second: np.ndarray) -> None:
    assert np.array_equal(superposed(first, second), np.maximum(first, second))
    assert np.array_equal(superposed(first, first), first)


def test_a_colour_is_taken_whole() -> None:
    """Purple (68, 1, 84), brightness 51, under teal (33, 145, 140), brightness 106: teal, although its red is less."""
    purple, teal = (np.array(rgb, np.uint8)[:, None, None] for rgb in ((68, 1, 84), (33, 145, 140)))
    assert superposed(purple, teal).ravel().tolist() == [33, 145, 140]
    assert superposed(teal, purple).ravel().tolist() == [33, 145, 140]


@given(seed=st.integers(0, 10**6), drop=st.floats(0, 1), add=st.floats(0, 1))
@settings(deadline=None)
def test_codes_stay_codes_and_the_outside_stays_outside(seed: int, drop: float, add: float) -> None:
    pixels = wafer()
    varied = with_other_defects(pixels, PatternSettings(0.0, drop, add, 0.75), 1, np.random.default_rng(seed))
    assert set(np.unique(varied)) <= {0, 1, 2} and varied.dtype == pixels.dtype
    assert np.array_equal(varied == 0, pixels == 0)


def test_only_what_is_asked_for_changes() -> None:
    pixels = wafer()
    for drop, add in ((1.0, 0.0), (0.0, 1.0)):
        kept = pixels == (2 if add else 1)
        for seed in range(20):
            varied = with_other_defects(pixels, PatternSettings(0.0, drop, add, 0.75), 1, np.random.default_rng(seed))
            assert np.array_equal(varied[kept], pixels[kept])


def test_the_share_that_is_removed_is_half_the_greatest_on_average() -> None:
    """The share is drawn evenly up to 0.6: 0.3 of 16 bad dies on average, within 5 standard errors of 400 draws."""
    pixels = np.ones((1, 8, 8), np.uint8)
    pixels[0, :2] = 2
    setting = PatternSettings(0.0, 0.6, 0.0, 0.75)
    left = [float((with_other_defects(pixels, setting, 1, np.random.default_rng(i)) == 2).sum()) for i in range(400)]
    assert np.mean(left) == pytest.approx(16 * 0.7, abs=5 * np.std(left) / 20)


def test_an_enlarged_die_changes_as_a_whole() -> None:
    pixels = np.kron(wafer()[0], np.ones((3, 3), np.uint8))[None]
    setting = PatternSettings(0.0, 0.5, 0.5, 0.75)
    for seed in range(10):
        varied = with_other_defects(pixels, setting, 3, np.random.default_rng(seed))
        dies = varied[0].reshape(8, 3, 8, 3)
        assert np.array_equal(dies.min(axis=(1, 3)), dies.max(axis=(1, 3)))


def test_a_map_without_defects_stays_as_it_is() -> None:
    pixels = np.ones((1, 8, 8), np.uint8)
    assert np.array_equal(
        with_other_defects(pixels, PatternSettings(0.0, 1.0, 1.0, 0.75), 1, np.random.default_rng(0)), pixels
    )


@pytest.mark.parametrize("wrong", [{"superpose": 1.5}, {"drop": -0.1}, {"add": float("nan")}, {"level": 1.0}])
def test_numbers_out_of_their_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=rf"augment\.patterns\.{next(iter(wrong))}"):
        PatternSettings(**{"superpose": 0.0, "drop": 0.0, "add": 0.0, "level": 0.5, **wrong})

"""Statistics exchanged between training images: straight lines, band by band, with known results."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.samples.augment import Augment
from detect.samples.values.exchange import GREATEST_GAIN, Exchange, ExchangeSettings

WHOLE = ExchangeSettings(p=1.0, share=(1.0, 1.0), jitter=0.0)


def dark_and_bright(how: ExchangeSettings) -> Exchange:
    """Two images of two bands: means 40 and 60 with deviations 10 and 20; means 140 and 100 with 20 and 10."""
    return Exchange(how, np.array([[40.0, 60.0], [140.0, 100.0]]), np.array([[10.0, 20.0], [20.0, 10.0]]))


def test_a_sample_takes_the_mean_and_the_deviation_of_another_image_or_stays() -> None:
    """Image 0 as image 1: band 0 from 40 + d to 140 + 2 d, band 1 from 60 + d to 100 + d / 2, in half the draws."""
    sample = np.array([[[40.0, 45.0]], [[60.0, 50.0]]], np.float32)
    as_other = np.array([[[140.0, 150.0]], [[100.0, 95.0]]], np.float32)
    made = [dark_and_bright(WHOLE)(sample, 0, seed) for seed in range(200)]
    changed = [each for each in made if not np.allclose(each, sample, atol=1e-4)]
    assert 70 < len(changed) < 130  # 100, whose deviation is 7
    for each in changed:
        np.testing.assert_allclose(each, as_other, atol=1e-4)


def test_a_share_goes_a_part_of_the_way() -> None:
    """Half of the way from mean 40 to 140 is 90; from deviation 10 to 20 by half the logarithm: 14.14."""
    exchange = dark_and_bright(ExchangeSettings(1.0, (0.5, 0.5), 0.0))
    sample = np.array([[[40.0, 50.0]], [[60.0, 60.0]]], np.float32)
    made = next(each for seed in range(20) if (each := exchange(sample, 0, seed))[0, 0, 0] > 41)
    np.testing.assert_allclose(made[0, 0], [90, 104.142], atol=1e-2)


@given(seed=st.integers(0, 2**40), jitter=st.floats(0, 1), dtype=st.sampled_from(["uint8", "uint16", "float32"]))
@settings(deadline=None, max_examples=40)
def test_what_is_brighter_stays_brighter_and_contrast_has_bounds(seed: int, jitter: float, dtype: str) -> None:
    ramp = np.tile(np.arange(50, 90).astype(dtype), (2, 1))[:, None]
    exchange = dark_and_bright(ExchangeSettings(1.0, (0.5, 1.0), jitter))
    made = exchange(ramp, 0, seed)
    assert made.dtype == ramp.dtype and made.shape == ramp.shape
    np.testing.assert_array_equal(made, exchange(ramp, 0, seed))
    rise = np.diff(made.astype(float), axis=-1)
    assert rise.min() >= 0 and rise.max() <= GREATEST_GAIN + 1.001  # a rounded step may be one more


def test_eight_bits_stay_within_their_type() -> None:
    """Three times the contrast around 230: 0 becomes 230 - 3 * 40 = 110, and what is above 255 is 255."""
    exchange = Exchange(WHOLE, np.array([[40.0], [230.0]]), np.array([[10.0], [30.0]]))
    ramp = np.arange(0, 60, dtype=np.uint8)[None, None]
    made = next(each for seed in range(20) if (each := exchange(ramp, 0, seed)).max() > 60)
    assert made.min() == 110 and made.max() == 255


def test_one_image_is_varied_by_jitter_alone() -> None:
    sample = np.full((1, 2, 2), 100, np.uint8)
    sample[0, 0] = 120
    one = np.array([[100.0]]), np.array([[20.0]])
    assert all((Exchange(WHOLE, *one)(sample, 0, seed) == sample).all() for seed in range(20))
    varied = Exchange(ExchangeSettings(1.0, (1.0, 1.0), 0.3), *one)
    assert len({varied(sample, 0, seed).tobytes() for seed in range(20)}) > 10


def test_it_happens_as_often_as_asked() -> None:
    sample = np.full((2, 1, 1), 77, np.float32)
    exchange = dark_and_bright(ExchangeSettings(0.3, (1.0, 1.0), 0.2))
    number = sum(bool((exchange(sample, 0, seed) != sample).any()) for seed in range(400))
    assert 83 < number < 157  # 120, whose deviation is 9.2


def test_images_are_measured_and_one_without_pixels_is_as_all_others_together() -> None:
    """Values 1, 3 and 5, 7 of one band: means 2 and 6, deviations 1; together 4, and the root of 5."""
    values = [np.array([[1, 3]], np.uint8), np.empty((1, 0), np.uint8), np.array([[5, 7]], np.uint8)]
    made = Exchange.of(WHOLE, values)
    np.testing.assert_allclose(made.mean[:, 0], [2, 4, 6])
    np.testing.assert_allclose(made.deviation[:, 0], [1, 5**0.5, 1])


def test_a_chain_exchanges_samples_of_numbered_images_alone_and_moves_no_point() -> None:
    """Without a number, as in validation, nothing is exchanged."""
    plain = Augment({})
    chain = plain.exchanging(dark_and_bright(ExchangeSettings(1.0, (1.0, 1.0), 0.3)))
    sample, xy = np.full((2, 4, 4), 50, np.uint8), np.array([[1.5, 2.5]])
    changed, moved = chain(sample, xy, 3, 0)
    assert (changed != sample).any()
    np.testing.assert_array_equal(moved, xy)
    for same in (chain(sample, xy, 3)[0], plain(sample, xy, 3, 0)[0]):
        np.testing.assert_array_equal(same, sample)


@pytest.mark.parametrize(
    ("p", "share", "jitter", "said"),
    [
        (1.1, (0.0, 1.0), 0.0, r"p .*1\.1"),
        (1.0, (0.9, 0.2), 0.0, r"share .*0\.9"),
        (1.0, (0.0, 1.0), -1.0, "jitter"),
    ],
)
def test_numbers_out_of_range_are_refused(p: float, share: tuple[float, float], jitter: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ExchangeSettings(p, share, jitter)

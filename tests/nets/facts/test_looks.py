"""What images look like, and what is said of one that is unlike those that a model learned from."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detect.nets.card import ModelCard, ModelFileError
from detect.nets.facts.looks import BandLooks, Looks, unlike
from tests.cards import patch_card

RNG = np.random.default_rng(0)
PHOTOGRAPH = np.clip(np.array([[90], [110], [70]]) + RNG.normal(0, 25, (1, 5000)) + RNG.normal(0, 8, (3, 5000)), 0, 255)
GREY = np.clip(np.repeat(PHOTOGRAPH[1:2], 3, axis=0), 0, 255)
DEEP = PHOTOGRAPH * 40 + 300


def looks(values: np.ndarray) -> Looks:
    found = Looks.of(values)
    assert found is not None
    return found


def test_percentiles_and_colour_are_those_of_the_pixels() -> None:
    """0 to 100 in the first band, ten times that in the second, 7 in the third: they differ by 0 to 1000.

    The variance of 0 to n is n (n + 2) / 12, so the spread of the first is the root of 850.
    """
    steps = np.arange(101)
    found = looks(np.stack([steps, 10 * steps, np.full(101, 7)]))
    assert found.bands[0] == BandLooks(0, 1, 50, 99, 100, 50, 850**0.5)
    assert found.bands[2] == BandLooks(7, 7, 7, 7, 7, 7, 0)
    assert found.pixels == 101 and found.colour == (493, 983)
    assert looks(np.stack([steps, steps])).colour is None
    assert Looks.of(np.empty((3, 0))) is None


@given(seed=st.integers(0, 999), number=st.integers(1, 300), dtype=st.sampled_from(["uint8", "uint16", "int16", "f4"]))
def test_pixels_of_any_type_are_measured_as_plain_numbers_are(seed: int, number: int, dtype: str) -> None:
    """Bytes are counted and whole numbers are subtracted as they are: what comes out is that of the same floats.

    The root of a sum of squares has other last digits where equal values are counted.
    """
    values = np.random.default_rng(seed).integers(0, 256, (3, number)).astype(dtype)
    values = values - np.array(200, dtype) if dtype in ("int16", "f4") else values
    found = looks(values)
    plain = looks(values.astype(np.float64))
    assert [each.spread for each in found.bands] == pytest.approx([each.spread for each in plain.bands], 1e-12)
    assert [replace(each, spread=0.0) for each in found.bands] == [replace(each, spread=0.0) for each in plain.bands]
    assert (found.pixels, found.colour) == (plain.pixels, plain.colour)
    percentiles = np.percentile(values, (0, 1, 50, 99, 100), axis=1, method="lower")
    told = [(band.least, band.low, band.middle, band.high, band.most) for band in found.bands]
    assert told == [tuple(each) for each in percentiles.T.tolist()]
    extents = np.ptp(values.astype(np.float64), axis=0)
    assert found.colour == tuple(np.percentile(extents, (50, 99), method="lower").tolist())


@given(seed=st.integers(0, 999))
def test_the_order_of_pixels_changes_nothing(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(PHOTOGRAPH.shape[1])
    assert looks(PHOTOGRAPH[:, order]) == looks(PHOTOGRAPH)


@pytest.mark.parametrize(
    ("image", "training", "said"),
    [
        (PHOTOGRAPH * 0, PHOTOGRAPH, "all black"),
        (PHOTOGRAPH * 0 + 128, PHOTOGRAPH, "hardly any contrast (values near 128)"),
        (PHOTOGRAPH / 255, PHOTOGRAPH, "values of another scale (up to"),
        (PHOTOGRAPH, PHOTOGRAPH / 255, "values of another scale (up to"),
        (PHOTOGRAPH, PHOTOGRAPH * 257, "values of another scale"),
        (PHOTOGRAPH, DEEP, "values of another scale"),
        (PHOTOGRAPH / 8, PHOTOGRAPH, "far darker (in band 1, middle value"),
        (210 + PHOTOGRAPH / 8, PHOTOGRAPH, "far brighter (in band 1"),
        (GREY, PHOTOGRAPH, "grey, and the training images are coloured"),
        (PHOTOGRAPH, GREY, "coloured, and the training images are grey"),
    ],
)
def test_images_of_another_kind_are_told_from_those_of_training(
    image: np.ndarray, training: np.ndarray, said: str
) -> None:
    assert unlike(looks(image), looks(training)).startswith(said)


@pytest.mark.parametrize(
    ("image", "training"),
    [
        (PHOTOGRAPH, PHOTOGRAPH),
        (PHOTOGRAPH * 0.75, PHOTOGRAPH),
        (np.clip(PHOTOGRAPH * 1.3, 0, 255), PHOTOGRAPH),
        (PHOTOGRAPH + np.array([[12], [0], [-12]]), PHOTOGRAPH),
        (DEEP * 1.2, DEEP),
        (GREY, GREY),
        (np.zeros((3, 100)), np.zeros((3, 100))),
        (np.zeros((1, 1000)), np.concatenate([np.zeros((1, 1000)), np.ones((1, 5))], axis=1)),
    ],
)
def test_other_light_and_flat_images_of_flat_ones_are_no_alarm(image: np.ndarray, training: np.ndarray) -> None:
    assert unlike(looks(image), looks(training)) == ""


def test_an_image_that_is_empty_but_for_a_few_marks_has_contrast() -> None:
    """Of 10,000 pixels of a white board 20 are black: the percentiles are one value, the image is not."""
    board = np.full((1, 10_000), 255.0)
    board[:, :20] = 0
    half = np.concatenate([board, board * 0], axis=1)
    assert unlike(looks(board), looks(half)) == ""


def test_values_that_are_huge_are_no_error() -> None:
    assert "another scale" in unlike(looks(np.array([[1e300, -1e300, 0.0]])), looks(PHOTOGRAPH[:1]))


def test_looks_go_with_the_card_and_are_checked_when_it_is_read() -> None:
    card = patch_card(looks=looks(PHOTOGRAPH))
    assert ModelCard.from_json(card.to_json()) == card
    header = json.loads(card.to_json())
    del header["window_looks"]
    for change, said in (
        ({"bands": []}, "bands of what images look like"),
        ({"pixels": -1}, "pixels"),
        ({"colour": [1]}, "two numbers"),
        ({"colour": ["a", 2]}, "must be a number"),
        ({"more": 1}, "bands, pixels and colour"),
        ({"bands": [{**asdict(card.looks.bands[0]), "low": 1e9}] * 3}, "must rise"),
        ({"bands": [asdict(card.looks.bands[0])] * 2}, "2 bands, the model of 3"),
        ({"bands": [{"low": 1}] * 3}, "cannot be read"),
    ):
        with pytest.raises(ModelFileError, match=said):
            ModelCard.from_json(json.dumps({**header, "looks": {**header["looks"], **change}}))


def test_models_of_earlier_formats_know_nothing_of_looks() -> None:
    header = json.loads(replace(patch_card(), offset=(1.0, 2.0, 3.0), scale=(4.0, 5.0, 6.0)).to_json())
    del header["looks"], header["window_looks"]
    old = ModelCard.from_json(json.dumps({**header, "format": "detect/2"}))
    assert old.looks is None and (old.offset, old.scale) == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    with pytest.raises(ModelFileError, match="that it does not have: looks"):
        ModelCard.from_json(json.dumps({**header, "format": "detect/2", "looks": None}))


def test_the_third_format_has_looks_without_the_spread_of_values() -> None:
    card = patch_card(looks=looks(PHOTOGRAPH))
    header = json.loads(card.to_json())
    del header["window_looks"]
    for band in header["looks"]["bands"]:
        del band["spread"]
    old = ModelCard.from_json(json.dumps({**header, "format": "detect/3"}))
    assert old.looks == replace(card.looks, bands=tuple(replace(band, spread=None) for band in card.looks.bands))

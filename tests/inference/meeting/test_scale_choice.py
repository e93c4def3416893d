"""The scale at which a network answers the most clearly."""

import numpy as np
import pytest

from detect.inference.decoding.decoder import decoder_of
from detect.inference.meeting.scale_choice import FACTORS, ScaleChoice, chosen_factor, clarity
from tests.grids import grid_card

SIDE = 256


def test_the_clarity_by_hand() -> None:
    """Of 0.9, 0.7 and 0.3 at a threshold of 0.5: S = 1.6 of T = 1.9 and n = 2, an F1 of 3.2 / 3.9, times sqrt(1.6)."""
    assert clarity(np.array([0.9, 0.7, 0.3]), 0.5) == pytest.approx(3.2 / 3.9 * 1.6**0.5)
    assert clarity(np.array([0.9, 0.7, 0.3, 0.05]), 0.5) == pytest.approx(3.2 / 3.9 * 1.6**0.5)  # ground
    assert clarity(np.array([0.3, 0.2]), 0.5) == clarity(np.empty(0), 0.5) == 0


def test_the_clearest_answer_is_taken_and_no_other_without_need() -> None:
    """Five sure objects are clear; those of the own scale are kept where another is clearer by less than a tenth."""
    sure, good, bad = np.full(5, 0.95), np.full(5, 0.9), np.full(5, 0.6)
    assert clarity(good, 0.5) < clarity(sure, 0.5) < 1.1 * clarity(good, 0.5)
    ends = {0.25: bad, 4.0: bad}
    assert chosen_factor({**ends, 0.5: sure, 1.0: bad, 2.0: good}, 0.5) == 0.5
    assert chosen_factor({**ends, 0.5: sure, 1.0: good, 2.0: bad}, 0.5) == 1.0
    assert chosen_factor({**ends, 0.5: bad, 1.0: np.empty(0), 2.0: sure}, 0.5) == 2.0


def test_an_answer_that_grows_to_the_end_tells_no_scale() -> None:
    """Ever more look-alikes, the larger the ground is made."""
    assert chosen_factor({0.5: np.full(4, 0.9), 1.0: np.full(9, 0.9), 2.0: np.full(30, 0.9)}, 0.5) == 1.0


def test_without_objects_no_scale_is_told() -> None:
    """Two sure ones are too few: their sum is below 3."""
    none = np.empty(0)
    assert chosen_factor({0.25: none, 0.5: np.full(2, 0.99), 1.0: none}, 0.5) == 1.0
    assert chosen_factor({0.5: none, 1.0: none, 2.0: none}, 0.5) == 1.0


def answer_at(factor: float) -> ScaleChoice:
    """A network that is sure of four objects in windows of `factor` times their size, and less of other sizes."""
    card = grid_card(None, separation=4.0)

    def runtime(pixels: np.ndarray) -> np.ndarray:
        side = pixels.shape[2]
        logits = np.zeros((1, 7, side // 8, side // 8), np.float32)
        logits[:, 0] = -9
        far = abs(np.log2(side / (-(-round(factor * SIDE) // 32) * 32)))
        logits[:, 0, 2:8:4, 2:8:4] = 4 - 30 * far
        return logits

    return ScaleChoice(card, runtime, decoder_of(card), card.separation, 0.5)


@pytest.mark.parametrize("wanted", FACTORS[1:-1])
def test_the_factor_of_a_planted_answer(wanted: float) -> None:
    choice = answer_at(wanted)
    scores = choice.scores([np.zeros((3, SIDE, SIDE), np.uint8)])
    assert set(scores) == set(FACTORS) and choice.factor(scores) == wanted


def test_windows_of_no_aligned_size_are_filled_up_and_nothing_is_found_beyond_them() -> None:
    """50 pixels are 64 of which 50 count: of every fourth cell those at 4 and 36, and in half the size those at 4."""
    shapes = []
    choice = answer_at(1.0)

    def runtime(pixels: np.ndarray) -> np.ndarray:
        shapes.append(pixels.shape[2:])
        logits = np.zeros((1, 7, *(side // 8 for side in pixels.shape[2:])), np.float32)
        logits[:, 0] = -9
        logits[:, 0, ::4, ::4] = 4
        return logits

    made = ScaleChoice(choice.spec, runtime, choice.decoder, 4.0, 0.5)
    scores = made.scores([np.zeros((3, 50, 50), np.uint8)])
    assert all(side % 32 == 0 for shape in shapes for side in shape)
    assert len(scores[1.0]) == 4 and len(scores[0.5]) == 1

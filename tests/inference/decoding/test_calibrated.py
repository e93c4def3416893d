"""Probabilities for scores keep what is found: the same objects at the threshold that is made one too."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from detect.inference.decoding.calibrated import CalibratedDecoder
from detect.inference.decoding.decoder import decoder_of
from detect.inference.decoding.geometry import CellGeometry
from detect.nets.card import ModelCard
from detect.nets.facts.probabilities import Calibration
from tests.engines import lively
from tests.grids import grid_card

CALIBRATIONS = [Calibration(0.4, -1.0), Calibration(1.0, 0.0), Calibration(2.5, 1.5)]


def noise(card: ModelCard) -> NDArray[np.float32]:
    """A random map of 40 x 50 cells, whose log odds spread by 3."""
    channels = decoder_of(card).channels
    return (3 * np.random.default_rng(0).standard_normal((channels, 40, 50))).astype(np.float32)


@pytest.mark.parametrize("calibration", CALIBRATIONS)
@pytest.mark.parametrize("card", [lively()[1], grid_card(24.0), grid_card(None, 2)], ids=["patch", "boxes", "points"])
def test_the_same_is_found_at_the_same_threshold(card: ModelCard, calibration: Calibration) -> None:
    logits, cells = noise(card), CellGeometry(card.stride, card.cell_offset, (40 * card.stride, 50 * card.stride))
    made = decoder_of(replace(card, calibration=calibration.to_record()))
    for threshold in (0.02, 0.3, 0.5, 0.9, 0.999):
        plain = decoder_of(card).detections(logits, cells, separation=card.separation, threshold=threshold)
        own = float(calibration(threshold))
        found = made.detections(logits, cells, separation=card.separation, threshold=own)
        assert len(found)
        np.testing.assert_array_equal(found.xy, plain.xy)
        np.testing.assert_array_equal(found.label, plain.label)
        np.testing.assert_array_equal(found.score, calibration(plain.score))


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_the_ends_are_everything_and_what_is_certain(threshold: float) -> None:
    """No log odds of 3 times a normal deviate are those of 1 - 1e-9, 20.7: nothing is certain."""
    card = lively()[1]
    logits, cells = noise(card), CellGeometry(card.stride, card.cell_offset, (40 * card.stride, 50 * card.stride))
    made = decoder_of(replace(card, calibration=Calibration(0.4, -1.0).to_record()))
    plain = decoder_of(card).detections(logits, cells, separation=card.separation, threshold=threshold)
    assert len(made.detections(logits, cells, separation=card.separation, threshold=threshold)) == len(plain)


@pytest.mark.parametrize("card", [lively()[1], grid_card(24.0)], ids=["patch", "grid"])
def test_the_classes_of_a_heatmap_add_up_to_the_probability(card: ModelCard) -> None:
    logits, calibration = noise(card), CALIBRATIONS[0]
    plain, made = decoder_of(card).heat(logits), decoder_of(replace(card, calibration=calibration.to_record()))
    heat = made.heat(logits)
    assert isinstance(made, CalibratedDecoder) and heat.dtype == np.float32
    there = plain.astype(np.float64).sum(axis=0)
    np.testing.assert_allclose(heat.sum(axis=0), calibration(there.clip(0, 1)), rtol=1e-4)
    np.testing.assert_array_equal(heat.argmax(axis=0), plain.argmax(axis=0))


def test_views_are_put_together_before_scores_become_probabilities() -> None:
    card = grid_card(24.0)
    made = decoder_of(replace(card, calibration=CALIBRATIONS[0].to_record()))
    views = np.stack([noise(card)[None], noise(card)[None] + 1])
    np.testing.assert_array_equal(made.combined(views, "mean"), decoder_of(card).combined(views, "mean"))
    turn = (True, False, True)
    np.testing.assert_array_equal(
        made.turned_back(noise(card)[None], turn), decoder_of(card).turned_back(noise(card)[None], turn)
    )

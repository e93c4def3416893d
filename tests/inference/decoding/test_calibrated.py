"""Probabilities for scores keep what is found: the same objects at the threshold that is made one too."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from detect.inference.decoding.calibrated import calibrated_heat
from detect.inference.decoding.decoder import decoder_of
from detect.inference.engine import Engine
from detect.nets.card import ModelCard
from detect.nets.facts.probabilities import Calibration
from tests.engines import engine, lively
from tests.grids import grid_card, memory_scene

CALIBRATIONS = [Calibration(0.4, -1.0), Calibration(1.0, 0.0), Calibration(2.5, 1.5)]


def noise(card: ModelCard) -> NDArray[np.float32]:
    """A random map of 40 x 50 cells, whose log odds spread by 3."""
    channels = decoder_of(card).channels
    return (3 * np.random.default_rng(0).standard_normal((channels, 40, 50))).astype(np.float32)


def engine_at(card: ModelCard, threshold: float, calibration: Calibration | None = None) -> Engine:
    """An engine that is given maps."""
    record = None if calibration is None else calibration.to_record()
    made = replace(card, halo=32, threshold=threshold, calibration=record)
    return engine(made, lambda pixels: pixels)


@pytest.mark.parametrize("calibration", CALIBRATIONS)
@pytest.mark.parametrize("card", [lively()[1], grid_card(24.0), grid_card(None, 2)], ids=["patch", "boxes", "points"])
def test_the_same_is_found_at_the_same_threshold(card: ModelCard, calibration: Calibration) -> None:
    logits, scene = noise(card), memory_scene((40 * card.stride, 50 * card.stride))
    for threshold in (0.02, 0.3, 0.5, 0.9, 0.999):
        plain = engine_at(card, threshold).detections(logits, scene)
        found = engine_at(card, float(calibration(threshold)), calibration).detections(logits, scene)
        assert len(found)
        np.testing.assert_array_equal(found.xy, plain.xy)
        np.testing.assert_array_equal(found.label, plain.label)
        np.testing.assert_array_equal(found.score, calibration(plain.score))


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_the_ends_are_everything_and_what_is_certain(threshold: float) -> None:
    """No log odds of 3 times a normal deviate are those of 1 - 1e-9, 20.7: nothing is certain."""
    card = lively()[1]
    logits, scene = noise(card), memory_scene((40 * card.stride, 50 * card.stride))
    plain = engine_at(card, threshold).detections(logits, scene)
    assert len(engine_at(card, threshold, Calibration(0.4, -1.0)).detections(logits, scene)) == len(plain)


@pytest.mark.parametrize("card", [lively()[1], grid_card(24.0)], ids=["patch", "grid"])
def test_the_classes_of_a_heatmap_add_up_to_the_probability(card: ModelCard) -> None:
    logits, calibration = noise(card), CALIBRATIONS[0]
    plain = decoder_of(card).heat(logits)
    heat = engine_at(card, 0.5, calibration).heat(logits)
    np.testing.assert_array_equal(heat, calibrated_heat(plain, calibration))
    np.testing.assert_array_equal(plain, calibrated_heat(plain, None))
    there = plain.astype(np.float64).sum(axis=0)
    assert heat.dtype == np.float32
    np.testing.assert_allclose(heat.sum(axis=0), calibration(there.clip(0, 1)), rtol=1e-4)
    np.testing.assert_array_equal(heat.argmax(axis=0), plain.argmax(axis=0))

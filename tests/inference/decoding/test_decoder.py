import numpy as np
import pytest

from detect.inference.decoding.decoder import decoder_of
from detect.inference.decoding.grid import GridDecoder, combined_grids, grid_heat, turned_channels
from detect.inference.decoding.patch import PatchDecoder, posteriors
from tests.engines import lively
from tests.grids import D4, decode, grid_card


def maps(channels: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 2, (4, 2, channels, 5, 6)).astype(np.float32)


def test_each_family_has_its_decoder() -> None:
    assert isinstance(decoder_of(lively()[1]), PatchDecoder)
    assert isinstance(decoder_of(grid_card()), GridDecoder)


def test_a_card_tells_the_iou_of_boxes_from_the_radius_of_points() -> None:
    boxes, points, patch = grid_card(24.0, separation=0.35), grid_card(None, separation=7.0), lively()[1]
    assert (boxes.nms_iou, boxes.radius) == (0.35, 0.0)
    assert (points.nms_iou, points.radius) == (None, 7.0)
    assert (patch.nms_iou, patch.radius) == (None, 16.0)


@pytest.mark.parametrize("kind", ["patch", "boxes", "points"])
def test_heat_is_a_probability_of_each_class(kind: str) -> None:
    """The background is left out; the classes of a cell add up to at most 1."""
    card = lively()[1] if kind == "patch" else grid_card(24.0 if kind == "boxes" else None, 2)
    logits = maps(3 if kind == "patch" else 12)[0, 0]
    heat = decoder_of(card).heat(logits)
    assert heat.shape == (2, 5, 6) and heat.dtype == np.float32
    assert heat.min() >= 0 and heat.sum(axis=0).max() <= 1 + 1e-6
    np.testing.assert_array_equal(heat, posteriors(logits) if kind == "patch" else grid_heat(logits, 2))


def test_a_grids_views_are_turned_and_combined_by_its_slots() -> None:
    decoder = decoder_of(grid_card(24.0, 2))
    given = maps(12)
    for turn in D4:
        np.testing.assert_array_equal(decoder.turned_back(given[0], turn), turned_channels(given[0], 2, turn))
    for how in ("mean", "vote"):
        np.testing.assert_array_equal(decoder.combined(given, how), combined_grids(given, 2, how))


def test_classes_of_a_patch_know_no_direction() -> None:
    given = maps(3)[0]
    for turn in D4:
        np.testing.assert_array_equal(decoder_of(lively()[1]).turned_back(given, turn), given)


def test_the_separation_of_the_caller_goes_before_the_cards() -> None:
    """Two boxes of 24 x 24 pixels 16 apart have an IoU of 8 / 40 = 0.2: at 0.1 they are one."""
    logits = np.zeros((7, 6, 8), np.float32)
    logits[0] = -9
    logits[0, 2, [2, 4]] = (2, 1)
    card = grid_card(24.0, separation=0.5)
    assert len(decode(logits, card, (48, 64))) == 2
    assert len(decode(logits, card, (48, 64), separation=0.1)) == 1

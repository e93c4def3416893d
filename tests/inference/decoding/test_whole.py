from pathlib import Path

import numpy as np
import pytest
from scipy.special import logit

from detect.imagery.validity.gathered import ValidPixels
from detect.imagery.windows import Window
from detect.inference.decoding.geometry import CellGeometry
from detect.inference.decoding.whole import WholeDecoder
from detect.nets.heads.specs import WholeHead
from tests.cards import card_of

PLACE = CellGeometry(32, 16.0, (32, 32))


def decoder(labels: str = "one", background: str | None = None) -> WholeDecoder:
    head = WholeHead(32, labels, background)  # type: ignore[arg-type]
    return WholeDecoder(card_of(head, separation=1.0), head)


def cell(*logits: float) -> np.ndarray:
    return np.array(logits, np.float32)[:, None, None]


def probabilities(*shares: float) -> np.ndarray:
    return cell(*np.log(shares))


def test_the_likeliest_pattern_is_a_box_over_the_scene() -> None:
    found = decoder().detections(probabilities(0.3, 0.7), PLACE, separation=1.0, threshold=0.5)
    assert found.names == ["b"] and found.boxes_xyxy.tolist() == [[0, 0, 32, 32]]
    assert found.score[0] == pytest.approx(0.7)


def test_below_the_threshold_nothing_is_found() -> None:
    logits = probabilities(0.45, 0.55)
    for threshold, number in ((0.5, 1), (0.6, 0)):
        assert len(decoder().detections(logits, PLACE, separation=1.0, threshold=threshold)) == number
    assert decoder().sureness(logits, PLACE) == pytest.approx(0.55)


def test_of_a_scene_without_a_pattern_one_can_be_sure() -> None:
    bare, logits = decoder(background="none"), probabilities(0.8, 0.15, 0.05)
    assert len(bare.detections(logits, PLACE, separation=1.0, threshold=0.5)) == 0
    assert bare.sureness(logits, PLACE) == pytest.approx(0.8)
    assert bare.heat(logits)[:, 0, 0] == pytest.approx([0.15, 0.05])


def test_of_many_patterns_each_is_there_by_itself() -> None:
    many, logits = decoder("many"), cell(*logit([0.9, 0.6]))
    assert many.detections(logits, PLACE, separation=1.0, threshold=0.5).names == ["a", "b"]
    assert many.detections(logits, PLACE, separation=1.0, threshold=0.7).names == ["a"]
    assert many.sureness(logits, PLACE) is None


def test_of_a_scene_without_a_valid_pixel_nothing_is_said(tmp_path: Path) -> None:
    valid = ValidPixels((32, 32), 1 << 20, tmp_path, "x")
    valid.put(Window(0, 0, 32, 32), np.zeros((32, 32), bool))
    place = CellGeometry(32, 16.0, (32, 32), valid)
    assert len(decoder().detections(probabilities(0.3, 0.7), place, separation=1.0, threshold=0.0)) == 0
    assert decoder().sureness(probabilities(0.3, 0.7), place) is None


def test_views_are_averaged_or_vote() -> None:
    """Of three views two say a (0.6, 0.6) and one b (0.9): the mean of b is (0.4 + 0.4 + 0.9) / 3, its votes
    (1 + 17/30) / 4."""
    views = np.stack([probabilities(*each)[None] for each in ((0.6, 0.4), (0.6, 0.4), (0.1, 0.9))])
    mean = decoder().heat(decoder().combined(views, "mean")[0])[:, 0, 0]
    assert mean == pytest.approx([13 / 30, 17 / 30])
    vote = decoder().heat(decoder().combined(views, "vote")[0])[:, 0, 0]
    assert vote == pytest.approx([(2 + 13 / 30) / 4, (1 + 17 / 30) / 4])


def test_views_of_many_patterns_vote_for_each_by_itself() -> None:
    """Both views see a (0.9, 0.7: mean 0.8), one sees b (0.6, 0.2: mean 0.4); the mean is one more vote."""
    views = np.stack([cell(*logit(each))[None] for each in ((0.9, 0.6), (0.7, 0.2))])
    many = decoder("many")
    assert many.heat(many.combined(views, "mean")[0])[:, 0, 0] == pytest.approx([0.8, 0.4], abs=1e-6)
    assert many.heat(many.combined(views, "vote")[0])[:, 0, 0] == pytest.approx([2.8 / 3, 1.4 / 3], abs=1e-6)


def test_a_map_of_several_cells_is_no_scene() -> None:
    with pytest.raises(ValueError, match="one cell"):
        decoder().detections(np.zeros((2, 1, 2), np.float32), PLACE, separation=1.0, threshold=0.5)


def familiar_decoder() -> WholeDecoder:
    head = WholeHead(32, "one", "none", 5)
    return WholeDecoder(card_of(head, separation=1.0), head)


@pytest.mark.parametrize(("by", "number"), [(0.1, 1), (0.0, 1), (-1e-6, 0)])
def test_a_scene_like_none_of_the_training_is_unknown_at_any_threshold(by: float, number: int) -> None:
    """However probable a pattern is: here 0.8."""
    made, logits = familiar_decoder(), cell(*np.log((0.1, 0.1, 0.8)), by)
    assert made.channels == 4 and len(made.heat(logits)) == 2
    assert len(made.detections(logits, PLACE, separation=1.0, threshold=0.0)) == number
    assert made.sureness(logits, PLACE) == pytest.approx(0.8 * number)
    assert made.heat(logits)[:, 0, 0] == pytest.approx([0.1, 0.8])


@pytest.mark.parametrize("how", ["mean", "vote"])
def test_of_views_the_scene_as_it_is_tells_how_familiar_it_is(how: str) -> None:
    views = np.stack([cell(*np.log((0.2, 0.2, 0.6)), by)[None] for by in (0.3, -5.0)])
    combined = familiar_decoder().combined(views, how)
    assert combined.shape == (1, 4, 1, 1) and combined[0, 3, 0, 0] == np.float32(0.3)
    assert familiar_decoder().heat(combined[0])[1, 0, 0] > 0.59

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from detect.imagery.resampling import Zoom
from detect.imagery.scenes import Scene
from detect.imagery.windows import Window
from detect.labels.detections import Detections
from detect.learning.mining import MineHardNegatives
from detect.samples.hard_negatives import HardNegatives, Mining, false_alarms
from detect.samples.labelled_scenes import LabelledScene


def table(xy: list[tuple[float, float]], score: list[float]) -> Detections:
    return Detections(np.array(xy, float).reshape(-1, 2), np.array(score), np.zeros(len(xy), int), ("a",))


def scene(name: str, objects: list[tuple[float, float]], negatives: list[tuple[float, float]] = []) -> LabelledScene:  # noqa: B006
    where = Scene(Path(name), (100, 200), "uint8", 3)
    return LabelledScene(name, where, table(objects, [1.0] * len(objects)), np.array(negatives, float).reshape(-1, 2))


SCENES = [scene("a", [(10, 10), (50, 50)], [(90, 90)]), scene("b", [])]
FOUND = {"a": table([(12, 10), (30, 10), (50, 80)], [0.9, 0.5, 0.25]), "b": table([(5, 5)], [0.75])}


def test_false_alarms_lie_apart_from_every_object() -> None:
    """Within 20 pixels of an object at (10, 10) are (12, 10) and (30, 10), exactly 20 away; in b all are false."""
    assert false_alarms(SCENES, FOUND, 20) == [((0, 50.0, 80.0), 0.25), ((1, 5.0, 5.0), 0.75)]
    assert false_alarms(SCENES, FOUND, 19.9)[0] == ((0, 30.0, 10.0), 0.5)


def test_the_distance_is_in_pixels_of_the_file() -> None:
    """Seen at twice its size, what lies 20 pixels from an object lies 10 from it in the file."""
    seen = scene("a", [(10, 10)])
    seen = replace(seen, scene=replace(seen.scene, shape=(200, 400), zoom=Zoom(Window(0, 0, 100, 200), (200, 400))))
    found = {"a": table([(30, 10)], [0.5])}
    assert false_alarms([seen], found, 9.9) == [((0, 30.0, 10.0), 0.5)]
    assert false_alarms([seen], found, 10.1) == []


def test_a_single_false_alarm_does_not_fill_the_whole_share() -> None:
    """Four times each place that was mined; labelled ones are drawn as often as is asked for."""
    places = HardNegatives([scene("b", [])])
    assert places.limit(100) == 0
    places.mined = [((0, 1.0, 1.0), 0.25), ((0, 2.0, 2.0), 0.75)]
    assert (places.limit(100), places.limit(5)) == (8, 5)
    assert HardNegatives(SCENES).limit(100) == 100


def test_hard_negatives_are_drawn_by_their_score() -> None:
    """Weights 1 (labelled), 0.25 and 0.75: shares 1 / 2, 1 / 8 and 3 / 8 of 8,000 draws, within 4 deviations."""
    places = HardNegatives(SCENES)
    assert len(places) == 1 and places.draw(2, np.random.default_rng(0)) == [(0, 90.0, 90.0)] * 2
    places.mined = [((0, 1.0, 1.0), 0.25), ((1, 2.0, 2.0), 0.75)]
    drawn = places.draw(8000, np.random.default_rng(0))
    for place, share in (((0, 90.0, 90.0), 0.5), ((0, 1.0, 1.0), 0.125), ((1, 2.0, 2.0), 0.375)):
        assert abs(drawn.count(place) - 8000 * share) < 4 * (8000 * share * (1 - share)) ** 0.5
    assert HardNegatives([scene("b", [])]).draw(0, np.random.default_rng(0)) == []


def test_moments_are_ends_of_epochs() -> None:
    """Of 10 epochs 0.4 and 0.75 are the ends of the fourth and the eighth; the last epoch's end would be too late."""
    assert Mining((0.4, 0.75), 1.0).epochs(10) == {3, 7}
    assert Mining((0.01, 0.99), 1.0).epochs(3) == {0}
    assert Mining((0.5,), 1.0).epochs(1) == set()
    for wrong in (0.0, 1.0, -0.5):
        with pytest.raises(ValueError, match=rf"data\.mining\.at.*\(0, 1\), got \[{wrong}\]"):
            Mining((wrong,), 1.0)


class Trainer:
    sanity_checking, max_epochs = False, 4
    current_epoch = 0


class TrainerAt(Trainer):
    def __init__(self, epoch: int) -> None:
        self.current_epoch = epoch


class Module:
    def __init__(self) -> None:
        self.net = nn.Linear(1, 1)


def test_the_net_looks_when_it_is_time_and_a_resumed_run_knows_what_it_saw() -> None:
    looked: list[bool] = []

    def find(net: nn.Module) -> dict[str, Detections]:
        looked.append(net.training)
        return FOUND

    places = HardNegatives(SCENES)
    callback = MineHardNegatives(find, SCENES, places, Mining((0.5,), 20.0))  # type: ignore[arg-type]
    trainer, module = Trainer(), Module()
    for trainer.current_epoch in range(4):
        callback.on_validation_end(trainer, module)  # type: ignore[arg-type]
        assert len(places.mined) == (0 if trainer.current_epoch < 1 else 2)
    assert looked == [False] and module.net.training
    callback.on_validation_end(TrainerAt(1), module)  # type: ignore[arg-type]
    assert len(places.mined) == 4  # a second look adds to the first
    again = MineHardNegatives(find, SCENES, HardNegatives(SCENES), Mining((0.5,), 20.0))  # type: ignore[arg-type]
    again.load_state_dict(callback.state_dict())
    assert again.hard_negatives.mined == places.mined

"""Candidates beside detections: the same objects, down to a low score, and none where ground is one too."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from detect.imagery.description.scene_opening import open_scene
from detect.inference import engine as engines
from detect.inference.run import count_scene, decoded, map_scene
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.inference.shift.judging import Unlike
from detect.inference.tiles import Source
from detect.nets.facts.probabilities import MIN_CANDIDATE_SCORE, Calibration
from tests.engines import engine, lively, write
from tests.grids import grid_engine, lively_grid

CPU = torch.device("cpu")

CALIBRATION = Calibration(0.7, -0.5)


def test_candidates_hold_the_detections_and_probabilities_keep_both(tmp_path: Path) -> None:
    """The same place has the same objects with scores and with probabilities, at thresholds that are the same."""
    scene, (net, card) = open_scene(write(tmp_path / "a.png")), lively()
    runtime, card = TorchRuntime(net, CPU), replace(card, threshold=0.9)
    alone = count_scene(scene, engine(card, runtime))
    both = count_scene(scene, engine(card, runtime).with_candidates())
    threshold = float(CALIBRATION(card.threshold))
    probable = replace(card, calibration=CALIBRATION.to_record(), threshold=threshold)
    made = count_scene(scene, engine(probable, runtime))
    assert alone.candidates is None and both.candidates is not None and made.candidates is not None
    assert len(both.candidates) > len(alone.detections) > 0
    assert both.candidates.score.min() >= MIN_CANDIDATE_SCORE
    for one, other in ((both.detections, made.detections), (both.candidates, made.candidates)):
        np.testing.assert_array_equal(made.geometry.shape, both.geometry.shape)
        np.testing.assert_array_equal(one.xy, other.xy)
        np.testing.assert_array_equal(CALIBRATION(one.score), other.score)
    np.testing.assert_array_equal(alone.detections.xy, both.detections.xy)
    assert made.every is made.candidates and alone.every is None


def test_what_is_expected_does_not_depend_on_the_threshold(tmp_path: Path) -> None:
    scene, (net, card) = open_scene(write(tmp_path / "a.png")), lively()
    probable = engine(replace(card, calibration=CALIBRATION.to_record()), TorchRuntime(net, CPU))
    sums = []
    for threshold in (0.001, 0.3, 0.9):
        found = count_scene(scene, replace(probable, threshold=threshold)).candidates
        assert found is not None
        sums.append(float(found.score.sum()))
    assert sums[0] == sums[1] == sums[2] > 1


def test_where_ground_may_be_an_object_too_none_are_kept_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The map has 19 x 27 cells: with 10 that may be one at the most, detections stay and candidates are left out."""
    scene, (net, card) = open_scene(write(tmp_path / "a.png")), lively()
    made = engine(card, TorchRuntime(net, CPU))
    before = count_scene(scene, made).detections
    monkeypatch.setattr(engines, "MOST_CANDIDATES", 10)
    found = count_scene(scene, made.with_candidates())
    assert found.candidates is None and "candidates are not kept" in caplog.text
    np.testing.assert_array_equal(found.detections.xy, before.xy)


class Sizes:
    """A judge that keeps the sizes by which it is asked to judge."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def unlike(self, image: object, sizes: object) -> Unlike:
        self.asked.append(sizes)
        return Unlike(None)


def test_sizes_tell_the_scale_where_it_is_known_what_counts(tmp_path: Path) -> None:
    """Of a threshold that is told at the end only candidates are there: their sizes are those of ground as well."""
    scene, (net, card) = open_scene(write(tmp_path / "a.png", 150, 170)), lively_grid()
    made = replace(grid_engine(card, TorchRuntime(net, CPU)), judge=cast(Any, Sizes()))
    item = map_scene(Source("a", scene), made)
    item = replace(item, windows=cast(Any, object()))
    for undecided in (False, True):
        found = decoded(item, replace(made, undecided=undecided))
        assert len(found.detections)
        asked = made.judge.asked[-1]  # type: ignore[union-attr]
        assert asked is None if undecided else len(asked) == len(found.detections)

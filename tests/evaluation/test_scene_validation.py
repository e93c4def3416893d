"""Counting whole labelled scenes: the choice of threshold and separation, and the scores at it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from detect.evaluation.matching import Criterion
from detect.evaluation.scene_validation import (
    OVERLAPS,
    THRESHOLD_TOLERANCE,
    TRAINING_TOLERANCE,
    CountSettings,
    SceneDetector,
    SceneValidator,
    choose,
)
from detect.evaluation.scene_validation import select as select_scenes
from detect.imagery.reading import SceneReader
from detect.imagery.resampling import Zoom
from detect.imagery.scenes import Scene
from detect.imagery.windows import Window
from detect.inference.decoding.decoder import decoder_of
from detect.inference.decoding.geometry import CellGeometry
from detect.inference.plan import Plan, make_plan
from detect.labels.detections import Detections
from detect.nets.card import ModelCard
from detect.nets.facts.probabilities import Calibration
from detect.nets.modelfile import Net
from detect.samples.labelled_scenes import LabelledScene
from detect.samples.targets import Objects
from tests.engines import lively
from tests.grids import MarkNet, draw_marks, mark_card, scattered

torch.set_num_threads(1)
SHAPE = (224, 320)


def truth(things: Objects, *, points: bool = False) -> Detections:
    return Detections(things.xy, np.ones(len(things.xy)), things.label, ("a", "b"), None if points else things.wh)


def marks(seed: int) -> tuple[np.ndarray, Objects]:
    """An image (3, H, W) of marks, a cell and more from the edge, so that no box is cut."""
    cells = [(row, col) for row, col in scattered(SHAPE, seed) if min(row, col) > 1 and row < 12 and col < 18]
    image, things = draw_marks(SHAPE, cells, seed)
    return np.moveaxis(image, 2, 0), things


def counter(
    card: ModelCard, images: dict[str, np.ndarray], scenes: list[LabelledScene], iou: float | None = None
) -> SceneValidator:
    plan = make_plan(1 << 30, 200.0, 0, card.backbone.stride, align=card.align)

    def opened(scene: Scene, bands: Sequence[int]) -> SceneReader:
        return SceneReader(scene, bands, images[scene.path.name])

    detector = SceneDetector(scenes, opened, card, lambda net, tolerance: plan)
    return SceneValidator(detector, CountSettings(Criterion(5.0, iou), "f1"))


def labelled(name: str, objects: Detections, ignored: np.ndarray | None = None) -> LabelledScene:
    scene = Scene(Path(name), SHAPE, "uint8", 3)
    return LabelledScene(name, scene, objects, np.empty((0, 2)), np.empty((0, 4)) if ignored is None else ignored)


@pytest.mark.parametrize("iou", [None, 0.5])
def test_a_perfect_net_is_scored_as_such_and_its_choice_is_the_strongest(iou: float | None) -> None:
    """Of boxes that are apart every IoU of NMS does as well: the first, strongest, is taken."""
    card = mark_card(24.0, separation=0.5)
    drawn = {f"{i}.png": marks(i) for i in (1, 2)}
    scenes = [labelled(name, truth(things)) for name, (_, things) in drawn.items()]
    chosen = counter(card, {name: image for name, (image, _) in drawn.items()}, scenes, iou).score(
        MarkNet(24.0)  # type: ignore[arg-type]
    )
    scores = chosen.scores
    assert scores["f1"] == scores["f1_classwise"] == scores["map50"] == 1 and scores["map"] > 0.99
    assert (scores["iou"], scores["radius"]) == (iou, 5.0 if iou is None else None)
    assert chosen.separation == OVERLAPS[0]
    assert 0.02 < chosen.threshold <= 1 / (1 + np.exp(-8)) + 1e-6
    assert {name: len(table) for name, table in chosen.found.items()} == {s.name: len(s.objects) for s in scenes}


class Doubtful(MarkNet):
    """Is sure of class a alone: what it takes for b it thinks 12 % likely."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        found = super().forward(pixels)
        found[:, 0] = torch.where((found[:, 0] > 0) & (found[:, 6] > 0), -2.0, found[:, 0])
        return found


def test_average_precision_is_of_all_scores_and_the_counts_of_those_above_the_threshold() -> None:
    """The marks of class b are not labelled: the threshold keeps them out, and their low scores still rank last."""
    image, things = marks(1)
    objects = truth(things)
    wanted = objects[objects.label == 0]
    assert 0 < len(wanted) < len(objects)
    made = counter(mark_card(24.0), {"1.png": image}, [labelled("1.png", wanted)], 0.5)
    chosen = made.score(Doubtful(24.0))  # type: ignore[arg-type]
    scores = chosen.scores
    low = 1 / (1 + np.exp(2.0))
    assert chosen.threshold > low and len(chosen.found["1.png"]) == scores["found"] == len(wanted)
    assert scores["map_from_score"] == pytest.approx(low, abs=1e-5) and scores["map50"] == 1


def test_points_are_parted_by_a_radius_and_have_no_average_precision() -> None:
    card = mark_card(None)
    image, things = marks(1)
    made = counter(card, {"1.png": image}, [labelled("1.png", truth(things, points=True))])
    chosen = made.score(MarkNet(None))  # type: ignore[arg-type]
    assert chosen.scores["f1"] == 1 and "map" not in chosen.scores
    assert chosen.separation in made.detector.separations
    assert made(MarkNet(None))["f1"] == 1  # type: ignore[arg-type]


def test_the_strongest_separation_is_tried_first() -> None:
    """Cells of 16 pixels for points, and for a patch classifier; IoUs for boxes, of which a low one is strong."""
    for card in (mark_card(None), lively()[1]):
        assert counter(card, {}, []).detector.separations == (64.0, 48.0, 32.0, 16.0)
    assert counter(mark_card(24.0), {}, []).detector.separations == (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


@pytest.mark.parametrize(
    ("size", "spacing", "tried", "strongest"),
    [
        (None, 50.0, (48, 32, 16, 64), 64),
        (None, 48.0, (48, 32, 16, 64), 64),
        (None, 5.0, (16, 32, 48, 64), 64),
        (24.0, 0.45, (0.5, 0.6, 0.7, 0.4, 0.3, 0.2), 0.2),
        (24.0, 0.0, (0.2, 0.3, 0.4, 0.5, 0.6, 0.7), 0.2),
        (24.0, 0.9, (0.7, 0.6, 0.5, 0.4, 0.3, 0.2), 0.2),
    ],
)
def test_what_keeps_labelled_neighbours_apart_is_tried_first(
    size: float | None, spacing: float, tried: tuple[float, ...], strongest: float
) -> None:
    """Radii up to the distance of neighbours, the largest first, and overlaps from theirs up, the least first."""
    made = counter(mark_card(size), {}, []).detector
    made.spacing = spacing
    assert made.separations == tried and made.strongest == strongest


@pytest.mark.parametrize("away", [(40.0, 0.0), (48.0, 0.0), (63.0, 63.0), (64.0, 5.0), (80.0, 80.0)])
def test_a_patch_classifiers_first_radius_spares_labelled_neighbours(away: tuple[float, float]) -> None:
    """Two dots, sure at their cells of 16 pixels, wherever they lie on the grid of cells, are both found."""
    card = lively()[1]
    made = counter(card, {}, []).detector
    made.spacing = max(away)
    geometry = CellGeometry(16, 7.5, SHAPE)
    for shift in range(0, 16, 3):
        logits = np.zeros((3, 14, 20), np.float32)
        logits[0] = 9
        for x, y in ((20.0 + shift, 20.0 + shift), (20 + shift + away[0], 20 + shift + away[1])):
            logits[1, int(y / 16), int(x / 16)] = 20
        found = decoder_of(card).detections(logits, geometry, separation=made.separations[0], threshold=0.5)
        assert len(found) == 2


class Larger(MarkNet):
    """Marks stand for objects six times as large."""

    GROWN = 6.0


def test_touching_boxes_choose_an_iou_that_keeps_them() -> None:
    """Two marks of 9 pixels are boxes of 54; they are 32 apart, so their IoU is 22 / 86 = 0.26, and 0.2 drops one."""
    image = np.zeros((3, *SHAPE), np.uint8)
    image[:, 70:79, 71:80] = image[:, 70:79, 103:112] = 100
    boxes = Detections.truth(np.array([(75.5, 74.5), (107.5, 74.5)]), ["a", "a"], ("a", "b"), np.full((2, 2), 54.0))
    made = counter(mark_card(24.0), {"1.png": image}, [labelled("1.png", boxes)], 0.5)
    chosen = made.score(Larger(24.0))  # type: ignore[arg-type]
    assert chosen.scores["f1"] == 1 and chosen.separation == 0.3


def test_ignored_regions_are_not_scored() -> None:
    """Of all marks half are not labelled, and lie in ignored boxes; one of the labelled ones is in a region, too."""
    image, things = marks(1)
    objects = truth(things)
    number = len(objects)
    assert number >= 4
    half = number // 2
    regions = np.concatenate([objects.xy[: half + 1] - 3, objects.xy[: half + 1] + 3], axis=1)
    card = mark_card(24.0)
    made = counter(card, {"1.png": image}, [labelled("1.png", objects[half:], regions)], 0.5)
    chosen = made.score(MarkNet(24.0))  # type: ignore[arg-type]
    scores = chosen.scores
    assert len(chosen.found["1.png"]) == number - half - 1
    assert (scores["precision"], scores["recall"], scores["map50"]) == (1, 1, 1)
    assert (scores["objects"], scores["count_bias_percent"]) == (number - half - 1, 0)
    plain = counter(card, {"1.png": image}, [labelled("1.png", objects[half:])], 0.5)
    assert plain.score(MarkNet(24.0)).scores["precision"] < 1  # type: ignore[arg-type]


class Blind(MarkNet):
    """Says no to everything."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        found = super().forward(pixels)
        found[:, 0] = -20
        return found


def test_a_net_that_finds_nothing_scores_nothing_while_training_and_is_an_error_at_the_end() -> None:
    image, things = marks(1)
    made = counter(mark_card(24.0), {"1.png": image}, [labelled("1.png", truth(things))])
    assert made(Blind(24.0))["f1"] == 0 and made(Blind(24.0))["bias_percent"] == -100  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r" 0\.02 .*trainer\.max_epochs"):
        made.score(Blind(24.0))  # type: ignore[arg-type]


def test_a_network_is_counted_roughly_while_it_learns_and_finely_for_its_choice() -> None:
    """Which context is enough is asked anew for the weights as they are, with a tolerance."""
    image, things = marks(1)
    made = counter(mark_card(24.0), {"1.png": image}, [labelled("1.png", truth(things))])
    asked: list[tuple[object, float]] = []
    plan = made.detector.plan

    def noted(net: Net, tolerance: float) -> Plan:
        asked.append((net, tolerance))
        return plan(net, tolerance)

    made.detector.plan = noted
    net = MarkNet(24.0)
    made(net)  # type: ignore[arg-type]
    made.score(net)  # type: ignore[arg-type]
    assert asked == [(net, TRAINING_TOLERANCE), (net, THRESHOLD_TOLERANCE)] and THRESHOLD_TOLERANCE < TRAINING_TOLERANCE


@pytest.mark.parametrize(("radius", "f1"), [(5.0, 1.0), (2.0, 0.0)])
def test_resampled_scenes_are_scored_in_the_files_pixels(radius: float, f1: float) -> None:
    """Files of 3 times the height and twice the width. Labels 1 pixel of what is seen to the right of the marks are 2
    pixels of the file away from what is found, and so farther than a radius of just below 2."""
    image, things = marks(1)
    seen = replace(labelled("1.png", truth(things)).scene, zoom=Zoom(Window(0, 0, 3 * SHAPE[0], 2 * SHAPE[1]), SHAPE))
    scene = replace(labelled("1.png", truth(things).shifted(1, 0)), scene=seen)
    card = mark_card(24.0, separation=0.5)
    made = counter(card, {"1.png": image}, [scene])
    made.settings = replace(made.settings, criterion=Criterion(radius - 1e-6))
    np.testing.assert_allclose(made.truth["1.png"].xy, (things.xy + np.array([1, 0])) * (2, 3))
    chosen = made.score(MarkNet(24.0))  # type: ignore[arg-type]
    found = chosen.found
    assert chosen.scores["f1"] == f1
    order = np.lexsort(found["1.png"].xy.T)
    np.testing.assert_allclose(found["1.png"].xy[order], (things.xy * (2, 3))[np.lexsort(things.xy.T)], atol=1e-3)
    assert things.wh is not None and found["1.png"].wh is not None
    np.testing.assert_allclose(found["1.png"].wh.sum(axis=0), (things.wh * (2, 3)).sum(axis=0), rtol=1e-5)


class Unsure(MarkNet):
    """Its log odds of marks are a quarter, those of ground a third and from mark to mark others: no probabilities."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        found = super().forward(pixels)
        odd = torch.arange(found[:, 0].numel()).view_as(found[:, 0]) % 7 / 7
        found[:, 0] = torch.where(found[:, 0] > 0, found[:, 0] / 4 - 2 * odd, found[:, 0] / 3 + 2 * odd)
        return found


@pytest.mark.parametrize("select", ["f1", "count"])
def test_probabilities_change_no_count_and_no_choice(select: Literal["f1", "count"]) -> None:
    """What is found at the chosen threshold, of scores as they are, is what is found at the chosen probability."""
    card, names = mark_card(None), ["1.png", "2.png"]
    drawn = {name: marks(i) for i, name in enumerate(names)}
    scenes = [labelled(name, truth(things, points=True)) for name, (_, things) in drawn.items()]
    made = counter(card, {name: image for name, (image, _) in drawn.items()}, scenes)
    candidates = made.candidates(Unsure(None), THRESHOLD_TOLERANCE)  # type: ignore[arg-type]
    settings = replace(made.settings, select=select)
    plain, choice = select_scenes(candidates, made.truth, settings), choose(candidates, made.truth, settings, card)
    assert choice.calibration is not None
    calibration = Calibration.from_record(choice.calibration)
    assert choice.threshold == float(calibration(plain.threshold))
    assert (choice.scores["f1"], choice.scores["precision"]) == (plain.f1, plain.precision)
    for name in names:
        kept = candidates[plain.separation][name]
        kept = kept[kept.score >= plain.threshold]
        np.testing.assert_array_equal(choice.found[name].xy, kept.xy)
        np.testing.assert_array_equal(choice.found[name].score, calibration(kept.score))
    per_image = choice.scores["per_image"]
    assert choice.scores["expected"] == pytest.approx(sum(per_image[name]["expected"] for name in names))

"""An image looked at in several sizes: the same objects are one, with the mean of their scores."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from detect.imagery.description.scene_opening import open_scene
from detect.inference.engine import Engine
from detect.inference.meeting.met_images import Meeting
from detect.inference.meeting.scale_views import FLOOR, ScaleViews
from detect.inference.run import count_scene, predict_images
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.labels.detections import Detections
from tests.engines import assert_same_objects, disc_net, discs, engine, hexagons, write
from tests.grids import grid_engine, lively_grid
from tests.inference.test_run import Kept

VIEWS = ScaleViews((0.5, 2.0), reach=4.0, separation=4.0)


def points(*rows: tuple[float, float, float], label: int = 0) -> Detections:
    """Points of x, y and score."""
    x, y, score = np.array(rows or np.empty((0, 3))).reshape(-1, 3).T
    return Detections(np.stack([x, y], axis=1), score, np.full(len(x), label), ("a", "b"))


def boxes(*rows: tuple[float, float, float, float, float]) -> Detections:
    """Boxes of x, y, w, h and score."""
    x, y, w, h, score = np.array(rows).reshape(-1, 5).T
    return Detections(np.stack([x, y], 1), score, np.zeros(len(x), int), ("a", "b"), np.stack([w, h], 1))


def test_the_score_is_the_mean_over_all_sizes() -> None:
    """0.92, 0.62 and nothing: (0.92 + 0.62 + 0.02) / 3 = 0.52; places weigh 0.9 and 0.6, 2.0 apart: 0.8 of the way."""
    found = VIEWS.merged([points((10, 10, 0.92)), points((12, 10, 0.62)), points()], 0.1)
    np.testing.assert_allclose(found.score, [0.52])
    np.testing.assert_allclose(found.xy, [[10 + 2 * 0.6 / 1.5, 10]])


def test_what_one_size_alone_finds_is_weak() -> None:
    """0.92 of three sizes is 0.32: below a threshold of a half it is none, above 0.3 it is one."""
    views = [points(), points((50, 50, 0.92)), points()]
    assert len(VIEWS.merged(views, 0.5)) == 0
    np.testing.assert_allclose(VIEWS.merged(views, 0.3).score, [0.32])


def test_neighbours_stay_two_where_both_sizes_see_two() -> None:
    """Two objects 5 apart, seen 2 to the right in the other size: each nearest to its own, none is taken twice."""
    one = points((10, 10, 0.9), (15, 10, 0.8))
    found = ScaleViews((2.0,), 4.0, 4.0).merged([one, one.shifted(2, 0)], 0.5)
    np.testing.assert_allclose(found.xy, [[11, 10], [16, 10]])
    np.testing.assert_allclose(found.score, [0.9, 0.8])


def test_an_object_that_the_own_size_misses_is_one_of_the_others() -> None:
    found = VIEWS.merged([points(), points((10, 10, 0.8)), points((11, 10, 0.8))], 0.5)
    np.testing.assert_allclose(found.score, [(0.8 + 0.8 + 0.02) / 3])


def test_the_class_is_that_of_the_surer_sizes() -> None:
    """One size says b with 0.9, two say a with 0.4 each: 0.88 above the floor is more than twice 0.38."""
    found = VIEWS.merged([points((9, 9, 0.4)), points((9, 9, 0.4)), points((9, 9, 0.9), label=1)], 0.1)
    assert found.names == ["b"]


def test_boxes_are_one_by_their_overlap() -> None:
    """10 x 10 shifted by 2: 80 of 120 pixels are shared; shifted by 6, 40 of 160 are fewer than 0.3."""
    one = boxes((20, 20, 10, 10, 0.8))
    near, far = (ScaleViews((2.0,), 0, 0.5).merged([one, one.shifted(by, 0)], 0.1) for by in (2, 6))
    np.testing.assert_allclose(near.xy, [[21, 20]])
    assert near.wh is not None and near.wh.tolist() == [[10, 10]] and near.score[0] == pytest.approx(0.8)
    assert len(far) == 2 and far.score.max() == pytest.approx(0.41)


def test_nothing_jumps_where_a_size_loses_an_object() -> None:
    """A score at the floor and none are the same."""
    with_it, without = (
        VIEWS.merged([points((10, 10, 0.8)), other, points()], 0.1) for other in (points((13, 10, FLOOR)), points())
    )
    np.testing.assert_allclose(with_it.score, without.score)
    np.testing.assert_allclose(with_it.xy, without.xy, atol=1e-6)


def scaled_engine(size: float | None, room: int | None = None, factor: float = 1.0) -> Engine:
    net, card = lively_grid(size)
    assert card.halo is not None
    made = grid_engine(card, TorchRuntime(net, torch.device("cpu")), room and 2 * card.halo + room)
    meeting = None if factor == 1 else Meeting(1.0, scale=factor)
    return replace(made, scale_views=ScaleViews((0.7, 1.3), 12.0, card.separation), meeting=meeting)


@pytest.mark.parametrize("factor", [1.0, 1.2])
@pytest.mark.parametrize("size", [24.0, None])
def test_law_4_the_objects_of_several_sizes_are_the_same_for_every_tile_size(
    tmp_path: Path, size: float | None, factor: float
) -> None:
    scene = open_scene(write(tmp_path / "a.png", 150, 170))
    first, *others = [count_scene(scene, scaled_engine(size, room, factor)) for room in (None, 32, 48, 80)]
    assert len(first.detections) > 4
    for other in others:
        assert_same_objects(other.detections, first.detections)
        np.testing.assert_allclose(other.logits, first.logits, rtol=0, atol=1e-4 * np.ptp(first.logits))
    assert (first.detections.xy >= 0).all() and (first.detections.xy < (170, 150)).all()


def test_law_7_other_images_change_nothing(tmp_path: Path) -> None:
    names = [f"{i}.png" for i in range(2)]
    for i, name in enumerate(names):
        write(tmp_path / name, 90, 75, seed=i)
    kept = Kept()
    done, failures = predict_images([(name, tmp_path / name) for name in names], scaled_engine(24.0), kept, kept)
    assert not failures and done == kept.pixels == 2 * 90 * 75
    for name in names:
        alone = count_scene(open_scene(tmp_path / name), scaled_engine(24.0)).detections
        np.testing.assert_array_equal(kept.results[name].detections.score, alone.score)


def test_discs_are_counted_once_in_three_sizes(tmp_path: Path) -> None:
    net, card = disc_net()
    places = hexagons(200, 260, 16.0, seed=1, clusters=1)
    Image.fromarray(discs(200, 260, places, 8.0)).save(tmp_path / "a.png")
    made = engine(card, TorchRuntime(net, torch.device("cpu")))
    found = count_scene(open_scene(tmp_path / "a.png"), replace(made, scale_views=ScaleViews((0.75, 1.33), 6.0, 4.0)))
    assert len(found.detections) == len(places)
    apart = np.hypot(*(found.detections.xy[:, None] - places[None]).transpose(2, 0, 1)).min(axis=1)
    assert apart.max() < 2


def test_a_broken_image_fails_once(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.jpg", 300, 300).read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    kept = Kept()
    predict_images([("a.jpg", tmp_path / "a.jpg")], scaled_engine(24.0), kept, kept)
    assert kept.events == [("failed", "a.jpg")]

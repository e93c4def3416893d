import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from tools import bench_seams as bench

SHAPE = (600, 700)


@pytest.fixture(params=["sparse", "touching", "overlapping"])
def truth(request: pytest.FixtureRequest) -> bench.Truth:
    return bench.make_scene(request.param, 40, SHAPE, seed=3)


def boxes(*rows: tuple[int, int, int, int]) -> np.ndarray:
    return np.array(rows, float)


def test_scenes_hold_what_they_are_named_for() -> None:
    for name, least, most in (("sparse", 0, 0), ("touching", 0, 0), ("overlapping", 0.1, 0.5)):
        truth = bench.make_scene(name, 40, SHAPE, seed=3)
        assert (truth.boxes >= 0).all() and (truth.boxes.max(axis=0)[2:] <= SHAPE[::-1]).all()
        apart = np.abs(truth.xy[:, None] - truth.xy[None]).max(axis=2)[np.triu_indices(40, 1)]
        assert len(truth.boxes) == 40 and apart.min() >= bench.MIN_DISTANCE
        iou = box_iou(*[torch.from_numpy(truth.boxes)] * 2).numpy()[np.triu_indices(40, 1)]
        assert least <= iou.max() + 1e-9 and iou.max() <= most + 1e-9
    bricks = bench.make_scene("touching", 40, SHAPE, seed=3).boxes
    assert np.isin(bricks[:, 0].round(6), bricks[:, 2].round(6)).mean() > 0.5


@pytest.mark.parametrize("tile", [160, 256, 2048])
def test_the_engine_finds_every_object_once(tmp_path: Path, truth: bench.Truth, tile: int) -> None:
    truth.write(tmp_path / "scene.tif")
    assert bench.strays(truth.xy, bench.find(tmp_path / "scene.tif", tile)) == 0


def test_a_halo_too_small_by_one_cell_is_noticed(tmp_path: Path) -> None:
    truth = bench.make_scene("overlapping", 100, SHAPE, seed=3)
    truth.write(tmp_path / "scene.tif")
    assert bench.strays(truth.xy, bench.find(tmp_path / "scene.tif", 160, bench.FIELD - bench.STRIDE)) > 0


def test_strays_do_not_make_up_for_each_other() -> None:
    truth = np.array([[10, 10], [40, 10]])
    assert bench.strays(truth, truth + 3) == 0
    assert bench.strays(truth, np.array([[10, 10], [12, 10]])) == 2
    assert bench.strays(truth, np.array([[10, 10], [40, 30]])) == 2


def test_slices_cover_the_scene_and_share_a_fifth() -> None:
    assert bench.starts(5000, 640)[:3] == [0, 512, 1024]
    assert bench.starts(5000, 640)[-1] == 5000 - 640
    assert bench.starts(640, 640) == [0] and bench.starts(641, 640) == [0, 1] and bench.starts(100, 640) == [0]


def test_a_box_on_a_seam_is_seen_by_the_slices_that_hold_enough_of_it() -> None:
    truth = bench.Truth((100, 180), boxes((70, 0, 110, 50)), np.array([0.8]))
    seen = list(bench.sliced(truth, 100, 0.2))
    assert [found.tolist() for found, _ in seen] == [[[70, 0, 100, 50]], [[80, 0, 110, 50]]]
    np.testing.assert_allclose([score[0] for _, score in seen], [0.8 * 30 / 40, 0.8 * 30 / 40])
    assert [len(found) for found, _ in bench.sliced(truth, 100, 0.8)] == [0, 0]


def test_merge_rules_on_known_boxes() -> None:
    """A box, a quarter of it (IoU 0.25, IoS 1), and a neighbour with IoU 25 / 175 and IoS 0.25 with it."""
    three, scores = boxes((0, 0, 10, 10), (0, 0, 5, 5), (5, 5, 15, 15)), np.array([0.9, 0.5, 0.8])
    assert bench.suppressed(three, scores) == 3
    assert bench.merged(three, scores) == 2
    assert bench.merged(np.empty((0, 4)), np.empty(0)) == 0


def test_the_command_prints_and_writes_percent_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--height", "600", "--width", "700", "--counts", "10", "40", "60", "--tiles", "160", "256", "--seed", "5"]
    assert bench.main([*small, "--json", str(tmp_path / "seams.json")]) == 0
    assert "detect: 0 objects lost or invented" in capsys.readouterr().out
    result = json.loads((tmp_path / "seams.json").read_text())
    assert list(result) == ["sparse", "touching", "overlapping"]
    for methods in result.values():
        assert list(methods) == ["detect", "nms_iou_0.5", "greedy_nmm_ios_0.5", "per_tile_nms"]
        assert methods["detect"] == {"160": 0.0, "256": 0.0, "whole": 0.0}
        assert methods["per_tile_nms"]["160"] > 0 and methods["per_tile_nms"]["whole"] == 0

"""Where scenes are valid: cells, places in them, labels that lie elsewhere, and what samples keep to."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.windows import Window
from detect.labels.detections import Detections
from detect.labels.window_cover import unseen_parts
from detect.samples.augment import Augment
from detect.samples.crop_draws import Crop, CropSampler
from detect.samples.crops import CropDataset
from detect.samples.epochs import CropDraw
from detect.samples.hard_negatives import false_alarms
from detect.samples.labelled_scenes import LabelledScene
from detect.samples.pixel_cache import PixelSource
from detect.samples.values import coverage
from detect.samples.values.coverage import Coverage, covered

SIDES = (170, 210)


def slanted() -> np.ndarray:
    """What is valid of a scene with a slanted border at the left, a hole, and a ragged edge below."""
    rows, cols = np.mgrid[: SIDES[0], : SIDES[1]]
    valid = cols > 40 + rows // 3
    valid[60:80, 150:180] = False
    valid[-3:, ::2] = False
    return valid


def labelled(path: Path, valid: np.ndarray, xy: list[tuple[float, float]]) -> LabelledScene:
    pixels = np.random.default_rng(1).integers(0, 256, (*valid.shape, 4), dtype=np.uint8)
    pixels[..., 3] = np.where(valid, 255, 0)
    Image.fromarray(pixels).save(path)
    objects = Detections.truth(np.array(xy, float).reshape(-1, 2), ["a"] * len(xy), ["a"])
    return LabelledScene(path.name, open_scene(path), objects, np.array([[10.0, 10.0], [190.0, 30.0]]))


PLACES = [(120.0, 40.0), (190.0, 120.0), (165.0, 70.0), (5.0, 160.0), (150.0, 100.0)]


@pytest.fixture
def scene(tmp_path: Path) -> LabelledScene:
    source = PixelSource((1, 2, 3), 1 << 30)
    return covered([labelled(tmp_path / "a.png", slanted(), PLACES)], source)[0]


def holds(valid: np.ndarray, xy: np.ndarray) -> np.ndarray:
    cols, rows = np.floor(xy).astype(int).T
    return valid[rows, cols]


def test_labels_on_pixels_that_are_not_valid_are_left_out_and_told(
    scene: LabelledScene, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    np.testing.assert_array_equal(scene.objects.xy, [PLACES[0], PLACES[1], PLACES[4]])
    np.testing.assert_array_equal(scene.negatives, [[190.0, 30.0]])
    with caplog.at_level("WARNING", logger="detect"):
        covered([labelled(tmp_path / "b.png", slanted(), PLACES)], PixelSource((1, 2, 3), 1 << 30))
    assert "3 labels lie on pixels that are not valid" in caplog.text and "b.png" in caplog.text


@pytest.mark.parametrize("strip", [1, 5000, 1 << 22])
def test_cells_are_those_without_a_pixel_that_is_not_valid(
    strip: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many rows are read at once."""
    monkeypatch.setattr(coverage, "STRIP_PIXELS", strip)
    made = covered([labelled(tmp_path / "a.png", slanted(), PLACES)], PixelSource((1, 2, 3), 1 << 30))[0].coverage
    assert made is not None and made.side == 4
    for row, col in np.ndindex(made.cells.shape):
        assert made.cells[row, col] == slanted()[4 * row : 4 * row + 4, 4 * col : 4 * col + 4].all()


def test_a_scene_that_is_all_valid_has_no_cells_and_one_without_a_valid_pixel_is_named(tmp_path: Path) -> None:
    source = PixelSource((1, 2, 3), 1 << 30)
    assert covered([labelled(tmp_path / "a.png", np.ones(SIDES, bool), PLACES)], source)[0].coverage is None
    with pytest.raises(ValueError, match=r"b\.png has no valid pixel"):
        covered([labelled(tmp_path / "b.png", np.zeros(SIDES, bool), [])], source)


@given(seed=st.integers(0, 2**32 - 1), height=st.integers(1, 30), width=st.integers(1, 30), side=st.integers(1, 6))
@settings(deadline=None, max_examples=60)
def test_every_place_is_in_a_valid_cell_and_evenly_drawn_ones_are_even(
    seed: int, height: int, width: int, side: int
) -> None:
    rng = np.random.default_rng(seed)
    cells = rng.random((-(-height // side), -(-width // side))) < 0.4
    cells[0, 0] = True
    made = Coverage(cells, side, (height, width))
    places = np.array(
        [made.place(*pair) for pair in [(0.0, 0.0), (1 - 1e-12, 1 - 1e-12), *rng.random((50, 2)).tolist()]]
    )
    assert ((places >= 0) & (places < (width, height))).all() and made.holds(places).all()
    order = [made.place(0.5, (i + 0.5) / cells.sum()) for i in range(cells.sum())]
    assert len({(int(x // side), int(y // side)) for x, y in order}) == cells.sum()


def test_no_empty_crop_is_drawn_where_nothing_is_valid(scene: LabelledScene) -> None:
    """Half of it is valid, at least."""
    crops = CropSampler([scene], CropDraw(60, 32, 0.9, 0.0, 0.0), 0)
    for crop in crops.draw(0):
        at = crop.window
        share = slanted()[at.row : at.row_stop, at.col : at.col_stop].mean()
        assert share > 0.4 or at.contains_xy(scene.objects.xy).any()


def test_no_false_alarm_is_mined_where_nothing_is_valid(scene: LabelledScene) -> None:
    found = Detections.truth(np.array([[5.0, 160.0], [130.0, 140.0], [165.0, 70.0]]), ["a"] * 3, ["a"])
    assert [place for place, _ in false_alarms([scene], {scene.name: found}, 10)] == [(0, 130.0, 140.0)]


def test_draws_of_scenes_that_are_all_valid_are_those_of_scenes_that_say_nothing(tmp_path: Path) -> None:
    """A model of images without masks learns from the same samples as before."""
    plain = labelled(tmp_path / "a.png", np.ones(SIDES, bool), PLACES)
    known = covered([plain], PixelSource((1, 2, 3), 1 << 30))[0]
    draw = CropDraw(100, 32, 0.6, 0.25, 0.0)
    assert CropSampler([plain], draw, 3).draw(2) == CropSampler([known], draw, 3).draw(2)


def test_the_share_of_a_window_counts_its_cells() -> None:
    made = Coverage(np.array([[True, False], [True, True]]), 4, (8, 8))
    assert made.share_of(Window(0, 0, 8, 8)) == 0.75 and made.share_of(Window(0, 4, 4, 4)) == 0
    assert made.share_of(Window(-4, -4, 4, 4)) == 0 and made.share == 0.75


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_samples_have_the_network_s_mean_where_nothing_is_valid_whatever_varies_them(name: str, tmp_path: Path) -> None:
    """Brighter and turned, a crop still has 7, 8 and 9 beyond the slanted edge, and nowhere else."""
    source = PixelSource((1, 2, 3), 1 << 30)
    made = covered([labelled(tmp_path / name, slanted(), [(80.0, 60.0)])], source)
    source.fill_with((7, 8, 9))
    augment = Augment({"D4": {}, "RandomBrightnessContrast": {"brightness_limit": [0.3, 0.4], "p": 1.0}})
    crops = CropDataset(made, [Crop(0, Window(40, 40, 64, 64))] * 4, source, lambda *_: {}, augment, 0)
    for i in range(4):
        pixels, _, valid = crops.sample(i)
        assert 0 < (~valid).sum() < valid.size / 2
        filled = (pixels == np.array([7, 8, 9])[:, None, None]).all(axis=0)
        np.testing.assert_array_equal(filled, ~valid)
    plain = CropDataset(made, [Crop(0, Window(40, 40, 64, 64))], source, lambda *_: {})[0][0].numpy()
    assert (plain[:, ~slanted()[40:104, 40:104]] == np.array([7, 8, 9])[:, None]).all()


def test_beyond_the_edge_a_crop_with_masked_pixels_is_mirrored_as_in_prediction(tmp_path: Path) -> None:
    """The 20 rows above the scene are those below its edge, in whatever orientation, and are not scored."""
    source = PixelSource((1, 2, 3), 1 << 30)
    made = covered([labelled(tmp_path / "a.png", slanted(), [(80.0, 60.0)])], source)
    source.fill_with((7, 8, 9))
    window = Window(-20, 20, 64, 64)
    wanted, there = source.read_valid(made[0].scene, window)
    crops = CropDataset(made, [Crop(0, window)] * 4, source, lambda *_: {}, Augment({"D4": {}}), 0)
    for i in range(4):
        pixels, _, valid = crops.sample(i)
        assert valid.sum() == there[20:].sum() < there.sum()
        assert sorted(pixels.reshape(3, -1).T.tolist()) == sorted(wanted.reshape(3, -1).T.tolist())


def test_samples_without_objects_keep_to_what_is_not_ignored(tmp_path: Path) -> None:
    """Of 300 x 300 pixels 64 x 64 were reviewed: of 40 crops of 32, the 39 without an object lie mostly there."""
    Image.new("RGB", (300, 300)).save(tmp_path / "a.png")
    window = Window(100, 100, 64, 64)
    ignored = [(w.col, w.row, w.col_stop, w.row_stop) for w in unseen_parts([window], (300, 300))]
    objects = Detections.truth(np.array([[102.0, 102.0]]), ["a"], ("a",))
    plain = LabelledScene("a.png", open_scene(tmp_path / "a.png"), objects, np.empty((0, 2)), np.array(ignored, float))
    known = covered([plain], PixelSource((1, 2, 3), 1 << 30))[0]
    assert known.coverage is not None and known.coverage.cells.sum() * known.coverage.side**2 == 64 * 64
    crops = CropSampler([known], CropDraw(40, 32, 0.975, 0.0, 0.5), seed=0).draw(0)
    assert sum(known.coverage.share_of(crop.window) >= coverage.LEAST_VALID for crop in crops) >= 39

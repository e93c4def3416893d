from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detect.imagery.description.scene_opening import open_scene
from detect.labels.detections import Detections
from detect.samples.labelled_scenes import LabelledScene
from detect.samples.pasting.stock import SceneCutouts
from detect.samples.pixel_cache import PixelSource
from tests.imagery.rasters import write_tiff

SIDE = 240
SOURCE = PixelSource((1, 2, 3), 1 << 30)


def scene(
    path: Path, places: list[tuple[int, int]], labels: list[int], seen: list[bool], points: bool
) -> LabelledScene:
    """Noise about 60, with discs of 180, 20 pixels across, where an object is to be seen."""
    pixels = np.random.default_rng(0).normal(60, 3, (SIDE, SIDE, 3))
    rows, cols = np.mgrid[:SIDE, :SIDE] + 0.5
    for (x, y), there in zip(places, seen, strict=True):
        if there:
            pixels[np.hypot(rows - y, cols - x) < 10] = 180
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    wh = None if points else np.full((len(places), 2), 20.0)
    truth = Detections(np.array(places, float), np.ones(len(places)), np.array(labels), ("a", "b", "c"), wh)
    return LabelledScene(path.name, open_scene(path), truth, np.empty((0, 2)), np.empty((0, 4)))


PLACES = [(40, 40), (120, 40), (200, 40), (40, 120), (120, 120), (200, 120), (40, 200)]
LABELS = [0, 0, 1, 1, 1, 1, 2]
SEEN = [True, True, True, False, False, False, False]


@pytest.mark.parametrize("points", [True, False])
def test_classes_are_drawn_equally_often_as_far_as_they_can_be_cut_out(tmp_path: Path, points: bool) -> None:
    """Two discs of a, one of b with three labels on nothing, one of c on nothing: points of c are never drawn."""
    cutouts = SceneCutouts([scene(tmp_path / "a.png", PLACES, LABELS, SEEN, points)], SOURCE, 20.0, 0.3, 1.0)
    assert len(cutouts.isolated) == 7 and cutouts.object_cutouts.rates == {0: 1.0, 1: 0.25, 2: 0.0}
    drawn = [cutouts.draw(np.random.default_rng(seed), 100) for seed in range(300)]
    labels = [found[1] for found in drawn if found is not None]
    share = np.bincount(labels, minlength=3) / 300
    np.testing.assert_allclose(share, [0.5, 0.5, 0] if points else [1 / 3] * 3, atol=0.1)  # 3.5 standard deviations
    if points:
        assert all(found[0].pixels[:, found[0].cover > 0.9].mean() > 150 for found in drawn if found is not None)


def test_without_anything_to_cut_out_nothing_is_drawn(tmp_path: Path) -> None:
    for places, labels, seen in (([], [], []), ([(40, 40)], [0], [False])):
        cutouts = SceneCutouts([scene(tmp_path / "a.png", places, labels, seen, True)], SOURCE, 20.0, 0.3, 0.5)
        assert cutouts.draw(np.random.default_rng(0), 100) is None


def test_what_is_larger_than_the_crop_is_not_drawn(tmp_path: Path) -> None:
    cutouts = SceneCutouts([scene(tmp_path / "a.png", [(40, 40)], [0], [True], False)], SOURCE, 20.0, 0.3, 0.5)
    assert cutouts.draw(np.random.default_rng(0), 25) is None
    assert cutouts.draw(np.random.default_rng(0), 26) is not None


@pytest.mark.parametrize("points", [True, False])
def test_an_object_beside_missing_pixels_is_left_where_it_is(tmp_path: Path, points: bool) -> None:
    """Two rows of nodata, 12 above the middle of a disc of radius 10."""
    labelled = scene(tmp_path / "a.png", [(40, 40), (120, 120)], [0, 0], [True, True], points)
    pixels = np.asarray(Image.open(tmp_path / "a.png")).copy()
    pixels[27:29] = 7
    file = write_tiff(tmp_path / "a.tif", np.moveaxis(pixels, -1, 0), nodata=7)
    labelled = replace(labelled, scene=open_scene(file))
    cutouts = SceneCutouts([labelled], SOURCE, 20.0, 0.3, 0.5)
    assert len(cutouts.isolated) == 2
    assert cutouts.object_cutouts((0, 0), 0) is None and cutouts.object_cutouts((0, 1), 0) is not None
    drawn = [cutouts.draw(np.random.default_rng(seed), 100) for seed in range(8)]
    assert all(found is not None and (found[0].pixels > 7).all() for found in drawn)


def test_a_hard_negative_beside_it_is_not_of_an_object(tmp_path: Path) -> None:
    """A bar of 40 pixels: its right half is labelled as no object."""
    labelled = scene(tmp_path / "a.png", [(60, 60)], [0], [False], True)
    pixels = np.asarray(Image.open(tmp_path / "a.png")).copy()
    pixels[54:66, 52:92] = 180
    Image.fromarray(pixels).save(tmp_path / "a.png")
    kept = []
    for negatives in (np.empty((0, 2)), np.array([[84.0, 60.0]])):
        piece = SceneCutouts([replace(labelled, negatives=negatives)], SOURCE, 24.0, 0.3, 0.5).object_cutouts((0, 0), 0)
        assert piece is not None
        kept.append(piece.cover.sum())
    assert kept[1] < 0.8 * kept[0]

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detect.evaluation.matching import Criterion
from detect.imagery.resampling import Zoom
from detect.imagery.scenes import Scene, open_scene
from detect.reporting.pictures import scene_errors
from detect.reporting.pictures.scene_errors import draw_scenes
from tests.reporting.conftest import detections


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    Image.fromarray(np.full((60, 80, 3), 90, np.uint8)).save(tmp_path / "a.png")
    return open_scene(tmp_path / "a.png")


def test_every_scene_has_a_picture_and_sheets_of_the_errors_that_it_has(tmp_path: Path, scene: Scene) -> None:
    """Scene 1: a hit at distance 2 and a false alarm. Scene 2: a missed object. The truth is a white dot."""
    truth = {"a": detections([(20, 20, 0, 1)]), "b": detections([(60, 30, 1, 1)])}
    found = {"a": detections([(22, 20, 0, 0.9), (60, 40, 1, 0.8)]), "b": detections([])}
    draw_scenes(tmp_path / "out", [(name, scene, truth[name]) for name in "ab"], found, 5, Criterion(3))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "1.jpg",
        "1_false_alarms.jpg",
        "2.jpg",
        "2_missed.jpg",
    ]
    picture = Image.open(tmp_path / "out/2.jpg")
    assert picture.width == 80 and min(picture.getpixel((60, 30))) > 200 and max(picture.getpixel((10, 10))) < 120


def test_rings_are_in_file_pixels_and_a_large_scene_is_reduced(
    tmp_path: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """80 file pixels are resampled to 40: a radius of 5 is 10 in the file. Reduced to 40, the scale is 0.5."""
    calls = []
    real = scene_errors.overlay
    monkeypatch.setattr(scene_errors, "overlay", lambda *args: calls.append(args) or real(*args))
    monkeypatch.setattr(scene_errors, "MAX_PICTURE_SIDE", 40)
    resampled = replace(scene, shape=(30, 40), zoom=Zoom(scene.window, (30, 40)))
    draw_scenes(tmp_path / "out", [("a", resampled, detections([]))], {"a": detections([])}, 5, Criterion(3))
    pixels, _, scale, radius_file_px = calls[0]
    assert pixels.shape == (30, 40, 3) and (scale, radius_file_px) == (0.5, 10)

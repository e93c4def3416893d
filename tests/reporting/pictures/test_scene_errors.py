import logging
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detect.evaluation.matching import Criterion
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.gdal.datasets import open_dataset
from detect.imagery.resampling import Zoom
from detect.imagery.scenes import Scene
from detect.labels.detections import Detections
from detect.reporting.pictures import scene_errors
from detect.reporting.pictures.scene_errors import clear_scenes, draw_scenes
from detect.reporting.tables import read_text_table
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
        "index.csv",
    ]
    index = (tmp_path / "out/index.csv").read_text().splitlines()
    assert index == ["picture,image,missed,false_alarms", "1.jpg,a,0,1", "2.jpg,b,1,0"]
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


@pytest.mark.parametrize("suffix", ["tif", "png"])
def test_memory_does_not_grow_with_the_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    """36 million bytes of pixels, reduced to 120,000, with a close-up: a tenth of them is never held at once."""
    path = tmp_path / f"large.{suffix}"
    blocks = {"tiled": True, "blockxsize": 256, "blockysize": 256} if suffix == "tif" else {}
    pixels = np.full((3, 3000, 4000), 90, np.uint8)
    with open_dataset(path, "w", width=4000, height=3000, count=3, dtype="uint8", **blocks) as target:
        target.write(pixels)
    del pixels
    monkeypatch.setattr(scene_errors, "MAX_PICTURE_SIDE", 200)
    truth = {"a": detections([(3000, 2000, 0, 1)])}
    tracemalloc.start()
    draw_scenes(tmp_path / "out", [("a", open_scene(path), truth["a"])], {"a": detections([])}, 5, Criterion(3))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert Image.open(tmp_path / "out/1.jpg").width == 200 and (tmp_path / "out/1_missed.jpg").is_file()
    assert peak < 3_600_000


def test_a_picture_of_a_small_scene_has_the_pixels_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    drawn = []
    monkeypatch.setattr(scene_errors, "write_picture", lambda picture, path: drawn.append(np.asarray(picture)))
    scenes = [("a", open_scene(tmp_path / "a.png"), detections([]))]
    draw_scenes(tmp_path, scenes, {"a": detections([])}, 5, Criterion(3))
    assert (drawn[0][:60] == pixels).all()


def test_a_damaged_image_is_named_and_the_others_are_drawn(
    tmp_path: Path, scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """Its number stays free, so that numbers are positions among the scenes."""
    whole = scene.path.read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) * 3 // 4])
    cut = open_scene(tmp_path / "cut.png")
    truth = detections([(20, 20, 0, 1)])
    found = {"cut,\n.png": detections([]), "b": detections([])}
    with caplog.at_level(logging.WARNING):
        draw_scenes(tmp_path / "out", [("cut,\n.png", cut, truth), ("b", scene, truth)], found, 5, Criterion(3))
    assert "no picture of cut" in caplog.text
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"2.jpg", "2_missed.jpg", "index.csv"}


@pytest.mark.parametrize("name", ['a, "b"\nc.png', "\udcff.png", "=1+1.png"])
def test_the_index_holds_any_name(tmp_path: Path, scene: Scene, name: str) -> None:
    draw_scenes(tmp_path, [(name, scene, detections([]))], {name: detections([])}, 5, Criterion(3))
    assert list(read_text_table(tmp_path / "index.csv")["image"]) == [name]


def test_what_was_drawn_is_cleared_and_nothing_else(tmp_path: Path, scene: Scene) -> None:
    truth, found = detections([(20, 20, 0, 1)]), detections([(60, 40, 1, 0.8)])
    draw_scenes(tmp_path / "out", [("a", scene, truth)], {"a": found}, 5, Criterion(3))
    assert len(list((tmp_path / "out").iterdir())) == 4
    (tmp_path / "out/2024_missed cows.jpg").touch()
    clear_scenes(tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["2024_missed cows.jpg"]
    (tmp_path / "out/2024_missed cows.jpg").unlink()
    clear_scenes(tmp_path / "out")
    clear_scenes(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_pictures_of_a_run_that_was_killed_are_cleared_too(
    tmp_path: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is there before the pictures; a picture that it does not name stays."""
    truth = detections([(20, 20, 0, 1)])

    def killed(picture: Image.Image, path: Path) -> None:
        path.write_bytes(b"jpeg")
        if path.name == "2.jpg":
            raise KeyboardInterrupt

    monkeypatch.setattr(scene_errors, "write_picture", killed)
    with pytest.raises(KeyboardInterrupt):
        draw_scenes(tmp_path, [(name, scene, truth) for name in "ab"], dict.fromkeys("ab", truth), 5, Criterion(3))
    (tmp_path / "3.jpg").touch()
    clear_scenes(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"3.jpg", "a.png"}


@pytest.mark.parametrize(
    "text", ["", "a,b\n1.jpg,2\n", 'picture\n"1.jpg\n', "picture\n../1.jpg\n/1.jpg\n*.jpg\n1.jpg/.\n"]
)
def test_a_table_of_others_removes_no_picture(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "errors"
    folder.mkdir()
    (folder / "index.csv").write_text(text)
    for path in (tmp_path / "1.jpg", folder / "1.jpg"):
        path.touch()
    clear_scenes(folder)
    assert (tmp_path / "1.jpg").is_file() and (folder / "1.jpg").is_file()


@pytest.mark.parametrize("boxes", [False, True])
def test_objects_far_outside_an_image_are_drawn_at_once(tmp_path: Path, scene: Scene, boxes: bool) -> None:
    """A table of others may place them anywhere within 2^31 pixels."""
    far = detections([(2**31, -(2**31), 0, 0.5), (5, 5, 1, 0.5)])
    if boxes:
        far = Detections(far.xy, far.score, far.label, far.classes, np.full((2, 2), 2.0**31))
    none = detections([])
    draw_scenes(tmp_path, [("a", scene, none)], {"a": far}, 1e6, Criterion(3))
    assert (tmp_path / "1_false_alarms.jpg").is_file()

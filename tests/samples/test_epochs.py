from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.scenes import Scene
from detect.samples.augment import Augment
from detect.samples.crops import CropDataset, crop_samples_of
from detect.samples.epochs import CropDraw, objects_and_notes
from detect.samples.labelled_scenes import SceneSplit, image_kind
from detect.samples.pixel_cache import PixelSource
from detect.samples.targets import TargetEncoder
from tests.cards import grid_head


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def test_bands_are_those_asked_for_or_the_first_three_or_one(tmp_path: Path) -> None:
    colour = open_scene(save(tmp_path / "c.png", np.zeros((4, 4, 4), np.uint8)))
    grey = open_scene(save(tmp_path / "g.png", np.zeros((4, 4), np.uint8)))
    deep = open_scene(save(tmp_path / "d.png", np.zeros((4, 4), np.uint16)))

    def kind(scenes: list[Scene], bands: list[int] | None) -> tuple[tuple[int, ...], str]:
        chosen, dtype = image_kind(scenes, bands)
        return chosen.numbers, dtype

    assert kind([colour], None) == ((1, 2, 3), "uint8")
    assert kind([colour], [4, 2]) == ((4, 2), "uint8")
    assert kind([grey, colour], None) == kind([colour, grey], None) == ((1, 2, 3), "uint8")
    assert kind([deep], None) == ((1,), "uint16")
    for scenes, bands, message in (
        ([grey], [2], r"g\.png.*1 bands, band 2\b.*data\.bands"),
        ([grey, deep], None, r"d\.png.*uint16.*g\.png.*uint8"),
        ([grey], [0], r"data\.bands.*from 1, got \[0\]"),
    ):
        with pytest.raises(ValueError, match=message):
            image_kind(scenes, bands)


CROPS = CropDraw(12, 32, 0.25, 0.0, 0.0)


def test_the_crops_of_an_epoch_are_drawn_anew_and_again_the_same(scene) -> None:
    """Law 8: those that validate are fixed, from the validation scenes, and not augmented."""
    full, other = scene("1.png", [(20, 20, "a"), (70, 70, "a")]), scene("22.png", [(50, 50, "a")])
    split = SceneSplit((full,), (other,), (), "drawn by hand")
    augment = Augment({"SquareSymmetry": {"p": 1.0}})
    samples = crop_samples_of(
        split, PixelSource((1, 2, 3), 1 << 30), TargetEncoder(grid_head(16), 8, 0.8), CROPS, augment, 3
    )
    first, second = samples.epoch(0), samples.epoch(1)
    assert isinstance(first, CropDataset) and isinstance(second, CropDataset) and isinstance(samples.val, CropDataset)
    assert len(first) == 12 and first.crops == samples.epoch(0).crops != second.crops
    assert {first.seed + i for i in range(12)}.isdisjoint(second.seed + i for i in range(12))
    assert first.augment is augment and samples.val.augment is None
    assert list(first.scenes) == [full] and list(samples.val.scenes) == [other]
    assert samples.val.crops[0].window.contains_xy(other.objects.xy).all()
    pixels, targets = first[0]
    assert pixels.shape == (3, 32, 32) and targets["objectness"].shape == (1, 4, 4)
    assert samples.outputs == {"a": 2, "b": 0}
    assert samples.notes[:2] == ("drawn by hand", "no training object of class b: the model cannot find them")


@pytest.mark.parametrize(("stride", "close"), [(8, 5), (4, 3), (2, 2), (1, 0), (16, 6)])
def test_objects_less_than_a_cell_apart_are_counted_in_a_note_that_names_the_settings(
    scene, stride: int, close: int
) -> None:
    """The nearest others of six objects are 1.5, 1.5, 2.5, 6, 6 and 14 pixels away."""
    places = [(1, 1), (2.5, 1), (5, 1), (40, 40), (46, 40), (60, 40)]
    train, val = scene("1.png", [(x, y, "a") for x, y in places]), scene("22.png", [(50, 50, "a")])
    encoder = TargetEncoder(grid_head(16), stride, 0.8)
    notes = crop_samples_of(
        SceneSplit((train,), (val,), (), ""), PixelSource((1,), 1 << 30), encoder, CROPS, None, 0
    ).notes
    close_notes = [note for note in notes if "from another" in note]
    assert len(close_notes) == (close > 0)
    if close:
        assert close_notes[0].startswith(f"{close} of 6 ") and f"({stride} pixels)" in close_notes[0]
        assert "smaller net.stride" in close_notes[0] and "larger data.scale" in close_notes[0]


@pytest.mark.parametrize("empty", ["training", "validation"])
def test_a_side_without_objects_is_an_error_that_says_which(scene, empty: str) -> None:
    full, bare = scene("1.png", [(20, 20, "a")]), scene("22.png")
    split = SceneSplit((bare,), (full,), (), "") if empty == "training" else SceneSplit((full,), (bare,), (), "")
    with pytest.raises(ValueError, match=rf"{empty} images.*no objects.*data\.split\.val"):
        crop_samples_of(split, PixelSource((1,), 1 << 30), TargetEncoder(grid_head(16), 8, 0.8), CROPS, None, 0)


def test_a_class_of_few_objects_is_named_with_what_helps(scene) -> None:
    """Of a there are 30, of b 29: b alone is told to be few."""
    labels = ["a"] * 30 + ["b"] * 29
    labelled = scene("few.png", [(20.0, 20.0, label) for label in labels])
    number, notes = objects_and_notes(SceneSplit((labelled,), (), (), "drawn"))
    assert (number["a"], number["b"]) == (30, 29)
    (said,) = [note for note in notes if "fewer" in note]
    assert "class b (29):" in said and "augment.superimpose.p" in said

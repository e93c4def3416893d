"""Normalisation by each rule, with the arithmetic."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detect.imagery.description.scene_opening import open_scene
from detect.samples.pixel_cache import PixelSource
from detect.samples.values import measured
from detect.samples.values.measured import scene_values
from detect.samples.values.normalisation import Given, TrainingValues, read_rule

LITE = [127.0, 127.0], [128.0, 128.0]
STEPS = np.stack([np.arange(0, 1010, 10), np.arange(1000, 2010, 10)])
"""0 to 1000 and 1000 to 2000: the 1st and 99th percentiles are 10, 990, 1010 and 1990."""


def test_bytes_are_normalised_as_the_weights_are() -> None:
    """So that no number of a model of photographs changes, whatever the images look like."""
    values = TrainingValues.of(np.array([[1, 2, 3], [4, 5, 6]], np.uint8), "auto")
    assert values.normalisation(*LITE) == ((127.0, 127.0), (128.0, 128.0))
    assert "by the range of uint8 (data.normalisation=auto)" in values.sentence()


def test_percentiles_stand_for_0_and_255() -> None:
    """What 0 and 255 become of bytes, (0 - 127) / 128 and 1, 10 and 990 become of the first band here."""
    for rule in ("auto", "percentiles"):
        values = TrainingValues.of(STEPS.astype(np.uint16), rule)
        offset, scale = (np.array(each) for each in values.normalisation(*LITE))
        np.testing.assert_allclose((np.array([10, 1010]) - offset) / scale, -127 / 128)
        np.testing.assert_allclose((np.array([990, 1990]) - offset) / scale, 1.0)
    assert "10, 1010 to 990, 1990" in values.sentence()


def test_the_range_of_a_type_and_imagenet_s_statistics() -> None:
    deep = TrainingValues.of(STEPS.astype(np.uint16), "dtype").normalisation(*LITE)
    np.testing.assert_allclose(deep, np.array(LITE) * 257)  # 65535 = 257 * 255
    light = TrainingValues.of(STEPS.astype(np.float32) / 1000, "dtype").normalisation(*LITE)
    np.testing.assert_allclose(light, np.array(LITE) / 255)
    three = TrainingValues.of(np.array([[1, 2]] * 3, np.uint8), "imagenet").normalisation([0] * 3, [1] * 3)
    np.testing.assert_allclose(three, np.array([(0.485, 0.456, 0.406), (0.229, 0.224, 0.225)]) * 255)
    two = TrainingValues.of(np.array([[1, 2]] * 2, np.uint8), "imagenet").normalisation(*LITE)
    np.testing.assert_allclose(two[0], [255 * (0.485 + 0.456 + 0.406) / 3] * 2)


def test_mean_and_deviation_are_measured_and_given_ones_are_taken() -> None:
    values = TrainingValues.of(np.array([[10, 30], [7, 7]], np.int32), "mean_std")
    assert values.normalisation(*LITE) == ((20.0, 7.0), (10.0, 1e-6))
    given = TrainingValues.of(STEPS, Given((5.0,), (2.0,)))
    assert given.normalisation(*LITE) == ((5.0, 5.0), (2.0, 2.0))
    with pytest.raises(ValueError, match="3 means, and 2 bands"):
        TrainingValues.of(STEPS, Given((1.0,) * 3, (1.0,) * 3)).normalisation(*LITE)


def test_a_setting_is_a_rule_or_statistics() -> None:
    assert read_rule("percentiles") == "percentiles"
    assert read_rule({"mean": [1, 2.5], "std": [3, 4]}) == Given((1.0, 2.5), (3.0, 4.0))
    for value in ("min", 3, None, {"mean": [1]}, {"mean": "1", "std": "2"}, {"mean": [True], "std": [1]}):
        with pytest.raises(ValueError, match="must"):
            read_rule(value)
    with pytest.raises(ValueError, match="NaN"):
        TrainingValues.of(np.array([[1.0, np.nan]]), "auto")


def save(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def test_values_are_those_of_valid_pixels_of_every_scene(tmp_path: Path) -> None:
    """A small image is read whole (every fifth row and column), a large one in windows; transparent pixels are not."""
    small = np.full((90, 140, 4), (10, 20, 30, 255), np.uint8)
    small[:, 70:] = (99, 99, 99, 0)
    large = np.full((900, 1200, 4), (40, 50, 60, 255), np.uint8)
    large[:, :1000] = (99, 99, 99, 0)
    scenes = [open_scene(save(tmp_path / f"{i}.png", each)) for i, each in enumerate((small, large))]
    found = scene_values(scenes, PixelSource((3, 1), 1 << 30), 0)
    columns, number = np.unique(found, axis=1, return_counts=True)
    np.testing.assert_array_equal(columns, [[30, 60], [10, 40]])
    assert number[0] == 18 * 14 and number[1] > 1000
    np.testing.assert_array_equal(found, scene_values(scenes, PixelSource((3, 1), 0), 0))


def test_scenes_without_valid_pixels_are_named_and_many_scenes_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = open_scene(save(tmp_path / "empty.png", np.zeros((50, 50, 4), np.uint8)))
    with pytest.raises(ValueError, match=r"no valid pixel .*empty\.png"):
        scene_values([empty], PixelSource((1,), 1 << 30), 0)
    monkeypatch.setattr(measured, "MOST_SCENES", 2)
    scenes = [open_scene(save(tmp_path / f"{i}.png", np.full((30, 30, 3), i, np.uint8))) for i in range(6)]
    assert len(np.unique(scene_values(scenes, PixelSource((1,), 1 << 30), 0))) == 2

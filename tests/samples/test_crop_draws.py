from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.samples.crop_draws import INNER_SHARE, MAX_VALIDATION_CROPS, CropSampler
from tests.samples.drawn_scenes import RECIPE, crowd, labelled, number_in


def test_an_epoch_has_its_share_of_empty_crops_and_the_others_hold_an_object() -> None:
    """Of 40 crops 10 are empty, 4 of these around hard negatives; objects lie in the scene's left half alone."""
    hard_negatives = np.array([(450.0, 40.0), (350.0, 350.0)])
    scene = labelled((400, 500), crowd(30, (400, 220)), None, hard_negatives)
    crops = CropSampler([scene], RECIPE, 0).draw(0)
    assert len(crops) == 40
    empty = [crop.window for crop in crops if not number_in(scene, crop.window)]
    assert len(empty) == 10
    assert sum(window.contains_xy(hard_negatives).any() for window in empty) >= 4
    none = replace(RECIPE, empty_fraction=0.0)
    assert all(number_in(scene, crop.window) for crop in CropSampler([scene], none, 0).draw(0))
    plain = CropSampler([replace(scene, negatives=np.empty((0, 2)))], RECIPE, 0).draw(0)
    assert sum(not number_in(scene, crop.window) for crop in plain) == 10


def test_crops_are_drawn_anew_every_epoch_and_again_the_same() -> None:
    scenes = [labelled((300, 300), crowd(9, (300, 300))), labelled((200, 500), crowd(5, (200, 500)))]
    one, other = CropSampler(scenes, RECIPE, 3), CropSampler(scenes, RECIPE, 3)
    assert one.draw(4) == other.draw(4) != one.draw(5)
    assert one.draw(4) != CropSampler(scenes, RECIPE, 4).draw(4)
    first = [crop.scene for crop in one.draw(0)]
    assert first != sorted(first)  # shuffled


@given(height=st.integers(20, 300), width=st.integers(20, 300), seed=st.integers(0, 99), number=st.integers(1, 6))
@settings(deadline=None, max_examples=40)
def test_a_crop_lies_in_its_scene_where_that_is_large_enough(height: int, width: int, seed: int, number: int) -> None:
    """Else the scene lies in the middle of the crop, to half a pixel."""
    scene = labelled((height, width), crowd(number, (height, width), seed))
    for crop in CropSampler([scene], RECIPE, seed).draw(0):
        assert (crop.window.height, crop.window.width) == (64, 64)
        for start, stop, length in (
            (crop.window.row, crop.window.row_stop, height),
            (crop.window.col, crop.window.col_stop, width),
        ):
            if length >= 64:
                assert start >= 0 and stop <= length
            else:
                assert -start - (stop - length) in (0, 1, -1)


def test_an_object_lies_anywhere_within_the_inner_part_of_its_crop() -> None:
    """From 5 % to 95 % of the side, 3.2 to 60.8 pixels of 64, half a pixel more for the rounding of the window."""
    scene = labelled((2000, 2000), np.array([(1000.3, 900.7)]))
    crops = CropSampler([scene], replace(RECIPE, samples=400, empty_fraction=0.0), 1).draw(0)
    within = np.array([scene.objects.xy[0] - (crop.window.col, crop.window.row) for crop in crops])
    low, high = 64 * (0.5 - INNER_SHARE / 2), 64 * (0.5 + INNER_SHARE / 2)
    assert within.min() >= low - 0.5 and within.max() <= high + 0.5
    assert within.min() < low + 2 and within.max() > high - 2
    np.testing.assert_allclose(within.mean(axis=0), (32, 32), atol=3)


@pytest.mark.parametrize(("balance", "share"), [(0.0, 0.1), (0.5, 0.25), (1.0, 0.5)])
def test_classes_are_balanced_by_a_power_of_their_share(balance: float, share: float) -> None:
    """90 of a and 10 of b, far apart: b's share is 10 / 100, then sqrt 10 / (sqrt 90 + sqrt 10) = 1/4, then a half."""
    xy = np.stack([np.arange(100) * 100.0 + 50, np.full(100, 50.0)], axis=1)
    scene = labelled((100, 10_000), xy, (np.arange(100) >= 90).astype(np.int64))
    recipe = replace(RECIPE, samples=2000, empty_fraction=0.0, balance=balance)
    crops = CropSampler([scene], recipe, 0).draw(0)
    of_b = np.mean([scene.objects.label[crop.window.contains_xy(scene.objects.xy)].max() for crop in crops])
    assert of_b == pytest.approx(share, abs=0.04)


def test_empty_crops_are_drawn_by_area_and_the_emptiest_where_none_is() -> None:
    small, large = labelled((100, 100), np.array([(5.0, 5.0)])), labelled((300, 300), np.array([(5.0, 5.0)]))
    recipe = replace(RECIPE, samples=400, empty_fraction=0.99)
    drawn = Counter(crop.scene for crop in CropSampler([small, large], recipe, 0).draw(0))
    assert drawn[1] / 400 == pytest.approx(0.9, abs=0.05)
    grid = np.stack(np.meshgrid(np.arange(5.0, 200, 10), np.arange(5.0, 200, 10)), axis=-1).reshape(-1, 2)
    full = labelled((200, 200), np.concatenate([grid, grid[grid[:, 0] < 100] + 1]))
    numbers = [number_in(full, crop.window) for crop in CropSampler([full], recipe, 0).draw(0)]
    assert min(numbers) > 0 and np.mean(numbers) < 50  # 36 to 49 in the right half, twice as many in the left


def test_fixed_crops_show_every_object_once_and_empty_ground() -> None:
    """8 objects and a quarter as many empty crops; of many objects no more than the limit."""
    scene = labelled((2000, 2000), crowd(8, (2000, 2000)))
    crops = CropSampler([scene], RECIPE, 0).fixed()
    assert crops == CropSampler([scene], RECIPE, 0).fixed() and len(crops) == 8 + 2
    seen = np.any([crop.window.contains_xy(scene.objects.xy) for crop in crops], axis=0)
    assert seen.all()
    many = CropSampler([labelled((2000, 2000), crowd(500, (2000, 2000)))], RECIPE, 0).fixed()
    assert len(many) == MAX_VALIDATION_CROPS


def test_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match=r"training images.*no objects.*data\.split"):
        CropSampler([labelled((100, 100), np.empty((0, 2)))], RECIPE, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": 0}, r"data\.sampling\.samples.*got 0"),
        ({"empty_fraction": 1.0}, r"data\.sampling\.empty_fraction.*\[0, 1\), got 1"),
        ({"negative_fraction": -0.1}, r"data\.sampling\.negative_fraction.*\[0, 1\], got -0.1"),
        ({"balance": 1.5}, r"data\.sampling\.balance.*\[0, 1\], got 1.5"),
    ],
)
def test_shares_that_cannot_be(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(RECIPE, **change)

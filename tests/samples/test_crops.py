from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.windows import Window
from detect.samples.augment import Augment, augmented_crop
from detect.samples.crop_draws import Crop
from detect.samples.crops import CropDataset, objects_in_window
from detect.samples.labelled_scenes import LabelledScene
from detect.samples.pixel_cache import PixelSource
from detect.samples.targets import TargetEncoder
from tests.grids import grid_card, objects
from tests.samples.drawn_scenes import labelled

CARD = grid_card(16.0)
ENCODER = TargetEncoder(CARD.head, 8, 0.8)
SYMMETRY = Augment({"SquareSymmetry": {"p": 1.0}})


def test_a_window_brings_the_objects_of_half_a_side_around() -> None:
    """A window of 64 from (100, 200): those up to 32 beyond its edges, in its own pixels, ignored boxes too."""
    xy = np.array([(200.0, 100.0), (264.0, 120.0), (295.9, 120.0), (296.0, 120.0), (168.0, 68.0), (167.9, 68.0)])
    scene = replace(labelled((400, 400), xy), ignored=np.array([(190.0, 90.0, 210.0, 95.0)]))
    found = objects_in_window(scene, Window(100, 200, 64, 64))
    np.testing.assert_allclose(found.xy, [(0, 0), (64, 20), (95.9, 20), (-32, -32)])
    assert found.wh is not None and found.wh.shape == (4, 2) and len(found.label) == 4
    edges = np.linspace(-10, 10, 4)  # no part is larger than an eighth of the window
    np.testing.assert_allclose(found.ignored, [[left, -10, right, -5] for left, right in pairwise(edges)])


def test_an_object_on_the_far_edge_of_its_scene_is_in_the_last_cell() -> None:
    """Annotations may lie at x = width; such an object is a positive of the crop that ends there."""
    scene = labelled((64, 64), np.array([(64.0, 20.0), (20.0, 64.0)]))
    things = objects_in_window(scene, Window(0, 0, 64, 64))
    targets = ENCODER(things, np.ones((64, 64), bool))
    assert np.argwhere(targets["objectness"][0].numpy() == 1).tolist() == [[2, 7], [7, 2]]


@st.composite
def rectangles(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Rectangles x1, y1, x2, y2 of whole pixels in a crop of 40."""
    x, y = draw(st.integers(0, 34)), draw(st.integers(0, 34))
    return x, y, x + draw(st.integers(1, 40 - x)), y + draw(st.integers(1, 40 - y))


@given(box=rectangles(), region=rectangles(), hole=rectangles(), seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=60)
def test_law_8_mirrors_and_quarter_turns_move_boxes_exactly(
    box: tuple[int, ...], region: tuple[int, ...], hole: tuple[int, ...], seed: int
) -> None:
    """The object's box is where its pixels are, so is the ignored one, and so is what is not of the image."""
    pixels = np.zeros((3, 40, 40), np.uint8)
    valid = np.ones((40, 40), bool)
    for band, (x1, y1, x2, y2) in enumerate((box, region, hole)):
        pixels[band, y1:y2, x1:x2] = 255
    valid[hole[1] : hole[3], hole[0] : hole[2]] = False
    x1, y1, x2, y2 = box
    things = objects([((x1 + x2) / 2, (y1 + y2) / 2)], [(x2 - x1, y2 - y1)], [1], [region])
    moved, found, mask = augmented_crop(pixels, things, valid, SYMMETRY, seed)
    assert found.wh is not None and found.label.tolist() == [1]
    corners = np.concatenate([found.xy - found.wh / 2, found.xy + found.wh / 2], axis=1)
    for band, (a, b, c, d) in enumerate((corners[0], found.ignored[0])):
        rows, cols = np.nonzero(moved[band])
        np.testing.assert_allclose((a, b, c, d), (cols.min(), rows.min(), cols.max() + 1, rows.max() + 1), atol=1e-6)
    np.testing.assert_array_equal(mask, moved[2] == 0)


def test_all_eight_symmetries_occur() -> None:
    """Seeds of an epoch follow one another; an image without symmetry looks different in each."""
    pixels = np.arange(3 * 16, dtype=np.uint8).reshape(3, 4, 4)
    nothing = objects(np.empty((0, 2)), np.empty((0, 2)))
    seen = {augmented_crop(pixels, nothing, np.ones((4, 4), bool), SYMMETRY, seed)[0].tobytes() for seed in range(100)}
    assert len(seen) == 8


@given(seed=st.integers(0, 10_000), half=st.tuples(st.integers(6, 14), st.integers(6, 14)))
@settings(deadline=None, max_examples=20)
def test_law_8_a_turned_round_thing_has_the_box_around_its_pixels(seed: int, half: tuple[int, int]) -> None:
    """An ellipse, turned by any angle and stretched along both axes: within a pixel and a half of interpolation."""
    rows, cols = np.mgrid[:96, :96] + 0.5
    ellipse = ((((cols - 50) / half[0]) ** 2 + ((rows - 44) / half[1]) ** 2) < 1) * np.uint8(255)
    augment = Augment({"Affine": {"scale": [0.8, 1.2], "rotate": [-45, 45], "p": 1.0}})
    things = objects([(50, 44)], [(2 * half[0], 2 * half[1])])
    moved, found, _ = augmented_crop(
        np.repeat(ellipse[None], 3, axis=0), things, np.ones((96, 96), bool), augment, seed
    )
    assert found.wh is not None
    low, high = (found.xy[0] + side * found.wh[0] / 2 for side in (-1, 1))
    at = np.argwhere(moved[0] > 127)[:, ::-1]
    np.testing.assert_allclose(low, at.min(axis=0), atol=1.5)
    np.testing.assert_allclose(high, at.max(axis=0) + 1, atol=1.5)


def test_points_and_crops_without_objects_are_varied_too() -> None:
    pixels, valid = np.zeros((3, 16, 16), np.uint8), np.ones((16, 16), bool)
    _, points, _ = augmented_crop(pixels, objects([(3, 4)]), valid, SYMMETRY, 1)
    assert points.wh is None and points.ignored.shape == (0, 4)
    assert sorted(np.abs(points.xy[0] - 8)) == [4, 5]
    _, nothing, mask = augmented_crop(pixels, objects(np.empty((0, 2)), np.empty((0, 2))), valid, SYMMETRY, 1)
    assert nothing.xy.shape == nothing.wh.shape == (0, 2) and mask.all()


@pytest.fixture
def tiny(tmp_path: Path) -> LabelledScene:
    """An image of 30 x 44 pixels with a box in the middle and a hard negative."""
    pixels = np.random.default_rng(0).integers(0, 256, (30, 44, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "tiny.png")
    scene = labelled((30, 44), np.array([(20.0, 13.0)]), None, np.array([(36.0, 20.0)]))
    return replace(scene, scene=open_scene(tmp_path / "tiny.png"))


def test_a_crop_larger_than_its_image_sees_the_image_alone(tiny: LabelledScene) -> None:
    """30 x 44 in the middle of 64 x 64: rows 17 to 46 and columns 10 to 53; cells with half of them or less unseen.

    Cells are 8 pixels: of row 2 (16 to 23) 7 are of the image, of row 5 (40 to 47) 7; of column 1 (8 to 15) 6, of
    column 6 (48 to 55) 6.
    """
    data = CropDataset([tiny], [Crop(0, Window(-17, -10, 64, 64))], PixelSource((1, 2, 3), 1 << 30), ENCODER)
    pixels, targets = data[0]
    assert pixels.shape == (3, 64, 64) and str(pixels.dtype) == "torch.uint8"
    seen = targets["learned"].numpy()
    assert seen[2:6, 1:7].all() and seen.sum() == 4 * 6
    assert np.argwhere(targets["objectness"][0].numpy() == 1).tolist() == [[3, 3]]
    whole = np.asarray(Image.open(tiny.scene.path))
    np.testing.assert_array_equal(pixels[:, 17:47, 10:54], np.moveaxis(whole, 2, 0))


def test_hard_negatives_and_ignored_boxes_teach_what_they_should(tiny: LabelledScene) -> None:
    """A hard negative at (36, 20) is no object, and is seen; an ignored box there would hide it."""
    crop = Crop(0, Window(0, 0, 48, 48))
    plain = CropDataset([tiny], [crop], PixelSource((1, 2, 3), 1 << 30), ENCODER)[0][1]
    assert float(plain["objectness"][0, 2, 4]) < 0.05 and float(plain["learned"][2, 4]) == 1
    hidden = replace(tiny, ignored=np.array([(33.0, 17.0, 39.0, 23.0)]))
    ignored = CropDataset([hidden], [crop], PixelSource((1, 2, 3), 1 << 30), ENCODER)[0][1]
    assert float(ignored["learned"][2, 4]) == 0 and float(ignored["learned"][1, 2]) == 1


def test_an_item_depends_on_its_place_and_seed_alone(tiny: LabelledScene) -> None:
    """Law 8: without augmentation, as in validation, the pixels and labels are the image's own."""
    crops = [Crop(0, Window(0, 0, 32, 32))] * 6
    source = PixelSource((1, 2, 3), 1 << 30)
    one, other = (CropDataset([tiny], crops, source, ENCODER, SYMMETRY, seed) for seed in (5, 6))
    np.testing.assert_array_equal(one[3][0], one[3][0])
    np.testing.assert_array_equal(one[3][0], other[2][0])
    assert len({one[i][0].numpy().tobytes() for i in range(6)}) > 1 and len(one) == 6
    plain = CropDataset([tiny], crops, source, ENCODER)
    for i in range(6):
        pixels, things, valid = plain.sample(i)
        np.testing.assert_array_equal(pixels, source.read(tiny.scene, crops[i].window))
        assert things.xy.tolist() == [[20, 13]] and things.wh.tolist() == [[10, 6]]
        assert valid[:30].all() and not valid[30:].any()

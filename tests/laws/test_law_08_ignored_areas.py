"""Law 8 for areas that nobody labelled: they move with the pixels; what is in them is neither learned nor scored."""

from types import SimpleNamespace

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from detect.evaluation.matching import Criterion
from detect.imagery.ground.squares import squares_of_outlines
from detect.imagery.windows import Window
from detect.labels.detections import Detections
from detect.labels.regions import inside_regions, outside
from detect.labels.window_cover import unseen_parts
from detect.nets.heads.specs import GridHead
from detect.samples.augment import Augment, augmented_crop
from detect.samples.crops import objects_in_window
from detect.samples.labelled_scenes import LabelledScene
from detect.samples.targets import Objects, TargetEncoder

SIDE, STRIDE = 96, 8
RING = shapely.Polygon([(10, 12), (60, 8), (70, 50), (30, 64)]) - shapely.box(30, 24, 44, 40)
SQUARES = squares_of_outlines([RING], (SIDE, SIDE))
TURNS = Augment({"D4": {}, "Affine": {"scale": [0.8, 1.25], "rotate": [-40, 40], "p": 1.0}})
REACH = 8 * 1.25 * 2**0.5
"""Diagonal of the largest square, enlarged most: the box around a turned square reaches no farther beyond the area."""


def painted() -> np.ndarray:
    """An image (1, H, W) that is 255 in the area and 0 elsewhere."""
    rows, cols = np.mgrid[:SIDE, :SIDE] + 0.5
    inside = inside_regions(np.stack([cols.ravel(), rows.ravel()], axis=1), SQUARES).reshape(SIDE, SIDE)
    return (inside * 255).astype(np.uint8)[None]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_every_pixel_of_an_area_stays_in_it_and_none_far_from_it_comes_into_it(seed: int) -> None:
    nothing = Objects(np.empty((0, 2)), None, np.empty(0, np.int64), SQUARES)
    moved, objects, _ = augmented_crop(painted(), nothing, np.ones((SIDE, SIDE), bool), TURNS, seed)
    rows, cols = np.mgrid[:SIDE, :SIDE] + 0.5
    xy = np.stack([cols.ravel(), rows.ravel()], axis=1)
    ignored = inside_regions(xy, objects.ignored).reshape(SIDE, SIDE)
    area = moved[0] > 250
    away = ndimage.distance_transform_edt(moved[0] < 5)
    assert ignored[area].all()
    assert not ignored[away > REACH + 1].any()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_nothing_is_learned_from_a_cell_that_an_area_reaches_into(seed: int) -> None:
    objects = Objects(np.array([[50.0, 20.0], [80.0, 80.0]]), None, np.zeros(2, np.int64), SQUARES)
    moved, kept, valid = augmented_crop(painted(), objects, np.ones((SIDE, SIDE), bool), TURNS, seed)
    learned = TargetEncoder(GridHead(32, 8, 1, None, 16), STRIDE, 1.5)(kept, valid)["learned"].numpy() > 0
    cells = SIDE // STRIDE
    reached = (moved[0] > 250).reshape(cells, STRIDE, cells, STRIDE).any(axis=(1, 3))
    assert reached.any() and not learned[reached].any()


def test_an_object_in_an_area_is_neither_missed_nor_a_false_alarm() -> None:
    """In the ring a true object that is missed, and a false alarm; in its hole and beyond it an object each, found."""
    true = Detections(np.array([[20.0, 20.0], [37.0, 32.0], [85.0, 85.0]]), np.ones(3), np.zeros(3, np.int64), ("a",))
    found = Detections(np.array([[55.0, 40.0], [37.0, 32.0], [85.0, 85.0]]), np.ones(3), np.zeros(3, np.int64), ("a",))
    match = Criterion(4.0).match(outside(found, SQUARES), outside(true, SQUARES))
    assert len(match) == 2 and not len(match.missed) and not len(match.spurious)
    assert len(Criterion(4.0).match(found, true).missed) == 1


def test_a_reviewed_window_that_is_turned_is_learned_from_but_for_its_edge() -> None:
    """Of an image of 800 x 800 pixels 192 x 192 were reviewed; a crop of 192 around them, turned, keeps most cells.

    As whole boxes the four parts around the window would, turned by 30 degrees, be taken for boxes that cover it.
    """
    window = Window(300, 300, 192, 192)
    parts = [(w.col, w.row, w.col_stop, w.row_stop) for w in unseen_parts([window], (800, 800))]
    one = Detections.truth(np.array([[396.0, 396.0]]), ["a"], ("a",))
    scene = SimpleNamespace(shape=(800, 800))
    labelled = LabelledScene("a", scene, one, np.empty((0, 2)), np.array(parts, np.float64))  # type: ignore[arg-type]
    objects = objects_in_window(labelled, window.shifted(40, 0))
    seen = np.zeros((1, 192, 192), np.uint8)
    seen[:, :152] = 255  # the reviewed part of a crop that begins 40 rows lower
    turn = Augment({"Affine": {"rotate": [30, 30], "border_mode": 0, "p": 1.0}})
    moved, kept, valid = augmented_crop(seen, objects, np.ones((192, 192), bool), turn, 0)
    learned = TargetEncoder(GridHead(32, 8, 1, None, 16), STRIDE, 1.5)(kept, valid)["learned"].numpy() > 0
    cells = 192 // STRIDE
    whole = (moved[0] > 250).reshape(cells, STRIDE, cells, STRIDE).all(axis=(1, 3))
    assert not learned[(moved[0] < 5).reshape(cells, STRIDE, cells, STRIDE).all(axis=(1, 3))].any()
    assert learned[whole].mean() > 0.6

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.nets.heads.patch import NOT_COUNTED
from detect.samples.targets import MAX_SOFT_OBJECTNESS, Objects, PatchEncoder, TargetEncoder, least_reach
from tests.grids import encode, grid_card, objects

CARD = grid_card(16.0, stride=8)
SHAPE = (48, 64)
"""6 x 8 cells of 8 pixels."""


def test_one_object_by_hand() -> None:
    """A box of 32 x 8 pixels at (28, 20), the middle of cell (2, 3): no offset, log 2 and log 1/2 of the typical 16."""
    found = encode(objects([(28, 20)], [(32, 8)], [1]), CARD, SHAPE)
    assert {name: value.shape for name, value in found.items()} == {
        "objectness": (1, 6, 8),
        "box": (1, 4, 6, 8),
        "weight": (1, 6, 8),
        "label": (6, 8),
        "learned": (6, 8),
        "lost": (),
    }
    assert np.argwhere(found["objectness"] == 1).tolist() == [[0, 2, 3]]
    np.testing.assert_allclose(found["box"][0, :, 2, 3], [0, 0, math.log(2), math.log(0.5)], atol=1e-6)
    assert found["weight"][0, 2, 3] == 1 and found["label"][2, 3] == 1
    assert (found["learned"] == 1).all() and found["lost"] == 0


def test_cells_around_a_centre_are_soft_and_say_where_it_is() -> None:
    """exp(-d^2 / 2 spread^2): beside it, at 1 cell, exp(-1 / 1.28) = 0.46; diagonally 0.21; two cells away 0.04.

    The cell to the right, (2, 4), sees the centre a cell to its left, and the one above sees it a cell below; those two
    cells away, beyond the reach of 1.5, do not learn the box.
    """
    found = encode(objects([(28, 20)], [(32, 8)], [1]), CARD, SHAPE)
    soft = found["objectness"][0]
    for place, square in {(2, 4): 1, (1, 3): 1, (1, 2): 2, (2, 5): 4, (0, 3): 4, (5, 7): 25}.items():
        assert soft[place] == pytest.approx(math.exp(-square / 1.28), rel=1e-5)
    assert found["box"][0, :2, 2, 4].tolist() == [-1, 0] and found["box"][0, :2, 1, 3].tolist() == [0, 1]
    weight = found["weight"][0]
    assert np.argwhere(weight > 0).tolist() == [[row, col] for row in (1, 2, 3) for col in (2, 3, 4)]
    assert weight[1, 2] == soft[1, 2] and weight[2, 4] == soft[2, 4]
    assert (found["label"] == 1).all()


def test_a_cell_just_beside_a_centre_is_never_a_whole_positive() -> None:
    """The centre lies a hair left of the border between two cells: both middles are half a cell away, one holds it.

    exp(-0.25 / 1.28) = 0.82; with a spread of 5 it would be 0.995, and is held at 0.99.
    """
    things = objects([(31.999, 20)], [(16, 16)])
    found = encode(things, CARD, SHAPE)["objectness"][0]
    assert found[2, 3] == 1 and found[2, 4] == pytest.approx(math.exp(-0.25 / 1.28), abs=1e-3)
    wide = encode(things, CARD, SHAPE, spread=5.0)["objectness"][0]
    assert wide[2, 4] == pytest.approx(MAX_SOFT_OBJECTNESS) and (wide == 1).sum() == 1


def test_of_two_objects_each_cell_learns_the_nearest() -> None:
    """Centres in columns 1 and 3 of a row; column 2 lies between, a quarter of a cell nearer to the right one."""
    found = encode(objects([(12, 20), (26, 20)], [(8, 8), (16, 16)], [0, 1]), CARD, SHAPE)
    assert found["label"][2].tolist() == [0, 0, 1, 1, 1, 1, 1, 1]
    np.testing.assert_allclose(found["box"][0, :, 2, 2], [0.75, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(found["box"][0, :, 2, 1], [0, 0, math.log(0.5), math.log(0.5)], atol=1e-6)
    assert found["objectness"][0, 2, 2] == pytest.approx(math.exp(-(0.75**2) / 1.28), rel=1e-5)


@pytest.mark.parametrize(("slots", "lost"), [(1, 2), (2, 1), (3, 0), (4, 0)])
def test_objects_that_share_a_cell_take_slots_from_the_nearest_to_its_middle(slots: int, lost: int) -> None:
    """Three centres in cell (2, 3), whose middle is (28, 20): 0, 2 and 3 pixels from it, listed in another order."""
    things = objects([(31, 20), (28, 20), (28, 22)], [(16, 16), (32, 32), (8, 8)], [0, 1, 0])
    found = encode(things, grid_card(16.0, slots), SHAPE)
    wanted = [(0, 0, math.log(2)), (0, 2 / 8, math.log(0.5)), (3 / 8, 0, 0)]
    for slot in range(min(slots, 3)):
        assert found["objectness"][slot, 2, 3] == found["weight"][slot, 2, 3] == 1
        np.testing.assert_allclose(found["box"][slot, :3, 2, 3], wanted[slot], atol=1e-6)
    assert found["lost"] == lost
    assert found["label"][2, 3] == 1
    for slot in range(1, slots):
        assert np.count_nonzero(found["objectness"][slot]) == (1 if slot < 3 else 0)  # only slot 0 is soft around
    assert np.count_nonzero(found["weight"][1:]) == min(slots, 3) - 1


def test_an_object_cut_by_the_edge_belongs_to_the_cell_of_its_centre() -> None:
    """Centres at x = 63.9 (the last column's) and x = 64 and -0.1 (no cell's): these two reach in, and are not lost."""
    inside = encode(objects([(63.9, 20)], [(40, 40)]), CARD, SHAPE)
    assert np.argwhere(inside["objectness"] == 1).tolist() == [[0, 2, 7]]
    for x, column, away in ((64.0, 7, 0.5), (-0.1, 0, -0.5125)):
        found = encode(objects([(x, 20)], [(40, 40)]), CARD, SHAPE)
        soft = found["objectness"][0]
        assert soft.max() == soft[2, column] == pytest.approx(math.exp(-(away**2) / 1.28), rel=1e-5)
        assert found["weight"][0, 2, column] == soft[2, column] and found["lost"] == 0
        assert found["box"][0, 0, 2, column] == pytest.approx(away)


def test_cells_that_an_ignored_box_touches_are_not_seen_and_the_others_are() -> None:
    """Pixels 9 to 31 across and 17 to 24 down touch columns 1 to 3 and row 2; a box beyond the crop touches none."""
    regions = [(9, 17, 31, 24), (-50, -50, -10, -10), (70, 0, 90, 90), (-9, 41, 3, 99)]
    found = encode(objects([(12, 20)], [(8, 8)], ignored=regions), CARD, SHAPE)["learned"]
    assert sorted(map(tuple, np.argwhere(found == 0).tolist())) == [(2, 1), (2, 2), (2, 3), (5, 0)]


def test_cells_mostly_outside_the_image_are_not_seen() -> None:
    """Columns of 8 pixels with 8, 5, 4 and 0 of the image: half is too little."""
    valid = np.zeros((8, 32), bool)
    valid[:, :13] = True
    valid[:, 16:20] = True
    found = TargetEncoder(CARD.head, 8, 0.8)(objects(np.empty((0, 2)), np.empty((0, 2))), valid)
    assert found["learned"].tolist() == [[1, 1, 0, 0]]
    assert float(found["objectness"].sum()) == float(found["weight"].sum()) == float(found["lost"]) == 0


def test_points_have_no_size_and_tiny_boxes_a_pixel() -> None:
    points = encode(objects([(28, 20)]), grid_card(None), SHAPE)
    assert (points["box"][0, 2:] == 0).all() and points["objectness"][0, 2, 3] == 1
    tiny = encode(objects([(28, 20)], [(0.01, 16)]), CARD, SHAPE)
    np.testing.assert_allclose(tiny["box"][0, 2:, 2, 3], [math.log(1 / 16), 0], atol=1e-6)


def test_targets_can_be_batched() -> None:
    """Tensors of the same types whatever is in the crop."""
    empty = encode(objects(np.empty((0, 2)), np.empty((0, 2))), CARD, SHAPE)
    full = encode(objects([(28, 20)], [(8, 8)]), CARD, SHAPE)
    for name, value in full.items():
        assert (value.dtype, value.shape) == (empty[name].dtype, empty[name].shape)
        assert torch.stack([torch.from_numpy(np.asarray(each[name])) for each in (full, empty)]).shape[0] == 2


@pytest.mark.parametrize("spread", [0.0, -1.0, math.nan])
def test_a_spread_must_be_positive(spread: float) -> None:
    with pytest.raises(ValueError, match=rf"net\.spread.*got {spread}"):
        TargetEncoder(CARD.head, 8, spread)


PATCHES = PatchEncoder(stride=8, cells=1, reach=6.0, exclusion=12.0, context=0)
"""Cells of 8 pixels, each a patch; cell i has its centre at 8 i + 4."""


def outputs(things: Objects, encoder: PatchEncoder = PATCHES, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    return encoder(things, np.ones(shape, bool))["output"].numpy()


def test_a_cell_of_a_classifier_is_an_object_near_one_background_far_from_all_and_else_not_counted() -> None:
    """An object of class 1 at (28, 20), the centre of cell (2, 3): beside it 8 pixels, diagonally 11.3, then 16."""
    found = outputs(objects([(28, 20)], None, [1]))
    assert found.shape == (6, 8) and found.dtype == np.int64
    assert np.argwhere(found == 2).tolist() == [[2, 3]]
    around = [[row, col] for row in (1, 2, 3) for col in (2, 3, 4) if (row, col) != (2, 3)]
    assert np.argwhere(found == NOT_COUNTED).tolist() == around
    assert (found == 0).sum() == 48 - 9 and not outputs(objects([])).any()


def test_of_two_objects_in_reach_the_nearer_gives_the_class() -> None:
    """Cell (2, 3) has its centre at (28, 20): 3 pixels from the one, 4 from the other; cell (2, 4), at 36, 11 and 4."""
    found = outputs(objects([(25, 20), (32, 20)], None, [0, 1]))
    assert found[2, 3] == 1 and found[2, 4] == 2


def test_patches_of_an_even_number_of_cells_are_centred_on_their_corners() -> None:
    """Law 5: cell c describes the patch of cells c - 1 and c, whose centre is at 8 c: (24, 16) is that of (2, 3)."""
    even = PatchEncoder(8, 2, 6.0, 12.0, 0)
    assert np.argwhere(outputs(objects([(24, 16)], None, [0]), even) == 1).tolist() == [[2, 3]]


def test_nothing_is_learned_beside_the_crop_s_edge_in_ignored_areas_and_outside_the_image() -> None:
    """A context of 8 leaves rows 1 to 4, columns 1 to 6; x from 20 to 30, y from 18 to 22 lie in (2, 2) and (2, 3).

    Of an object at (28, 21) cell (2, 3) is lost to that, and (3, 3), whose centre is 7 pixels from it, is kept.
    """
    edged = outputs(objects([]), PatchEncoder(8, 1, 6.0, 12.0, 8))
    assert (edged[1:5, 1:7] == 0).all() and (edged == 0).sum() == 4 * 6
    ignored = outputs(objects([(28, 21)], ignored=[(20, 18, 30, 22)]), PatchEncoder(8, 1, 7.5, 12.0, 0))
    assert (ignored[2, 2:4] == NOT_COUNTED).all() and np.argwhere(ignored == 1).tolist() == [[3, 3]]
    valid = np.ones(SHAPE, bool)
    valid[:, 30:] = False  # cell 3 spans columns 24 to 31, and has its centre, 28, on the image
    half = PATCHES(objects([]), valid)["output"].numpy()
    assert (half[:, :4] == 0).all() and (half[:, 4:] == NOT_COUNTED).all()


def test_beside_an_ignored_area_nothing_is_background_that_an_unlabelled_object_in_it_may_be_near() -> None:
    """Columns up to 20 are ignored. An object at (20, 20), at its edge, is 8 pixels from the centre of cell (2, 3), at
    28, and 16 from that of (2, 4): nearer than 12 is (2, 3) alone; a labelled object there keeps the cell.
    """
    edge = [(0, 0, 20, 48)]
    beside = outputs(objects([], ignored=edge))
    assert (beside[:, :4] == NOT_COUNTED).all() and (beside[:, 4:] == 0).all()
    assert outputs(objects([(28, 20)], ignored=edge))[2, 3] == 1
    corner = outputs(objects([], ignored=[(0, 0, 20, 20)]))  # (3, 3) is sqrt(8^2 + 8^2) = 11.3 away, (3, 4) 17.9
    assert corner[3, 3] == NOT_COUNTED and corner[3, 4] == corner[4, 3] == 0


@given(x=st.floats(40, 88), y=st.floats(40, 88), stride=st.sampled_from([4, 8, 16]), cells=st.integers(1, 4))
@settings(deadline=None, max_examples=100)
def test_every_object_has_a_cell(x: float, y: float, stride: int, cells: int) -> None:
    """No point is farther from the nearest centre than half of a cell's diagonal; at most four cells are as near."""
    found = outputs(objects([(x, y)]), PatchEncoder(stride, cells, least_reach(stride), 2.0 * stride, 16), (128, 128))
    assert 1 <= (found == 1).sum() <= 4


@pytest.mark.parametrize(
    ("reach", "exclusion", "message"),
    [
        (5.6, 12.0, r"data\.sampling\.reach must be 5.657 pixels or more at net\.stride=8.*got 5.6"),
        (6.0, 5.9, r"data\.sampling\.exclusion must be data\.sampling\.reach=6 pixels or more, got 5.9"),
    ],
)
def test_distances_by_which_an_object_has_no_cell_or_is_background(
    reach: float, exclusion: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        PatchEncoder(8, 1, reach, exclusion, 0)

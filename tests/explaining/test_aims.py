import numpy as np
import pytest
import torch

from detect.explaining.aims import Aim, Found, aims_at, cell_at
from detect.nets.heads.specs import WholeHead
from detect.nets.net_spec import BackboneSpec
from tests.cards import card_of, patch_card
from tests.grids import decode, grid_card, objects, planted_map


@pytest.mark.parametrize("size", [24.0, None], ids=["boxes", "points"])
def test_the_cell_of_a_detection_is_the_one_that_it_was_decoded_from(size: float | None) -> None:
    """Objects anywhere in their cells: the score of a detection is that of the cell's own objectness.

    Two boxes reach 8 and 9 pixels beyond the edge, where they are cut, so that their centres move by 4 and more and
    lie in cells that found nothing. The tile begins 32 pixels before the image, and 16 columns of it.
    """
    card = grid_card(size, stride=8, separation=0.5 if size else 8.0)
    xy = [[13.0, 61.5], [60.2, 40.0], [6.0, 20.1], [99.9, 89.0]]
    things = objects(xy, [[20, 20], [30, 18], [28, 24], [24, 32]], [0, 1, 1, 0])
    logits = planted_map(things, card, (96, 128))
    logits[1:5, 2, 1] = -2 / 8, 0.1 / 8, np.log(20 / 24), 0  # no object, of the box of the third one as it is cut
    found = decode(logits, card, (96, 128))
    assert len(found) == 4
    tile = np.pad(logits, ((0, 0), (4, 4), (2, 2)), constant_values=-9.0)
    for i, (name, score) in enumerate(zip(found.names, found.score, strict=True)):
        x, y = found.xy[i].tolist()
        box = (x, y, x, y) if size is None else tuple(found.boxes_xyxy[i].tolist())
        own = Found(box, (0, 0, 128, 96)).seen_from(-16, -32)
        objectness, kind = aims_at(card, tile, (x + 16, y + 32), None, own)
        assert (objectness.name, kind.name) == ("objectness", name)
        value = float(objectness.of(torch.from_numpy(tile)[None])[0])
        assert 1 / (1 + np.exp(-value)) == pytest.approx(score)


def test_where_nothing_was_found_the_cell_is_that_of_the_place() -> None:
    """A neighbour whose centre would lie on the place says nothing of the score that was looked for there."""
    card = grid_card(24.0, stride=8)
    logits = np.zeros((7, 4, 4), np.float32)
    logits[1:3, 1, 1] = 1.0, 1.0
    assert cell_at(card, logits, (20.0, 20.0)) == (2, 2, 0)
    assert cell_at(card, logits, (20.0, 20.0), Found((8, 8, 32, 32), (0, 0, 32, 32))) == (1, 1, 0)


def test_a_grid_of_one_class_has_one_score() -> None:
    """The logit of the only class learned nothing: its softmax is 1 whatever it is."""
    card = grid_card(24.0, classes=("a",))
    logits = np.zeros((6, 4, 4), np.float32)
    assert [aim.name for aim in aims_at(card, logits, (12.0, 12.0), None)] == ["objectness"]
    assert [aim.name for aim in aims_at(card, logits, (12.0, 12.0), "a")] == ["objectness", "a"]


def test_the_class_of_a_patch_is_the_likeliest_that_is_no_background() -> None:
    card = patch_card(BackboneSpec("test_resnet", 16), ("a", "b"), patch_size=32)
    logits = np.zeros((3, 4, 5), np.float32)
    logits[:, 2, 3] = (9.0, 1.0, 2.0)
    place = (3 * 16.0 + 2, 2 * 16.0 - 3)  # cell 0 of a patch of 2 cells is centred on its corner
    assert aims_at(card, logits, place, None) == [Aim("b", 2, (2, 3))]
    assert aims_at(card, logits, place, "ground") == [Aim("ground", 0, (2, 3))]
    with pytest.raises(ValueError, match="class=c is none that the model knows: ground, a, b"):
        aims_at(card, logits, place, "c")


def test_a_whole_scene_has_one_cell() -> None:
    card = card_of(WholeHead(64, "one", None), BackboneSpec("test_resnet", 16), halo=0)
    logits = np.array([1.0, 3.0], np.float32).reshape(2, 1, 1)
    assert aims_at(card, logits, (32.0, 32.0), None) == [Aim("b", 1, (0, 0))]


def test_a_place_beyond_the_tile_is_refused() -> None:
    card = patch_card(BackboneSpec("test_resnet", 16), patch_size=32)
    with pytest.raises(ValueError, match="is no place of a tile of 2 x 2 cells"):
        cell_at(card, np.zeros((3, 2, 2), np.float32), (100.0, 5.0))
    with pytest.raises(ValueError, match="is no place of a tile of 2 x 2 cells"):
        cell_at(grid_card(24.0), np.zeros((7, 2, 2), np.float32), (400.0, 5.0))


@pytest.mark.parametrize(
    ("name", "stem"), [("sheep", "sheep"), ("Möwe/x", "m-we-x-4"), ("羊", "class-4"), ("A b", "a-b-4")]
)
def test_names_become_parts_of_file_names(name: str, stem: str) -> None:
    assert Aim(name, 4, (0, 0)).stem == stem


def test_an_object_whose_middle_lies_beyond_the_edge_has_the_cell_it_was_found_by() -> None:
    """A middle at 45 of a scene of 32 pixels is moved to the edge, and the box of 24 about it is cut to 20 to 32.

    The next cell gives about the same box; one beyond the scene, which the decoder never sees, gives it just so.
    """
    card = grid_card(24.0, stride=8, separation=0.5)
    logits = np.full((7, 4, 6), -9.0, np.float32)
    logits[1:5] = 0.0
    logits[:2, 2, 3] = 2.0, (45 - 28) / 8
    logits[:2, 2, 5] = 5.0, (45 - 44) / 8
    logits[:2, 2, 2] = 1.5, (26.5 - 20) / 8
    found = decode(logits[:, :, :4], card, (32, 32))
    box = tuple(found.boxes_xyxy[int(found.score.argmax())].tolist())
    assert box == pytest.approx((20, 8, 32, 32))
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    assert cell_at(card, logits, (x, y), Found(box, (0, 0, 32, 32), 0)) == (2, 3, 0)  # type: ignore[arg-type]


def test_a_peak_that_is_refined_by_half_a_cell_is_explained_by_its_own_cell() -> None:
    """Two cells of the same height in a row: the first is the peak, and its place lies between them."""
    card = patch_card(BackboneSpec("test_resnet", 16), ("a",), patch_size=16, separation=16.0)
    logits = np.zeros((2, 5, 6), np.float32)
    logits[1] = -6.0
    logits[1, 2, 1:5] = 3.0, 4.0, 4.0, 0.0
    logits[1, 2, 3] -= 1e-5
    found = decode(logits, card, (80, 96))
    (x, y), score = found.xy[0].tolist(), found.score[0]
    assert x == pytest.approx(16 * 2.5 + card.cell_offset, abs=2)
    for shift in (-0.008, 0.008):  # as tables round it
        row, col, _ = cell_at(
            card, logits, (16 * 2.5 + card.cell_offset + shift, y), Found((x, y, x, y), (0, 0, 96, 80))
        )
        assert (row, col) == (2, 2) and 1 / (1 + np.exp(-logits[1, row, col])) == pytest.approx(score)

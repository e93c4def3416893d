"""What a network is built from."""

from dataclasses import replace

from detect.nets.heads.specs import PatchHead
from tests.grids import grid_card
from tests.nets.headers import CARD


def test_what_a_card_says_of_cells_and_tiles() -> None:
    """A grid's cell describes its middle; its tiles begin where the deepest features do. A patch of 3 cells, too,
    describes the middle of one, and its tiles begin on the stride; a patch of 2 cells for a corner."""
    grid = grid_card(24.0, stride=8, deepest=32)
    assert (grid.stride, grid.cell_offset, grid.align, grid.head.boxes, grid.head.finds) == (8, 4.0, 32, True, True)
    assert not grid_card(None).head.boxes
    assert (CARD.stride, CARD.cell_offset, CARD.align, CARD.head.boxes, CARD.head.finds) == (16, 8.0, 16, False, True)
    assert replace(CARD, head=PatchHead(32, "ground")).cell_offset == 0.0
    assert not replace(CARD, head=PatchHead(48, None)).head.finds


def test_the_background_is_the_first_output_of_a_patch_classifier_that_has_one() -> None:
    assert CARD.outputs == ("ground", "cow", "Trøndersau")
    assert replace(CARD, head=PatchHead(48, None)).outputs == ("cow", "Trøndersau")
    assert grid_card().outputs == ("a", "b")

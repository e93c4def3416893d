"""The part of an image that has data, as an outline."""

import numpy as np
import pytest
import shapely

from detect.imagery.ground.footprints import Footprint, ground_outlines, shared_ground
from detect.imagery.ground.valid_outline import outline_of_text, outline_text, shown_outline
from detect.imagery.windows import Window


@pytest.mark.parametrize("shape", [(640, 640), (333, 777), (5, 9), (1, 1)])
def test_an_outline_is_exact_to_a_cell(shape: tuple[int, int]) -> None:
    """A slanted half of the image has data: what is wrong is less than a cell in each row."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    mask = cols + rows / 3 < shape[1] / 2
    found = shown_outline(shape, lambda w: mask[w.row : w.row_stop, w.col : w.col_stop])
    side = -(-max(shape) // 64)
    wrong = abs(found.area - mask.sum())
    assert wrong <= side * shape[0]
    assert outline_of_text(outline_text(found)).equals(found) or found.is_empty


def test_all_and_nothing() -> None:
    def constant(value: bool):
        return lambda window: np.full((window.height, window.width), value)

    assert shown_outline((100, 300), constant(True)).equals(shapely.box(0, 0, 300, 100))
    assert shown_outline((100, 300), constant(False)).is_empty
    assert Window(0, 0, 1, 1)


@pytest.mark.parametrize("text", ["POINT (1 2)", "nonsense", "POLYGON ((0 0, inf 1, 1 1, 0 0))", "x" * (2 << 20)])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="outline"):
        outline_of_text(text)


def test_collars_without_data_are_no_shared_ground() -> None:
    """Two mosaics whose frames overlap by half, and whose data lies side by side."""
    from tests.imagery.ground.test_footprints import print_at

    left, right = print_at(0), print_at(25)
    assert shared_ground(list(ground_outlines({"a": left, "b": right}).values())) == pytest.approx(0.25, abs=2e-3)
    halves = [
        Footprint(each.placement, each.shape, shapely.box(start, 0, start + 250, 400))
        for each, start in ((left, 0), (right, 0))
    ]
    assert shared_ground(list(ground_outlines({"a": halves[0], "b": halves[1]}).values())) == pytest.approx(0, abs=1e-6)

"""A defect of a list must be seen in the square that a classifier of whole images looks at."""

from dataclasses import replace

import pytest

from detect.assembly.heads.whole import check_shade
from detect.imagery.wafers.drawn.drawing import Drawing
from detect.nets.card import NetSpec
from detect.nets.heads.specs import WholeHead
from tests.cards import card_of


def spec(side: int, mark: int) -> NetSpec:
    drawing = Drawing(side, 3.0, mark, False, 255)
    return replace(card_of(WholeHead(64, "one", None), bands=(1,), separation=1.0), drawing=drawing)


@pytest.mark.parametrize(("side", "mark"), [(64, 1), (256, 1), (2048, 16), (20_000, 200)])
def test_a_defect_that_stays_bright_is_fine(side: int, mark: int) -> None:
    """Of side 256 at 64 a pixel of 255 is shared by 4 x 4: 255 / 16 = 15.9; of 2048 a mark of 16 x 16 is a quarter."""
    check_shade(spec(side, mark))


def test_a_defect_that_vanishes_is_told_with_the_way_out() -> None:
    """255 / 32^2 = 0.25."""
    with pytest.raises(ValueError, match=r"brightness of 0\.25 of 255: set data\.wafers\.side=128, or .*mark=16"):
        check_shade(spec(2048, 1))

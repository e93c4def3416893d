"""A defect of a list must be seen in the square that a classifier of whole images looks at."""

import logging
from dataclasses import replace

import pytest

from detect.assembly.heads.whole import check_shade
from detect.imagery.wafers.drawn.drawing import Drawing
from detect.nets.heads.specs import WholeHead
from detect.nets.net_spec import NetSpec
from tests.cards import card_of
from tests.typed import settings_of


def spec(side: int, mark: int) -> NetSpec:
    drawing = Drawing(side, 3.0, mark, False, 255, "as_given")
    return replace(card_of(WholeHead(64, "one", None), bands=(1,), separation=1.0), drawing=drawing)


@pytest.mark.parametrize(("side", "mark"), [(64, 1), (256, 1), (2048, 16), (20_000, 200)])
def test_a_defect_that_stays_bright_is_fine(side: int, mark: int) -> None:
    """Of side 256 at 64 a pixel of 255 is shared by 4 x 4: 255 / 16 = 15.9; of 2048 a mark of 16 x 16 is a quarter."""
    check_shade(spec(side, mark))


def test_a_defect_that_vanishes_is_told_with_the_way_out() -> None:
    """255 / 32^2 = 0.25."""
    with pytest.raises(ValueError, match=r"brightness of 0\.25 of 255: set data\.wafers\.side=128, or .*mark=16"):
        check_shade(spec(2048, 1))


@pytest.mark.parametrize("side", [64, 96, 128, 224, 288])
def test_what_is_drawn_where_nothing_is_set_is_seen(side: int, caplog: pytest.LogCaptureFixture) -> None:
    """Of 288 at 64 a pixel of 255 is shared by 4.5 x 4.5: 255 / 20.3 = 12.6. Detectors see all pixels, of 2,048."""
    settings = settings_of("train", "net=whole", f"net.side={side}", "data.root=x")
    head = WholeHead(side, "one", None)
    with caplog.at_level(logging.WARNING):
        check_shade(replace(card_of(head, bands=(1,), separation=1.0), drawing=settings.data.wafers))
    assert not caplog.records
    assert settings_of("train", "net=grid", "data.root=x").data.wafers.side == 2048


def test_a_wafer_that_is_enlarged_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        check_shade(spec(48, 1))
    assert "data.wafers.side=48 is enlarged to net.side=64: data.wafers.side=128 draws it finer" in caplog.text


def test_wafers_are_turned_for_patterns_alone() -> None:
    """Of objects that are found the places are those of the list, so that nothing may turn them."""
    assert settings_of("train", "net=whole", "data.wafers.notch=down", "data.root=x").data.wafers.notch == "down"
    with pytest.raises(ValueError, match=r"data\.wafers\.notch=down is for net=whole"):
        settings_of("train", "net=grid", "data.wafers.notch=down", "data.root=x")
    with pytest.raises(ValueError, match=r"zones\.notch must be as_given or a side"):
        settings_of("report", "predictions=x", "zones.notch=north")

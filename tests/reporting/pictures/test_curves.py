from pathlib import Path
from types import SimpleNamespace

import matplotlib.figure
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from detect.reporting.pictures.curves import draw_curves, draw_rates, draw_reliability


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are made, in order."""
    made: list[Figure] = []

    class Kept(Figure):
        def __init__(self, *args: object, **more: object) -> None:
            super().__init__(*args, **more)
            made.append(self)

    monkeypatch.setattr(matplotlib.figure, "Figure", Kept)
    return made


def test_losses_are_on_the_left_and_scores_on_the_right(tmp_path: Path, figures: list[Figure]) -> None:
    """Epochs are counted from 1; a learning rate is neither a loss nor a score."""
    (tmp_path / "metrics.csv").write_text("epoch,train_loss,val_f1,lr\n0,2.5,0.25,0.1\n1,1.5,0.75,0.1\n")
    draw_curves(tmp_path / "metrics.csv", tmp_path / "curves.png")
    left, right = (axes.get_lines() for axes in figures[0].axes)
    assert [(line.get_label(), *line.get_xydata().tolist()) for line in left] == [("train_loss", [1, 2.5], [2, 1.5])]
    assert [(line.get_label(), *line.get_xydata().tolist()) for line in right] == [("val_f1", [1, 0.25], [2, 0.75])]
    assert Image.open(tmp_path / "curves.png").format == "PNG"


@pytest.mark.parametrize("suggestion", [0.1, None])
def test_the_suggested_factor_is_a_vertical_line(
    tmp_path: Path, figures: list[Figure], suggestion: float | None
) -> None:
    factors, losses = np.array([0.01, 0.1, 1.0]), np.array([3.0, 2.0, 4.0])
    curve = SimpleNamespace(factors=factors, losses=losses, smoothed=losses, suggestion=suggestion)
    draw_rates(curve, tmp_path / "rates.png")
    axes = figures[0].axes[0]
    assert axes.get_xscale() == "log" and len(axes.get_lines()) == (2 if suggestion is None else 3)
    np.testing.assert_array_equal(axes.get_lines()[0].get_xydata(), np.stack([factors, losses], axis=1))
    if suggestion is not None:
        assert set(axes.get_lines()[2].get_xdata()) == {suggestion}
    assert Image.open(tmp_path / "rates.png").format == "PNG"


def test_what_is_there_is_drawn_over_its_score_and_nothing_of_nothing(tmp_path: Path, figures: list[Figure]) -> None:
    rows = [{"score": 0.25, "there": 0.5, "found": 4}, {"score": 0.95, "there": 1.0, "found": 2}]
    draw_reliability(rows, tmp_path / "reliability.png")
    even, drawn = figures[0].axes[0].get_lines()
    assert drawn.get_xydata().tolist() == [[0.25, 0.5], [0.95, 1.0]] and even.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert [text.get_text() for text in figures[0].axes[0].texts] == ["4", "2"]
    assert Image.open(tmp_path / "reliability.png").format == "PNG"
    draw_reliability([], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()

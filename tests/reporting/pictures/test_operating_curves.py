from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detect.evaluation.classes.classified import of_one_class
from detect.evaluation.classes.one_against_rest import curves_of
from detect.reporting.pictures.operating_curves import draw_precision_recall, draw_roc


@pytest.mark.parametrize("classes", [2, 12, 25])
def test_curves_of_few_and_of_many_classes_are_drawn(tmp_path: Path, classes: int) -> None:
    values = np.random.default_rng(0).random((50, classes))
    curves = curves_of(of_one_class(np.arange(50) % classes, values, [f"${i}" for i in range(classes)]))
    for draw in (draw_roc, draw_precision_recall):
        assert draw(curves, tmp_path / "c.png")
        assert min(Image.open(tmp_path / "c.png").size) > 400


def test_no_picture_of_no_curve(tmp_path: Path) -> None:
    curves = curves_of(of_one_class(np.array([0]), np.array([[1.0]]), ["a"]))
    assert not draw_roc(curves, tmp_path / "c.png") and not (tmp_path / "c.png").exists()
    assert draw_precision_recall(curves, tmp_path / "c.png")

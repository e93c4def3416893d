from pathlib import Path

import numpy as np
import torch
from PIL import Image

from detect.reporting.pictures import confusions
from detect.reporting.pictures.confusions import draw_confusion, draw_worst


def test_the_worst_are_the_wrong_ones_by_confidence(tmp_path: Path, monkeypatch) -> None:
    """Of five, 1, 2 and 4 are wrong, with 0.6, 0.9 and 0.7."""
    truth = np.array([0, 0, 1, 1, 0])
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    patches = [(torch.full((3, 8, 8), 10 * i, dtype=torch.uint8), int(t)) for i, t in enumerate(truth)]
    calls = []
    real = confusions.crops_sheet
    monkeypatch.setattr(
        confusions, "crops_sheet", lambda *args, **more: calls.append((*args, more)) or real(*args, **more)
    )
    assert draw_worst(tmp_path / "worst.jpg", patches, truth, probabilities, ("a", "b"))
    crops, shown, more = calls[0]
    assert crops[:, 0, 0, 0].tolist() == [20, 40, 10] and shown.score.tolist() == [0.9, 0.7, 0.6]
    assert list(shown.names) == ["a", "b", "b"] and more["captions"] == ["is b", "is a", "is a"]
    assert Image.open(tmp_path / "worst.jpg").width > 300


def test_no_sheet_of_no_errors_and_grey_patches_of_any_type(tmp_path: Path) -> None:
    patches = [(torch.rand(1, 8, 8), 0)]
    assert not draw_worst(tmp_path / "w.jpg", patches, np.array([0]), np.array([[0.9, 0.1]]), ("a", "b"))
    assert not (tmp_path / "w.jpg").exists()
    assert draw_worst(tmp_path / "w.jpg", patches, np.array([1]), np.array([[0.9, 0.1]]), ("a", "b"))


def test_a_confusion_matrix_of_odd_names_is_drawn(tmp_path: Path) -> None:
    """Dollar signs would be mathematics."""
    draw_confusion({"labels": ["$a_{", "b"], "matrix": [[3, 0], [1, 2]]}, tmp_path / "c.png")
    assert min(Image.open(tmp_path / "c.png").size) > 200

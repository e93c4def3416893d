import pytest

from detect.evaluation.whole.found_classes import score_found

TRUTH = {"1": ["a"], "2": ["a"], "3": ["b"], "4": ["b"]}


def test_an_unknown_image_is_missed_and_told() -> None:
    """a: 2 right of 3 found and 2 true, F1 4/5; b: none of none found and 2 true, F1 0; one image is unknown."""
    scores = score_found({"1": ["a"], "2": ["a"], "3": ["a"], "4": []}, TRUTH, ["a", "b"], {"4"})
    assert scores["accuracy"] == 0.5 and scores["macro_f1"] == pytest.approx(0.4)
    assert scores["balanced_accuracy"] == 0.5 and scores["unknown"] == 1 and scores["unknown_share"] == 0.25
    assert scores["confusion"]["labels"] == ["a", "b", "none found", "unknown"]
    assert scores["confusion"]["matrix"][:2] == [[2, 0, 0, 0], [1, 0, 0, 1]]


def test_of_many_classes_all_must_be_right() -> None:
    truth = {"1": ["a", "b"], "2": []}
    scores = score_found({"1": ["a"], "2": []}, truth, ["a", "b"], ())
    assert scores["accuracy"] == 0.5 and scores["recall"] == 0.5 and scores["precision"] == 1.0
    assert "confusion" not in scores and scores["per_image"]["1"] == {"true": 2, "found": 1, "right": False}


def test_the_images_must_be_the_same() -> None:
    with pytest.raises(ValueError, match="same images"):
        score_found({"1": ["a"]}, TRUTH, ["a", "b"], ())
    with pytest.raises(ValueError, match="same images"):
        score_found({}, {}, ["a"], ())

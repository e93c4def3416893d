import logging

import pytest

from detect.evaluation.seen import TrainingImages, with_seen

RECORD = {"train": ["a/1.png", "2.png [rows 0-9, columns 0-9]"], "val": ["3.png", "2.png"], "groups": ["herd"]}


def seen(images: dict[str, str | None], record: dict[str, list[str]] = RECORD) -> dict:
    scores = {"f1": 0.5, "per_image": {name: {"f1": 0.5} for name in images}}
    return with_seen(scores, TrainingImages.from_record(record), images)


def test_a_part_of_an_image_is_its_image_and_what_was_learned_from_did_not_only_validate() -> None:
    assert TrainingImages.from_record(RECORD) == TrainingImages(("a/1.png", "2.png"), ("3.png",), ("herd",))
    assert TrainingImages.from_record(TrainingImages.from_record(RECORD).to_record()).train == ("a/1.png", "2.png")


def test_every_image_says_whether_it_or_its_group_was_seen(caplog: pytest.LogCaptureFixture) -> None:
    """Two names are of one image where one path ends with the other; `b/1.png` is another file than `a/1.png`."""
    scores = seen({"x/a/1.png": None, "b/1.png": None, "2.png": "far", "3.png": None, "4.png": "herd", "5.png": "far"})
    assert scores["seen_in_training"] == ["2.png", "4.png", "x/a/1.png"]
    assert scores["chosen_on_images"] == ["3.png"]
    assert {name for name, image in scores["per_image"].items() if image["seen"]} == set(scores["seen_in_training"])
    for text in (
        "2 were learned from",
        "1 are of a group of which others were learned from: their scores flatter: 4.png",
        "3.png",
    ):
        assert text in caplog.text


def test_images_of_other_scenes_are_told_as_such(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        scores = seen({"9.png": None})
    assert scores["seen_in_training"] == [] and scores["per_image"]["9.png"] == {"f1": 0.5, "seen": False}
    assert "none of the images scored was seen in training" in caplog.text


def test_of_a_model_that_remembers_nothing_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert seen({"9.png": None}, {})["seen_in_training"] == [] and not caplog.text


@pytest.mark.parametrize("record", [{"train": "a.png"}, {"val": [1]}, {"groups": {"a": 1}}])
def test_a_record_of_something_else_is_an_error(record: dict) -> None:
    with pytest.raises(ValueError, match="names of images"):
        TrainingImages.from_record(record)

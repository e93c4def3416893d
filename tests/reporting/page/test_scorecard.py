import json

import pytest

from detect.reporting.page.scorecard import format_measure, read_scorecard


def test_the_measures_that_are_there_in_their_order(scores):
    card = read_scorecard(scores)
    assert [(measure.name, measure.value) for measure in card.measures] == [
        ("F1", "0.800"),
        ("Precision", "0.750"),
        ("Recall", "0.857"),
        ("Count error", "1.50"),
        ("Count bias", "−25.0 %"),
    ]
    assert card.radius == "30"


def test_numbers_per_class_and_truth_per_image(scores):
    card = read_scorecard(scores)
    assert card.columns == ["F1", "Annotated", "Found"]
    assert card.per_class == [("cow", ["0.900", "4", "3"]), ("sheep", ["–", "3", "2"])]
    assert card.truth == {"a/b.jpg": 6, "c.jpg": 1} and card.found == {"a/b.jpg": 4, "c.jpg": 1}


def test_an_empty_scorecard(tmp_path):
    (tmp_path / "scores.json").write_text('{"f1": NaN, "confusion": [[1]], "per_image": {"a": {"f1": 0.5}}}')
    card = read_scorecard(tmp_path / "scores.json")
    assert card.measures == [] and card.per_class == [] and card.truth == {} and card.radius is None


def test_a_missing_file_is_an_error_that_names_it_and_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"scores\.json.*detect\.evaluate"):
        read_scorecard(tmp_path / "scores.json")


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("f1", 1.0, "1.000"),
        ("count_mae", 12.34, "12.3"),
        ("mean_distance", 4.9, "4.90"),
        ("true", 1234, "1,234"),
        ("count_bias_percent", 4.21, "+4.2 %"),
        ("f1", None, "–"),
        ("f1", "x", "–"),
    ],
)
def test_numbers_for_people(key, value, text):
    assert format_measure(key, value) == text


def test_scores_in_a_folder_of_others_do_not_lead_out_of_it_and_ones_named_elsewhere_are_read(tmp_path):
    """A link that a person names is followed; one that lies in the folder of predictions is its maker's."""
    folder = tmp_path / "predictions"
    folder.mkdir()
    (tmp_path / "mine.json").write_text('{"f1": 0.5}')
    for link in (folder / "scores.json", tmp_path / "link.json"):
        link.symlink_to(tmp_path / "mine.json")
    assert read_scorecard(tmp_path / "link.json", folder).measures[0].value == "0.500"
    with pytest.raises(ValueError, match=r"scores\.json"):
        read_scorecard(folder / "scores.json", folder)


def test_a_curve_of_reliability_is_of_the_rows_that_are_such(tmp_path):
    rows = [
        {"score": 0.25, "there": 0.5, "found": 4},
        {"score": 1.5, "there": 0.5, "found": 4},
        {"score": 0.5, "there": None, "found": 4},
        {"score": 0.5},
        "x",
        {"score": 0.95, "there": 1.0, "found": 2},
    ]
    (tmp_path / "scores.json").write_text(json.dumps({"reliability": rows}))
    assert read_scorecard(tmp_path / "scores.json").reliability == [(0.25, 0.5, 4), (0.95, 1.0, 2)]
    (tmp_path / "scores.json").write_text(json.dumps({"reliability": {"a": 1}}))
    assert read_scorecard(tmp_path / "scores.json").reliability == []


def confusion_of(tmp_path, confusion):
    path = tmp_path / "scores.json"
    path.write_text(json.dumps({"confusion": confusion}), encoding="utf-8")
    return read_scorecard(path).confusion


def test_confusions_are_in_percent_of_each_true_class_without_rows_and_columns_of_nothing(tmp_path):
    """Three of four a are found, and one is missed; of b there is none."""
    made = confusion_of(tmp_path, {"labels": ["a", "b", "background"], "matrix": [[3, 0, 1], [0, 0, 0], [0, 0, 0]]})
    assert made.found == ["a", "background"]
    assert made.rows == [("a", [("75", 0.75), ("25", 0.25)], 4)]


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        7,
        {"labels": ["a", "b", "c"]},
        {"labels": ["a", "b", "c"], "matrix": [[1, 2, 3]]},
        {"labels": ["a", "b", "c"], "matrix": [[1, 2, 3], [1, 2, 3], [1, 2, "x"]]},
        {"labels": ["a", "b", "c"], "matrix": [[1, 2, 3], [1, 2, 3], [1, 2, -1]]},
        {"labels": ["a", "b"], "matrix": [[1, 0], [0, 0]]},
        {"labels": ["a"] * 61, "matrix": [[0] * 61] * 61},
    ],
)
def test_what_is_no_confusion_or_of_one_class_is_not_shown(tmp_path, wrong):
    assert confusion_of(tmp_path, wrong) is None

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from detect.evaluation.classes.classified import Classification, of_many_classes, of_one_class
from detect.reporting.classes.class_folder import PICTURES, WRITTEN, clear_classes, write_classes
from detect.reporting.output.written import WrittenFiles
from detect.reporting.tables import read_text_table

BAD = "<script>alert(1)</script>$x_{"


def three() -> Classification:
    """Two a, of which one is found, and a b that is found."""
    values = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    return of_one_class(np.array([0, 0, 1]), values, ("a", BAD), ("x/1.png", "x/2.png", "=cmd"))


def test_tables_hold_the_figures(tmp_path: Path) -> None:
    write_classes(tmp_path, three(), {"accuracy": 2 / 3})
    place = tmp_path / "classes"
    assert read_text_table(place / "confusion.csv").to_numpy().tolist() == [["a", "1", "1", "2"], [BAD, "0", "1", "1"]]
    assert read_text_table(place / "confusion_percent.csv").iloc[0].tolist() == ["a", "50", "50", "2"]
    by_class = read_text_table(place / "classes.csv")
    assert by_class["recall"].tolist() == ["0.5", "1"] and by_class["roc_auc"].tolist() == ["1", "1"]
    examples = read_text_table(place / "classified.csv")
    assert examples["image"].tolist() == ["x/1.png", "x/2.png", "=cmd"]
    assert examples["found"].tolist() == ["a", BAD, BAD] and examples["probability"].tolist() == ["0.9", "0.6", "0.8"]
    assert pd.read_csv(place / "roc.csv")["threshold"].max() == np.inf


def test_pictures_are_pictures_and_the_page_shows_names_as_text(tmp_path: Path) -> None:
    write_classes(tmp_path, three(), {"accuracy": 2 / 3})
    assert all(min(Image.open(tmp_path / "classes" / name).size) > 200 for name in PICTURES)
    page = (tmp_path / "classes" / "index.html").read_text(encoding="utf-8")
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert "2 of 3 classified rightly" in page and "0.667" in page


def test_curves_that_are_not_defined_have_rows_of_a_header_alone(tmp_path: Path) -> None:
    figures = write_classes(tmp_path, of_one_class(np.array([0]), np.array([[1.0]]), ("a",)), {})
    assert len(read_text_table(tmp_path / "classes" / "roc.csv")) == 0
    assert not (tmp_path / "classes" / "roc.png").exists() and figures.remarks


def test_examples_of_several_classes_are_named_together(tmp_path: Path) -> None:
    made = of_many_classes(np.array([[1, 1], [0, 0]], bool), np.array([[0.9, 0.8], [0.1, 0.2]]), ("a", "b"))
    write_classes(tmp_path, made, {})
    assert read_text_table(tmp_path / "classes" / "classified.csv")["found"].tolist() == ["a+b", "none"]


def test_where_nothing_was_found_is_told_from_a_class_that_is_called_none(tmp_path: Path) -> None:
    made = of_many_classes(np.array([[1, 0], [0, 1]], bool), np.array([[0.9, 0.2], [0.1, 0.2]]), ("none", "b"))
    write_classes(tmp_path, made, {})
    assert read_text_table(tmp_path / "classes" / "classified.csv")["found"].tolist() == ["none", "no_none"]


def test_columns_of_classes_that_are_called_like_other_columns_differ(tmp_path: Path) -> None:
    names = ("image", "true", "class_true")
    write_classes(tmp_path, of_one_class(np.array([0, 1, 2]), np.eye(3), names), {})
    table = read_text_table(tmp_path / "classes" / "classified.csv")
    assert list(table.columns[4:]) == ["class_image", "class_class_true", "class_true"]


def test_what_was_written_is_removed_and_nothing_else(tmp_path: Path) -> None:
    write_classes(tmp_path, three(), {})
    note = tmp_path / "classes" / "note.txt"
    note.write_text("mine", encoding="utf-8")
    clear_classes(tmp_path)
    assert list((tmp_path / "classes").iterdir()) == [note]
    note.unlink()
    write_classes(tmp_path, three(), {})
    clear_classes(tmp_path)
    assert not (tmp_path / "classes").exists()


def test_a_table_of_a_person_is_not_taken_for_one_that_was_written(tmp_path: Path) -> None:
    place = tmp_path / "classes"
    place.mkdir()
    for name in ("confusion.csv", "roc.png"):
        (place / name).write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match=r"confusion\.csv was not written by a run"):
        WrittenFiles(tmp_path).check(WRITTEN, adopt=False)
    clear_classes(tmp_path)
    assert len(list(place.iterdir())) == 2


def test_a_table_that_a_person_changed_is_known(tmp_path: Path) -> None:
    write_classes(tmp_path, three(), {})
    WrittenFiles(tmp_path).check(WRITTEN)
    (tmp_path / "classes" / "confusion.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match=r"confusion\.csv was changed"):
        WrittenFiles(tmp_path).check(WRITTEN)


def test_figures_of_what_is_unknown_are_there_where_there_is_such_and_not_left_from_before(tmp_path: Path) -> None:
    values = np.array([[0.9, 0.1], [0.4, 0.6]])
    write_classes(tmp_path, of_one_class(np.array([0, -1]), values, ("a", "b"), least=0.7), {})
    row = read_text_table(tmp_path / "classes" / "unknown.csv").iloc[0]
    assert (row["known"], row["unknown"], row["auroc"], row["unknown_rate"]) == ("1", "1", "1", "1")
    assert "Of none of the classes" in (tmp_path / "classes" / "index.html").read_text(encoding="utf-8")
    write_classes(tmp_path, three(), {})
    assert not (tmp_path / "classes" / "unknown.csv").exists()

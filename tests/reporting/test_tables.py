import re

import pandas as pd
import pytest

from detect.labels.detections import Detections
from detect.reporting.tables import counts_table, read_counts, write_table
from tests.reporting.conftest import CLASSES, detections


def test_counts_by_image_and_class(found):
    table = counts_table(found, CLASSES)
    assert table.to_dict("list") == {"image": ["a/b.jpg", "c.jpg"], "cow": [3, 0], "sheep": [1, 1], "total": [4, 1]}


def test_rows_are_sorted_and_an_image_without_objects_has_zeros():
    table = counts_table({"b": detections([(1, 1, 0, 1)]), "a": Detections.empty(CLASSES)}, CLASSES)
    assert table.to_dict("list") == {"image": ["a", "b"], "cow": [0, 1], "sheep": [0, 0], "total": [0, 1]}


def test_a_table_of_no_images_is_the_header_alone(tmp_path):
    write_table(counts_table({}, CLASSES), tmp_path / "counts.csv")
    assert (tmp_path / "counts.csv").read_text() == "image,cow,sheep,total\n"
    assert len(read_counts(tmp_path / "counts.csv")) == 0


@pytest.mark.parametrize("classes", [("cow", "total"), ("image",), ("cow", "cow")])
def test_class_names_must_not_clash_with_the_other_columns(classes):
    with pytest.raises(ValueError, match=f"'image'.*'total'.*{re.escape(str(list(classes)))}"):
        counts_table({}, classes)


def test_a_class_in_use_cannot_be_left_out(found):
    with pytest.raises(ValueError, match="'sheep'"):
        counts_table(found, ["cow"])


NAMES = [
    "NA",
    "007",
    "1e5",
    "a,b.jpg",
    'say "x".jpg',
    "=1+1",
    "naïve",
    b"caf\xe9.jpg".decode("utf-8", "surrogateescape"),
]


def test_names_come_back_as_they_were(tmp_path):
    path = tmp_path / "counts.csv"
    write_table(counts_table({name: Detections.empty(["NA"]) for name in NAMES}, ["NA"]), path)
    back = read_counts(path)
    assert list(back["image"]) == sorted(NAMES)
    assert list(back.columns) == ["image", "NA", "total"]


def test_a_table_that_fails_leaves_no_file(tmp_path, monkeypatch):
    def fail(self, path, **options):
        path.write_text("image,co")
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    with pytest.raises(OSError, match="disk full"):
        write_table(counts_table({}, CLASSES), tmp_path / "counts.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", ""),
        ("image,cow\na,1\n", r"'total'.*\['image', 'cow'\]"),
        ("image,cow,total\na,1.5,1.5\n", "'1.5'"),
        ("image,cow,total\na,1,1\nb,1,2\n", "total.*'b'"),
    ],
)
def test_a_table_that_is_wrong_is_refused(tmp_path, text, named):
    (tmp_path / "counts.csv").write_text(text)
    with pytest.raises(ValueError, match=rf"counts\.csv.*{named}"):
        read_counts(tmp_path / "counts.csv")

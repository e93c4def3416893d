import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detect.labels.detections import Detections
from detect.reporting.tables import counts_table, read_counts, read_facts, read_text_table, write_table
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
    def fail(path, data):
        path.open("wb").write(data[:8])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", fail)
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


def test_facts_of_images_stand_behind_the_total_and_tables_with_fewer_are_read(tmp_path) -> None:
    found = {name: detections([(1, 1, 0, 1)]) for name in "ab"}
    plain = counts_table(found, CLASSES)
    facts = {"damaged": {"b": 'row 3, "skipped"'}, "surveyed_share": {"a": "1", "b": "0.5"}}
    table = counts_table(found, CLASSES, facts)
    assert list(table.columns) == [*plain.columns, "surveyed_share", "damaged"]
    assert list(table["damaged"]) == ["", 'row 3, "skipped"'] and list(table["surveyed_share"]) == ["1", "0.5"]
    fewer = table.drop(columns="damaged"), {"surveyed_share": facts["surveyed_share"]}
    for each, wanted in ((table, facts), (plain, {}), fewer):
        write_table(each, tmp_path / "counts.csv")
        assert read_counts(tmp_path / "counts.csv").to_dict("list") == plain.to_dict("list")
        assert read_facts(tmp_path / "counts.csv") == wanted


def test_a_class_may_be_called_like_a_fact(tmp_path) -> None:
    classes, facts = ["damaged", *CLASSES], {"damaged": {"a": "cut off"}, "surveyed_share": {"a": "1"}}
    table = counts_table({"a": detections([(1, 1, 0, 1)])}, classes, facts)
    assert list(table.columns) == ["image", *classes, "total", "surveyed_share", "image_damaged"]
    write_table(table, tmp_path / "counts.csv")
    assert list(read_counts(tmp_path / "counts.csv").columns) == ["image", *classes, "total"]
    assert read_facts(tmp_path / "counts.csv") == facts


def test_no_fact_takes_the_column_of_a_class(tmp_path) -> None:
    """The facts of `unlike` stand in the third name that is free."""
    classes = ("unlike", "image_unlike")
    xy = Detections([[1, 1], [2, 2], [3, 3]], [1.0] * 3, [0, 1, 1], classes)
    write_table(counts_table({"a": xy}, classes, {"unlike": {"a": "grey"}}), tmp_path / "counts.csv")
    table = read_counts(tmp_path / "counts.csv")
    assert table.to_dict("list") == {"image": ["a"], "unlike": [1], "image_unlike": [2], "total": [3]}
    assert read_facts(tmp_path / "counts.csv") == {"unlike": {"a": "grey"}}


TEXTS = st.text(st.sampled_from(["'", "=", "-", "\t", "\r", "\n", "\0", '"', ",", " ", "1"])) | st.text()


@given(rows=st.lists(st.tuples(TEXTS, TEXTS), max_size=5), label=TEXTS.filter(lambda text: text not in ("image", "")))
def test_any_text_comes_back_from_a_table(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], label: str
) -> None:
    path = tmp_path_factory.mktemp("table") / "t.csv"
    write_table(pd.DataFrame(rows, columns=["image", label], dtype="object"), path)
    found = read_text_table(path)
    assert list(found.columns) == ["image", label]
    assert list(found.itertuples(index=False, name=None)) == rows


def test_numbers_stay_numbers_for_other_programs(tmp_path):
    wanted = pd.DataFrame({"image": ["-3.5", "=1"], "bias": [-3.5, float("nan")], "n": [-1, 2], "p": [1e-7, 0.1]})
    write_table(wanted, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "image,bias,n,p\n-3.5,-3.5,-1,1e-07\n'=1,,2,0.1\n"
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "t.csv").iloc[:, 1:], wanted.iloc[:, 1:])

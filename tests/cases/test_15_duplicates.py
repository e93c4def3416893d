"""Case 15: exact repeats count once; double clicks and one place under two classes are told."""

from pathlib import Path

import pandas as pd
import pytest

from detect.labels.annotation_files import read_annotations, read_unchecked
from detect.labels.annotations import Annotations
from tests.cases.discs import write_boxes
from tests.commands import call


def read(photographs: Path, path: Path, *tables: pd.DataFrame) -> Annotations:
    pd.concat(tables).to_csv(path, index=False)
    return read_annotations(path, photographs)


def number(annotations: Annotations) -> int:
    return sum(len(image.objects) for image in annotations.images)


@pytest.mark.parametrize("kind", ["points", "boxes"])
def test_a_table_that_is_there_twice_counts_once(
    photographs: Path, tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_boxes(photographs)
    table = pd.read_csv(photographs / f"{kind}.csv")
    assert number(read(photographs, tmp_path / "t.csv", table, table)) == len(table) == 80
    assert "rows that are there twice count once (80): line 82 (as line 2)" in caplog.text
    assert sum(map(len, read_unchecked(tmp_path / "t.csv").truth.values())) == 80


def test_two_spellings_of_an_image_are_one(photographs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = pd.read_csv(photographs / "points.csv")
    again = table[:6].assign(image="./" + table["image"][:6])
    found = read(photographs, tmp_path / "t.csv", table, again)
    assert number(found) == 80 and len(found.images) == 4
    assert "rows that are there twice count once (6)" in caplog.text


def test_double_clicks_are_told_and_kept(photographs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Which of two points 0.3 pixels apart is right only a person knows."""
    table = pd.read_csv(photographs / "points.csv")
    found = read(photographs, tmp_path / "t.csv", table, table[:24].assign(x=table["x"][:24] + 0.3))
    assert number(found) == 104
    assert "double clicks" in caplog.text and "(24): line 82 (and line 2)" in caplog.text
    assert len(found.told) == 1


def test_objects_a_pixel_apart_are_no_double_clicks(
    photographs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = pd.read_csv(photographs / "points.csv").round(0)
    assert not read(photographs, tmp_path / "t.csv", table, table.assign(x=table["x"] + 1)).told


def test_one_place_under_two_classes_is_told(
    photographs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = pd.read_csv(photographs / "points.csv")
    found = read(photographs, tmp_path / "t.csv", table, table[:6].assign(label="pup"))
    assert found.classes == ("disc", "pup") and number(found) == 86
    assert "one place under two classes" in caplog.text and "(6): line 82 (and line 2)" in caplog.text


def test_the_command_tells_it_before_it_computes(photographs: Path, patch_model: Path, tmp_path: Path) -> None:
    """The same scores as of the plain table: 80 objects, not 160."""
    table = pd.read_csv(photographs / "points.csv")
    pd.concat([table, table]).to_csv(tmp_path / "twice.csv", index=False)
    done = call("predict", f"model={patch_model}", f"images={photographs}", f"output={tmp_path / 'found'}")
    assert done.code == 0, done.log
    scores = []
    for name, labels in (("plain", photographs / "points.csv"), ("twice", tmp_path / "twice.csv")):
        done = call(
            "evaluate", f"predictions={tmp_path / 'found'}", f"annotations={labels}", f"output={tmp_path / name}"
        )
        assert done.code == 0, done.log
        scores.append((tmp_path / name / "scores.json").read_text())
    assert "rows that are there twice count once (80)" in done.log
    assert scores[0] == scores[1]

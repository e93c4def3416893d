"""`detect.convert`: labels and detections from format to format, with a summary and a sheet."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from detect.labels.annotation_files import read_annotations
from tests.cases.discs import write_boxes
from tests.commands import call


@pytest.fixture
def boxes(photographs: Path) -> Path:
    """80 boxes of discs in four photographs."""
    return write_boxes(photographs)


@pytest.mark.parametrize("target", ["out.csv", "out.json", "out.xml", "folder"])
def test_boxes_come_back_from_every_ending(photographs: Path, boxes: Path, tmp_path: Path, target: str) -> None:
    done = call("convert", f"source={boxes}", f"target={tmp_path / target}", f"root={photographs}")
    assert done.code == 0, done.log
    if target == "out.xml":
        return
    found, wanted = (read_annotations(path, photographs) for path in (tmp_path / target, boxes))
    for one, other in zip(found.images, wanted.images, strict=True):
        assert one.name == other.name
        np.testing.assert_allclose(one.objects.boxes_xyxy, other.objects.boxes_xyxy, atol=1e-9)


def test_a_format_may_be_named_and_yolo_comes_back_to_a_thousandth_of_a_pixel(
    photographs: Path, boxes: Path, tmp_path: Path
) -> None:
    """Without copies of the images: they are found below the data folder."""
    done = call("convert", f"source={boxes}", f"target={tmp_path / 'y'}", "format=yolo", f"root={photographs}")
    assert done.code == 0, done.log
    found, wanted = (read_annotations(path, photographs) for path in (tmp_path / "y", boxes))
    assert [image.name for image in found.images] == [image.name for image in wanted.images]
    for one, other in zip(found.images, wanted.images, strict=True):
        np.testing.assert_allclose(one.objects.boxes_xyxy, other.objects.boxes_xyxy, atol=1e-3)


def test_tables_are_converted_without_images_and_others_ask_for_them(photographs: Path, tmp_path: Path) -> None:
    points = photographs / "points.csv"
    done = call("convert", f"source={points}", f"target={tmp_path / 'out.csv'}")
    assert done.code == 0, done.log
    assert pd.read_csv(tmp_path / "out.csv").equals(pd.read_csv(points))
    done = call("convert", f"source={points}", f"target={tmp_path / 'out.json'}")
    assert done.code == 2 and "give root=DIR" in done.log


def test_a_summary_and_a_sheet(photographs: Path, tmp_path: Path) -> None:
    table = pd.read_csv(photographs / "points.csv")
    pd.concat([table, table[:3]]).to_csv(tmp_path / "t.csv", index=False)
    outputs = tmp_path / "summary.txt", tmp_path / "sheet.jpg"
    given = [f"source={tmp_path / 't.csv'}", f"root={photographs}", f"summary={outputs[0]}", f"sheet={outputs[1]}"]
    done = call("convert", *given, "samples=8")
    assert done.code == 0, done.log
    text = outputs[0].read_text()
    assert "80 points in 4 images: disc 80" in text and "rows that are there twice count once (3)" in text
    assert "80 points in 4 images: disc 80" in done.log
    with Image.open(outputs[1]) as sheet:
        assert sheet.format == "JPEG" and sheet.width > 500
    done = call("convert", *given)
    assert done.code == 2 and "overwrite=true" in done.log
    assert call("convert", *given, "overwrite=true").code == 0


def test_detections_keep_their_scores(photographs: Path, patch_model: Path, tmp_path: Path) -> None:
    """In formats that have some; images without detections are those of the counts."""
    done = call("predict", f"model={patch_model}", f"images={photographs}", f"output={tmp_path / 'run'}")
    assert done.code == 0, done.log
    source = tmp_path / "run" / "detections.csv"
    table = pd.read_csv(source)
    table[table.image != "c.png"].to_csv(source, index=False)
    done = call("convert", f"source={source}", f"target={tmp_path / 'out.json'}", f"root={photographs}")
    assert done.code == 0, done.log
    content = json.loads((tmp_path / "out.json").read_text())
    assert [image["file_name"] for image in content["images"]] == ["a.png", "b.png", "c.png", "d.png"]
    assert [each["score"] for each in content["annotations"]] == table[table.image != "c.png"].score.tolist()
    done = call("convert", f"source={source}", f"target={tmp_path / 'labels.csv'}")
    assert done.code == 0 and "scores are not written" in done.log
    labels = read_annotations(tmp_path / "labels.csv", photographs)
    assert {image.name: len(image.objects) for image in labels.images}["c.png"] == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((), "nothing to write"),
        (("target=out.xyz",), r"no format of annotations is written with the ending '.xyz'"),
        (("target=out.json", "format=kml"), "'kml' is no format of annotations that is written; use csv, "),
        (("sheet=out.png",), "must end in .jpg"),
        (("sheet=out.jpg",), "give root=DIR"),
        (("target=points.csv", "overwrite=true"), "is the source; name another file"),
        (("target=a.csv", "summary=a.csv"), "target and summary are both a.csv; name two files"),
    ],
)
def test_wrong_use_is_answered_before_anything_is_read(
    photographs: Path, monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(photographs)
    done = call("convert", "source=points.csv", *given)
    assert done.code == 2 and message in done.log
    assert not Path("out.json").exists()


@pytest.mark.parametrize("name", ["out.geojson", "out.gpkg"])
def test_labels_of_photographs_are_not_lost_in_a_map(photographs: Path, tmp_path: Path, name: str) -> None:
    """Without a georeference an empty map would be written, and 80 labels be gone."""
    given = f"source={photographs / 'points.csv'}", f"target={tmp_path / name}", f"root={photographs}"
    done = call("convert", *given)
    assert done.code == 2 and "none of the 4 images has a georeference" in done.log
    assert not (tmp_path / name).exists()


def test_what_stays_in_a_folder_that_is_written_into_is_told(photographs: Path, boxes: Path, tmp_path: Path) -> None:
    """A file of an image that is no more among the labels would be read as one of them."""
    given = f"target={tmp_path / 'voc'}", f"root={photographs}"
    assert call("convert", f"source={boxes}", *given).code == 0
    table = pd.read_csv(boxes)
    table[table.image != "c.png"].to_csv(tmp_path / "less.csv", index=False)
    done = call("convert", f"source={tmp_path / 'less.csv'}", *given, "overwrite=true")
    assert done.code == 0 and "1 files of something else stay in it" in done.log and "c.xml" in done.log

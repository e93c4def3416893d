from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detect.labels.annotation_files import read_annotations, read_unchecked
from detect.labels.annotations import Annotations
from detect.reporting.label_summary import MOST_IMAGES, full_summary, short_summary
from detect.reporting.pictures.label_sheets import draw_labels

BOXES = "image,xmin,ymin,xmax,ymax,label,split\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images a.png and b.png, 200 wide and 100 high."""
    for name in "ab":
        Image.fromarray(np.full((100, 200, 3), 90, np.uint8)).save(tmp_path / f"{name}.png")
    return tmp_path


@pytest.fixture
def read(folder: Path) -> Callable[..., Annotations]:
    def read_table(rows: str, **more: list[str]) -> Annotations:
        (folder / "t.csv").write_text(BOXES + rows)
        return read_annotations(folder / "t.csv", folder, negative_labels=more.get("negative", []))

    return read_table


def test_a_summary_counts_by_class_and_image_with_sizes_and_spacing(read: Callable[..., Annotations]) -> None:
    """Boxes of 10 x 20 pixels, 40 apart; one is there twice, and a hard negative is no object."""
    rows = "".join(f"a.png,{x},10,{x + 10},30,cow,train\n" for x in (10, 50, 90, 90))
    found = read(
        rows + "a.png,130,10,140,30,goat,train\na.png,5,60,9,70,rock,train\nb.png,,,,,,val\n", negative=["rock"]
    )
    lines = short_summary(found).splitlines()
    assert lines[0] == "4 boxes of 2 classes in 2 images, 1 without objects: cow 3, goat 1"
    assert "shorter sides of boxes are 10 to 10 px for nine of ten, 10 in the middle" in lines[1]
    assert "nearest other object are 40 to 40 px" in lines[1]
    assert lines[2] == "sides of the split: train 1 images, 4 objects; val 1 images, 0 objects"
    text = full_summary(found)
    for row in (
        ["cow", "3", "1", "10 x 20"],
        ["goat", "1", "1", "10 x 20"],
        ["a.png", "200 x 100", "train", "3", "1", "4"],
        ["b.png", "200 x 100", "val", "0", "0", "0"],
    ):
        assert any(
            line.replace(" x ", "x").split() == [each.replace(" x ", "x") for each in row] for line in text.splitlines()
        )
    assert "look-alikes: 1 of rock" in text
    assert "- rows that are there twice count once: line 5 (as line 4)" in text


def test_images_without_a_side_are_told_where_others_have_one(read: Callable[..., Annotations]) -> None:
    """As of corrections beside a table with a split: `named_sides` trains on them."""
    found = read("a.png,10,10,20,30,cow,val\nb.png,10,10,20,30,cow,\n")
    assert short_summary(found).splitlines()[-1] == (
        "sides of the split: val 1 images, 1 objects; without a side (corrections have none), so for training unless "
        "data.split names them, 1 images, 1 objects"
    )


def test_points_nothing_and_many_images(folder: Path) -> None:
    path = folder / "t.csv"
    path.write_text("image,x,y,label\n" + "".join(f"{i}.png,1,1,t\n" for i in range(MOST_IMAGES + 5)))
    truth = read_unchecked(path).truth
    assert len(truth) == MOST_IMAGES + 5
    path.write_text("image,x,y,label\na.png,1,1,t\n")
    found = read_annotations(path, folder)
    assert short_summary(found) == "1 points in 1 images: t 1"
    assert "Nothing was left out, put right or looks wrong." in full_summary(found)


def test_a_sheet_shows_objects_of_every_class(read: Callable[..., Annotations]) -> None:
    """Six pictures of 4 x 12 pixels, the shorter side of a box, and none where nothing is labelled."""
    rows = "".join(
        f"{name}.png,{x},10,{x + 12},30,{label},\n"
        for name in "ab"
        for x, label in ((0, "cow"), (150, "goat"), (90, "cow"))
    )
    sheet = draw_labels(read(rows), 6)
    assert sheet is not None and sheet.mode == "RGB" and sheet.width > 6 * 100
    assert draw_labels(read("a.png,,,,,,\n"), 6) is None

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from detect.labels.annotation_files import read_annotations, read_unchecked
from detect.labels.annotations import AnnotatedImage, AnnotationError, Annotations
from detect.labels.detections import Detections
from detect.labels.formats.csv_table import write_csv_table

Make = Callable[..., Path]
POINTS = "image,x,y,label\n"
BOXES = "image,xmin,ymin,xmax,ymax,label\n"


def test_points_are_read_by_image(root: Path, table: Make) -> None:
    read = read_annotations(table(POINTS + "5.jpg,1.5,2,b\na.png,40,30,a\nimages/5.jpg,0,0,a\n"), root)
    assert read.classes == ("a", "b") and not read.boxes
    assert [image.name for image in read.images] == ["images/5.jpg", "a.png"]
    assert read.images[0].shape == (30, 40)
    assert read.images[0].objects.xy.tolist() == [[1.5, 2], [0, 0]]
    assert read.images[0].objects.names == ["b", "a"]
    assert set(read.truth) == {"images/5.jpg", "a.png"}


def test_boxes_become_centres_and_sizes(root: Path, table: Make) -> None:
    read = read_annotations(table(BOXES + "a.png,10,10,14,20,x\na.png,-1,0,41,30,x\n"), root)
    assert read.boxes
    assert read.images[0].objects.xy[0].tolist() == [12, 15]
    assert read.images[0].objects.wh[0].tolist() == [4, 10]


def test_splits_groups_and_other_columns(root: Path, table: Make, caplog: pytest.LogCaptureFixture) -> None:
    text = "scene,label,split,y,x,image,group\ns,t,train,1,1,a.png,g\ns,t,Validation,1,1,5.jpg,\n"
    with caplog.at_level(logging.INFO):
        read = read_annotations(table(text), root)
    assert [(image.split, image.group) for image in read.images] == [("train", "g"), ("val", None)]
    assert "columns not used: scene" in caplog.text


def test_a_row_with_only_an_image_is_an_image_without_objects(root: Path, table: Make) -> None:
    read = read_annotations(table(POINTS + "a.png,,,\n5.jpg\n"), root, classes=["t"])
    assert [len(image.objects) for image in read.images] == [0, 0]
    assert read.classes == ("t",)


def test_text_stays_text(make_image: Make, table: Make) -> None:
    for name in ("007", "NA", "a, b.png"):
        (make_image("x.png").parent / name).write_bytes(make_image("x.png").read_bytes())
    text = '\ufeffimage, x, y, label\r\n007, 1, 1, NA\r\nNA,1,1,None\r\n"a, b.png", "1", 1, 01\r\n'
    read = read_annotations(table(text), make_image("x.png").parent)
    assert [image.name for image in read.images] == ["007", "NA", "a, b.png"]
    assert read.classes == ("01", "NA", "None")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (POINTS + "a.png,1,1,", r"t\.csv line 2: label"),
        (POINTS + ",1,1,t", r"t\.csv line 2: image"),
        (POINTS + "a.png,1,,", r"t\.csv line 2: y, label"),
        (POINTS, r"t\.csv"),
        (POINTS + "\n,,,\n", r"t\.csv"),
        ("image,x,label\na.png,1,t", r"t\.csv.*: y;.*image,x,y,label.*image,xmin,ymin,xmax,ymax,label.*image,x,label"),
        ("image,xmin,ymin,xmax,label\n", r"t\.csv.*: ymax;"),
        ("image:x:y:label\n", r"t\.csv.*image, x, y.*image:x:y:label"),
        ("image,x,y,xmin,ymin,xmax,ymax,label\n", r"x, y.*xmin"),
        ("image,x,y,label,split\na.png,1,1,t,dev", r"t\.csv line 2: split.*train, val.*test.*'dev'"),
    ],
)
def test_rows_and_headers_that_are_wrong_are_errors_that_name_file_line_and_column(
    root: Path, table: Make, text: str, message: str
) -> None:
    with pytest.raises(AnnotationError, match=message):
        read_annotations(table(text), root)


def test_names_that_cannot_be_written_are_errors_and_no_file_is_left(root: Path, tmp_path: Path) -> None:
    thing = Detections.truth(np.ones((1, 2)), [" a"], (" a",))
    image = AnnotatedImage("a.png", root / "a.png", (30, 40), thing, np.empty((0, 2)))
    with pytest.raises(ValueError, match="label ' a'"):
        write_csv_table(Annotations((image,), (" a",), False, root), tmp_path / "out.csv")
    nameless = AnnotatedImage("a.png", root / "a.png", (30, 40), Detections.empty(()), np.ones((1, 2)))
    with pytest.raises(ValueError, match=r"a\.png.*negative_names"):
        write_csv_table(Annotations((nameless,), (), False, root), tmp_path / "out.csv")
    assert not list(tmp_path.glob("*out.csv*"))


def test_the_table_of_a_run_is_read_as_labels_with_its_centres(root: Path, table: Make) -> None:
    """Boxes around x, y of `detections.csv`; points where it has no sizes. Elsewhere x, y, w, h may be corners too."""
    head = "image,x,y,w,h,score,label\n"
    boxes = read_annotations(table(f"{head}a.png,10,8,4,6,0.9,seal\n"), root)
    assert boxes.images[0].objects.boxes_xyxy.tolist() == [[8, 5, 12, 11]]
    points = read_annotations(table(f"{head}a.png,10,8,,,0.9,seal\n"), root)
    assert points.images[0].objects.xy.tolist() == [[10, 8]] and not points.boxes


SCENES = "image,x,y,label,scene,height\na.png,1,1,t,hill,9\nb.png,1,1,t,hill,8\nimages/5.jpg,1,1,t,river,7\n"
"""Three images of two scenes."""


def test_a_column_may_be_named_that_says_which_images_belong_together(root: Path, table: Make) -> None:
    read = read_annotations(table(SCENES.replace("b.png", "a.png")), root, group_column="scene")
    assert [image.group for image in read.images] == ["hill", "river"]
    for column, text in (("flight", r"has no column 'flight' \(data\.group_column\)"), ("x", "is that of x")):
        with pytest.raises(AnnotationError, match=text):
            read_annotations(table(SCENES), root, group_column=column)


def test_a_column_called_group_is_taken_where_the_named_one_is_missing(root: Path, table: Make) -> None:
    renamed = table(SCENES.replace("scene", "group").replace("b.png", "a.png"))
    assert [image.group for image in read_annotations(renamed, root, group_column="scene").images] == ["hill", "river"]


def test_a_column_that_looks_like_groups_and_is_not_used_is_told(table: Make, caplog: pytest.LogCaptureFixture) -> None:
    """One value an image, of two or more, and fewer than images; `height` has one for each, another row two for one."""
    read_unchecked(table(SCENES))
    assert "data.group_column=scene" in caplog.text and "2 values in 3 images" in caplog.text
    assert "data.group_column=height" not in caplog.text
    caplog.clear()
    read_unchecked(table(SCENES + "a.png,2,2,t,river,9\n"))
    read_unchecked(table(SCENES.replace("river", "hill")))
    read_unchecked(table(SCENES), group_column="scene")
    assert "data.group_column" not in caplog.text

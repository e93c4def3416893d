import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detect.labels.annotations import AnnotatedImage, AnnotationError, Annotations
from detect.labels.detections import Detections
from detect.labels.formats.csv_table import write_annotations
from detect.labels.formats.voc import write_voc
from detect.labels.reading import read_annotations, read_truth

Make = Callable[..., Path]

POINTS = "image,x,y,label\n"
SPLIT, GROUP = "image,x,y,label,split\n", "image,x,y,label,group\n"
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


def test_a_row_with_only_an_image_says_it_is_empty(root: Path, table: Make) -> None:
    read = read_annotations(table(POINTS + "a.png,,,\n5.jpg\n"), root, classes=["t"])
    assert [len(image.objects) for image in read.images] == [0, 0]
    assert read.classes == ("t",)


def test_negative_labels_are_not_objects(root: Path, table: Make) -> None:
    read = read_annotations(table(POINTS + "a.png,1,1,rock\na.png,2,2,tree\n"), root, negative_labels=["rock"])
    assert read.classes == ("tree",)
    assert read.images[0].negatives.tolist() == [[1, 1]]
    assert read.images[0].negative_names == ("rock",)
    assert read.images[0].objects.xy.tolist() == [[2, 2]]


def test_a_negative_label_that_does_not_occur_is_logged(
    root: Path, table: Make, caplog: pytest.LogCaptureFixture
) -> None:
    read_annotations(table(POINTS + "a.png,1,1,rock\n"), root, negative_labels=["rok"])
    assert "negative labels ['rok'] do not occur; the labels are ['rock']" in caplog.text


def test_a_label_cannot_be_class_and_negative(root: Path, table: Make) -> None:
    with pytest.raises(ValueError, match=r"\['a'\] are both"):
        read_annotations(table(POINTS + "a.png,1,1,a\n"), root, negative_labels=["a"], classes=["a"])


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
        (POINTS + "a.png,41,1,t", "t.csv line 2: x 41 is outside a.png, 40 wide and 30 high; it must be in [0, 40]"),
        (POINTS + "a.png,1,-0.5,t", "t.csv line 2: y -0.5 is outside a.png"),
        (BOXES + "a.png,0,29,5,31.5,t", "t.csv line 2: ymax 31.5 is outside a.png, 40 wide and 30 high; it must be in"),
        (BOXES + "a.png,-2,0,1,5,t", "t.csv line 2: xmin -2 is outside"),
        (BOXES + "a.png,5,5,5,9,t", "t.csv line 2: box 5,5,5,9 has no size"),
        (POINTS + "a.png,nan,1,t", "t.csv line 2: x must be a finite number, got 'nan'"),
        (POINTS + "a.png,1,inf,t", "t.csv line 2: y must be a finite number, got 'inf'"),
        (POINTS + 'a.png,"1,5",1,t', "t.csv line 2: x must be a finite number, got '1,5'"),
        (POINTS + "a.png,1_0,1,t", "t.csv line 2: x must be a finite number, got '1_0'"),
        (POINTS + "a.png,1,1,", "t.csv line 2: label empty"),
        (POINTS + ",1,1,t", "t.csv line 2: image empty"),
        (POINTS + "a.png,1,,", "t.csv line 2: y, label empty"),
        (POINTS + "a.png,1,1,t,9", "t.csv line 2: 5 fields, but the header has 4"),
        (POINTS + "b.png,1,1,t", "t.csv line 2: image 'b.png' is not in"),
        (POINTS + "../a.png,1,1,t", "t.csv line 2: image '../a.png' must be a path below"),
        (POINTS + "bad.png,1,1,t", "bad.png: not a readable image"),
        (POINTS + "a.png,1,1,t\n\n\na.png,1.0,1,t", "t.csv line 5: the same as line 2; delete one"),
        (POINTS + "a.png,,,\na.png,1,1,t", "t.csv line 3: an object in a.png, which line 2 says holds nothing"),
        (POINTS + '"a\n.png",1,1,t\na.png,1,x,t', "t.csv line 4: y must be a finite number, got 'x'"),
        (POINTS + 'a.png,1,1,"t\na.png,1,1,t', "t.csv line 2: not CSV"),
        ("\n\n" + POINTS + "a.png,1,99,t", "t.csv line 4: y 99 is outside"),
        (POINTS, "t.csv: no annotations at all"),
        (POINTS + "\n,,,\n", "t.csv: no annotations at all"),
        ("", "t.csv: no annotations at all: the file is empty"),
        ("image,x,label\na.png,1,t", "columns missing: y; the header must have image,x,y,label or image,xmin,ymin"),
        ("image,xmin,ymin,xmax,label\n", "columns missing: ymax;"),
        ("image;x;y;label\n", "are the columns separated by ';'?"),
        ("image,x,y,x,label\n", "t.csv line 1: columns ['x'] come twice"),
        ("image,x,y,xmin,ymin,xmax,ymax,label\n", "points (x, y) and for boxes"),
        (SPLIT + "a.png,1,1,t,dev", "t.csv line 2: split must be train, val or test, or empty, got 'dev'"),
        (SPLIT + "a.png,1,1,t,train\na.png,2,2,t,val", "line 3: a.png is in split 'val' here and in 'train' at line 2"),
        (GROUP + "a.png,1,1,t,g\na.png,2,2,t,h", "line 3: a.png is in group 'h' here and in 'g' at line 2"),
        (
            "image,x,y,label,split,group\na.png,1,1,t,train,g\n5.jpg,2,2,t,test,g",
            "t.csv line 3: group 'g' is in split 'test' here and in 'train' at line 2; keep it on one side",
        ),
    ],
)
def test_each_problem_names_file_line_and_value(root: Path, table: Make, text: str, message: str) -> None:
    (root / "bad.png").write_bytes(b"no image")
    with pytest.raises(AnnotationError) as error:
        read_annotations(table(text), root)
    assert message in str(error.value)


def test_a_box_that_hangs_over_the_edge_is_cut_there_and_said(
    root: Path, table: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """The image is 40 wide and 30 high: 5 pixels too many on the right, 3 on the left; one is left as it is."""
    read = read_annotations(table(BOXES + "a.png,30,20,45,30.5,t\na.png,-3,2,5,8,t\na.png,0,0,40.9,9,t\n"), root)
    (image,) = read.images
    np.testing.assert_allclose(image.objects.boxes_xyxy, [[30, 20, 40, 30], [0, 2, 5, 8], [0, 0, 40.9, 9]])
    assert "2 boxes hang over the edge of their image by more than a pixel and are cut there" in caplog.text
    assert "line 2" in caplog.text


def test_an_unknown_label_is_told_with_the_classes(root: Path, table: Make) -> None:
    with pytest.raises(AnnotationError, match=r"t.csv line 3: label 'tre' is unknown; the classes are \['tree'\]"):
        read_annotations(table(POINTS + "a.png,1,1,tree\na.png,2,1,tre\n"), root, classes=["tree"])


def test_problems_are_told_together_ten_at_most(root: Path, table: Make) -> None:
    path = table(POINTS + "".join(f"a.png,{50 + i},1,t\n" for i in range(13)))
    with pytest.raises(AnnotationError) as error:
        read_annotations(path, root)
    lines = str(error.value).splitlines()
    assert lines[0] == f"13 problems in {path}"
    assert len(lines) == 1 + 10 + 1
    assert lines[-1].strip() == "... and 3 more"


@pytest.mark.parametrize(("name", "message"), [("t.txt", "a .csv file, an .xml file"), ("none.csv", "no such file")])
def test_other_files_are_refused(root: Path, tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        read_annotations(tmp_path / name, root)


def test_text_that_is_not_utf8_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(POINTS.encode() + b"a.png,1,1,\xe9\n")
    with pytest.raises(AnnotationError, match="not text in UTF-8"):
        read_annotations(tmp_path / "t.csv", root)


def test_truth_is_read_without_the_images(table: Make) -> None:
    path = table(POINTS + "gone/b.png,900,1,t\n./c.png,,,\ngone/b.png,2,2,rock\n")
    truth = read_truth(path, negative_labels=["rock"])
    assert {name: len(objects) for name, objects in truth.items()} == {"gone/b.png": 1, "c.png": 0}
    with pytest.raises(AnnotationError, match="line 3: the same as line 2"):
        read_truth(table(POINTS + "b.png,9,1,t\nb.png,9,1,t\n"))


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6).filter(
    lambda text: text == text.strip() and text.isprintable()
)
sides = st.sampled_from([None, "train", "val", "test"])
NEGATIVE = "look-alike"


@st.composite
def annotations(draw: st.DrawFn, root: Path, files: list[str], boxes: bool) -> Annotations:
    classes = tuple(draw(st.lists(names.filter(lambda name: name != NEGATIVE), min_size=1, max_size=3, unique=True)))
    side = st.floats(0.01, 5)
    images = []
    for file in files:
        rows = draw(
            st.lists(
                st.tuples(st.floats(3, 35), st.floats(3, 25), side, side, st.sampled_from([*classes, NEGATIVE])),
                max_size=4,
                unique_by=lambda row: (round(row[0], 6), round(row[1], 6)),
            )
        )
        things = [row for row in rows if row[4] != NEGATIVE]
        others = [row for row in rows if row[4] == NEGATIVE]
        numbers, rest = (np.array([row[:4] for row in part]).reshape(-1, 4) for part in (things, others))
        images.append(
            AnnotatedImage(
                name=file,
                path=root / file,
                shape=(30, 40),
                objects=Detections.truth(
                    numbers[:, :2], [row[4] for row in things], classes, numbers[:, 2:] if boxes else None
                ),
                negatives=rest[:, :2],
                split=draw(sides),
                group=draw(st.none() | st.just(f"group of {file}")),
                negative_names=(NEGATIVE,) * len(rest),
                negative_wh=rest[:, 2:] if boxes else None,
            )
        )
    return Annotations(tuple(images), classes, boxes, root)


def assert_same(one: Annotations, other: Annotations) -> None:
    assert one.classes == other.classes and one.boxes == other.boxes
    assert len(one.images) == len(other.images)
    for a, b in zip(one.images, other.images, strict=True):
        assert (a.name, a.path, a.shape, a.split, a.group) == (b.name, b.path, b.shape, b.split, b.group)
        assert a.objects.names == b.objects.names and a.negative_names == b.negative_names
        if one.boxes:
            np.testing.assert_allclose(a.objects.boxes_xyxy, b.objects.boxes_xyxy, rtol=0, atol=1e-12)
            np.testing.assert_allclose(a.negative_wh, b.negative_wh, rtol=0, atol=1e-12)
            np.testing.assert_allclose(a.negatives, b.negatives, rtol=0, atol=1e-12)
        else:
            np.testing.assert_array_equal(a.objects.xy, b.objects.xy)
            np.testing.assert_array_equal(a.negatives, b.negatives)


@pytest.mark.parametrize(("format_name", "boxes"), [("csv", False), ("csv", True), ("voc", True)])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_law_6_annotations_come_back(
    root: Path, tmp_path: Path, format_name: str, boxes: bool, data: st.DataObject
) -> None:
    written = data.draw(annotations(root, ["a.png", "images/5.jpg"], boxes))
    path = tmp_path / ("out.csv" if format_name == "csv" else "voc")
    (write_annotations if format_name == "csv" else write_voc)(written, path)
    read = read_annotations(path, root, negative_labels=[NEGATIVE], classes=written.classes)
    assert_same(written, read)
    assert not list(tmp_path.rglob("*.part"))


def test_what_cannot_be_written_is_refused_and_nothing_is_left(root: Path, tmp_path: Path) -> None:
    thing = Detections.truth(np.ones((1, 2)), [" a"], (" a",))
    image = AnnotatedImage("a.png", root / "a.png", (30, 40), thing, np.empty((0, 2)))
    with pytest.raises(ValueError, match="label ' a' cannot be written"):
        write_annotations(Annotations((image,), (" a",), False, root), tmp_path / "out.csv")
    nameless = AnnotatedImage("a.png", root / "a.png", (30, 40), Detections.empty(()), np.ones((1, 2)))
    with pytest.raises(ValueError, match="negatives have no names"):
        write_annotations(Annotations((nameless,), (), False, root), tmp_path / "out.csv")
    assert not list(tmp_path.glob("*out.csv*"))

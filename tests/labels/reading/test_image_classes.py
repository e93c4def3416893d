from pathlib import Path

import numpy as np
import pytest

from detect.labels.annotations import AnnotationError
from detect.labels.reading.image_classes import as_annotations, is_image_classes, read_image_classes


def table(folder: Path, text: str, *files: str) -> Path:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    path = folder / "labels.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("header", "is_one"),
    [
        ("image,label,split", True),
        ("filename;species;lot", True),
        ("image,x,y,label", False),
        ("image,xmin,ymin,xmax,ymax,label", False),
        ("image,split", False),
    ],
)
def test_a_table_of_classes_has_no_places(header: str, is_one: bool, tmp_path: Path) -> None:
    assert is_image_classes(table(tmp_path, f"{header}\n")) is is_one


def test_each_image_with_its_class_side_and_group(tmp_path: Path) -> None:
    path = table(tmp_path, "image,label,split,group\na.png,ring,train,7\nin/b.png,none,valid,8\n", "a.png", "in/b.png")
    read = read_image_classes(path, [tmp_path])
    assert read.names == ("a.png", "in/b.png") and read.paths[1] == tmp_path / "in" / "b.png"
    assert [read.classes[k] for k in read.label] == ["ring", "none"]
    assert read.split == ("train", "val") and read.group == ("7", "8") and read.present is None


def test_several_rows_are_several_classes_and_an_empty_label_none(tmp_path: Path) -> None:
    path = table(tmp_path, "image,label\na,ring\na,scratch\nb,\nc,ring\n")
    read = read_image_classes(path, None)
    assert read.classes == ("ring", "scratch") and read.present is not None
    assert read.present.tolist() == [[True, True], [False, False], [True, False]]


def test_labels_have_other_names_and_another_column_is_the_group(tmp_path: Path) -> None:
    path = table(tmp_path, "image,label,lot\na,1,x\nb,2,x\n")
    read = read_image_classes(path, None, {"1": "ring", "2": "edge"}, "lot")
    assert read.classes == ("edge", "ring") and read.group == ("x", "x")


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("a,ring,left\n", "line 2: split must be train, val or test"),
        (",ring,\n", "line 2: image empty"),
        ("a,ring,train\na,edge,val\n", "line 3: a has another split"),
        ("a,,\n", "no image has a label"),
    ],
)
def test_what_cannot_be_is_told_with_its_line(rows: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=told):
        read_image_classes(table(tmp_path, f"image,label,split\n{rows}"), None)


def test_an_image_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"line 2: image 'a\.png' is not in"):
        read_image_classes(table(tmp_path, "image,label\na.png,ring\n"), [tmp_path])


def test_a_group_column_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="has no column 'lot'"):
        read_image_classes(table(tmp_path, "image,label\na,ring\n"), None, None, "lot")


def test_as_annotations_each_class_is_an_object(tmp_path: Path) -> None:
    path = table(tmp_path, "image,label,group\na,ring,7\na,scratch,7\nb,,8\n")
    made = as_annotations(read_image_classes(path, None), path)
    assert [image.objects.names for image in made.images] == [["ring", "scratch"], []]
    assert [image.group for image in made.images] == ["7", "8"]
    assert np.array_equal(made.images[0].objects.label, [0, 1])


def test_classes_that_differ_by_case_are_told_and_stay_classes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read = read_image_classes(table(tmp_path, "image,label\na,ring\nb,Ring\nc,edge\n"), None)
    assert read.classes == ("Ring", "edge", "ring")
    assert "'Ring' (1) and 'ring' (1)" in caplog.text and "edge" not in caplog.records[0].message


WINDOWS = "image,x,y,w,h,label,window_row,window_col,window_height,window_width\n"


def reviewed(folder: Path, rows: str) -> Path:
    path = folder / "corrections.csv"
    path.write_text(WINDOWS + rows)
    return path


def test_what_a_person_saw_in_whole_images_is_their_class_beside_a_table(tmp_path: Path) -> None:
    """The label is what counts: a pattern that was added is a small box, and nothing seen is the class that says so."""
    rows = "b,32,32,64,64,ring,0,0,64,64\nc,5,6,2,2,edge,0,0,64,64\nd,,,,,,0,0,64,64\n"
    paths = [table(tmp_path, "image,label,group\na,ring,7\n"), reviewed(tmp_path, rows)]
    read = read_image_classes(paths, None, nothing="none")
    assert dict(zip(read.names, (read.classes[k] for k in read.label), strict=True)) == {
        **{"a": "ring", "b": "ring"},
        **{"c": "edge", "d": "none"},
    }
    assert read.group == ("7", None, None, None) and read.present is None
    without = read_image_classes(paths, None)
    assert without.present is not None and without.present.sum(axis=1).tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("b,20,6,2,2,edge,0,8,64,64\n", "line 2: b was reviewed in parts .rows 0 to 64 and columns 8 to 72"),
        ("b,5,6,2,2,edge,0,0,64,64\nb,70,6,2,2,edge,0,64,64,64\n", "line 2: b was reviewed in parts"),
        ("b,60,60,120,120,edge,0,0,64,64\n", "line 2: b was reviewed in parts"),
        ("a,32,32,64,64,edge,0,0,64,64\n", "line 2: a is in .*labels.csv too"),
    ],
)
def test_a_review_of_a_part_or_of_an_image_that_has_a_class_is_none_of_a_whole_image(
    rows: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(AnnotationError, match=told):
        read_image_classes([table(tmp_path, "image,label\na,ring\n"), reviewed(tmp_path, rows)], None)

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from detect.labels.annotation_files import read_annotations
from detect.labels.annotations import AnnotationError, Annotations
from detect.labels.writing.annotation_writing import write_annotations

Make = Callable[..., Path]

OBJECT = "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"


def voc(*objects: str, file: str = "a.png", size: str = "") -> str:
    return "\n".join(["<annotation>", f"<filename>{file}</filename>{size}", *objects, "</annotation>"])


def test_corners_are_half_open_pixels_from_zero(root: Path, table: Make) -> None:
    read = read_annotations(table(voc(OBJECT.format("tree", 0, 10, 4, 30)), "a.xml"), root)
    assert read.boxes and read.classes == ("tree",)
    assert read.images[0].objects.boxes_xyxy.tolist() == [[0, 10, 4, 30]]


def test_a_folder_is_read_sorted_and_files_without_objects_count(root: Path, table: Make) -> None:
    table(voc(file="5.jpg"), "voc/b.xml")
    path = table(voc(OBJECT.format("t", 1, 1, 2, 2)), "voc/a.xml")
    read = read_annotations(path.parent, root)
    assert [(image.name, len(image.objects)) for image in read.images] == [("a.png", 1), ("images/5.jpg", 0)]


def test_an_image_beside_its_file_has_precedence(root: Path, make_image: Make) -> None:
    make_image("one/5.jpg")
    for folder in ("one", "images"):
        (root / folder / "5.xml").write_text(voc(OBJECT.format("t", 1, 1, 2, 2), file="5.jpg"))
    assert [image.name for image in read_annotations(root, root).images] == ["images/5.jpg", "one/5.jpg"]


BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><annotation><filename>&b;</filename></annotation>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><annotation><filename>&a;</filename></annotation>'
SIZE = "<size><width>30</width><height>40</height><depth>3</depth></size>"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, r"a\.xml line 1.*entity 'a'"),
        (OUTSIDE, r"a\.xml line 1.*entity 'a'"),
        ("<annotation>\n<filename>", r"a\.xml line 2"),
        ("", r"a\.xml line 1"),
        ('<?xml version="1.0" encoding="gbk"?>\n<annotation>', r"a\.xml line 2.*no element"),
        ('<?xml version="1.0" encoding="x-none"?>\n<annotation/>', r"a\.xml line 1.*encoding"),
        ("<svg/>", r"a\.xml: not a format of annotations"),
        (voc("<object><name>t</name></object>"), r"a\.xml line 3.* xmin, ymin, xmax, ymax"),
        (voc(OBJECT.format("", 1, 1, 2, 2)), r"a\.xml line 3.* name;"),
        (voc(OBJECT.format("t", 5, 1, 5, 2)), r"a\.xml line 3.*5,1,5,2"),
        (voc(OBJECT.format("t", 1, 1, 2, "x")), r"a\.xml line 3: ymax .*'x'"),
        (voc(OBJECT.format("t", 1, 91, 2, 99)), r"a\.xml line 3: the box 1,91,2,99 .*a\.png"),
        (voc(size=SIZE), r"a\.xml line 1.*30 x 40.*a\.png.*40 x 30"),
        (voc(size="<split>dev</split>"), r"a\.xml line 1: split.*'dev'"),
    ],
)
def test_each_problem_names_file_line_and_value(root: Path, table: Make, text: str, message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        read_annotations(table(text, "a.xml"), root)


def test_two_files_for_one_image_are_an_error_that_names_both(root: Path, table: Make) -> None:
    table(voc(OBJECT.format("t", 1, 1, 2, 2)), "voc/a.xml")
    path = table(voc(OBJECT.format("t", 3, 3, 4, 4)), "voc/b.xml")
    with pytest.raises(AnnotationError, match=r"b\.xml line 3.*'a\.png'.*a\.xml"):
        read_annotations(path.parent, root)


def test_a_group_on_two_sides_names_both_files(root: Path, table: Make) -> None:
    table(voc(size="<split>train</split><group>g</group>"), "voc/a.xml")
    path = table(voc(file="5.jpg", size="<split>test</split><group>g</group>"), "voc/b.xml")
    message = r"b\.xml line 1.*group 'g'.*'test'.*'train'.*line 1.*a\.xml"
    with pytest.raises(AnnotationError, match=message):
        read_annotations(path.parent, root)


def test_a_folder_without_files_is_an_error(root: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(AnnotationError, match=r"empty.*\.xml"):
        read_annotations(tmp_path / "empty", root)
    with pytest.raises(AnnotationError, match=r"none\.xml"):
        read_annotations(tmp_path / "none.xml", root)


def test_points_and_shared_files_are_not_written(root: Path, make_image: Make, table: Make, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"boxes.*points"):
        write_annotations(Annotations((), (), False, root), tmp_path / "voc")
    make_image("a.jpg")
    both = table("image,xmin,ymin,xmax,ymax,label\na.png,1,1,2,2,t\na.jpg,1,1,2,2,t\n")
    with pytest.raises(ValueError, match=r"a\.xml.*a\.jpg"):
        write_annotations(read_annotations(both, root), tmp_path / "voc")
    assert not (tmp_path / "voc").exists()


def test_hidden_files_and_folders_are_not_read(root: Path, table: Make, caplog: pytest.LogCaptureFixture) -> None:
    """macOS keeps a `._a.xml` beside `a.xml` on other file systems; a folder may be called anything."""
    path = table(voc(OBJECT.format("t", 1, 1, 2, 2)), "voc/a.xml")
    (path.parent / "._a.xml").write_bytes(b"\0\5\x16\7 Mac OS X")
    (path.parent / "b.xml").mkdir()
    with caplog.at_level(logging.INFO):
        assert [image.name for image in read_annotations(path.parent, root).images] == ["a.png"]
    assert "2 hidden entries or folders" in caplog.text


def test_a_name_whose_file_would_be_hidden_is_refused(root: Path, make_image: Make, tmp_path: Path) -> None:
    make_image(".x.png")
    (tmp_path / "t.csv").write_text("image,xmin,ymin,xmax,ymax,label\n.x.png,1,1,2,2,t\n")
    with pytest.raises(ValueError, match=r"\.x\.png.*hidden"):
        write_annotations(read_annotations(tmp_path / "t.csv", root), tmp_path / "voc")


def test_an_image_that_was_renamed_is_the_one_called_like_its_file(
    root: Path, table: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """With any ending; a name that is nowhere is an error with its place."""
    assert [image.name for image in read_annotations(table(voc(file="none.png"), "a.xml"), root).images] == ["a.png"]
    assert "none.png is a.png" in caplog.text
    with pytest.raises(AnnotationError, match=r"b\.xml line 1.*'none\.png'"):
        read_annotations(table(voc(file="none.png"), "b.xml"), root)

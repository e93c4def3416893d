from collections.abc import Callable
from pathlib import Path

import pytest

from detect.labels.annotations import AnnotationError, Annotations
from detect.labels.formats.voc import write_voc
from detect.labels.reading import read_annotations

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


def test_an_image_beside_its_file_goes_first(root: Path, make_image: Make) -> None:
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
        (BOMB, "a.xml line 1: declares the entity 'a'; remove the declaration"),
        (OUTSIDE, "a.xml line 1: declares the entity 'a'"),
        ("<annotation>\n<filename>", "a.xml line 2: not well-formed XML"),
        ("", "a.xml line 1: not well-formed XML"),
        ('<?xml version="1.0" encoding="gbk"?>\n<annotation/>', "a.xml line 1: not well-formed XML (multi-byte"),
        (
            '<?xml version="1.0" encoding="x-none"?>\n<annotation/>',
            "a.xml line 1: not well-formed XML (unknown encoding",
        ),
        ("<svg/>", "a.xml line 1: a VOC file has <annotation> with a <filename>, this one has <svg>"),
        (voc("<object><name>t</name></object>"), "a.xml line 3: <object> without xmin, ymin, xmax, ymax"),
        (voc(OBJECT.format("", 1, 1, 2, 2)), "a.xml line 3: <object> without name"),
        (voc(OBJECT.format("t", 1, 1, 2, 2), OBJECT.format("t", 5, 1, 2, 2)), "a.xml line 4: box 5,1,2,2 has no size"),
        (voc(OBJECT.format("t", 1, 1, 2, "x")), "a.xml line 3: ymax must be a finite number, got 'x'"),
        (voc(OBJECT.format("t", 1, 1, 2, 99)), "a.xml line 3: ymax 99 is outside a.png"),
        (voc(file="none.png"), "a.xml line 1: image 'none.png' is not in"),
        (voc(size=SIZE), "a.xml line 1: made for an image of 30 x 40, but a.png is 40 x 30"),
        (voc(size="<split>dev</split>"), "a.xml line 1: split must be train, val or test, got 'dev'"),
    ],
)
def test_each_problem_names_file_line_and_value(root: Path, table: Make, text: str, message: str) -> None:
    with pytest.raises(AnnotationError) as error:
        read_annotations(table(text, "a.xml"), root)
    assert message in str(error.value)


def test_two_files_for_one_image_are_refused(root: Path, table: Make) -> None:
    table(voc(OBJECT.format("t", 1, 1, 2, 2)), "voc/a.xml")
    path = table(voc(OBJECT.format("t", 3, 3, 4, 4)), "voc/b.xml")
    with pytest.raises(AnnotationError, match=r"b.xml line 3: image 'a.png' is described by .*a.xml too"):
        read_annotations(path.parent, root)


def test_a_group_on_two_sides_names_both_files(root: Path, table: Make) -> None:
    table(voc(size="<split>train</split><group>g</group>"), "voc/a.xml")
    path = table(voc(file="5.jpg", size="<split>test</split><group>g</group>"), "voc/b.xml")
    message = r"b.xml line 1: group 'g' is in split 'test' here and in 'train' at line 1 of .*a.xml"
    with pytest.raises(AnnotationError, match=message):
        read_annotations(path.parent, root)


def test_a_folder_without_files_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(AnnotationError, match=r"holds no .xml files"):
        read_annotations(tmp_path / "empty", root)
    with pytest.raises(AnnotationError, match="no such file"):
        read_annotations(tmp_path / "none.xml", root)


def test_points_and_shared_files_are_not_written(root: Path, make_image: Make, table: Make, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds boxes, these annotations are points"):
        write_voc(Annotations((), (), False, root), tmp_path / "voc")
    make_image("a.jpg")
    both = table("image,xmin,ymin,xmax,ymax,label\na.png,1,1,2,2,t\na.jpg,1,1,2,2,t\n")
    with pytest.raises(ValueError, match=r"two images would be written to .*a.xml"):
        write_voc(read_annotations(both, root), tmp_path / "voc")
    assert not (tmp_path / "voc").exists()

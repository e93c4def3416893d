from collections.abc import Callable
from pathlib import Path

import pytest

from detect.labels.annotation_files import read_annotations
from detect.labels.annotations import AnnotationError

Make = Callable[..., Path]

META = "<version>1.1</version><meta><task><id>4</id><name>seals</name><mode>annotation</mode></task></meta>"


def cvat(*images: str) -> str:
    return "\n".join(['<?xml version="1.0" encoding="utf-8"?>', f"<annotations>{META}", *images, "</annotations>"])


def image(*shapes: str, name: str = "a.png", more: str = "") -> str:
    inside = "\n".join(shapes)
    return f'<image id="0" name="{name}" width="40" height="30"{more}>\n{inside}</image>'


def box(x1: float, y1: float, x2: float, y2: float, more: str = "") -> str:
    corners = f'xtl="{x1}" ytl="{y1}" xbr="{x2}" ybr="{y2}"'
    return f'<box label="t" source="manual" occluded="0" {corners} z_order="0"{more}></box>'


def test_boxes_turned_ones_polygons_ellipses_and_masks_are_upright_boxes(root: Path, table: Make) -> None:
    text = cvat(
        image(
            box(1, 2, 9, 8),
            box(10, 10, 20, 14, ' rotation="90.0"'),  # about its middle, (15, 12)
            '<polygon label="t" occluded="0" points="10.00,5.00;20.50,1.00;15.00,9.00" z_order="0"></polygon>',
            '<ellipse label="t" occluded="0" cx="20.0" cy="20.0" rx="5.0" ry="2.0" rotation="90.0"></ellipse>',
            '<mask label="t" rle="1, 2, 3" left="30" top="10" width="5" height="6" z_order="0"></mask>',
        )
    )
    read = read_annotations(table(text, "annotations.xml"), root)
    assert read.boxes
    want = [[1, 2, 9, 8], [13, 7, 17, 17], [10, 1, 20.5, 9], [18, 15, 22, 25], [30, 10, 35, 16]]
    for found, expected in zip(read.images[0].objects.boxes_xyxy.tolist(), want, strict=True):
        assert found == pytest.approx(expected)


def test_each_of_several_points_is_an_object(root: Path, table: Make, caplog: pytest.LogCaptureFixture) -> None:
    points = '<points label="s" occluded="0" points="1.50,2.00;3.00,4.00" z_order="0"></points>'
    others = '<polyline label="road" points="1,1;2,2"></polyline><tag label="sunny"></tag>'
    read = read_annotations(table(cvat(image(points, others)), "annotations.xml"), root)
    assert not read.boxes and read.images[0].objects.xy.tolist() == [[1.5, 2], [3, 4]] and read.classes == ("s",)
    assert "lines are no objects" in caplog.text and "tags of whole images" in caplog.text


def test_subsets_are_sides_and_images_without_shapes_have_no_objects(root: Path, table: Make) -> None:
    text = cvat(
        image(box(1, 1, 2, 2), more=' subset="Train"'), image(name="images\\5.jpg", more=' subset="Validation"')
    )
    read = read_annotations(table(text, "annotations.xml"), root)
    found = [(each.name, each.split, len(each.objects)) for each in read.images]
    assert found == [("a.png", "train", 1), ("images/5.jpg", "val", 0)]


def test_what_is_outside_of_view_is_not_read(root: Path, table: Make, caplog: pytest.LogCaptureFixture) -> None:
    text = cvat(image(box(1, 1, 2, 2), box(3, 3, 4, 4, ' outside="1"')))
    assert len(read_annotations(table(text, "annotations.xml"), root).images[0].objects) == 1
    assert "outside of view" in caplog.text


TRACK = '<track id="0" label="car"><box frame="0" outside="0" xtl="1" ytl="1" xbr="2" ybr="2" keyframe="1"/></track>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (cvat(TRACK), r"xml line 3.*tracks.*CVAT for images 1\.1"),
        (cvat(image(box(1, 1, 2, 2), '<points label="t" points="1,1"/>')), r"1 points.*line 5.*1 boxes.*line 4"),
        (cvat(image('<box label="t" xtl="1" ytl="1" xbr="2"/>')), r"line 4.*without ybr"),
        (cvat(image('<polygon label="t" points="1;2"/>')), r"line 4.*pairs"),
        (cvat(image('<points label="t" points="1,x"/>')), r"line 4.*finite"),
        (cvat('<image id="0" width="40" height="30"/>'), r"line 3.*without a name"),
        (cvat(image(name="none.png")), r"line 3.*'none\.png'"),
        (cvat(image()).replace('width="40"', 'width="41"'), r"line 3.*41 x 30.*40 x 30"),
        (cvat(image()).replace("</annotations>", ""), r"xml line 5.*well-formed"),
        ('<!DOCTYPE annotations [<!ENTITY a "b">]><annotations>&a;</annotations>', r"line 1.*entity 'a'"),
        ("<annotations>" + "<a>" * 99 + "</a>" * 99 + "</annotations>", r"line 1.*deeper"),
    ],
)
def test_each_problem_names_file_line_and_cause(root: Path, table: Make, text: str, message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        read_annotations(table(text, "annotations.xml"), root)

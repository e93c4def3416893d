"""Case 12: tables of other programs are read where there is one reading, or refused with the line and the way out."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from detect.labels.annotation_files import read_annotations
from detect.labels.annotations import AnnotationError, Annotations
from detect.labels.regions import read_regions

NUMBER, IMAGES = 80, 4
"""Discs in the photographs, and these."""


@pytest.fixture
def lines(photographs: Path) -> list[str]:
    """The lines of a plain table: `image,x,y,label`, and 80 discs in four images."""
    return (photographs / "points.csv").read_text().splitlines()


def read(photographs: Path, path: Path, data: str | bytes) -> Annotations:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_annotations(path, photographs)


def decimal_comma(line: str) -> str:
    return line.replace(",", ";").replace(".", ",").replace(",png", ".png")


TEXTS: dict[str, Callable[[list[str]], str | bytes]] = {
    "plain.csv": "\n".join,
    "windows.csv": "\r\n".join,
    "old_mac.csv": "\r".join,
    "bom.csv": lambda lines: "\ufeff" + "\n".join(lines),
    "utf16.csv": lambda lines: "\n".join(lines).encode("utf-16"),
    "utf16_bare.csv": lambda lines: "\n".join(lines).encode("utf-16-le"),
    "semicolon.csv": lambda lines: "\n".join(lines).replace(",", ";"),
    "decimal_comma.csv": lambda lines: "\n".join(map(decimal_comma, lines)),
    "tab.csv": lambda lines: "\n".join(lines).replace(",", "\t"),
    "tab.tsv": lambda lines: "\n".join(lines).replace(",", "\t"),
    "bar.txt": lambda lines: "\n".join(lines).replace(",", "|"),
    "points.txt": "\n".join,
    "upper.CSV": "\n".join,
    "sep.csv": lambda lines: "sep=;\n" + "\n".join(lines).replace(",", ";"),
    "comment.csv": lambda lines: "# made by me\n# in May\n" + "\n".join(lines),
    "header_case.csv": lambda lines: "\n".join(["Image,X,Y,Label", *lines[1:]]),
    "header_blanks.csv": lambda lines: "\n".join([" image, x ,y , label", *lines[1:]]),
    "deepforest.csv": lambda lines: "\n".join(["image_path,x,y,label", *lines[1:]]),
    "herdnet.csv": lambda lines: "\n".join(["images,x,y,labels", *lines[1:]]),
    "others.csv": lambda lines: "\n".join(["File Name,X px,Y px,Species", *lines[1:]]),
    "headless.csv": lambda lines: "\n".join(lines[1:]),
    "index.csv": lambda lines: "\n".join([f",{lines[0]}", *(f"{i},{line}" for i, line in enumerate(lines[1:]))]),
    "trailing.csv": lambda lines: "\n".join(f"{line},," for line in lines),
    "quoted.csv": lambda lines: "\n".join(",".join(f'"{each}"' for each in line.split(",")) for line in lines),
    "thousands.csv": lambda lines: "\n".join(lines).replace(",", ";") + "\nd.png;0,000.5;1.5;disc",
}
"""The same table as other programs write it, by the name of its file."""


@pytest.mark.parametrize("name", TEXTS)
def test_a_table_is_read_whoever_wrote_it(photographs: Path, tmp_path: Path, lines: list[str], name: str) -> None:
    plain = read(photographs, tmp_path / "as_ours.csv", "\n".join(lines))
    found = read(photographs, tmp_path / name, TEXTS[name](lines))
    more = 1 if name == "thousands.csv" else 0
    assert (found.classes, found.boxes, len(found.images)) == (("disc",), False, IMAGES)
    assert sum(len(image.objects) for image in found.images) == NUMBER + more
    for one, other in zip(found.images[:3], plain.images[:3], strict=True):
        assert one.name == other.name and one.objects.xy.tolist() == other.objects.xy.tolist()


def test_letters_of_windows_are_read_and_shown(
    photographs: Path, tmp_path: Path, lines: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        text = "\n".join(lines).replace(",disc", ",phoqué").encode("cp1252")
        assert read(photographs, tmp_path / "t.csv", text).classes == ("phoqué",)
    assert "Windows-1252" in caplog.text and "phoqué" in caplog.text


@pytest.mark.parametrize("word", ["Train", "Training", "TRAIN", "trn"])
def test_sides_of_a_split_have_many_names(photographs: Path, tmp_path: Path, lines: list[str], word: str) -> None:
    text = "\n".join([f"{lines[0]},Set", *(f"{line},{word}" for line in lines[1:])])
    assert {image.split for image in read(photographs, tmp_path / "t.csv", text).images} == {"train"}


def test_boxes_are_corners_or_a_corner_and_a_size_by_the_names_of_columns(photographs: Path, tmp_path: Path) -> None:
    """A box of 12 x 14 pixels, whose corner is 10,20 and whose centre is 16,27."""
    for text in (
        "image,left,top,width,height,label\na.png,10,20,12,14,disc",
        "image,x_center,y_center,width,height,label\na.png,16,27,12,14,disc",
        "filename,width,height,class,xmin,ymin,xmax,ymax\na.png,320,240,disc,10,20,22,34",
        "image,x1,y1,x2,y2,class\na.png,10,20,22,34,disc",
        "a.png,10,20,22,34,disc",
        "image;xmin;ymin;xmax;ymax;label\na.png;10,0;20,0;22,0;34,0;disc",
    ):
        found = read(photographs, tmp_path / "t.csv", text)
        assert found.boxes and found.images[0].objects.boxes_xyxy.tolist() == [[10, 20, 22, 34]], text


def test_no_column_of_labels_is_one_class(
    photographs: Path, tmp_path: Path, lines: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    found = read(photographs, tmp_path / "t.csv", "\n".join(line.rpartition(",")[0] for line in lines))
    assert found.classes == ("object",)
    assert "no column of labels" in caplog.text


def test_labels_that_are_numbers_stay_texts(photographs: Path, tmp_path: Path, lines: list[str]) -> None:
    assert read(photographs, tmp_path / "t.csv", "\n".join(lines).replace(",disc", ",01")).classes == ("01",)


def test_class_names_that_differ_by_case_are_told_and_blanks_around_them_are_none(
    photographs: Path, tmp_path: Path, lines: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    text = "\n".join([*lines[:41], *(line.replace("disc", "Disc ") for line in lines[41:])])
    assert read(photographs, tmp_path / "t.csv", text).classes == ("Disc", "disc")
    assert "'Disc' (40) and 'disc' (40)" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,x,y,width,height\na.png,1,2,3,4", r"t\.csv: x, y with width, height may be.*left,top,width,height"),
        ("image,file,x,y\n", r"t\.csv: has|t\.csv: no annotations"),
        ("filename,path,x,y\na.png,b,1,2", r"t\.csv: columns filename, path may all be the image; call one"),
        ("image;x;y\na.png;12,345;67,890", r"t\.csv line 2: 12,345 may have a decimal comma or a comma between thou"),
        ("image,x,y\na.png,98,02,175,67", r"t\.csv line 2: 5 fields, but the header has 3.*decimal comma.*quotes"),
        (
            "image,x,y\na.png,98020.0,175.6\na.png,233060,85.4",
            r"t\.csv line 2: the point 98020,175\.6.*divided by 1000",
        ),
        ("image,x,y\na.png,12,ab", r"t\.csv line 2: y must be a finite number, got 'ab'"),
        ("image,x,y\n\0a.png,1,2", r"t\.csv line 2: has a byte 0"),
        ("image,x,y,label,split\na.png,1,2,t,fold3", r"t\.csv line 2: split must be train, val or test.*'fold3'"),
    ],
)
def test_what_has_two_readings_or_none_is_an_error_that_shows_it(
    photographs: Path, tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(AnnotationError, match=message):
        read(photographs, tmp_path / "t.csv", text)


def test_one_row_that_cannot_be_used_is_left_out_and_listed_and_most_are_an_error(
    photographs: Path, tmp_path: Path, lines: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    found = read(photographs, tmp_path / "t.csv", "\n".join([*lines, "a.png,12,,disc", "a.png,x,3,disc"]))
    assert sum(len(image.objects) for image in found.images) == NUMBER
    assert "2 rows left out" in caplog.text
    assert "line 82: y empty" in caplog.text and "line 83: x must be a finite number, got 'x'" in caplog.text
    with pytest.raises(AnnotationError, match=r"line 3: y empty"):
        read(photographs, tmp_path / "t.csv", "image,x,y,label\na.png,1,1,disc\na.png,12,,disc\na.png,13,,disc")


def test_regions_are_read_from_any_table_and_a_wrong_row_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for text in ("image, xmin, ymin, xmax, ymax\na.png, 0, 1, 2, 3", "image;left;top;width;height\na.png;0;1;2;2"):
        path.write_text("\ufeff" + text)
        assert read_regions(path) == {"a.png": [[0, 1, 2, 3]]}
    path.write_text("image,xmin,ymin,xmax,ymax\na.png,0,1,2,3\na.png,0,1,nan,3")
    with pytest.raises(AnnotationError, match="line 3: xmax"):
        read_regions(path)

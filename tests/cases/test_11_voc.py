"""Case 11: Pascal VOC as people have it is read where there is one reading, and what was put right is told."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from detect.labels.annotation_files import read_annotations
from detect.labels.annotations import AnnotationError
from tests.cases.discs import DISC_PX, write_photographs

BOX = "<bndbox><xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox>"
Edit = Callable[[str], str]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """The photographs `JPEGImages/IMG_a.jpg` and `IMG_b.jpg` of 20 discs each, and their `Annotations`."""
    made = write_photographs(tmp_path / "made", "ab")
    folder = tmp_path / "photos"
    (folder / "JPEGImages").mkdir(parents=True)
    (folder / "Annotations").mkdir()
    points = pd.read_csv(made / "points.csv")
    for name, rows in points.groupby("image"):
        stem = f"IMG_{Path(str(name)).stem}"
        Image.open(made / str(name)).save(folder / "JPEGImages" / f"{stem}.jpg")
        objects = "".join(
            f"<object><name>seal</name>{box_of(x, y)}</object>" for x, y in zip(rows.x, rows.y, strict=True)
        )
        text = (
            f"<annotation><folder>JPEGImages</folder><filename>{stem}.jpg</filename><size><width>320</width>"
            f"<height>240</height><depth>3</depth></size>{objects}</annotation>"
        )
        (folder / "Annotations" / f"{stem}.xml").write_text(text)
    return folder


def box_of(x: float, y: float) -> str:
    half = DISC_PX / 2
    return BOX.format(*(round(value, 2) for value in (x - half, y - half, x + half, y + half)))


def edit(photos: Path, change: Edit) -> None:
    for path in (photos / "Annotations").iterdir():
        path.write_text(change(path.read_text()))


def polygons(text: str) -> str:
    corners = r"<bndbox><xmin>(.*?)</xmin><ymin>(.*?)</ymin><xmax>(.*?)</xmax><ymax>(.*?)</ymax></bndbox>"
    shape = r"<polygon><x1>\1</x1><y1>\2</y1><x2>\3</x2><y2>\2</y2><x3>\3</x3><y3>\4</y3></polygon>"
    return re.sub(corners, shape, text)


PART = "<part><name>head</name>" + BOX.format(1, 1, 2, 2) + "</part>"
SAME: dict[str, Edit] = {
    "as it is": lambda text: text,
    "no ending": lambda text: text.replace(".jpg<", "<"),
    "other case": lambda text: text.replace(".jpg<", ".JPG<").replace("<filename>IMG", "<filename>img"),
    "a folder of another machine": lambda text: text.replace("<filename>", "<filename>flight1/"),
    "a path of Windows": lambda text: text.replace("<filename>", "<filename>C:\\data\\"),
    "renamed": lambda text: text.replace(".jpg<", "_old.jpg<"),
    "no name at all": lambda text: re.sub("<filename>.*?</filename>", "", text),
    "no size": lambda text: re.sub("<size>.*?</size>", "", text),
    "upper case": lambda text: text.replace("bndbox>", "BndBox>").replace("xmin>", "XMin>"),
    "a namespace": lambda text: text.replace("<annotation>", '<annotation xmlns="http://voc/2012">'),
    "a prefix": lambda text: re.sub(r"<(/?)(\w)", r"<\1v:\2", text).replace(
        "<v:annotation>", '<v:annotation xmlns:v="http://voc">'
    ),
    "an encoding of East Asia": lambda text: "<?xml version='1.0' encoding='gb2312'?>" + text,
    "parts after the name": lambda text: text.replace("</name><bndbox>", f"</name>{PART}<bndbox>"),
    "parts before the name": lambda text: text.replace("<object>", f"<object>{PART}"),
    "marks": lambda text: text.replace("</name>", "</name><difficult>1</difficult><truncated>1</truncated>"),
    "polygons alone": polygons,
    "a box twice": lambda text: text.replace(
        "</annotation>", re.search("<object>.*?</object>", text)[0] + "</annotation>"
    ),
    "a box without width": lambda text: text.replace(
        "</annotation>", f"<object><name>seal</name>{BOX.format(10, 10, 10, 30)}</object></annotation>"
    ),
    "an object without a box": lambda text: text.replace(
        "</annotation>", "<object><name>seal</name></object></annotation>"
    ),
}
"""Changes of the files after which they are read as before."""

NAMED = "images that are not named as on the disk"
TOLD = {
    "no ending": NAMED,
    "other case": NAMED,
    "a folder of another machine": NAMED,
    "a path of Windows": NAMED,
    "no name at all": NAMED,
    "renamed": "images found by another name",
    "polygons alone": "polygons are read as the boxes around them (40)",
    "a box twice": "rows that are there twice count once (2)",
    "a box without width": "the box 10,10,10,30 has no size",
    "an object without a box": "<object> without xmin",
}


@pytest.mark.parametrize("name", SAME)
def test_files_of_every_kind_are_read_alike(photos: Path, name: str) -> None:
    plain = read_annotations(photos / "Annotations", photos)
    edit(photos, SAME[name])
    found = read_annotations(photos / "Annotations", photos)
    assert found.classes == ("seal",) and found.boxes
    assert [image.name for image in found.images] == ["JPEGImages/IMG_a.jpg", "JPEGImages/IMG_b.jpg"]
    for one, other in zip(found.images, plain.images, strict=True):
        assert one.objects.boxes_xyxy.tolist() == other.objects.boxes_xyxy.tolist()
        assert len(one.objects) == 20
    if name in TOLD:
        assert any(TOLD[name] in sentence for sentence in found.told), found.told
    else:
        assert not found.told


def test_the_data_folder_may_hold_both(photos: Path) -> None:
    assert len(read_annotations(photos, photos).images) == 2


def test_a_file_that_is_cut_is_an_error_that_names_it(photos: Path) -> None:
    """Nobody knows what it held."""
    path = photos / "Annotations" / "IMG_b.xml"
    path.write_text(path.read_text()[:-40])
    with pytest.raises(AnnotationError, match=r"IMG_b\.xml line 1: not well-formed XML"):
        read_annotations(photos / "Annotations", photos)

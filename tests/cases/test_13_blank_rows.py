"""Case 13: however an empty image is written, it means: looked at, nothing there."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detect.labels.annotation_files import read_annotations, read_unchecked
from tests.cases.discs import disc_pixels, write_boxes, write_photographs

EMPTY = (
    "empty.png,0,0,0,0,disc",
    "empty.png,,,,,",
    "empty.png",
    "empty.png,,,,,background",
    "empty.png,NA,NA,NA,NA,NA",
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs a and b of 20 discs each, `boxes.csv`, and a photograph without any, `empty.png`."""
    folder = write_photographs(tmp_path_factory.mktemp("photos"), "ab")
    Image.fromarray(disc_pixels(np.empty((0, 2)), 1)).save(folder / "empty.png")
    write_boxes(folder)
    return folder


@pytest.mark.parametrize("row", EMPTY)
@pytest.mark.parametrize("first", [False, True])
def test_a_row_without_a_box_is_an_image_without_objects(photos: Path, tmp_path: Path, row: str, first: bool) -> None:
    """The image keeps its place among the others, and is an image of the truth too."""
    header, *rows = (photos / "boxes.csv").read_text().splitlines()
    (tmp_path / "t.csv").write_text("\n".join([header, row, *rows] if first else [header, *rows, row]))
    found = read_annotations(tmp_path / "t.csv", photos)
    assert found.classes == ("disc",)
    assert {image.name: len(image.objects) for image in found.images} == {"a.png": 20, "b.png": 20, "empty.png": 0}
    assert {name: len(objects) for name, objects in read_unchecked(tmp_path / "t.csv").truth.items()} == {
        "a.png": 20,
        "b.png": 20,
        "empty.png": 0,
    }


def test_such_a_row_of_an_image_with_objects_is_left_out_and_told(
    photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = (photos / "boxes.csv").read_text()
    (tmp_path / "t.csv").write_text(text + "a.png,,,,,\nb.png,0,0,0,0,disc\n")
    found = read_annotations(tmp_path / "t.csv", photos)
    assert [len(image.objects) for image in found.images] == [20, 20]
    assert "2 rows left out" in caplog.text
    assert "line 42: states that a.png has no objects" in caplog.text
    assert "line 43: the box 0,0,0,0 has no size" in caplog.text


def test_a_voc_file_without_objects_is_an_image_without_objects(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.xml").write_text("<annotation><filename>empty.png</filename></annotation>")
    (tmp_path / "a.xml").write_text(
        "<annotation><filename>a.png</filename><object><name>disc</name><bndbox><xmin>1</xmin><ymin>1</ymin>"
        "<xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>"
    )
    found = read_annotations(tmp_path, photos)
    assert {image.name: len(image.objects) for image in found.images} == {"a.png": 1, "empty.png": 0}

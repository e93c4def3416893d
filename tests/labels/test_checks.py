from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from detect.labels.annotation_files import read_annotations
from detect.labels.annotations import AnnotationError

Make = Callable[..., Path]
POINTS = "image,x,y,label\n"
BOXES = "image,xmin,ymin,xmax,ymax,label\n"
SPLIT, GROUP = "image,x,y,label,split\n", "image,x,y,label,group\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (POINTS + "a.png,41.5,1,t", r"t\.csv line 2: the point 41\.5,1 .*a\.png, 40 wide and 30 high"),
        (POINTS + "a.png,1,-1.5,t", r"t\.csv line 2: the point 1,-1\.5 .*a\.png"),
        ("\n\n" + POINTS + "a.png,1,99,t", r"t\.csv line 4: the point 1,99 "),
        (BOXES + "a.png,0,30,5,31.5,t", r"t\.csv line 2: the box 0,30,5,31\.5 .*a\.png"),
        (BOXES + "a.png,-19,0,1,5,t", r"t\.csv line 2: the box .* with 95 % of its area outside"),
        (POINTS + "b.png,1,1,t", r"t\.csv line 2.*'b\.png'"),
        (POINTS + "../a.png,1,1,t", r"t\.csv line 2.*'\.\./a\.png'"),
        (POINTS + "bad.png,1,1,t", r"t\.csv line 2.*bad\.png"),
        (SPLIT + "a.png,1,1,t,train\na.png,2,2,t,val", "line 3.*a.png.*split 'val'.*'train'.*line 2"),
        (GROUP + "a.png,1,1,t,g\na.png,2,2,t,h", "line 3.*a.png.*group 'h'.*'g'.*line 2"),
        (
            "image,x,y,label,split,group\na.png,1,1,t,train,g\n5.jpg,2,2,t,test,g",
            r"t\.csv line 3.*group 'g'.*'test'.*'train'.*line 2",
        ),
    ],
)
def test_lines_against_images_and_each_other_are_errors_that_name_both(
    root: Path, table: Make, text: str, message: str
) -> None:
    """The image is 40 wide and 30 high; where all rows are outside, no row is left out in silence."""
    (root / "bad.png").write_bytes(b"no image")
    with pytest.raises(AnnotationError, match=message):
        read_annotations(table(text), root)


def test_a_box_that_reaches_beyond_the_edge_is_cut_and_logged(
    root: Path, table: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """The image is 40 wide and 30 high: 5 pixels too many on the right, 3 on the left; one is left as it is."""
    read = read_annotations(table(BOXES + "a.png,30,20,45,30.5,t\na.png,-3,2,5,8,t\na.png,0,0,40.9,9,t\n"), root)
    (image,) = read.images
    np.testing.assert_allclose(image.objects.boxes_xyxy, [[30, 20, 40, 30], [0, 2, 5, 8], [0, 0, 40.9, 9]])
    assert "boxes that reach beyond the edge of their image are cut there (2): line 2, line 3" in caplog.text
    assert any("cut there (2)" in sentence for sentence in read.told)


@pytest.mark.parametrize("row", ["images/5.jpg,x,9,t", "images/5.jpg,900,9,t", "images/5.jpg,5,,t"])
def test_an_image_of_which_no_row_is_used_is_told(
    root: Path, table: Make, row: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not counted as without objects, and nobody should believe that it is among the images."""
    read = read_annotations(table(f"image,x,y,label\na.png,5,5,t\na.png,9,9,t\n{row}\n"), root)
    assert [image.name for image in read.images] == ["a.png"]
    assert "images of which no object can be used are left out" in caplog.text and ": images/5.jpg" in caplog.text

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detect.labels.annotation_files import read_annotations, read_unchecked
from detect.labels.annotations import AnnotationError
from detect.labels.regions import area_outside, inside_regions
from tests.labels.conftest import Make

HEAD = "image,x,y,w,h,label,window_row,window_col,window_height,window_width\n"
ROWS = HEAD + "a.png,5,6,,,cow,0,0,10,20\na.png,15,6,,,sheep,0,0,10,20\nimages/5.jpg,,,,,,10,10,20,30\n"


def test_outside_of_reviewed_windows_nothing_is_known(root: Path, table: Make) -> None:
    """The images are 40 x 30: 10 x 20 pixels of the one were reviewed and 20 x 30 of the other, which had nothing."""
    read = read_annotations(table(ROWS), root)
    one, other = read.images
    assert (read.boxes, read.classes) == (False, ("cow", "sheep"))
    assert one.objects.xy.tolist() == [[5, 6], [15, 6]] and len(other.objects) == 0
    assert area_outside((30, 40), one.ignored) == 200 and area_outside((30, 40), other.ignored) == 600
    assert not inside_regions(np.array([[5, 6], [19.9, 9.9]]), one.ignored).any()
    assert inside_regions(np.array([[20, 5], [5, 10], [39, 29]]), one.ignored).all()


def test_without_the_image_all_outside_of_the_windows_is_ignored(table: Make) -> None:
    one = read_unchecked(table(ROWS)).images[0]
    assert inside_regions(np.array([[20, 5], [1e6, 1e6]]), one.ignored).all()
    assert not inside_regions(one.objects.xy, one.ignored).any()


@pytest.mark.parametrize("turned", [False, True])
def test_reviewed_windows_say_what_is_in_them_and_other_files_the_rest(root: Path, table: Make, turned: bool) -> None:
    """The point at 6, 6 is in the reviewed window, and gives way; that at 30, 20 stays, with split and group."""
    points = table("image,x,y,label,split,group\na.png,6,6,cow,train,g\na.png,30,20,cow,train,g\n", "points.csv")
    files = [points, table(ROWS)][:: -1 if turned else 1]
    image = read_annotations(files, root).images[0]
    assert sorted(image.objects.xy.tolist()) == [[5, 6], [15, 6], [30, 20]]
    assert (len(image.ignored), image.split, image.group) == (0, "train", "g")
    told = read_annotations(files, root).told
    assert told == (
        "labels inside of windows that were reviewed give way to the review: points.csv line 2",
        "images of which windows were reviewed, and all else is ignored: images/5.jpg",
    )


def test_a_reviewed_window_with_nothing_in_it_empties_its_part(root: Path, table: Make) -> None:
    points = table("image,x,y,label\nimages/5.jpg,20,20,cow\n", "points.csv")
    image = read_annotations([points, table(ROWS)], root).images[0]
    assert image.name == "images/5.jpg" and len(image.objects) == 0 and len(image.ignored) == 0


def test_what_was_ignored_is_known_where_it_was_reviewed(root: Path, table: Make) -> None:
    """COCO ignores 20 x 10 pixels from 10, 5: of 200, the 10 x 5 in the window are known now."""
    coco = table(
        '{"images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}],'
        '"categories": [{"id": 1, "name": "cow"}],'
        '"annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [30, 20, 5, 5], "iscrowd": 0},'
        '{"id": 2, "image_id": 1, "category_id": 1, "bbox": [10, 5, 20, 10], "iscrowd": 1}]}',
        "a.json",
    )
    rows = HEAD + "a.png,5,6,4,4,cow,0,0,10,20\n"
    image = read_annotations([coco, table(rows)], root).images[0]
    assert 30 * 40 - area_outside((30, 40), image.ignored) == 20 * 10 - 10 * 5
    assert sorted(image.objects.xy.tolist()) == [[5, 6], [32.5, 22.5]]


def test_of_two_reviews_the_later_file_says_what_is_in_both(root: Path, table: Make) -> None:
    earlier, later = table(ROWS, "1.csv"), table(HEAD + "a.png,12,6,,,cow,0,10,10,20\n", "2.csv")
    image = read_annotations([earlier, later], root).images[0]
    assert sorted(image.objects.xy.tolist()) == [[5, 6], [12, 6]]
    assert area_outside((30, 40), image.ignored) == 300


def test_points_and_boxes_are_not_read_together(root: Path, table: Make) -> None:
    boxes = table("image,xmin,ymin,xmax,ymax,label\na.png,1,1,5,5,cow\n", "boxes.csv")
    with pytest.raises(AnnotationError, match=r"t\.csv has points and .*boxes\.csv boxes"):
        read_annotations([boxes, table(ROWS)], root)


def test_no_file_is_an_error(root: Path) -> None:
    with pytest.raises(AnnotationError, match="no annotations are given"):
        read_annotations([], root)


def test_images_of_corrections_lie_in_any_of_several_folders(root: Path, table: Make, tmp_path: Path) -> None:
    other = tmp_path / "new" / "z.png"
    other.parent.mkdir()
    Image.new("L", (20, 20)).save(other)
    points = table("image,x,y,label\na.png,30,20,cow\n", "points.csv")
    reviewed = table(HEAD + "z.png,5,5,,,cow,0,0,10,20\n")
    images = read_annotations([points, reviewed], [root, other.parent]).images
    assert [(image.name, image.path, len(image.objects)) for image in images] == [
        ("a.png", root / "a.png", 1),
        ("z.png", other, 1),
    ]
    assert area_outside((20, 20), images[1].ignored) == 200


@pytest.mark.parametrize("turned", [False, True])
def test_of_one_window_in_two_files_the_later_says_what_is_there(root: Path, table: Make, turned: bool) -> None:
    """Two runs were reviewed in the same window: the cow at 5, 6 of the one is not there twice, nor is the sheep."""
    again = table(HEAD + "a.png,5.5,6,,,cow,0,0,10,20\n", "again.csv")
    files = [table(ROWS), again][:: -1 if turned else 1]
    image = read_annotations(files, root, classes=("cow", "sheep")).images[0]
    assert image.objects.xy.tolist() == ([[5, 6], [15, 6]] if turned else [[5.5, 6]])
    assert area_outside((30, 40), image.ignored) == 200

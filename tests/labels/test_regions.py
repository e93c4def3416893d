from pathlib import Path

import numpy as np
import pytest

from detect.labels.annotations import AnnotatedImage, AnnotationError, Annotations
from detect.labels.detections import Detections
from detect.labels.regions import area_outside, read_regions, regions_of, with_regions


def table(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_rectangles_come_by_image(tmp_path: Path) -> None:
    path = table(tmp_path / "r.csv", "image,xmin,ymin,xmax,ymax\n5.jpg,0,10,20,30\na/7.jpg,1,2,3,4\n5.jpg,5,5,6,6.5\n")
    regions = read_regions(path)
    assert regions == {"5.jpg": [[0, 10, 20, 30], [5, 5, 6, 6.5]], "a/7.jpg": [[1, 2, 3, 4]]}
    found, unknown = regions_of(regions, ["images/5.jpg", "images/6.jpg"])
    assert unknown == ["a/7.jpg"] and list(found) == ["images/5.jpg"]
    np.testing.assert_array_equal(found["images/5.jpg"], [[0, 10, 20, 30], [5, 5, 6, 6.5]])


def test_they_join_those_that_are_ignored_already(tmp_path: Path) -> None:
    one = np.array([[0.0, 0, 1, 1]])
    images = tuple(
        AnnotatedImage(name, tmp_path / name, (9, 9), Detections.empty(("a",)), np.empty((0, 2)), ignored=one)
        for name in ("a.png", "b.png")
    )
    both = with_regions(Annotations(images, ("a",), True, tmp_path), {"b.png": np.array([[2.0, 2, 3, 3]])})
    assert [image.ignored.tolist() for image in both.images] == [[[0, 0, 1, 1]], [[0, 0, 1, 1], [2, 2, 3, 3]]]


def test_the_area_outside_counts_what_overlaps_once_and_what_hangs_over_not() -> None:
    """Of 10 x 20 pixels: 4 x 5 and 4 x 5 that share 2 x 1, and 5 x 2 half beyond the edge."""
    regions = np.array([[0, 0, 5, 4], [3, 3, 8, 7], [17.5, 8, 22.5, 10]], float)
    assert area_outside((10, 20), regions) == 200 - (20 + 20 - 2) - 5
    assert area_outside((10, 20), np.empty((0, 4))) == 200


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ({"5.jpg": [[0, 10, 20]]}, "5.jpg: regions to ignore are a list of lists of xmin, ymin, xmax, ymax"),
        ({"5.jpg": 5}, "5.jpg: regions to ignore are a list of lists of xmin, ymin, xmax, ymax, got 5"),
        ({"5.jpg": [[0, 10, "x", 30]]}, "5.jpg: regions to ignore are a list of lists"),
        ({"5.jpg": [[20, 10, 0, 30]]}, "5.jpg: a region to ignore needs xmin < xmax and ymin < ymax"),
    ],
)
def test_what_is_no_rectangle(regions: dict, message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        regions_of(regions, ["5.jpg"])


def test_what_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"columns ymin, ymax are missing; it needs image,xmin,ymin,xmax,ymax"):
        read_regions(table(tmp_path / "r.csv", "image,xmin,xmax\n5.jpg,1,2\n"))
    with pytest.raises(AnnotationError, match="not a CSV table"):
        read_regions(table(tmp_path / "e.csv", ""))

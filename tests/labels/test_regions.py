from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from detect.labels.annotations import AnnotatedImage, AnnotationError, Annotations
from detect.labels.detections import Detections
from detect.labels.regions import area_outside, inside_regions, outside, read_regions, regions_of, with_regions

Make = Callable[..., Path]
HEADER = "image,xmin,ymin,xmax,ymax\n"


def test_rectangles_are_read_by_image(table: Make) -> None:
    path = table(HEADER + "5.jpg,0,10,20,30\na/7.jpg,1,2,3,4\n5.jpg,5,5,6,6.5\n")
    regions = read_regions(path)
    assert regions == {"5.jpg": [[0, 10, 20, 30], [5, 5, 6, 6.5]], "a/7.jpg": [[1, 2, 3, 4]]}
    found, unknown = regions_of(regions, ["images/5.jpg", "images/6.jpg"])
    assert unknown == ["a/7.jpg"] and list(found) == ["images/5.jpg"]
    np.testing.assert_array_equal(found["images/5.jpg"], [[0, 10, 20, 30], [5, 5, 6, 6.5]])


def test_regions_are_added_to_those_that_are_ignored_already(tmp_path: Path) -> None:
    one = np.array([[0.0, 0, 1, 1]])
    images = tuple(
        AnnotatedImage(name, tmp_path / name, (9, 9), Detections.empty(("a",)), np.empty((0, 2)), ignored=one)
        for name in ("a.png", "b.png")
    )
    both = with_regions(Annotations(images, ("a",), True, tmp_path), {"b.png": np.array([[2.0, 2, 3, 3]])})
    assert [image.ignored.tolist() for image in both.images] == [[[0, 0, 1, 1]], [[0, 0, 1, 1], [2, 2, 3, 3]]]


def test_the_area_outside_counts_overlaps_once_and_nothing_beyond_the_image() -> None:
    """Of 10 x 20 pixels: 4 x 5 and 4 x 5 that share 2 x 1, and 5 x 2 half beyond the edge."""
    regions = np.array([[0, 0, 5, 4], [3, 3, 8, 7], [17.5, 8, 22.5, 10]], float)
    assert area_outside((10, 20), regions) == 200 - (20 + 20 - 2) - 5
    assert area_outside((10, 20), np.empty((0, 4))) == 200


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ({"5.jpg": [[0, 10, 20]]}, r"5\.jpg.*\[\[0, 10, 20\]\]"),
        ({"5.jpg": 5}, r"5\.jpg.*\b5$"),
        ({"5.jpg": [[0, 10, "x", 30]]}, r"5\.jpg.*'x'"),
        ({"5.jpg": [[20, 10, 0, 30]]}, r"5\.jpg.*xmin < xmax.*\[20"),
    ],
)
def test_settings_that_are_no_rectangles_are_errors_that_name_image_and_value(regions: dict, message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        regions_of(regions, ["5.jpg"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,xmin,xmax\n5.jpg,1,2\n", r"t\.csv.*ymin, ymax.*image,xmin,ymin,xmax,ymax"),
        ("", r"t\.csv.*empty"),
        (HEADER + "5.jpg,0,0,9,9\n5.jpg,1,two,3,4\n", r"t\.csv line 3.*ymin.*'two'"),
        (HEADER + "5.jpg,1,2,,4\n", r"t\.csv line 2.*xmax.*''"),
        (HEADER + "5.jpg,5,2,5,4\n", r"t\.csv line 2.*5,2,5,4"),
        (HEADER + ",1,2,3,4\n", r"t\.csv line 2.*image"),
    ],
)
def test_a_table_that_is_wrong_is_an_error_that_names_file_line_and_value(table: Make, text: str, message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        read_regions(table(text))


def test_all_rows_that_are_wrong_are_listed_together(table: Make) -> None:
    with pytest.raises(AnnotationError, match=r"(?s)line 2.*'a'.*line 3.*'b'"):
        read_regions(table(HEADER + "5.jpg,a,0,9,9\n5.jpg,0,b,9,9\n"))


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"none\.csv"):
        read_regions(tmp_path / "none.csv")


def test_a_point_on_the_near_edges_is_in_the_region_one_on_the_far_edges_is_not() -> None:
    """Regions 5 to 10 by 5 to 8, and 20 to 22 squared."""
    regions = np.array([(5.0, 5.0, 10.0, 8.0), (20.0, 20.0, 22.0, 22.0)])
    xy = np.array([(5.0, 5.0), (9.999, 7.999), (21.0, 21.0), (10.0, 6.0), (6.0, 8.0), (4.999, 6.0), (21.0, 6.0)])
    assert inside_regions(xy, regions).tolist() == [True, True, True, False, False, False, False]
    assert inside_regions(xy, np.empty((0, 4))).tolist() == [False] * 7
    assert inside_regions(xy[:0], regions).shape == (0,)


def test_objects_outside_all_regions_are_kept_by_their_centre() -> None:
    """A region is half-open, as pixels are: its left edge belongs to it, its right edge does not."""
    xy = np.array([(4.0, 4.0), (5.0, 5.0), (9.999, 5.0), (10.0, 5.0), (7.0, 8.0), (21.0, 21.0)])
    found = Detections(xy, np.linspace(0.1, 0.6, 6), np.arange(6) % 2, ("a", "b"), np.full((6, 2), 30.0))
    kept = outside(found, np.array([(5.0, 5.0, 10.0, 8.0), (20.0, 20.0, 22.0, 22.0)]))
    assert kept.xy.tolist() == [[4, 4], [10, 5], [7, 8]] and kept.label.tolist() == [0, 1, 0]
    assert len(outside(found, np.empty((0, 4)))) == 6
    assert len(outside(found[:0], np.array([(5.0, 5.0, 10.0, 8.0)]))) == 0

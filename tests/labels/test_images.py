from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from detect.labels.annotations import AnnotatedImage, AnnotationError, Annotations, with_ignored
from detect.labels.detections import Detections
from detect.labels.images import ImageFolder, find_image, match_names
from detect.labels.reading import read_annotations
from detect.labels.regions import outside

Make = Callable[..., Path]


def test_an_image_is_found_with_or_without_the_folders_in_between(root: Path) -> None:
    wanted = root / "images" / "5.jpg"
    for name in ("images/5.jpg", "5.jpg", "./images/5.jpg", "images\\5.jpg"):
        assert find_image(root, name) == wanted
    assert find_image(root / "images", "images/5.jpg") == wanted


def test_the_path_below_the_root_goes_before_a_longer_one(root: Path, make_image: Make) -> None:
    make_image("5.jpg")
    assert find_image(root, "5.jpg") == root / "5.jpg"


def test_an_ambiguous_name_is_told_with_its_candidates(root: Path, make_image: Make) -> None:
    make_image("more/5.jpg")
    with pytest.raises(AnnotationError, match=r"'5.jpg' could be any of images/5.jpg, more/5.jpg below"):
        find_image(root, "5.jpg")
    assert find_image(root, "more/5.jpg") == root / "more" / "5.jpg"


def test_a_missing_image_is_told_with_files_of_that_stem(root: Path) -> None:
    with pytest.raises(AnnotationError, match=r"'5.png' is not in .*; is it images/5.jpg\?"):
        find_image(root, "5.png")
    with pytest.raises(AnnotationError, match=r"'none.png' is not in"):
        find_image(root, "none.png")
    with pytest.raises(AnnotationError, match="is not in"):
        find_image(root, "x" * 300 + ".png")


@pytest.mark.parametrize(
    "name", ["../data/a.png", "images/../a.png", "/etc/passwd", "\\etc\\passwd", "C:\\a.png", "", "."]
)
def test_no_name_leads_out_of_the_root(root: Path, name: str) -> None:
    with pytest.raises(AnnotationError, match="must be a path below"):
        find_image(root, name)


def test_a_missing_data_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"nowhere: the data folder \(data.root\)"):
        ImageFolder(tmp_path / "nowhere")


def test_names_are_matched_by_path_then_by_its_end() -> None:
    predicted = ["5.jpg", "b/6.jpg", "images/7.jpg", "8.jpg", "x15.jpg"]
    annotated = ["images/5.jpg", "b/6.jpg", "7.jpg", "9.jpg", "15.jpg"]
    assert match_names(predicted, annotated) == {
        "5.jpg": "images/5.jpg",
        "b/6.jpg": "b/6.jpg",
        "images/7.jpg": "7.jpg",
    }


def test_matching_names_works_both_ways() -> None:
    predicted, annotated = ["a/1.png", "2.png", "3.png"], ["1.png", "b/2.png", "3.png"]
    back = match_names(annotated, predicted)
    assert match_names(predicted, annotated) == {value: key for key, value in back.items()}


def test_the_same_path_goes_before_a_shared_end() -> None:
    assert match_names(["5.jpg", "b/5.jpg"], ["5.jpg", "b/5.jpg"]) == {"5.jpg": "5.jpg", "b/5.jpg": "b/5.jpg"}


def test_ambiguous_names_are_refused() -> None:
    with pytest.raises(
        AnnotationError, match=r"predicted image '5.jpg' could be any of the annotated \['a/5.jpg', 'b/5"
    ):
        match_names(["5.jpg"], ["a/5.jpg", "b/5.jpg"])
    with pytest.raises(
        AnnotationError, match=r"annotated image '5.jpg' could be any of the predicted \['a/5.jpg', 'b/5"
    ):
        match_names(["a/5.jpg", "b/5.jpg"], ["5.jpg"])
    with pytest.raises(AnnotationError, match="named in two ways"):
        match_names(["a/5.jpg", "./a/5.jpg"], ["5.jpg"])


def test_negatives_need_names_and_sizes_of_their_number() -> None:
    with pytest.raises(ValueError, match="1 negatives have 2 names"):
        AnnotatedImage("a", Path("a"), (1, 1), Detections.empty(()), np.zeros((1, 2)), negative_names=("x", "y"))


BOXES = """image,xmin,ymin,xmax,ymax,label
a.png,1,2,5,8,tree
a.png,10,10,20,16,unsure
a.png,30,20,34,26,bush
images/5.jpg,0,0,9,9,tree
"""


def test_boxes_of_ignored_labels_become_regions_and_other_look_alikes_stay(root: Path, table: Make) -> None:
    """Of two look-alikes one is a region, to its corners; an image without any keeps what it had."""
    plain = read_annotations(table(BOXES), root, negative_labels=["unsure", "bush"])
    found = with_ignored(plain, ["unsure"])
    first, second = found.images
    assert found.classes == ("tree",) and len(first.objects) == 1
    assert first.ignored.tolist() == [[10, 10, 20, 16]]
    assert first.negative_names == ("bush",) and first.negatives.tolist() == [[32, 23]]
    assert first.negative_wh is not None and first.negative_wh.tolist() == [[4, 6]]
    assert second is plain.images[1] and second.ignored.shape == (0, 4)
    assert all(len(image.ignored) == 0 for image in with_ignored(plain, []).images)


def test_points_cannot_be_regions() -> None:
    image = AnnotatedImage(
        "a.png", Path("a.png"), (9, 9), Detections.empty(("a",)), np.array([(1.0, 2.0)]), negative_names=("unsure",)
    )
    with pytest.raises(AnnotationError, match=r"a\.png: regions to ignore must be boxes, the annotations are points"):
        with_ignored(Annotations((image,), ("a",), False, Path("t.csv")), ["unsure"])


def test_objects_outside_all_regions_are_kept_by_their_centre() -> None:
    """A region is half-open, as pixels are: its left edge belongs to it, its right edge does not."""
    xy = np.array([(4.0, 4.0), (5.0, 5.0), (9.999, 5.0), (10.0, 5.0), (7.0, 8.0), (21.0, 21.0)])
    found = Detections(xy, np.linspace(0.1, 0.6, 6), np.arange(6) % 2, ("a", "b"), np.full((6, 2), 30.0))
    kept = outside(found, np.array([(5.0, 5.0, 10.0, 8.0), (20.0, 20.0, 22.0, 22.0)]))
    assert kept.xy.tolist() == [[4, 4], [10, 5], [7, 8]] and kept.label.tolist() == [0, 1, 0]
    assert len(outside(found, np.empty((0, 4)))) == 6
    assert len(outside(found[:0], np.array([(5.0, 5.0, 10.0, 8.0)]))) == 0

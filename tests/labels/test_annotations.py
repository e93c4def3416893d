from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from detect.labels.annotation_files import read_annotations
from detect.labels.annotations import AnnotatedImage, AnnotationError, Annotations, with_ignored
from detect.labels.detections import Detections

Make = Callable[..., Path]

BOXES = """image,xmin,ymin,xmax,ymax,label
a.png,1,2,5,8,tree
a.png,10,10,20,16,unsure
a.png,30,20,34,26,bush
images/5.jpg,0,0,9,9,tree
"""


def test_negatives_need_names_and_sizes_of_their_number() -> None:
    with pytest.raises(ValueError, match=r"a: 1 .*\b2 names"):
        AnnotatedImage("a", Path("a"), (1, 1), Detections.empty(()), np.zeros((1, 2)), negative_names=("x", "y"))
    with pytest.raises(ValueError, match=r"a: 1 .*\b2 sizes"):
        AnnotatedImage("a", Path("a"), (1, 1), Detections.empty(()), np.zeros((1, 2)), negative_wh=np.ones((2, 2)))


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


def test_regions_of_labels_join_those_that_the_image_has() -> None:
    """A crowd of a COCO file, or what is blacked out, is no ground to learn from because a label is ignored too."""
    image = AnnotatedImage(
        "a.png", Path("a.png"), (99, 99), Detections.empty(("a",), boxes=True), np.array([(15.0, 13.0)]),
        negative_names=("unsure",), negative_wh=np.array([(10.0, 6.0)]), ignored=np.array([[40.0, 40, 60, 60]]),
    )  # fmt: off
    found = with_ignored(Annotations((image,), ("a",), True, Path("t.csv")), ["unsure"])
    assert found.images[0].ignored.tolist() == [[40, 40, 60, 60], [10, 10, 20, 16]]


def test_points_cannot_be_regions() -> None:
    image = AnnotatedImage(
        "a.png", Path("a.png"), (9, 9), Detections.empty(("a",)), np.array([(1.0, 2.0)]), negative_names=("unsure",)
    )
    with pytest.raises(AnnotationError, match=r"a\.png.*boxes.*points"):
        with_ignored(Annotations((image,), ("a",), False, Path("t.csv")), ["unsure"])

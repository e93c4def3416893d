import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask as masks

from detect.labels.annotation_files import read_annotations, read_unchecked
from detect.labels.annotations import AnnotationError

Make = Callable[..., Path]
IMAGES = [
    {"id": 7, "file_name": "a.png", "width": 40, "height": 30},
    {"id": "x", "file_name": "images/5.jpg"},
]
CATEGORIES = [{"id": 90, "name": "tree"}, {"id": 3, "name": "bush "}]


def coco(*annotations: dict[str, Any], **more: Any) -> str:
    found = [{"id": i, "image_id": 7, "category_id": 90, **each} for i, each in enumerate(annotations, 1)]
    return json.dumps({"images": IMAGES, "annotations": found, "categories": CATEGORIES, **more})


def test_boxes_ids_and_images_without_annotations(root: Path, table: Make) -> None:
    """Ids may be numbers or texts and numbers texts; a box is its corner and its size."""
    text = coco({"bbox": [1, 2, 3, 4.5]}, {"bbox": ["10", "2", "3", "4"], "category_id": "3", "image_id": "7"})
    found = read_annotations(table(text, "t.json"), root)
    assert found.boxes and found.classes == ("bush", "tree")
    assert [(image.name, len(image.objects)) for image in found.images] == [("a.png", 2), ("images/5.jpg", 0)]
    assert found.images[0].objects.boxes_xyxy.tolist() == [[1, 2, 4, 6.5], [10, 2, 13, 6]]


def packed(pixels: np.ndarray) -> str:
    return masks.encode(np.asfortranarray(pixels))["counts"].decode()


def runs(pixels: np.ndarray) -> list[int]:
    """The lengths of runs of 0 and 1 in turn, down the columns, beginning with 0."""
    flat = pixels.T.ravel()
    ends = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff([0, *ends, len(flat)]).tolist()
    return [0, *lengths] if flat[0] else lengths


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(box=st.tuples(st.integers(0, 20), st.integers(0, 15), st.integers(1, 19), st.integers(1, 14)))
def test_a_mask_is_read_as_the_box_around_it(root: Path, table: Make, box: tuple[int, int, int, int]) -> None:
    """Polygons, a packed mask and run lengths of the same rectangle."""
    x, y, width, height = box
    pixels = np.zeros((30, 40), np.uint8)
    pixels[y : y + height, x : x + width] = 1
    polygon = [x, y, x + width, y, x + width, y + height, x, y + height]
    for mask in (
        [polygon],
        [polygon[:6], [x + width, y + height, x, y + height]],
        {"size": [30, 40], "counts": packed(pixels)},
        {"size": [30, 40], "counts": runs(pixels)},
    ):
        found = read_unchecked(table(coco({"segmentation": mask}, {"bbox": [], "segmentation": mask}), "t.json")).truth
        assert found["a.png"].boxes_xyxy.tolist() == [[x, y, x + width, y + height]]


def test_keypoints_are_points_where_there_are_no_boxes_or_one_each(root: Path, table: Make) -> None:
    """The middle of those that are visible; a box around a single one stands for it."""
    found = read_annotations(table(coco({"keypoints": [1, 2, 2, 9, 9, 0, 3, 6, 1]}), "t.json"), root)
    assert not found.boxes and found.images[0].objects.xy.tolist() == [[2, 4]]
    found = read_annotations(table(coco({"keypoints": [5, 6, 2], "bbox": [1, 2, 8, 8]}), "t.json"), root)
    assert not found.boxes and found.images[0].objects.xy.tolist() == [[5, 6]]
    person = {"keypoints": [1, 2, 2, 3, 6, 1], "bbox": [1, 2, 8, 8]}
    assert read_annotations(table(coco(person), "t.json"), root).boxes


def test_crowds_are_regions_that_are_ignored(root: Path, table: Make, caplog: pytest.LogCaptureFixture) -> None:
    found = read_annotations(table(coco({"bbox": [1, 2, 3, 4]}, {"bbox": [9, 9, 9, 9], "iscrowd": 1}), "t.json"), root)
    assert len(found.images[0].objects) == 1 and found.images[0].ignored.tolist() == [[9, 9, 18, 18]]
    assert "crowds (iscrowd) are regions in which nothing is learned or scored: annotation 2" in caplog.text


def test_a_folder_of_files_has_their_sides(root: Path, make_image: Make, tmp_path: Path) -> None:
    """As Roboflow writes them, with the images beside each file; as the challenge does, in their names."""
    for side, name in (("train", "5.jpg"), ("valid", "5.jpg")):
        make_image(f"{side}/{name}")
        image = {"id": 0, "file_name": name}
        text = coco({"image_id": 0, "bbox": [1, 2, 3, 4]}, images=[image])
        (root / side / "_annotations.coco.json").write_text(text)
    found = read_annotations(root, root)
    assert [(image.name, image.split) for image in found.images] == [("train/5.jpg", "train"), ("valid/5.jpg", "val")]
    for side, image_id in (("train2017", 7), ("val2017", "x")):
        image = next(each for each in IMAGES if each["id"] == image_id)
        path = tmp_path / "annotations" / f"instances_{side}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(coco({"image_id": image_id, "bbox": [1, 2, 3, 4]}, images=[image]))
    found = read_annotations(tmp_path / "annotations", root)
    assert [image.split for image in found.images] == ["train", "val"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (coco({"bbox": [1, 2, 3, 4]}, categories=[]), r"t\.json: has no categories"),
        (coco({"bbox": [1, 2, 3, 4], "category_id": 5}), r"t\.json annotation 1: is of category_id 5, which is not in"),
        (
            coco({"bbox": [1, 2, 3, 4], "image_id": 1}),
            r"t\.json annotation 1: is of image_id 1, which is not in images",
        ),
        (coco({"bbox": [1, 2, 3]}), r"t\.json annotation 1: bbox must be x, y, width, height, got \[1, 2, 3\]"),
        (coco({"bbox": [1, 2, 3, "b"]}), r"t\.json annotation 1: bbox .*'b'"),
        (coco({"bbox": [1, 2, 0, 4]}), r"t\.json annotation 1: bbox 1,2,0,4 has no size"),
        (coco({"caption": "a tree"}), r"t\.json annotation 1: has no keypoints"),
        (coco({"segmentation": {"size": [0, 4], "counts": "1"}}), r"annotation 1: the size of a mask must be in"),
        (coco({"segmentation": {"size": [4, 4], "counts": "Z" * 9}}), r"annotation 1: the counts of a mask"),
        (coco({"segmentation": {"size": [4, 4], "counts": [1, -1, 16]}}), r"annotation 1: the counts of a mask"),
        (coco({"segmentation": [[1, 2, 3]]}), r"annotation 1: a polygon of segmentation must be"),
        (coco(images=[]), r"t\.json: has no images"),
        (coco(images=[{"id": 1}]), r"t\.json image 1: an image needs an id and a file_name"),
        (coco(images=[*IMAGES, IMAGES[0]]), r"t\.json image 3: has the id of image 1"),
        (coco(images={"a": 1}), r"t\.json: images must be a list of objects"),
        (
            coco(categories=[{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]),
            r"t\.json category 2: 'b' has the id of 'a'",
        ),
        (coco()[:-9], r"t\.json: not valid JSON"),
        ('{"images": [' + "[" * 99 + "]" * 99 + "]}", r"t\.json: not valid JSON \(nested deeper"),
    ],
)
def test_each_problem_names_file_place_and_value(root: Path, table: Make, text: str, message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        read_annotations(table(text, "t.json"), root)


def test_a_broken_annotation_is_left_out_and_its_image_is_not_one_without_objects(
    root: Path, table: Make, caplog: pytest.LogCaptureFixture
) -> None:
    broken = {"image_id": "x", "bbox": [1, 2, 0, 0]}
    found = read_annotations(table(coco({"bbox": [1, 2, 3, 4]}, broken), "t.json"), root)
    assert [image.name for image in found.images] == ["a.png"]
    assert "1 row left out:\n  annotation 2: bbox 1,2,0,0 has no size" in caplog.text

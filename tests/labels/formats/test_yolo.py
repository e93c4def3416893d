from collections.abc import Callable
from pathlib import Path

import pytest

from detect.labels.annotation_files import read_annotations, read_unchecked
from detect.labels.annotations import AnnotationError

Make = Callable[..., Path]
BOX = "1 0.5 0.5 0.25 0.2\n"
"""In an image of 40 x 30 pixels: the middle 20,15 and the size 10 x 6."""


@pytest.fixture
def dataset(tmp_path: Path, make_image: Make) -> Path:
    """Images and labels side by side, for training and validation, and `data.yaml`."""
    for name, text in (
        ("train/a", BOX),
        ("train/b", ""),
        ("val/c", "0 0.5 0.5 0.2 0.2\n0 0.25 0.5 0.1 0.1\n"),
        ("val/d", None),
    ):
        image = make_image(f"images/{name}.png")
        if text is not None:
            path = image.parents[2] / "labels" / f"{name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    folder = tmp_path / "data"
    (folder / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [cow, sheep]\n")
    return folder


@pytest.mark.parametrize("given", [".", "data.yaml"])
def test_sides_classes_and_empty_images(dataset: Path, given: str, caplog: pytest.LogCaptureFixture) -> None:
    found = read_annotations(dataset / given, dataset)
    assert found.boxes and found.classes == ("cow", "sheep")
    assert [(image.name, image.split, len(image.objects)) for image in found.images] == [
        ("images/train/a.png", "train", 1),
        ("images/train/b.png", "train", 0),
        ("images/val/c.png", "val", 2),
        ("images/val/d.png", "val", 0),
    ]
    assert found.images[0].objects.boxes_xyxy.tolist() == [[15, 12, 25, 18]]
    assert "images without a label file are images without objects: images/val/d.png" in caplog.text
    assert set(read_unchecked(dataset / given).truth) == {image.name for image in found.images}


@pytest.mark.parametrize(
    "description",
    [
        "path: .\ntrain: [images/train]\nval: images/val\nnames:\n  0: cow\n  1: sheep\n",
        "path: /somewhere/else\ntrain: ../images/train\nval: ../images/val\nnc: 2\nnames: ['cow', 'sheep']\n",
        "train: train.txt\nval: ./images/val/\nnames: {0: cow, 1: sheep}\n",
        "train: /content/data/images/train\nval: C:/me/images/val\nnames: [cow, sheep]\n",
    ],
)
def test_a_description_is_written_in_many_ways(dataset: Path, description: str) -> None:
    """With the paths of another machine too, as far as they end in folders that are here."""
    (dataset / "train.txt").write_text("./images/train/a.png\n/home/me/data/images/train/b.png\n")
    (dataset / "data.yaml").write_text(description)
    found = read_annotations(dataset, dataset)
    assert [(image.split, len(image.objects)) for image in found.images] == [
        ("train", 1),
        ("train", 0),
        ("val", 2),
        ("val", 0),
    ]


def test_a_list_of_classes_will_do(dataset: Path) -> None:
    """As labelImg writes it; labels may lie beside the images."""
    (dataset / "data.yaml").unlink()
    (dataset / "classes.txt").write_text("cow\nsheep\n")
    (dataset / "images" / "val" / "d.txt").write_text(BOX)
    found = read_annotations(dataset, dataset)
    assert [image.split for image in found.images] == [None] * 4
    assert [len(image.objects) for image in found.images] == [1, 0, 2, 1]


def test_images_that_are_both_trained_on_and_validated_have_no_side(dataset: Path) -> None:
    """As in examples of Ultralytics; some on both sides are an error."""
    (dataset / "data.yaml").write_text("train: images\nval: images\nnames: [cow, sheep]\n")
    assert {image.split for image in read_annotations(dataset, dataset).images} == {None}
    (dataset / "data.yaml").write_text("train: images\nval: images/val\nnames: [cow, sheep]\n")
    with pytest.raises(AnnotationError, match=r"c\.png is on the sides \['train', 'val'\]"):
        read_annotations(dataset, dataset)


def test_labels_without_images_find_them_below_the_data_folder(dataset: Path, tmp_path: Path) -> None:
    other = tmp_path / "labels_only"
    other.mkdir()
    (dataset / "labels").rename(other / "labels")
    (other / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [cow, sheep]\n")
    found = read_annotations(other, dataset)
    assert [(image.name, image.split, len(image.objects)) for image in found.images] == [
        ("images/train/a.png", "train", 1),
        ("images/train/b.png", "train", 0),
        ("images/val/c.png", "val", 2),
    ]


@pytest.mark.parametrize(
    ("row", "box"),
    [
        ("1 0.5 0.5 0.25 0.2 0.93", [15, 12, 25, 18]),
        ("1 0.25 0.5 0.5 0.5 0.5 0.8", [10, 15, 20, 24]),
        ("1 0.5 0.1 0.75 0.5 0.5 0.9 0.25 0.5", [10, 3, 30, 27]),
    ],
)
def test_scores_polygons_and_oriented_boxes(
    dataset: Path, row: str, box: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    (dataset / "labels/train/a.txt").write_text(row)
    found = read_annotations(dataset, dataset)
    assert found.images[0].objects.boxes_xyxy[0].tolist() == pytest.approx(box)
    assert len(caplog.records) == 2


def test_keypoints_after_a_box_are_passed_over(dataset: Path) -> None:
    text = (dataset / "data.yaml").read_text()
    (dataset / "data.yaml").write_text(text + "kpt_shape: [1, 3]\n")
    (dataset / "labels/train/a.txt").write_text("1 0.5 0.5 0.25 0.2 0.4 0.4 2")
    assert read_annotations(dataset, dataset).images[0].objects.boxes_xyxy.tolist() == [[15, 12, 25, 18]]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("labels/train/a.txt", "2 0.5 0.5 0.2 0.2", r"a\.txt line 1: class 2 is not one of the 2 names"),
        ("data.yaml", "train: /etc\nnames: [a]", r"data\.yaml: '/etc' is not below"),
        ("data.yaml", "train: ../../..\nnames: [a]", r"data\.yaml: '../../..' is not below"),
        ("data.yaml", "train: images\nnames: [yes, no]", r"data\.yaml: names must be a list of texts"),
        ("data.yaml", "train: images\nnames: 5", r"data\.yaml: names no classes"),
        ("data.yaml", "train: 5\nnames: [a]", r"data\.yaml: train must name folders or lists of images, got a int"),
        ("data.yaml", "train: images\nnames: [0x" + "f" * 9999 + "]", r"data\.yaml: names must be a list of texts"),
    ],
)
def test_each_problem_names_file_and_value(dataset: Path, name: str, text: str, message: str) -> None:
    (dataset / name).write_text(text)
    with pytest.raises(AnnotationError, match=message):
        read_annotations(dataset / "data.yaml", dataset)


def test_aliases_that_would_fill_the_memory_as_text_are_never_made_one(dataset: Path) -> None:
    """Nine levels of ten aliases each are a file of 500 bytes and a text of ten gigabytes."""
    levels = ['a0: &a0 ["x"]', *(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10))]
    for line in ("path: *a9\ntrain: nowhere\nnames: [a]", "train: [*a9]\nnames: [a]", "train: x\nnames: [*a9]"):
        (dataset / "data.yaml").write_text("\n".join([*levels, line]))
        with pytest.raises(AnnotationError, match=r"data\.yaml"):
            read_annotations(dataset / "data.yaml", dataset)


def test_rows_that_cannot_be_used_are_left_out(dataset: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = "1 0.5 0.5 0.25 0.2\n1 200 150 30 30\n1 a b c d\n"
    (dataset / "labels/train/a.txt").write_text(rows)
    assert len(read_annotations(dataset, dataset).images[0].objects) == 1
    assert "2 rows left out" in caplog.text and "line 2: must be shares of the image's sides" in caplog.text


def test_no_objects_are_built_from_a_description(dataset: Path) -> None:
    (dataset / "data.yaml").write_text("train: images\nnames: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(AnnotationError, match="not a format"):
        read_annotations(dataset / "data.yaml", dataset)

"""From settings to labels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detect.assembly.given_labels import read_labels, with_record
from detect.labels.annotations import Annotations
from detect.labels.formats.patch_folder import PatchFolder
from tests.assembly.runs_of import grid_settings, material_of
from tests.typed import settings_of


def test_ignored_and_negative_labels_are_no_objects(data: Path) -> None:
    """Boxes of b around (70, 60) and (99, 9): look-alikes to learn from, or regions to leave out."""
    negative = material_of(grid_settings(data, "boxes.csv", "data.labels.negative=[b]"))
    ignored = material_of(grid_settings(data, "boxes.csv", "data.labels.ignored=[b]"))
    for material in (negative, ignored):
        assert material.spec.classes == ("a",) and material.samples.outputs == {"a": 2}
        assert material.scenes is not None
        split = material.scenes.split
        assert [len(side[0].objects) for side in (split.train, split.val)] == [2, 1]
    assert negative.scenes is not None and ignored.scenes is not None
    first = negative.scenes.split.train[0]
    assert first.negatives.tolist() == [[70, 60]] and len(first.ignored) == 0
    first = ignored.scenes.split.train[0]
    assert len(first.negatives) == 0 and first.ignored.tolist() == [[62, 47.5, 78, 72.5]]
    with pytest.raises(ValueError, match="boxes"):
        material_of(grid_settings(data, "points.csv", "data.labels.ignored=[b]"))


def test_where_all_labels_are_set_aside_there_is_nothing_to_learn(data: Path) -> None:
    with pytest.raises(ValueError, match=r"data\.labels\.negative"):
        read_labels(grid_settings(data, "boxes.csv", "data.labels.negative=[a,b]").data)


@pytest.mark.parametrize(
    "given",
    [
        "data.split.test=[a.png]",
        "data.split.val=[a.png]",
        "data.labels.ignored_regions=regions.csv",
        "data.labels.ignored=[x]",
        "data.split.val_from=parts",
    ],
)
def test_sides_and_regions_of_images_are_no_matter_of_bare_patches(patches: Path, given: str) -> None:
    """They would be passed over, and someone would believe that a test was held back."""
    with pytest.raises(ValueError, match=given.partition("=")[0]):
        read_labels(settings_of("train", f"data.root={patches}", given).data)


def test_labels_that_are_no_objects_are_known_to_the_model(data: Path) -> None:
    """What is named goes before what the model knows."""
    record = {"label_names": {"red": "b"}, "negative_labels": ["b"], "ignore_labels": []}
    labels = with_record(grid_settings(data, "boxes.csv").data, record).labels
    assert (labels.names, labels.negative, labels.ignored) == ({"red": "b"}, ("b",), ())
    own = with_record(grid_settings(data, "boxes.csv", "data.labels.negative=[a]").data, record).labels
    assert own.negative == ("a",)
    own = with_record(grid_settings(data, "boxes.csv", "data.labels.names={red: c}").data, record).labels
    assert own.names == {"red": "c"}


def test_columns_of_the_counts_are_no_classes(data: Path) -> None:
    table = (data / "points.csv").read_text().replace(",b,", ",total,")
    (data / "points.csv").write_text(table)
    with pytest.raises(ValueError, match="total"):
        read_labels(grid_settings(data, "points.csv").data)


def test_annotations_are_read_with_their_classes(data: Path) -> None:
    labels = read_labels(grid_settings(data, "boxes.csv").data)
    assert isinstance(labels, Annotations) and labels.boxes and labels.classes == ("a", "b")


def test_photographs_that_show_their_own_dots_are_nothing_to_learn_from(tmp_path: Path) -> None:
    """Without the plain ones a network would learn dots, and dots of dull colours would be background."""
    pixels = np.full((200, 200, 3), 120, np.uint8)
    rows, cols = np.mgrid[:200, :200]
    for x, y in ((50, 50), (120, 60), (90, 150)):
        pixels[(cols - x) ** 2 + (rows - y) ** 2 <= 25] = (250, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"let data\.root be the folder of the plain photographs"):
        read_labels(settings_of("train", f"data.root={tmp_path}", f"data.annotations={tmp_path / 'a.png'}").data)


def test_corrections_of_a_folder_of_their_own_are_learned_from_beside_the_old_labels(data: Path) -> None:
    """A window of 60 x 60 of a new image, of which nothing else is known, and one of the image that trains."""
    new = data / "new" / "2.png"
    new.parent.mkdir()
    Image.fromarray(np.random.default_rng(2).integers(0, 256, (120, 120, 3), dtype=np.uint8)).save(new)
    rows = "image,x,y,w,h,label,window_row,window_col,window_height,window_width\n"
    rows += "2.png,30,30,,,a,0,0,60,60\n0.png,21,31,,,b,0,0,60,60\n"
    (data / "corrections.csv").write_text(rows)
    both = f"[{data / 'points.csv'},{data / 'corrections.csv'}]"
    settings = grid_settings(data, "points.csv", f"data.annotations={both}", f"data.root=[{data},{new.parent}]")
    scenes = material_of(settings).scenes
    assert scenes is not None
    known = {each.name: each for each in scenes.split.train}
    assert sorted(map(tuple, known["0.png"].objects.xy.tolist())) == [(21, 31), (70, 60), (90, 90)]
    assert known["0.png"].coverage is None and len(known["0.png"].ignored) == 0
    assert known["2.png"].coverage is not None and known["2.png"].coverage.share == 0.25
    assert scenes.split.val[0].name == "1.png"


def test_tables_of_whole_images_are_read_with_what_was_corrected_in_others(tmp_path: Path) -> None:
    """Of an image in which nothing was found the class is the negative label."""
    for name in ("a.png", "b.png", "c.png"):
        Image.new("L", (64, 64)).save(tmp_path / name)
    (tmp_path / "labels.csv").write_text("image,label\na.png,ring\n")
    (tmp_path / "corrections.csv").write_text(
        "image,x,y,w,h,label,window_row,window_col,window_height,window_width\n"
        "b.png,32,32,64,64,edge,0,0,64,64\nc.png,,,,,,0,0,64,64\n"
    )
    (tmp_path / "points.csv").write_text("image,x,y,label\na.png,1,1,ring\n")
    root, both = f"data.root={tmp_path}", f"{tmp_path / 'labels.csv'},{tmp_path / 'corrections.csv'}"
    data = settings_of("train", root, f"data.annotations=[{both}]", "data.labels.negative=[none]").data
    read = read_labels(data)
    assert isinstance(read, PatchFolder)
    assert [read.classes[k] for k in read.label] == ["ring", "edge", "none"]
    data = settings_of("train", root, f"data.annotations=[{both},{tmp_path / 'points.csv'}]").data
    with pytest.raises(ValueError, match=r"labels\.csv has classes of whole images, and .*points\.csv something else"):
        read_labels(data)

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from detect.labels.annotations import AnnotationError
from detect.labels.formats.patch_folder import read_patch_folder


def fill(root: Path, files: Sequence[str]) -> Path:
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch() if path.suffix else path.mkdir(exist_ok=True)
    return root


def test_one_folder_a_class(tmp_path: Path) -> None:
    read = read_patch_folder(fill(tmp_path, ["b/2.PNG", "b/1.jpg", "a/3.tif"]))
    assert read.classes == ("a", "b")
    assert [path.name for path in read.paths] == ["3.tif", "1.jpg", "2.PNG"]
    assert read.label.tolist() == [0, 1, 1]
    assert read.split == (None, None, None)


def test_folders_for_the_sides_of_the_split(tmp_path: Path) -> None:
    read = read_patch_folder(
        fill(tmp_path, ["train/a/1.png", "train/b/2.png", "valid/a/3.png", "test/b/4.png", ".git/x"])
    )
    assert read.classes == ("a", "b")
    assert {path.name: side for path, side in zip(read.paths, read.split, strict=True)} == {
        "1.png": "train",
        "2.png": "train",
        "3.png": "val",
        "4.png": "test",
    }
    assert read.side("test").label.tolist() == [1] and read.side("test").classes == ("a", "b")


def test_a_class_may_be_called_test(tmp_path: Path) -> None:
    assert read_patch_folder(fill(tmp_path, ["test/1.png", "rest/2.png"])).classes == ("rest", "test")


def test_other_files_are_skipped_and_their_number_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert len(read_patch_folder(fill(tmp_path, ["a/1.png", "a/notes.txt", "a/.DS_Store.x"]))) == 1
    assert "1 of 2" in caplog.text


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["a.png"], "sub-folder"),
        (["a/1.png", "b/x.txt"], r"/b:.*\.jpg"),
        (["images/a/1.png"], "/images:.*root"),
        (["train/a/1.png", "val/b/2.png"], r"val/b:.*train.*\['a'\]"),
        (["train/a/1.png", "more/a/2.png"], r"\['more'\].*\['train'\]"),
        (["train/a/1.png", "test/2.png"], r"\['test'\].*class"),
    ],
)
def test_folders_that_cannot_be_used(tmp_path: Path, files: list[str], message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        read_patch_folder(fill(tmp_path, files))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="nowhere"):
        read_patch_folder(tmp_path / "nowhere")

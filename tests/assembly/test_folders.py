"""Output folders."""

from pathlib import Path

import pytest

from detect.assembly.folders import TrainingPaths, _plain, existing, output_folder, run_folder


def test_a_path_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="model=nowhere"):
        existing(Path("nowhere"), "model", "model")


def test_an_output_folder_is_made_and_an_earlier_result_refused(tmp_path: Path) -> None:
    folder = output_folder(tmp_path / "a/b", results=(tmp_path / "a/b/run.json",), allowed=False, way_out="")
    assert folder.is_dir() and not list(folder.iterdir())
    (folder / "run.json").touch()
    with pytest.raises(FileExistsError, match=r"run\.json .*overwrite=true"):
        output_folder(folder, results=(folder / "run.json",), allowed=False, way_out="say overwrite=true")
    assert output_folder(folder, results=(folder / "run.json",), allowed=True, way_out="") == folder


@pytest.mark.parametrize(
    ("value", "name"),
    [("1/4", "1-4"), ("[a.jpg,b.jpg]", "a.jpg-b.jpg"), ("3.0e-3", "3.0e-3"), ("x" * 50, "x" * 40 + "-")],
)
def test_a_setting_becomes_a_piece_of_a_folders_name(value: str, name: str) -> None:
    """A long one keeps its beginning and gets a number, so that two with the same beginning differ."""
    assert _plain(value).startswith(name) and len(_plain(value)) <= 49
    assert _plain("x" * 50) != _plain("x" * 51)


def test_a_single_run_writes_where_it_is_told_to() -> None:
    assert run_folder(Path("a/b")) == Path("a/b")


def test_a_training_folder_is_cleared_of_what_a_run_wrote_and_nothing_else(trained: Path, tmp_path: Path) -> None:
    """All that `detect.train` leaves is known by name; a person's own file stays."""
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    (copy / "notes.txt").write_text("mine")
    TrainingPaths(copy).clear()
    assert [path.name for path in copy.iterdir()] == ["notes.txt"]

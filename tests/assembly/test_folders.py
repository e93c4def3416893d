"""Output folders."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from detect.assembly.folders import (
    TrainingPaths,
    _plain,
    existing,
    output_folder,
    run_folder,
    unused_removed,
    written_by_runs,
)
from detect.reporting.output.journal import lock_folder
from detect.reporting.output.layout import PredictionPaths


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
    [
        *(("1/4", "1-4"), ("'Möwen'", "Möwen"), ("[a.jpg,b.jpg]", "a.jpg-b.jpg"), ("3.0e-3", "3.0e-3")),
        ("x" * 50, "x" * 40 + "-"),
    ],
)
def test_a_setting_becomes_a_piece_of_a_folders_name(value: str, name: str) -> None:
    """A long one keeps its beginning and gets a number, so that two with the same beginning differ."""
    assert _plain(value).startswith(name) and len(_plain(value)) <= 49
    assert _plain("x" * 50) != _plain("x" * 51)


def test_a_single_run_writes_where_it_is_told_to() -> None:
    assert run_folder(Path("a/b")) == Path("a/b")


def test_a_training_folder_is_cleared_of_what_a_run_wrote_and_nothing_else(trained: Path, tmp_path: Path) -> None:
    """All that `detect.train` leaves is known by name; a person's own file stays, and the lock that a run holds."""
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    mine = {copy / "notes.txt", copy / "validation/sketch.jpg", copy / "checkpoints/kept.ckpt"}
    for path in mine:
        path.write_text("mine")
    TrainingPaths(copy).clear()
    assert {path for path in copy.rglob("*") if path.is_file()} == mine | {PredictionPaths(copy).lock}


def test_a_folder_that_leads_elsewhere_is_not_cleared(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "best.ckpt").write_text("another run's")
    paths = TrainingPaths(tmp_path / "run")
    paths.folder.mkdir()
    paths.checkpoints.symlink_to(elsewhere)
    with pytest.raises(ValueError, match="checkpoints"):
        paths.clear()
    assert (elsewhere / "best.ckpt").exists()


def test_what_a_killed_training_was_writing_is_removed_and_nothing_else(tmp_path: Path) -> None:
    paths = TrainingPaths(tmp_path)
    paths.checkpoints.mkdir()
    mine = [tmp_path / ".x.part", paths.checkpoints / ".notes.part", tmp_path / "deep.part"]
    left = [tmp_path / f".detect-{'0a' * 16}.part", paths.checkpoints / f".detect-{'3f' * 16}.part"]
    for path in (*mine, *left):
        path.touch()
    paths.clear_unfinished()
    assert [path.exists() for path in (*mine, *left)] == [True, True, True, False, False]


def test_half_written_files_are_not_looked_for_where_a_link_leads(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    part = elsewhere / f".detect-{'0a' * 16}.part"
    part.touch()
    paths = TrainingPaths(tmp_path / "run")
    paths.folder.mkdir()
    paths.checkpoints.symlink_to(elsewhere)
    with pytest.raises(ValueError, match="checkpoints"):
        paths.clear_unfinished()
    assert part.exists()


def test_what_earlier_runs_wrote_is_known_by_what_is_beside_it(tmp_path: Path) -> None:
    assert written_by_runs(tmp_path) == set()
    paths = PredictionPaths(tmp_path)
    paths.run_facts.touch()
    assert written_by_runs(tmp_path) == set(), "a file called run.json alone may be anybody's"
    paths.counts.touch()
    assert {"heatmaps", "overlays", "errors"} <= written_by_runs(tmp_path)
    training = TrainingPaths(tmp_path)
    training.model.touch(), training.config.touch()
    assert {"validation", "test", "curves.png"} <= written_by_runs(tmp_path)


def test_a_path_in_other_case_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "Photos").mkdir()
    if not (tmp_path / "photos").exists():
        with pytest.raises(FileNotFoundError, match=r"is it Photos\?"):
            existing(tmp_path / "photos", "data.root", "folder of images")


def test_folders_that_an_error_leaves_empty_are_removed_and_others_stay(tmp_path: Path) -> None:
    def fail(output: Path, *made: str) -> None:
        with pytest.raises(ValueError, match="wrong"), unused_removed(output):
            output.mkdir(parents=True, exist_ok=True)
            for name in made:
                (output / name).parent.mkdir(exist_ok=True)
                (output / name).touch()
            raise ValueError("wrong")

    fail(tmp_path / "runs" / "a", ".run/lock")
    assert not (tmp_path / "runs").exists()
    fail(tmp_path / "b", ".run/lock", ".run/settings.json")
    fail(tmp_path / "c", "mine.txt")
    (tmp_path / "d").mkdir()
    fail(tmp_path / "d", ".run/lock")
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == {
        "b/.run/lock",
        "b/.run/settings.json",
        "c/mine.txt",
        "d/.run/lock",
    }
    with unused_removed(tmp_path / "e"):
        (tmp_path / "e").mkdir()
    assert (tmp_path / "e").is_dir()


def test_the_lock_of_another_run_stays_where_it_began_meanwhile(tmp_path: Path) -> None:
    """Two runs into one new folder: the second is refused, and a third is, too, while the first one runs."""
    output = tmp_path / "run"
    with ExitStack() as first:
        with pytest.raises(ValueError, match="another run"), unused_removed(output):
            first.enter_context(lock_folder(output))
            with lock_folder(output):
                pass
        with pytest.raises(ValueError, match="another run"), lock_folder(output):
            pass

"""Output folders."""

from pathlib import Path

import pytest

from detect.assembly.folders import TrainingPaths, written_by_runs
from detect.reporting.output.layout import PredictionPaths


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

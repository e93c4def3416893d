"""The folder of an output setting."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from detect.assembly.output_folders import output_folder, unused_removed
from detect.reporting.output.journal import lock_folder


def test_an_output_folder_is_made_and_an_earlier_result_refused(tmp_path: Path) -> None:
    folder = output_folder(tmp_path / "a/b", results=(tmp_path / "a/b/run.json",), allowed=False, way_out="")
    assert folder.is_dir() and not list(folder.iterdir())
    (folder / "run.json").touch()
    with pytest.raises(FileExistsError, match=r"run\.json .*overwrite=true"):
        output_folder(folder, results=(folder / "run.json",), allowed=False, way_out="say overwrite=true")
    assert output_folder(folder, results=(folder / "run.json",), allowed=True, way_out="") == folder


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

"""A table that a person changed is known; one that a killed run left is not taken for such."""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from detect.reporting.output import written
from detect.reporting.output.written import WrittenFiles

NAMES = ("counts.csv", "run.json")


def test_files_are_as_a_run_left_them_until_a_person_changes_one(tmp_path: Path) -> None:
    for content in (b"1", b"2", b"2", b"3"):
        WrittenFiles(tmp_path).write({"counts.csv": content, "run.json": b"{}"})
        WrittenFiles(tmp_path).check(NAMES)
        assert (tmp_path / "counts.csv").read_bytes() == content
    (tmp_path / "counts.csv").write_bytes(b"4")
    with pytest.raises(FileExistsError, match=r"counts\.csv .*move it away, or dance"):
        WrittenFiles(tmp_path).check(NAMES, ", or dance")
    (tmp_path / "counts.csv").unlink()
    WrittenFiles(tmp_path).check(NAMES)


@pytest.mark.parametrize("at", [0, 1])
def test_a_run_killed_before_or_between_the_files_it_replaces_raises_no_false_alarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Twice: hashes that no file ever got do not crowd out that of the file which is there."""
    WrittenFiles(tmp_path).write({"counts.csv": b"first", "run.json": b"first"})
    real, calls = written.write_bytes, []

    def killed(content: bytes, path: Path) -> None:
        calls.append(path)
        if len(calls) > at:
            raise KeyboardInterrupt
        real(content, path)

    for content in (b"second", b"third"):
        calls.clear()
        monkeypatch.setattr(written, "write_bytes", killed)
        with pytest.raises(KeyboardInterrupt):
            WrittenFiles(tmp_path).write({"counts.csv": content, "run.json": content})
        monkeypatch.undo()
        WrittenFiles(tmp_path).check(NAMES)
    assert (tmp_path / "run.json").read_bytes() == b"first"
    (tmp_path / "run.json").write_bytes(b"a person's")
    with pytest.raises(FileExistsError, match=r"run\.json"):
        WrittenFiles(tmp_path).check(NAMES)


def test_a_file_of_an_earlier_version_is_taken_for_a_runs_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "counts.csv").write_bytes(b"old")
    with caplog.at_level(logging.INFO):
        WrittenFiles(tmp_path).check(NAMES)
    assert "counts.csv: no record" in caplog.text and "run.json" not in caplog.text


def test_what_is_to_be_replaced_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    WrittenFiles(tmp_path).write({"counts.csv": b"1"})
    (tmp_path / "counts.csv").write_bytes(b"2")
    WrittenFiles(tmp_path).check(NAMES, replace=True)
    assert "counts.csv was changed after a run wrote it, and is replaced" in caplog.text


@pytest.mark.parametrize("content", ["{", "[]", '{"counts.csv": 1}', '{"counts.csv": [[1], null]}'])
def test_a_damaged_record_is_named_or_finds_no_match(tmp_path: Path, content: str) -> None:
    WrittenFiles(tmp_path).write({"counts.csv": b"1"})
    (tmp_path / ".run/written.json").write_text(content)
    try:
        WrittenFiles(tmp_path).check(NAMES)
    except FileExistsError as error:
        assert "written.json" in str(error) or "counts.csv" in str(error)
    WrittenFiles(tmp_path).check(NAMES, replace=True)
    WrittenFiles(tmp_path).write({"counts.csv": b"2"})
    WrittenFiles(tmp_path).check(NAMES)


def test_a_folder_in_a_tables_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "counts.csv").mkdir()
    with pytest.raises(ValueError, match=r"counts\.csv.*folder"):
        WrittenFiles(tmp_path).check(NAMES)


def test_a_state_folder_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/.run").symlink_to(tmp_path)
    with pytest.raises(ValueError, match=r"leads out of"):
        WrittenFiles(tmp_path / "out").check(NAMES)


def test_a_table_that_leads_elsewhere_is_refused_and_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret.txt").write_text("another's")
    folder = tmp_path / "out"
    WrittenFiles(folder).write({"counts.csv": b"image,total\n"})
    (folder / "counts.csv").unlink()
    (folder / "counts.csv").symlink_to(tmp_path / "secret.txt")
    monkeypatch.setattr("detect.reporting.output.written._digest", lambda path: pytest.fail(f"{path} was read"))
    with pytest.raises(ValueError, match=r"counts\.csv"):
        WrittenFiles(folder).check(["counts.csv"])


def test_a_run_that_starts_afresh_knows_the_files_of_a_person_still(tmp_path):
    files = WrittenFiles(tmp_path)
    files.write({"counts.csv": b"a", "corrections.csv": b"b"})
    files.keep(["corrections.csv", "survey/design.csv"])
    assert files.names() == ["corrections.csv"] and (tmp_path / "counts.csv").read_bytes() == b"a"
    files.check(["corrections.csv"], adopt=False)
    files.keep([])
    assert files.names() == [] and not files.path.exists()


def test_what_threads_write_at_once_is_all_recorded_and_no_false_alarm(tmp_path: Path) -> None:
    """Four threads write their own file and one that all write, 20 times, and look at both as they do."""
    wrong = []

    def write(number: int) -> None:
        try:
            files = WrittenFiles(tmp_path)
            for i in range(20):
                files.write({f"{number}.csv": bytes([i]), "all.csv": bytes([number, i])})
                files.check([f"{number}.csv", "all.csv"], adopt=False)
                files.write_made(f"{number}.gpkg", lambda part, i=i: part.write_bytes(bytes([i])))  # type: ignore[misc]
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    names = ["all.csv", *(f"{i}.{ending}" for i in range(4) for ending in ("csv", "gpkg"))]
    assert not wrong and sorted(WrittenFiles(tmp_path).names()) == sorted(names)
    WrittenFiles(tmp_path).check(names, adopt=False)


CODE = """
import sys
from pathlib import Path
from detect.reporting.output.written import WrittenFiles
for i in range(30):
    WrittenFiles(Path(sys.argv[1])).write({sys.argv[2]: bytes([i])})
"""


def test_what_processes_write_at_once_is_all_recorded(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CODE, str(tmp_path)]
    running = [subprocess.Popen([*command, name], env={**os.environ}) for name in ("corrections.csv", "survey.json")]
    assert [each.wait(60) for each in running] == [0, 0]
    WrittenFiles(tmp_path).check(["corrections.csv", "survey.json"], adopt=False)


def test_a_file_that_is_written_while_it_is_looked_at_was_not_changed_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A review writes between the reading of the record and that of the file."""
    ours, theirs = WrittenFiles(tmp_path), WrittenFiles(tmp_path)
    theirs.write({"corrections.csv": b"1"})
    digest = written._digest

    def meanwhile(path: Path) -> str:
        monkeypatch.setattr(written, "_digest", digest)
        theirs.write({"corrections.csv": b"2"})
        return digest(path)

    monkeypatch.setattr(written, "_digest", meanwhile)
    assert not ours.is_changed("corrections.csv")
    (tmp_path / "corrections.csv").write_bytes(b"3")
    assert ours.is_changed("corrections.csv")


def test_who_waits_too_long_for_another_process_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "WAIT_S", 0.05)
    files = WrittenFiles(tmp_path)
    with files._alone(), pytest.raises(OSError, match=r"another process has written there"):
        WrittenFiles(tmp_path).write({"counts.csv": b"1"})
    assert not (tmp_path / "counts.csv").exists()


def test_a_lock_that_leads_elsewhere_is_refused_and_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("another's")
    (tmp_path / "out/.run").mkdir(parents=True)
    (tmp_path / "out/.run/written.lock").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(ValueError, match=r"leads out of"):
        WrittenFiles(tmp_path / "out").write({"counts.csv": b"1"})
    assert (tmp_path / "secret.txt").read_text() == "another's"

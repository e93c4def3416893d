import errno
import os
import tempfile
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from detect.imagery.files import replace_file
from detect.imagery.scratch import NoRoomError, reserve, scratch_array

Usage = namedtuple("Usage", "total used free")


def refuse(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let the system refuse to reserve blocks with an error of that number."""

    def fail(*_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", fail, raising=False)


@pytest.mark.parametrize("how", ["reserved", "missing", errno.EOPNOTSUPP, errno.EINVAL])
def test_a_file_has_blocks_for_all_of_its_bytes(
    how: str | int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file with holes has none, and the page that has no block when it is written to ends the process (SIGBUS)."""
    if how == "missing":
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    elif how != "reserved":
        refuse(monkeypatch, int(how))
    nbytes = (3 << 20) + 5
    with (tmp_path / "a").open("w+b") as file:
        reserve(file, nbytes)
        facts = os.fstat(file.fileno())
    assert facts.st_size == nbytes and facts.st_blocks * 512 >= nbytes
    assert not any((tmp_path / "a").read_bytes())


def test_an_array_keeps_what_is_written_and_has_no_name(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    array = scratch_array((3, 5, 7), np.float32, folder, "a map")
    wanted = np.random.default_rng(0).random((3, 5, 7), np.float32)
    array[:] = wanted
    assert isinstance(array, np.memmap) and not list(folder.iterdir())
    np.testing.assert_array_equal(array, wanted)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_folder_without_room_is_named_with_what_is_needed(
    number: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """1000 x 1000 numbers of 8 bytes are 7.6 MiB."""
    refuse(monkeypatch, number)
    with pytest.raises(NoRoomError, match=rf"no room in {tmp_path}: the map of a\.tif needs 8 MiB.*runtime\.scratch"):
        scratch_array((1000, 1000), np.float64, tmp_path, "the map of a.tif")
    assert not list(tmp_path.iterdir())


def test_other_errors_stay_what_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    refuse(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match="Errno 5") as caught:
        scratch_array((10,), np.uint8, tmp_path, "a map")
    assert not isinstance(caught.value, NoRoomError)


@pytest.mark.parametrize("error", [None, ValueError("an encoder's"), OSError("no number"), MemoryError()])
def test_a_file_that_fills_the_disk_is_not_kept(
    error: Exception | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Pillow writes half a JPEG to a full disk without an error, GDAL raises errors of other kinds."""
    path = tmp_path / "a.jpg"
    path.write_bytes(b"before")
    refuse(monkeypatch, errno.ENOSPC)
    monkeypatch.setattr("detect.imagery.scratch.shutil.disk_usage", lambda _: Usage(1 << 30, 1 << 30, 0))
    with pytest.raises(NoRoomError, match=r"no room in .*a\.jpg") as caught, replace_file(path) as part:
        part.write_bytes(b"half")
        if error is not None:
            raise error
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == b"before" and [each.name for each in tmp_path.iterdir()] == ["a.jpg"]


def test_a_file_system_that_does_not_know_its_room_is_written_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Those of the network may say 0 of everything, and an administrator may use blocks that are not free."""
    monkeypatch.setattr("detect.imagery.scratch.shutil.disk_usage", lambda _: Usage(0, 0, 0))
    with replace_file(tmp_path / "a.jpg") as part:
        part.write_bytes(b"whole")
    assert (tmp_path / "a.jpg").read_bytes() == b"whole"


def test_a_quota_that_is_used_up_is_found_where_something_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="an encoder's"), replace_file(tmp_path / "a.jpg"):
        raise ValueError("an encoder's")
    refuse(monkeypatch, errno.EDQUOT)
    with pytest.raises(NoRoomError, match="no room"), replace_file(tmp_path / "a.jpg"):
        raise ValueError("an encoder's")


def test_scratch_lies_where_it_is_told_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A full or missing folder of the system's is not touched where another is named."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere" / "there"))
    scratch_array((10,), np.uint8, tmp_path, "a map")
    assert not (tmp_path / "nowhere").exists()

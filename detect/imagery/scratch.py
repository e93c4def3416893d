"""Scratch: arrays in nameless files, for what is too large for memory, with their blocks reserved; and full disks."""

import errno
import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a full file system says, one whose quota is used up, and one whose files may not be as large."""

DISK_ERRORS = (*FULL, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM)
"""Errors of the folder that a run writes into, not of an image: they end the run."""

LEAST_ROOM = 1 << 16
"""A disk that says it has fewer free bytes is asked for them: what was written last may have been cut short."""

WRITTEN_AT_ONCE = 1 << 20
"""Bytes of zeros that are written at once where the system cannot reserve blocks."""


class NoRoomError(OSError):
    """A folder has no room for a file."""

    def __str__(self) -> str:
        return str(self.strerror)


def scratch_array(shape: tuple[int, ...], dtype: DTypeLike, folder: Path | None, what: str) -> NDArray[Any]:
    """Make an array in a nameless file, which the system removes when the array is gone, however the process ends.

    A mapped file with holes is filled when its pages are written, and the system then kills a process that finds the
    disk full. So the blocks are reserved first.

    Args:
        shape: of the array.
        dtype: of its values.
        folder: for the file, made where it is missing; None takes the system's folder of temporary files.
        what: what the array is, for the error: `the map of a.tif`.

    Raises:
        NoRoomError: the folder's disk has no room for it.
    """
    place = Path(tempfile.gettempdir()) if folder is None else folder
    nbytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    with _named_room(place, what, nbytes):
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place) as file:
            reserve(file, nbytes)
            return np.memmap(file, dtype, "r+", shape=shape)


def reserve(file: IO[bytes], nbytes: int) -> None:
    """Reserve blocks on the disk for an empty file of a size in bytes.

    Systems without `posix_fallocate` (macOS, Windows), and file systems that refuse it, get zeros.

    Raises:
        OSError: there is no room.
    """
    allocate = getattr(os, "posix_fallocate", None)
    if allocate is not None:
        try:
            allocate(file.fileno(), 0, nbytes)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise
        else:
            return
    zeros = bytes(WRITTEN_AT_ONCE)
    file.seek(0)
    for start in range(0, nbytes, WRITTEN_AT_ONCE):
        file.write(zeros[: nbytes - start])
    file.flush()
    os.fsync(file.fileno())


def check_room(path: Path, error: BaseException | None = None) -> None:
    """Check that a disk is not full after a file was written, or where an error came up on the way.

    Libraries tell of a full disk by errors of many kinds, or not at all, and leave a part of the file. Where little is
    free, room for a small file is asked for: file systems of the network may say that nothing is free, and take it.

    Args:
        path: the file.
        error: what came up; then that room is asked for in any case, which finds a quota that is used up, too.

    Raises:
        NoRoomError: there is no room in its folder.
    """
    if error is None and shutil.disk_usage(path.parent).free >= LEAST_ROOM:
        return
    try:
        with tempfile.TemporaryFile(dir=path.parent) as file:
            reserve(file, LEAST_ROOM)
    except OSError as refused:
        if refused.errno in FULL:
            raise NoRoomError(
                errno.ENOSPC,
                f"no room in {path.parent} for the whole of {path.name}; make room, and the same command goes on",
            ) from (error or refused)


@contextmanager
def _named_room(folder: Path, what: str, nbytes: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise NoRoomError(
            errno.ENOSPC,
            f"no room in {folder}: {what} needs {-(-nbytes >> 20)} MiB, {_free(folder)} MiB are free; make room, or "
            "name a folder with more: runtime.scratch=DIR",
        ) from error


def disk_bytes(folder: Path) -> int:
    """Return the size of a folder's disk in bytes, free or not; some file systems of the network say 0."""
    return shutil.disk_usage(_nearest(folder)).total


def _free(folder: Path) -> int:
    """Return the free MiB of a folder's disk."""
    return shutil.disk_usage(_nearest(folder)).free >> 20


def _nearest(folder: Path) -> Path:
    """Return a folder, or, where it is not there yet, the one above it that is."""
    return next(each for each in (folder.absolute(), *folder.absolute().parents) if each.is_dir())


def release(array: NDArray[Any]) -> None:
    """Return the memory of an array in a file to the system; its content stays in the file."""
    mapped = getattr(array, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)

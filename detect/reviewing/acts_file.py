"""`acts.jsonl`: the file to which everything that a person does is appended at once, by one page or several."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from detect.imagery.files import check_inside, check_regular
from detect.reviewing.acts import Act, act_line, read_act

logger = logging.getLogger(__name__)

REVIEW, ACTS, LOCK = "review", "acts.jsonl", "lock"
"""The folder in a predictions folder, the file of the acts in it, and the file that is locked while one is added."""

MAX_BYTES = 4 << 30
"""Most bytes of the file that are read."""

MAX_LINE_BYTES = 64 << 20
"""Most bytes of a line of it: a window with some 400,000 objects."""

WAIT_S = 20.0
"""How long another process may hold the file."""


class ActsFile:
    """The acts of a review; read on from where it was read last, so that those of another process are seen.

    Format: UTF-8 JSON lines (`Act`), numbered from 1. A last line without its end, as a process leaves it that was
    killed, is dropped when the next act is added, with a line of the log.

    Args:
        folder: the predictions folder.

    Raises:
        ValueError: a link leads out of the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / REVIEW / ACTS
        self._read_to = 0
        self._number = 0
        self._lock = FileLock(folder / REVIEW / LOCK, timeout=WAIT_S)
        check_inside(self.path, folder)
        check_inside(folder / REVIEW / LOCK, folder)

    def read_on(self) -> list[Act]:
        """Return the acts that were not read yet.

        Raises:
            ValueError: a finished line is no act, or the file has lost lines; the message says the way out.
        """
        if not os.path.lexists(self.path):
            self._expect(0)
            return []
        check_regular(self.path, MAX_BYTES, self.folder)
        with self.path.open("rb") as file:
            self._expect(os.fstat(file.fileno()).st_size)
            file.seek(self._read_to)
            return list(self._finished(file))

    def _expect(self, size: int) -> None:
        if size < self._read_to:
            raise ValueError(f"{self.path}: has become shorter while it was reviewed; close the page and begin anew")

    def _finished(self, file: BinaryIO) -> Iterator[Act]:
        """Yield the acts of finished lines."""
        while line := file.readline(MAX_LINE_BYTES + 1):
            if len(line) > MAX_LINE_BYTES:
                raise ValueError(f"{self.path}: a line has more than {MAX_LINE_BYTES:,} bytes; move the file away")
            if not line.endswith(b"\n"):
                return
            try:
                act = read_act(line)
                if act.number != self._number + 1:
                    raise ValueError(f"n must be {self._number + 1}, got {act.number}")
            except (ValueError, TypeError) as error:
                raise ValueError(
                    f"{self.path} line {self._number + 1}: {error}; correct the line, or move the file away to begin a "
                    "review anew"
                ) from error
            self._number = act.number
            self._read_to += len(line)
            yield act

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from adding acts, so that what is read now stays the end of the file.

        Raises:
            OSError: another process holds it for too long, or the folder cannot be written to.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._lock:
                yield
        except Timeout as error:
            raise OSError(
                f"{self.path}: another process has kept it for {WAIT_S:g} seconds; end it, or try again"
            ) from error

    @property
    def next_number(self) -> int:
        """The number of the next act, behind all that were read."""
        return self._number + 1

    def append(self, act: Act) -> None:
        """Add an act, and wait until it is on the disk; only while it is `locked`, and after all acts were read.

        Raises:
            ValueError: it is too long.
            OSError: it cannot be written; nothing of it is kept.
        """
        line = act_line(act)
        if len(line) > MAX_LINE_BYTES:
            raise ValueError(f"a window with {len(act.objects):,} objects is too much to keep; review smaller ones")
        with self.path.open("ab", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size > self._read_to:
                logger.warning("%s: an unfinished last line of %d bytes is dropped", self.path, size - self._read_to)
                os.truncate(file.fileno(), self._read_to)
            try:
                rest = memoryview(line)
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except OSError:
                os.truncate(self.path, self._read_to)
                raise
        self._read_to += len(line)
        self._number = act.number

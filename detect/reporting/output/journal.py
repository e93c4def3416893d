"""What makes a run safe to kill: a lock, the settings it began with, and a journal of the images that are done."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from detect.labels.detections import Detections
from detect.reporting.writing import write_json

RUN = ".run"
"""Folder, inside an output folder, of what a run remembers."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other runs out of an output folder; the system opens the lock when the process ends, however it ends.

    Raises:
        ValueError: another run is writing there.
    """
    (folder / RUN).mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / RUN / "lock", timeout=0):
            yield
    except Timeout as error:
        raise ValueError(
            f"output={folder}: another run is writing there; wait for it, or name another folder"
        ) from error


def keep_settings(folder: Path, settings: Mapping[str, Any]) -> bool:
    """Remember what a run's results depend on, or see that a run that goes on has the same.

    Args:
        folder: the output folder.
        settings: plain values by name.

    Returns:
        Whether an earlier run is gone on with.

    Raises:
        FileExistsError: the folder's results were made with other settings; the message shows the difference.
    """
    path = folder / RUN / "settings.json"
    now = json.loads(json.dumps(settings))
    if not path.exists():
        write_json(now, path)
        return False
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise FileExistsError(f"{path} cannot be read ({error}); overwrite=true starts afresh") from error
    changed = [
        f"{name}: {before.get(name)!r} then, {now.get(name)!r} now"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]
    if changed:
        raise FileExistsError(
            f"output={folder} holds results made with other settings ({'; '.join(changed)}); overwrite=true starts "
            "afresh, or name another folder"
        )
    return True


@dataclass(frozen=True, eq=False)
class Record:
    """An image that is done.

    Attributes:
        path: the source, as text.
        size, mtime_ns: the source file's bytes and time of change, by which another file of its name is told.
        pixels: of the image file.
        detections: what was found.
    """

    path: str
    size: int
    mtime_ns: int
    pixels: int
    detections: Detections

    def of(self, path: Path) -> bool:
        """Say whether a file is the one that the record is about."""
        return (self.path, self.size, self.mtime_ns) == signature(path)


def signature(path: Path) -> tuple[str, int, int]:
    """Give the full path, size in bytes and time of change in nanoseconds of a file; -1 where it is not there."""
    try:
        facts = path.stat()
    except OSError:
        return str(path.resolve()), -1, -1
    return str(path.resolve()), facts.st_size, facts.st_mtime_ns


class Journal:
    """The records of a run, a line of JSON each, appended and synced once an image's files are there.

    Format: UTF-8 JSON lines, a line an image, the last of a name counts; numbers in full precision. A last line
    that was not finished is dropped.

    Args:
        folder: the output folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / RUN / "journal.jsonl"
        self.records: dict[str, Record] = {}
        if not self.path.exists():
            return
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        for number, line in enumerate(data[:whole].splitlines(), start=1):
            try:
                name, record = _parse(line)
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{self.path}, line {number}: {error}; overwrite=true starts afresh") from error
            self.records[name] = record
        if whole < len(data):
            os.truncate(self.path, whole)

    def add(self, name: str, record: Record) -> None:
        """Append a record, and wait until the disk has it."""
        detections = record.detections
        facts = {key: getattr(record, key) for key in ("path", "size", "mtime_ns", "pixels")}
        wh = None if detections.wh is None else detections.wh.tolist()
        columns = {"xy": detections.xy.tolist(), "wh": wh}
        columns |= {"score": detections.score.tolist(), "label": detections.label.tolist()}
        line = json.dumps({"name": name, **facts, "classes": detections.classes, **columns})
        with self.path.open("ab") as file:
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.records[name] = record


def _parse(line: bytes) -> tuple[str, Record]:
    data = json.loads(line)
    classes = tuple(str(name) for name in data["classes"])
    wh = None if data["wh"] is None else np.array(data["wh"], np.float64).reshape(-1, 2)
    found = Detections(
        np.array(data["xy"], np.float64).reshape(-1, 2),
        np.array(data["score"], np.float64),
        np.array(data["label"], np.int64),
        classes,
        wh,
    )
    return str(data["name"]), Record(data["path"], data["size"], data["mtime_ns"], data["pixels"], found)

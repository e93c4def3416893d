"""The state of a run that may be killed: a lock, the settings it began with, and a journal of the images done."""

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
from detect.reporting.output.layout import PredictionPaths
from detect.reporting.writing import write_json


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep other runs out of an output folder; the system releases the lock when the process ends, however it ends.

    Args:
        folder: the output folder; its state folder is made.

    Raises:
        ValueError: another run is writing there.
    """
    paths = PredictionPaths(folder)
    paths.state.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(paths.lock, timeout=0):
            yield
    except Timeout as error:
        raise ValueError(
            f"output={folder}: another run is writing there; wait for it, or name another folder"
        ) from error


def keep_settings(folder: Path, settings: Mapping[str, Any]) -> bool:
    """Write the settings that a run's results depend on, or check that a continued run has the same ones.

    Args:
        folder: the output folder.
        settings: plain values by name.

    Returns:
        Whether an earlier run is continued.

    Raises:
        FileExistsError: the folder's results were made with other settings; the message shows the difference.
    """
    path = PredictionPaths(folder).settings
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
        path: the full path of the source file.
        size: of the source file in bytes.
        mtime_ns: time of the source file's last change in nanoseconds; with the size it identifies the file's content.
        pixels: number of pixels of the image file.
        detections: what was found, in file pixels.
    """

    path: str
    size: int
    mtime_ns: int
    pixels: int
    detections: Detections

    def describes(self, path: Path) -> bool:
        """Return whether a file is the recorded one, unchanged."""
        return (self.path, self.size, self.mtime_ns) == signature(path)


def signature(path: Path) -> tuple[str, int, int]:
    """Return the full path, size in bytes and time of change in nanoseconds of a file; -1 for both if it is missing."""
    try:
        facts = path.stat()
    except OSError:
        return str(path.resolve()), -1, -1
    return str(path.resolve()), facts.st_size, facts.st_mtime_ns


class Journal:
    """The records of a run, appended and synced to disk when the files of an image are complete.

    Format: UTF-8 JSON lines, one line per image; of several lines with one name the last counts; numbers in full
    precision. An unfinished last line is dropped.

    Args:
        folder: the output folder.

    Raises:
        ValueError: a finished line cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.path = PredictionPaths(folder).journal
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
        """Append an image's record, and wait until it is on the disk."""
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
    """Return the image name and the record that a line of the journal holds."""
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

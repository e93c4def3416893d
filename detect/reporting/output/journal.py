"""The state of a run that may be killed: a lock, the settings it began with, and a journal of the images done."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from detect.imagery.files import check_inside, check_regular
from detect.labels.json_files import read_json_object
from detect.reporting.output.layout import PredictionPaths
from detect.reporting.output.records import Record, read_record_line, read_source_line, record_line
from detect.reporting.writing import write_json

MAX_JOURNAL_BYTES = 8 << 30
"""Most bytes of a journal that is read."""

MAX_LINE_BYTES = 256 << 20
"""Most bytes of a line of it, which is one image."""


@contextmanager
def lock_folder(folder: Path, wait_s: float = 0.0) -> Iterator[None]:
    """Keep other runs out of an output folder; the system releases the lock when the process ends, however it ends.

    Args:
        folder: the output folder; its state folder is made.
        wait_s: how long to wait for another run: the workers of one that was killed end some seconds after it.

    Raises:
        ValueError: another run is writing there, or the state folder or the lock is a link that leads out of it.
    """
    paths = PredictionPaths(folder)
    check_inside(paths.lock, folder)
    if paths.lock.exists():
        check_regular(paths.lock, MAX_LINE_BYTES)
    paths.state.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(paths.lock, timeout=wait_s):
            yield
    except Timeout as error:
        raise ValueError(
            f"output={folder}: another run is writing there; wait for it, or name another folder"
        ) from error


def keep_settings(folder: Path, settings: Mapping[str, Any], beside: Mapping[str, Any] | None = None) -> bool:
    """Write the settings that a run's results depend on, or check that a continued run has the same ones.

    Args:
        folder: the output folder.
        settings: plain values by name.
        beside: other values that are written too, and may be others in a continued run.

    Returns:
        Whether an earlier run is continued.

    Raises:
        FileExistsError: the folder's results were made with other settings; the message shows the difference.
    """
    path = PredictionPaths(folder).settings
    now = json.loads(json.dumps(settings))
    if not path.exists():
        write_json({**now, **(beside or {})}, path)
        return False
    try:
        before = read_json_object(path, folder)
    except (ValueError, OSError) as error:
        raise FileExistsError(f"{path} cannot be read ({error}); overwrite=true starts afresh") from error
    changed = [
        f"{name}: {before.get(name)!r} then, {now.get(name)!r} now"
        for name in sorted({*before, *now} - (beside or {}).keys())
        if before.get(name) != now.get(name)
    ]
    if changed:
        raise FileExistsError(
            f"output={folder} holds results made with other settings ({'; '.join(changed)}); overwrite=true starts "
            "afresh, or name another folder"
        )
    return True


class Journal:
    """The records of a run, appended and synced to disk when the files of an image are complete.

    Format: UTF-8 JSON lines, one line per image; of several lines with one name the last counts; numbers in full
    precision. An unfinished last line is dropped.

    Args:
        folder: the output folder.

    Raises:
        ValueError: a finished line cannot be read, or the journal is not a file inside the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = PredictionPaths(folder).journal
        self.records: dict[str, Record] = {}
        whole = 0
        for number, line in enumerate(lines_of(self.path, folder), start=1):
            if not line.endswith(b"\n"):
                os.truncate(self.path, whole)
                return
            try:
                name, record = read_record_line(line)
            except KeyError as error:
                raise ValueError(
                    f"{self.path}, line {number}: {error} is missing, as in journals of earlier versions; "
                    "overwrite=true starts afresh, or name another folder"
                ) from error
            except (ValueError, TypeError, OverflowError, RecursionError) as error:
                raise ValueError(
                    f"{self.path}, line {number}: {type(error).__name__}: {error}; overwrite=true starts afresh"
                ) from error
            self.records[name] = record
            whole += len(line)

    def add(self, name: str, record: Record) -> None:
        """Append an image's record, and wait until it is on the disk."""
        self.add_all({name: record})

    def add_all(self, records: Mapping[str, Record]) -> None:
        """Append the records of images, and wait once until all are on the disk."""
        append_records(self.path, records)
        self.records.update(records)


def append_records(path: Path, records: Mapping[str, Record]) -> None:
    """Append images' records to a journal, in their order, and wait until they are on the disk.

    Where the disk is full, what was written of them is taken back: another record may follow.
    """
    if not records:
        return
    lines = b"".join(record_line(name, record) for name, record in records.items())
    with path.open("ab", buffering=0) as file:
        before = file.tell()
        try:
            written = 0
            while written < len(lines):
                written += file.write(lines[written:])
            os.fsync(file.fileno())
        except OSError:
            os.truncate(path, before)
            raise


def recorded_sources(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Return the signature that each image's file had when it was counted, by the image's name.

    It changes nothing in the folder, and lines that cannot be read are left out.
    """
    sources = {}
    for line in lines_of(PredictionPaths(folder).journal, folder):
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            name, source = read_source_line(line)
            sources[name] = source
    return sources


def read_records(folder: Path) -> dict[str, Record]:
    """Return the records of the images that are done, by name; an unfinished last line is left out.

    It changes nothing in the folder, unlike a `Journal`.

    Raises:
        ValueError: a finished line cannot be read; the message says the way out.
    """
    return dict(finished_records(PredictionPaths(folder).journal, folder))


def finished_records(path: Path, folder: Path) -> Iterator[tuple[str, Record]]:
    """Yield the name and the record of each line of a journal; an unfinished last line is left out.

    Raises:
        ValueError: a finished line cannot be read; the message says the way out.
    """
    for number, line in enumerate(lines_of(path, folder), start=1):
        if not line.endswith(b"\n"):
            return
        try:
            name, record = read_record_line(line)
        except (KeyError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError(
                f"{path}, line {number}: {type(error).__name__}: {error}; count the images again with detect.predict "
                "(overwrite=true)"
            ) from error
        yield name, record


def recorded_images(folder: Path) -> dict[str, tuple[Path, tuple[int, int]]]:
    """Return the file and the (height, width) in pixels of each image that was counted, by its name.

    It changes nothing in the folder, and lines that cannot be read are left out; journals of earlier versions have no
    sizes, which are then 0.
    """
    images = {}
    for line in lines_of(PredictionPaths(folder).journal, folder):
        with suppress(ValueError, KeyError, TypeError, RecursionError, OverflowError):
            name, record = read_record_line(line)
            images[name] = Path(record.path), record.shape
    return images


def lines_of(path: Path, folder: Path) -> Iterator[bytes]:
    """Yield the lines of a journal, the last one perhaps without its end; none of one that is not there."""
    if not path.is_symlink() and not path.exists():
        return
    check_regular(path, MAX_JOURNAL_BYTES, folder)
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE_BYTES + 1):
            if len(line) > MAX_LINE_BYTES:
                raise ValueError(f"{path}: a line has more than {MAX_LINE_BYTES:,} bytes; overwrite=true starts afresh")
            yield line

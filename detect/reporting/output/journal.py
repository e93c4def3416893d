"""The state of a run that may be killed: a lock, the settings it began with, and a journal of the images done."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from detect.imagery.files import check_inside, check_regular
from detect.imagery.ground.footprints import Footprint
from detect.imagery.ground.geodesy import Placement
from detect.imagery.ground.valid_outline import outline_of_text
from detect.imagery.validity.sidecar import beside_of
from detect.labels.detections import Detections
from detect.labels.json_files import read_json_object
from detect.reporting.output.area_parts import AreaPart
from detect.reporting.output.layout import PredictionPaths
from detect.reporting.writing import write_json

MAX_JOURNAL_BYTES = 8 << 30
"""Most bytes of a journal that is read."""

MAX_LINE_BYTES = 256 << 20
"""Most bytes of a line of it, which is one image."""


FACTS = (
    "path",
    "size",
    "mtime_ns",
    "pixels",
    "damaged",
    "valid",
    "hectares",
    "unlike",
    "shape",
    "object_wh",
    "inside",
    "shown",
    "outside",
    "beside",
)
"""What a line says of an image, beside its name and what was found."""


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
        before = read_json_object(path, folder)
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
        damaged: what the decoder warned of, empty where it did not.
        valid: number of pixels that are valid; None means all, as in journals of earlier versions.
        hectares: area of the valid ones on the ground, None where it is not known.
        unlike: in what the image is unlike the training images, empty where it is not.
        shape: (height, width) of the image file in pixels.
        object_wh: width and height of a typical object in pixels of the file, as far as the model knows.
        placement: where the file lies on a map; None without a georeference.
        inside: number of pixels in the areas in which is counted; None of whole images.
        shown: what of the file has data, as `valid_outline.outline_text` writes it; None for all of it.
        areas: its parts of the areas in which is counted, none where that is all of it.
        outside: how many objects lay in none of them, and are not among the detections.
        beside: digest of the files beside the source that say where it lies, empty without any.
    """

    path: str
    size: int
    mtime_ns: int
    pixels: int
    detections: Detections
    damaged: str = ""
    valid: int | None = None
    hectares: float | None = None
    unlike: str = ""
    shape: tuple[int, int] = (0, 0)
    object_wh: tuple[float, float] | None = None
    placement: Placement | None = None
    inside: int | None = None
    shown: str | None = None
    areas: tuple[AreaPart, ...] = ()
    outside: int = 0
    beside: str = ""

    @property
    def surveyed_share(self) -> float | None:
        """The share of the image's pixels, or of those in areas, that are valid, in [0, 1]; None where no area is."""
        if self.inside == 0:
            return None
        pixels = self.pixels if self.inside is None else self.inside
        return 1.0 if self.valid is None else self.valid / max(1, pixels)

    @property
    def footprint(self) -> Footprint | None:
        """The ground that the image shows; None without a georeference."""
        if self.placement is None:
            return None
        return Footprint(self.placement, self.shape, None if self.shown is None else outline_of_text(self.shown))

    def describes(self, path: Path) -> bool:
        """Return whether a file is the recorded one, unchanged."""
        return (self.path, self.size, self.mtime_ns) == signature(path)


def signature(path: Path) -> tuple[str, int, int]:
    """Return the full path, size in bytes and time of change in nanoseconds of a file; -1 for both if it is missing.

    A mask beside an image says which of its pixels are counted: its size is added, and the later of the times is taken.
    """
    full = os.path.realpath(path)
    try:
        facts = [path.stat()]
    except OSError:
        return full, -1, -1
    with suppress(OSError):
        facts += [beside.stat() for beside in beside_of(path)]
    return full, sum(each.st_size for each in facts), max(each.st_mtime_ns for each in facts)


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
        for number, line in enumerate(_lines(self.path, folder), start=1):
            if not line.endswith(b"\n"):
                os.truncate(self.path, whole)
                return
            try:
                name, record = _parse(line)
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
        detections = record.detections
        facts = {key: getattr(record, key) for key in FACTS}
        facts["placement"] = None if record.placement is None else asdict(record.placement)
        facts["areas"] = [part.to_record() for part in record.areas]
        wh = None if detections.wh is None else detections.wh.tolist()
        columns = {"xy": detections.xy.tolist(), "wh": wh}
        columns |= {"score": detections.score.tolist(), "label": detections.label.tolist()}
        line = json.dumps({"name": name, **facts, "classes": detections.classes, **columns})
        with self.path.open("ab") as file:
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.records[name] = record


def recorded_sources(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Return the signature that each image's file had when it was counted, by the image's name.

    It changes nothing in the folder, and lines that cannot be read are left out.
    """
    sources = {}
    for line in _lines(PredictionPaths(folder).journal, folder):
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            data = json.loads(line)
            sources[_text(data["name"])] = _text(data["path"]), _whole(data["size"]), _whole(data["mtime_ns"])
    return sources


def _lines(path: Path, folder: Path) -> Iterator[bytes]:
    """Yield the lines of a journal, the last one perhaps without its end; none of one that is not there."""
    if not path.is_symlink() and not path.exists():
        return
    check_regular(path, MAX_JOURNAL_BYTES, folder)
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE_BYTES + 1):
            if len(line) > MAX_LINE_BYTES:
                raise ValueError(f"{path}: a line has more than {MAX_LINE_BYTES:,} bytes; overwrite=true starts afresh")
            yield line


def _parse(line: bytes) -> tuple[str, Record]:
    """Return the image name and the record that a line of the journal holds."""
    data = json.loads(line)
    xy, wh = _pairs(data["xy"]), None if data["wh"] is None else _pairs(data["wh"])
    label = np.array([_whole(each) for each in data["label"]], np.int64)
    classes = tuple(_text(name) for name in data["classes"])
    found = Detections(xy, np.array(data["score"], np.float64), label, classes, wh)
    size, mtime_ns, pixels = (_whole(data[key]) for key in ("size", "mtime_ns", "pixels"))
    inside = None if data.get("inside") is None else _share_of(pixels, data["inside"])
    shown = None if data.get("shown") is None else _text(data["shown"])
    if shown is not None:
        outline_of_text(shown)
    height, width = (_whole(side) for side in data["shape"])
    return _text(data["name"]), Record(
        path=_text(data["path"]),
        size=size,
        mtime_ns=mtime_ns,
        pixels=pixels,
        detections=found,
        damaged=_text(data.get("damaged", "")),
        valid=_share_of(pixels, data.get("valid")),
        hectares=_area(data.get("hectares")),
        unlike=_text(data.get("unlike", "")),
        shape=(height, width),
        object_wh=None if data["object_wh"] is None else _pair(data["object_wh"]),
        placement=_placement(data["placement"]),
        inside=inside,
        shown=shown,
        areas=tuple(AreaPart.from_record(each, len(found)) for each in data.get("areas", ())),
        outside=_whole(data.get("outside", 0)),
        beside=_text(data.get("beside", "")),
    )


def _share_of(pixels: int, valid: Any) -> int | None:
    """Return a number of valid pixels, of as many as there are."""
    if valid is None:
        return None
    if not 0 <= _whole(valid) <= pixels or pixels < 1:
        raise ValueError(f"{valid} of {pixels} pixels cannot be valid")
    return int(valid)


def _area(hectares: Any) -> float | None:
    """Return an area in hectares."""
    if hectares is None:
        return None
    if isinstance(hectares, bool) or not isinstance(hectares, int | float) or not 0 <= hectares < math.inf:
        raise TypeError(f"an area must be a number of 0 or more, got {str(hectares)[:40]}")
    return float(hectares)


def _placement(data: Any) -> Placement | None:
    """Return where an image lies on a map."""
    if data is None:
        return None
    numbers = tuple(float(each) for each in data["transform"])
    if len(numbers) != 6 or not np.isfinite(numbers).all():
        raise ValueError(f"a transform is 6 finite numbers, got {str(numbers)[:80]}")
    return Placement(numbers, None if data["crs"] is None else _text(data["crs"]))


def _pair(numbers: Any) -> tuple[float, float]:
    """Return two finite numbers above 0."""
    width, height = (float(each) for each in numbers)
    if not (0 < width < np.inf and 0 < height < np.inf):
        raise ValueError(f"sizes must be finite numbers above 0, got {width} and {height}")
    return width, height


def _pairs(numbers: Any) -> NDArray[np.float64]:
    """Return (N, 2) numbers."""
    return np.array(numbers, np.float64).reshape(-1, 2)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"must be a text, got {type(value).__name__}")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        raise TypeError(f"must be a whole number of 64 bits, got {str(value)[:40]}")
    return value

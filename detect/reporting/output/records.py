"""What is kept of an image that is done, and the line of a journal that holds it."""

import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.ground.footprints import Footprint
from detect.imagery.ground.geodesy import Placement
from detect.imagery.ground.valid_outline import outline_of_text
from detect.imagery.remote.address import Address
from detect.imagery.validity.sidecar import beside_of
from detect.labels.detections import Detections
from detect.reporting.output.area_parts import AreaPart
from detect.reporting.tables import earlier_remark

FACTS = (
    "path",
    "size",
    "mtime_ns",
    "pixels",
    "damaged",
    "valid",
    "hectares",
    "unlike",
    "unlike_in",
    "shape",
    "object_wh",
    "inside",
    "shown",
    "outside",
    "beside",
    "expected",
    "crowded",
    "sureness",
    "unknown",
)
"""What a line says of an image, beside its name and what was found."""


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
        unlike: how far the image is from the training images, in [0, 1]; None where it is not known.
        unlike_in: in what it is far from them, empty where it is not.
        shape: (height, width) of the image file in pixels.
        object_wh: width and height of a typical object in pixels of the file, as far as the model knows.
        placement: where the file lies on a map; None without a georeference.
        inside: number of pixels in the areas in which is counted; None of whole images.
        shown: what of the file has data, as `valid_outline.outline_text` writes it; None for all of it.
        areas: its parts of the areas in which is counted, none where that is all of it.
        outside: how many objects lay in none of them, and are not among the detections.
        beside: digest of the files beside the source that say where it lies, empty without any.
        expected: number of objects by the sum of probabilities; None where scores are none.
        crowded: whether so much of it may be an object that candidates are not kept.
        sureness: how sure the model is that it is of some class as a whole, in [0, 1]; None where that is not told.
        unknown: whether it is as a whole of none of the classes; None where that is not told.
    """

    path: str
    size: int
    mtime_ns: int
    pixels: int
    detections: Detections
    damaged: str = ""
    valid: int | None = None
    hectares: float | None = None
    unlike: float | None = None
    unlike_in: str = ""
    shape: tuple[int, int] = (0, 0)
    object_wh: tuple[float, float] | None = None
    placement: Placement | None = None
    inside: int | None = None
    shown: str | None = None
    areas: tuple[AreaPart, ...] = ()
    outside: int = 0
    beside: str = ""
    expected: float | None = None
    crowded: bool = False
    sureness: float | None = None
    unknown: bool | None = None

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
    if isinstance(path, Address):
        return str(path), *_listed(path)
    full = os.path.realpath(path)
    try:
        facts = [path.stat()]
    except OSError:
        return full, -1, -1
    with suppress(OSError):
        facts += [beside.stat() for beside in beside_of(path)]
    return full, sum(each.st_size for each in facts), max(each.st_mtime_ns for each in facts)


def _listed(image: Address) -> tuple[int, int]:
    """Return the size and the time of change of an image at an address, by its listing, with those of its mask."""
    if image.listed is None:
        return -1, -1
    facts = [image.listed, *(each for name, each in image.listed.beside if name.lower().endswith(".msk"))]
    return sum(each.size for each in facts), max(each.mtime_ns for each in facts)


def record_line(name: str, record: Record) -> bytes:
    """Return the line of a journal that holds an image's record."""
    detections = record.detections
    facts = {key: getattr(record, key) for key in FACTS}
    facts["placement"] = None if record.placement is None else asdict(record.placement)
    facts["areas"] = [part.to_record() for part in record.areas]
    wh = None if detections.wh is None else detections.wh.tolist()
    columns = {"xy": detections.xy.tolist(), "wh": wh}
    columns |= {"score": detections.score.tolist(), "label": detections.label.tolist()}
    return json.dumps({"name": name, **facts, "classes": detections.classes, **columns}).encode() + b"\n"


def read_source_line(line: bytes) -> tuple[str, tuple[str, int, int]]:
    """Return the image name and the signature of its source that a line of a journal holds.

    Raises:
        KeyError, RecursionError, TypeError, ValueError: it holds none.
    """
    data = json.loads(line)
    return _text(data["name"]), (_text(data["path"]), _whole(data["size"]), _whole(data["mtime_ns"]))


def read_record_line(line: bytes) -> tuple[str, Record]:
    """Return the image name and the record that a line of a journal holds.

    Raises:
        KeyError, OverflowError, RecursionError, TypeError, ValueError: it holds none.
    """
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
        hectares=_amount("an area", data.get("hectares")),
        **_unlike(data),
        shape=(height, width),
        object_wh=None if data["object_wh"] is None else _pair(data["object_wh"]),
        placement=_placement(data["placement"]),
        inside=inside,
        shown=shown,
        areas=tuple(AreaPart.from_record(each, len(found)) for each in data.get("areas", ())),
        outside=_whole(data.get("outside", 0)),
        beside=_text(data.get("beside", "")),
        expected=_amount("an expected number", data.get("expected")),
        crowded=_flag(data.get("crowded", False)),
        sureness=_share(data.get("sureness")),
        unknown=None if data.get("unknown") is None else _flag(data["unknown"]),
    )


def _unlike(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return how far an image is from the training images and in what; earlier versions had a text and no share."""
    unlike = data.get("unlike")
    if isinstance(unlike, str):
        return {"unlike": None, "unlike_in": earlier_remark(unlike)}
    return {"unlike": _share(unlike), "unlike_in": _text(data.get("unlike_in", ""))}


def _share_of(pixels: int, valid: Any) -> int | None:
    """Return a number of valid pixels, of as many as there are."""
    if valid is None:
        return None
    if not 0 <= _whole(valid) <= pixels or pixels < 1:
        raise ValueError(f"{valid} of {pixels} pixels cannot be valid")
    return int(valid)


def _share(number: Any) -> float | None:
    """Return a number in [0, 1]."""
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= 1:
        raise TypeError(f"a share must be a number in [0, 1], got {str(number)[:40]}")
    return float(number)


def _amount(what: str, value: Any) -> float | None:
    """Return a finite number of 0 or more, or none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise TypeError(f"{what} must be a number of 0 or more, got {str(value)[:40]}")
    return float(value)


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


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"must be true or false, got {str(value)[:40]}")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        raise TypeError(f"must be a whole number of 64 bits, got {str(value)[:40]}")
    return value

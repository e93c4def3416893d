"""Kinds of settings beyond numbers and words, their bounds, and what is said of a setting of another kind."""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainValidator

from detect.imagery.finding.spelling import as_on_disk
from detect.imagery.remote.address import address_of
from detect.imagery.resampling import LARGEST_FACTOR

UNITS = {"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40, "b": 1, "": 1}
"""Bytes of the units that a size may be written in."""


ADAPTATIONS = ("light", "batchnorm")
"""What of a new image may be brought to the training's, or the network to it, without labels."""


SURVEY = "survey"
"""What is chosen once for all images of a run."""

RESCALING = ("auto", SURVEY)
"""How the scale of new images is chosen: of each, or one for all of a run."""


class Bytes(int):
    """A number of bytes that remembers how it was written."""

    text: str


def byte_size(text: Any) -> Bytes:
    """Read a size such as `4GiB`, `500MiB` or a plain number of bytes.

    Raises:
        ValueError: it is no size.
    """
    found = re.fullmatch(r"\s*([\d.]+)\s*([a-z]*)\s*", str(text).lower())
    try:
        size = int(float(found[1]) * UNITS[found[2]]) if found else 0
    except (ValueError, KeyError, OverflowError):
        size = 0
    if size <= 0:
        raise ValueError(f"must be a positive size, such as 2GiB, 500MiB or a number of bytes, got {text!r}")
    made = Bytes(size)
    made.text = str(text)
    return made


def _byte_size_or_auto(value: Any) -> Bytes | None:
    if value in ("auto", None):
        return None
    try:
        return byte_size(value)
    except ValueError as error:
        raise ValueError(str(error).replace(", got", ", or auto, got", 1)) from error


def _text(value: Any) -> Any:
    """Return a word; hydra takes `2` for a number."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _path(value: Any) -> Path:
    if value == "":
        raise ValueError("must be a path, got an empty text; give . for the working folder")
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        if "://" in str(value) and not os.path.lexists(str(value)):
            raise ValueError(
                "must be a path on this machine, got an address: model=, images= and output= of detect.predict alone "
                "may be one; copy it first (aws s3 sync, aws s3 cp)"
            )
        return as_on_disk(_home(Path(str(value))))
    raise ValueError(f"must be a path, got {_shown(value)}")


def _path_or_address(value: Any) -> Path:
    """Return the address that a text is, with its credentials in the environment; else the path."""
    return (address_of(value) if isinstance(value, str) else None) or _path(value)


def _home(path: Path) -> Path:
    """Return a path whose `~` is the user's home, unless there is a file of that very name or no such user."""
    try:
        return path if os.path.lexists(path) else path.expanduser()
    except (RuntimeError, ValueError):
        return path


def _path_or_none(value: Any) -> Path | None:
    return None if value is None else _path(value)


def _path_or_auto(value: Any) -> Path | str | None:
    return value if value == "auto" else _path_or_none(value)


def _paths(value: Any) -> tuple[Path, ...]:
    if value == []:
        raise ValueError("must be a path or a list of paths, got an empty list")
    return tuple(map(_path, value if isinstance(value, list) else [value]))


def _paths_or_none(value: Any) -> tuple[Path, ...] | None:
    return None if value is None else _paths(value)


def _names(values: Any) -> tuple[str, ...]:
    if isinstance(values, list) and all(isinstance(_text(value), str) for value in values):
        return tuple(_text(value) for value in values)
    raise ValueError(f"must be a list, such as [a,b], got {_shown(values)}")


def _number_or_auto(value: Any) -> float | None:
    if value in ("auto", None):
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f"must be a number, or auto, got {value}")


def _pixels_or_auto(value: Any) -> float | None:
    number = _number_or_auto(value)
    if number is not None and not number >= 0:
        raise ValueError(f"must be auto or a number of pixels, got {value}")
    return number


def _whole_pixels_or_auto(value: Any) -> int | None:
    if value in ("auto", None):
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"must be whole pixels, or auto, got {value}")
    return value


def _number_of_or_auto(value: Any) -> int | None:
    if value in ("auto", None):
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"must be 1 or more, or auto, got {value}")
    return value


def _halo(value: Any) -> int | str:
    if value in ("auto", "exact"):
        return str(value)
    if value is None:
        return "auto"
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"must be auto, exact or a number of pixels, got {value}")
    return value


def adaptations(value: Any) -> tuple[str, ...]:
    """Return names of `ADAPTATIONS` in their order, each once; none of `none`.

    Raises:
        ValueError: another name.
    """
    names = [value] if isinstance(value, str) else value
    if names == ["none"]:
        return ()
    if not isinstance(names, list) or any(name not in ADAPTATIONS for name in names):
        raise ValueError(f"must be none, {', '.join(ADAPTATIONS)} or a list of these, got {_shown(value)}")
    return tuple(name for name in ADAPTATIONS if name in names)


def _threshold(value: Any) -> float | dict[str, float] | str | None:
    if value is None or value == SURVEY:
        return None if value is None else SURVEY
    if isinstance(value, dict):
        return _class_thresholds(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"must be a number in [0, 1], one a class, {SURVEY} or null, got {_shown(value)}")
    return float(value)


def _class_thresholds(value: Any) -> float | dict[str, float] | None:
    if value is None:
        return None
    each = value if isinstance(value, dict) else {"": value}
    for name, number in each.items():
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= 1:
            whose = f" for {name}" if name else ""
            raise ValueError(f"must be a number in [0, 1], or one a class, got {_shown(number)}{whose}")
    if not each:
        raise ValueError("must be a number in [0, 1], or one a class, such as {sheep: 0.3}, got {}")
    return {str(name): float(number) for name, number in each.items()} if isinstance(value, dict) else float(value)


def rescaling(value: Any) -> float | str:
    """Return a factor, 1 of `none`, or a word of `RESCALING`.

    Raises:
        ValueError: another word, or a factor out of bounds.
    """
    if value == "none":
        return 1.0
    if isinstance(value, str) and value in RESCALING:
        return value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 1 / LARGEST_FACTOR <= value <= LARGEST_FACTOR:
        raise ValueError(
            f"must be none, {', '.join(RESCALING)} or a number in [1/{LARGEST_FACTOR:g}, {LARGEST_FACTOR:g}], "
            f"got {_shown(value)}"
        )
    return float(value)


def _ignored_regions(value: Any) -> Any:
    if value is None or isinstance(value, dict):
        return value
    if isinstance(value, list):
        return [_ignored_regions(each) for each in value] or None
    if not isinstance(value, str):
        wanted = "a file or a folder, a list of them, or rectangles or a polygon by image"
        raise ValueError(f"must be {wanted}, got {value}")  # noqa: TRY004, a wrong setting
    return _path(value)


def _renamings(value: Any) -> dict[str, str]:
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"must be new names by old ones, such as {{Seal: seal}}, got {value}")
    given = {str(old): new for old, new in (value or {}).items()}
    empty = [old for old, new in given.items() if not isinstance(new, str | int | float) or not str(new).strip()]
    if empty:
        raise ValueError(f"must be new names by old ones, got none for {', '.join(empty)}")
    return {old: str(new).strip() for old, new in given.items()}


def _devices(value: Any) -> Any:
    if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and (value >= 1 or value == -1)):
        return value
    if isinstance(value, list) and value and all(isinstance(each, int) and each >= 0 for each in value):
        return value
    raise ValueError(f"must be a number of devices, a list of their numbers, such as [0,1], or auto, got {value}")


def _bands(values: Any) -> tuple[int | str, ...] | None:
    if values is None:
        return None
    words = isinstance(values, list) and len(values) > 0 and all(isinstance(each, str) for each in values)
    numbers = isinstance(values, list) and len(values) > 0 and all(type(each) is int for each in values)
    if not words and not numbers:
        raise ValueError(
            f"must be a list of numbers, such as [4,3,2], or of names, such as [nir,red,green], got {_shown(values)}"
        )
    if numbers and min(values) < 1:
        raise ValueError(f"must be 1 or more, got {min(values)}")
    return tuple(values)


def _bound(must: str, holds: Callable[[Any], bool]) -> AfterValidator:
    """Return what refuses a value for which something does not hold; `must` says what it must be."""

    def check(value: Any) -> Any:
        if not holds(value):
            raise ValueError(f"must be {must}, got {value}")
        return value

    return AfterValidator(check)


Share = Annotated[float, _bound("in [0, 1]", lambda value: 0 <= value <= 1)]
PartShare = Annotated[float, _bound("in [0, 1)", lambda value: 0 <= value < 1)]
InnerShare = Annotated[float, _bound("in (0, 1)", lambda value: 0 < value < 1)]
WholeShare = Annotated[float, _bound("in (0, 1]", lambda value: 0 < value <= 1)]
IoU = Annotated[float, _bound("in (0, 1]", lambda value: 0 < value <= 1)]
Scale = Annotated[
    float,
    _bound(
        f"in [1/{LARGEST_FACTOR:g}, {LARGEST_FACTOR:g}]", lambda value: 1 / LARGEST_FACTOR <= value <= LARGEST_FACTOR
    ),
]
Positive = Annotated[float, _bound("positive", lambda value: 0 < value < float("inf"))]
NotNegative = Annotated[float, _bound("0 or more", lambda value: 0 <= value < float("inf"))]
OneOrMore = Annotated[int, _bound("1 or more", lambda value: value >= 1)]
ZeroOrMore = Annotated[int, _bound("0 or more", lambda value: value >= 0)]
Seed = Annotated[int, _bound("in [0, 4294967295]", lambda value: 0 <= value < 1 << 32)]
Port = Annotated[int, _bound("a port from 0 (a free one) to 65535", lambda value: 0 <= value < 1 << 16)]

Steps = Annotated[int, _bound("1 or more, or -1 for no limit", lambda value: value == -1 or value >= 1)]
"""A greatest number of steps."""

Batches = Annotated[int | float, _bound("a number of batches, or a share of them in (0, 1]", lambda value: value > 0)]
"""A part of an epoch: whole batches, or a share of them."""

Devices = Annotated[Any, PlainValidator(_devices)]
"""How many devices, or which."""

ClusterAddress = Annotated[
    str | None,
    BeforeValidator(lambda value: value if value is None else _text(value)),
    _bound(
        "auto, HOST:PORT or null",
        lambda value: value in (None, "auto") or re.fullmatch(r"[^\s/:]+:\d+|\[[0-9a-fA-F:]+\]:\d+", value) is not None,
    ),
]
"""Where a cluster is: `auto` for the one that this machine is part of, None for none."""

Precision = Annotated[
    str, BeforeValidator(_text), _bound("one of auto, 32, bf16, 16", ("auto", "32", "bf16", "16").__contains__)
]
"""Bits in which a network is run."""

Text = Annotated[str, BeforeValidator(_text)]
"""A word; a number is taken for one."""

BandList = Annotated[tuple[int | str, ...] | None, PlainValidator(_bands)]
"""Bands of images, by numbers from 1 or by names; None for those of a photograph."""

Names = Annotated[tuple[str, ...], PlainValidator(_names)]
"""A list of names; numbers are taken for names."""

FilePath = Annotated[Path, PlainValidator(_path)]
"""A file or folder; `~` is the user's home."""

PathOrAddress = Annotated[Path, PlainValidator(_path_or_address)]
"""A file or folder, here or at an address such as `s3://bucket/flight`."""

OptionalPath = Annotated[Path | None, PlainValidator(_path_or_none)]
"""A file or folder, or None."""

PathOrAuto = Annotated[Path | str | None, PlainValidator(_path_or_auto)]
"""A file or folder, `auto`, or None."""

FilePaths = Annotated[tuple[Path, ...], PlainValidator(_paths)]
"""Files or folders, one or several."""

OptionalPaths = Annotated[tuple[Path, ...] | None, PlainValidator(_paths_or_none)]
"""Files or folders, one or several, or None."""

ByteSize = Annotated[Bytes, PlainValidator(byte_size)]
"""Bytes, written as `2GiB` or a number."""

AutoByteSize = Annotated[Bytes | None, PlainValidator(_byte_size_or_auto)]
"""Bytes, written as `2GiB` or a number, None for `auto`."""

AutoNumber = Annotated[float | None, PlainValidator(_number_or_auto)]
"""A number, None for `auto`."""

AutoPixels = Annotated[float | None, PlainValidator(_pixels_or_auto)]
"""A number of pixels, None for `auto`."""

AutoPositive = Annotated[
    float | None,
    PlainValidator(_number_or_auto),
    _bound("positive, or auto", lambda value: value is None or 0 < value < float("inf")),
]
"""A positive number, None for `auto`."""

AutoWholePixels = Annotated[int | None, PlainValidator(_whole_pixels_or_auto)]
"""A whole number of pixels, None for `auto`."""

AutoOneOrMore = Annotated[int | None, PlainValidator(_number_of_or_auto)]
"""A whole number of 1 or more, None for `auto`."""

Halo = Annotated[int | str, PlainValidator(_halo)]
"""A whole number of pixels, `auto` or `exact`."""

Adaptations = Annotated[tuple[str, ...], PlainValidator(adaptations)]
"""Names of `ADAPTATIONS`, () for `none`."""

Factors = Annotated[
    tuple[Scale, ...], _bound("one factor or more, none of them 1", lambda value: value and 1 not in value)
]
"""Factors of other sizes of an image."""

Threshold = Annotated[float | dict[str, float] | str | None, PlainValidator(_threshold)]
"""A score in [0, 1], `SURVEY`, or None."""

ClassThresholds = Annotated[float | dict[str, float] | None, PlainValidator(_class_thresholds)]
"""A score in [0, 1], one by the name of each class, or None."""

Rescale = Annotated[float | str, PlainValidator(rescaling)]
"""A factor, or a word of `RESCALING`."""

IgnoredRegions = Annotated[Path | dict[str, Any] | list[Any] | None, PlainValidator(_ignored_regions)]
"""A table, a vector file or a folder of masks, a list of them, rectangles or a polygon by image, or None."""

Renamings = Annotated[dict[str, str], PlainValidator(_renamings)]
"""New names by old ones; None for none."""

KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "a word",
    "dict": "a group of settings",
    "dataclass": "a group of settings",
    "tuple": "a list, such as [a,b] or [1,2]",
    "list": "a list, such as [a,b] or [1,2]",
    "too": "a list of two, the least and the most",
    "missing": "given",
}
"""What a setting must be, by the beginning of pydantic's name of the error."""


LISTS = {
    KINDS["int"]: "a list of whole numbers, such as [1,2,3]",
    KINDS["float"]: "a list of numbers, such as [0.4,0.7]",
    KINDS["string"]: "a list of names, such as [a,b]",
}
"""What a list must be whose element is of another kind, by what the element must be."""


def sentence(error: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """Return what is wrong with a setting: its full name, what it must be, and what it is.

    Args:
        error: of pydantic's `ValidationError.errors()`.
        data: the settings as they were given.
    """
    path = _path_of(error["loc"], data)
    name = ".".join(path)
    kind = error["type"]
    if kind == "value_error":
        text = str(error["ctx"]["error"])
        group = _value(path, data)
        if name and isinstance(group, dict) and text.split(maxsplit=1)[0] in group:
            return f"{name}.{text}"
        return f"{name} {text}" if text.startswith("must ") else text
    if kind in ("literal_error", "union_tag_invalid"):
        wanted = error["ctx"].get("expected") or error["ctx"]["expected_tags"]
        choices = re.findall(r"'([^']*)'", str(wanted))
        value = _value(path, data)
        if kind == "union_tag_invalid":
            name, value = f"{name}.kind", error["ctx"]["tag"]
        return f"{name} must be one of {', '.join(choices)}, got {_shown(value)}"
    must = next((text for start, text in KINDS.items() if kind.startswith(start)), error["msg"])
    value = _value(path, data)
    if any(isinstance(part, int) for part in error["loc"]):
        must = LISTS.get(must, must)
    return f"{name} must be {must}, got {_shown(value)}"


def _path_of(loc: tuple[Any, ...], data: Any) -> list[str]:
    """Return the names of groups down to a setting: pydantic also says which kind it tried, and places in lists."""
    path: list[str] = []
    for part in loc:
        if not isinstance(data, dict) or part not in data:
            if not isinstance(data, dict):
                break
            continue
        path.append(str(part))
        data = data[part]
    return path


def _value(path: list[str], data: Any) -> Any:
    for part in path:
        data = data[part]
    return data


def _shown(value: Any) -> str:
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)

"""Settings that are files, folders or addresses."""

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainValidator

from detect.assembly.fields.sentences import shown
from detect.imagery.finding.spelling import as_on_disk
from detect.imagery.remote.address import address_of


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
    raise ValueError(f"must be a path, got {shown(value)}")


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


def _ignored_regions(value: Any) -> Any:
    if value is None or isinstance(value, dict):
        return value
    if isinstance(value, list):
        return [_ignored_regions(each) for each in value] or None
    if not isinstance(value, str):
        wanted = "a file or a folder, a list of them, or rectangles or a polygon by image"
        raise ValueError(f"must be {wanted}, got {value}")  # noqa: TRY004, a wrong setting
    return _path(value)


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

IgnoredRegions = Annotated[Path | dict[str, Any] | list[Any] | None, PlainValidator(_ignored_regions)]
"""A table, a vector file or a folder of masks, a list of them, rectangles or a polygon by image, or None."""

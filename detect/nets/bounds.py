"""Bounds of what a model's card may say, checked by kind and size before anything is built from it."""

import re
from collections.abc import Mapping
from typing import Any

from detect.labels.sheets import writable

MOST_STRIDE = 1024
"""Greatest stride in pixels, of features and of a pyramid's deepest level."""

MOST_STAGES = 64
"""Most stages of a backbone."""

MOST_BANDS, HIGHEST_BAND = 1024, 65_535
"""Most bands of an image that a network looks at, and the highest number of one."""

MOST_CLASSES, LONGEST_NAME = 65_536, 1000
"""Most classes, and characters of a class's name."""

MOST_PIXELS = 65_536
"""Greatest halo, separation and object size in pixels."""

LARGEST_PATCH, MOST_CELLS = 16_384, 1024
"""Greatest side of a patch, in pixels and in cells of the map."""

LEAST_SIDE, LARGEST_SIDE = 8, 2048
"""Least and greatest side in pixels of a scene that is classified as a whole: larger ones do not fit into a tile."""

ONE_OR_MANY = ("one", "many")
"""How many patterns a scene that is classified as a whole may have."""

LEAST_SIZE = 1e-6
"""Least side in pixels of a typical box."""

MOST_WIDTH, MOST_SLOTS = 4096, 64
"""Most channels of a grid head, and most objects of one of its cells."""

MOST_KNOWN = 65_536
"""Most training scenes whose features a classifier of whole scenes keeps."""

GREATEST = 3.4e38
"""Greatest number of a normalisation: it is applied in float32."""

LEAST_SCALE = 1e-12
"""Least divisor of pixels."""

NESTING = 64
"""Most levels of a training record."""

DTYPES = (
    *(f"{kind}{bits}" for kind in ("uint", "int") for bits in (8, 16, 32, 64)),
    *(f"float{bits}" for bits in (16, 32, 64)),
)
"""Pixels that images may have, by numpy's names."""

BACKBONE_NAME = re.compile(r"(torchvision/)?[A-Za-z0-9_]{1,100}(\.[A-Za-z0-9_-]{1,100})?")
"""Names of networks: no `hf-hub:`, `local-dir:` or address, which would be fetched."""


def check_whole(name: str, value: object, least: int, most: int) -> None:
    """Check a whole number.

    Raises:
        TypeError: it is none.
        ValueError: it is out of its bounds.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, got {shown(value)}")
    if value < least:
        raise ValueError(f"{name} must be {least} or more, got {shown(value)}")
    if value > most:
        raise ValueError(f"{name} must be {most} or less, got {shown(value)}")


def check_one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    """Check a word.

    Raises:
        ValueError: it is none of those that are known.
    """
    if value not in known:
        raise ValueError(f"{name} must be {' or '.join(known)}, got {shown(value)}")


def check_number(name: str, value: object, least: float, most: float) -> None:
    """Check a number; one that is not finite is out of any bounds.

    Raises:
        TypeError: it is none.
        ValueError: it is out of its bounds.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, got {shown(value)}")
    if not least <= value <= most:
        raise ValueError(f"{name} must be in [{least:g}, {most:g}], got {shown(value)}")


def check_name(what: str, value: object) -> None:
    """Check a name of a class.

    Raises:
        TypeError: it is no word.
        ValueError: it cannot be written into tables, or is too long.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a name, got {shown(value)}")
    if len(value) > LONGEST_NAME:
        raise ValueError(f"{what} must be of {LONGEST_NAME} characters or fewer, got {len(value)}: {shown(value)}")
    writable(value, what)


def check_mapping(name: str, value: object) -> None:
    """Check that a value has entries by name.

    Raises:
        TypeError: it has none.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must have entries by name, got {shown(value)}")


def check_backbone_name(value: object) -> None:
    """Check the form of a network's name; whether there is such a network is for `backbone_info`.

    Raises:
        TypeError: it is no word.
        ValueError: it is an address or a path, or too long.
    """
    if not isinstance(value, str):
        raise TypeError(f"net.backbone must be a name, got {shown(value)}")
    if not BACKBONE_NAME.fullmatch(value):
        raise ValueError(
            f"net.backbone={shown(value)} is not the name of a network of timm; a path or an address is none: weights "
            "from elsewhere go to net.weights=FILE"
        )


def check_record(record: object) -> None:
    """Check the record of a training: how deep it is, and the entries that are read again.

    Raises:
        TypeError: an entry of another kind.
        ValueError: it is nested too deeply.
    """
    check_mapping("training", record)
    assert isinstance(record, Mapping)
    for entry in ("notes", "train", "val", "test", "left_out", "negative_labels", "ignore_labels"):
        names = record.get(entry, ())
        if not isinstance(names, list | tuple) or not all(isinstance(each, str) for each in names):
            raise TypeError(f"training.{entry} must be a list of names, got {shown(names)}")
    renamed = record.get("label_names", {})
    if not isinstance(renamed, Mapping) or not all(isinstance(each, str) for pair in renamed.items() for each in pair):
        raise TypeError(f"training.label_names must be new names by old ones, got {shown(renamed)}")
    level: list[Any] = [record]
    for _ in range(NESTING):
        groups = [each for each in level if isinstance(each, Mapping | list | tuple)]
        level = [one for each in groups for one in (each.values() if isinstance(each, Mapping) else each)]
        if not level:
            return
    raise ValueError(f"training is nested more than {NESTING} levels deep")


def shown(value: object) -> str:
    """Return a value as a message shows it: numbers and short words whole, others by their beginning."""
    if isinstance(value, int) and abs(value) >= 10**40:
        return f"a number of about {value.bit_length() * 3 // 10} digits"
    text = str(value) if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"
    return text if len(text) <= 100 else f"{text[:100]}..."

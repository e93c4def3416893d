"""Settings that are words, lists of them, or words by others."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainValidator

from detect.assembly.fields.numbers import bound
from detect.assembly.fields.sentences import shown


def _text(value: Any) -> Any:
    """Return a word; hydra takes `2` for a number."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _names(values: Any) -> tuple[str, ...]:
    if isinstance(values, list) and all(isinstance(_text(value), str) for value in values):
        return tuple(_text(value) for value in values)
    raise ValueError(f"must be a list, such as [a,b], got {shown(values)}")


def _bands(values: Any) -> tuple[int | str, ...] | None:
    if values is None:
        return None
    words = isinstance(values, list) and len(values) > 0 and all(isinstance(each, str) for each in values)
    numbers = isinstance(values, list) and len(values) > 0 and all(type(each) is int for each in values)
    if not words and not numbers:
        raise ValueError(
            f"must be a list of numbers, such as [4,3,2], or of names, such as [nir,red,green], got {shown(values)}"
        )
    if numbers and min(values) < 1:
        raise ValueError(f"must be 1 or more, got {min(values)}")
    return tuple(values)


def _renamings(value: Any) -> dict[str, str]:
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"must be new names by old ones, such as {{Seal: seal}}, got {value}")
    given = {str(old): new for old, new in (value or {}).items()}
    empty = [old for old, new in given.items() if not isinstance(new, str | int | float) or not str(new).strip()]
    if empty:
        raise ValueError(f"must be new names by old ones, got none for {', '.join(empty)}")
    return {old: str(new).strip() for old, new in given.items()}


Text = Annotated[str, BeforeValidator(_text)]
"""A word; a number is taken for one."""

Precision = Annotated[
    str, BeforeValidator(_text), bound("one of auto, 32, bf16, 16", ("auto", "32", "bf16", "16").__contains__)
]
"""Bits in which a network is run."""

ClusterAddress = Annotated[
    str | None,
    BeforeValidator(lambda value: value if value is None else _text(value)),
    bound(
        "auto, HOST:PORT or null",
        lambda value: value in (None, "auto") or re.fullmatch(r"[^\s/:]+:\d+|\[[0-9a-fA-F:]+\]:\d+", value) is not None,
    ),
]
"""Where a cluster is: `auto` for the one that this machine is part of, None for none."""

BandList = Annotated[tuple[int | str, ...] | None, PlainValidator(_bands)]
"""Bands of images, by numbers from 1 or by names; None for those of a photograph."""

Names = Annotated[tuple[str, ...], PlainValidator(_names)]
"""A list of names; numbers are taken for names."""

Renamings = Annotated[dict[str, str], PlainValidator(_renamings)]
"""New names by old ones; None for none."""

"""Changes to bytes and to plain data, drawn by a seeded generator, with a word for each."""

import copy
import math
from collections.abc import Iterator
from random import Random
from typing import Any

WHOLE_NUMBERS = (0, 1, 2, 127, 255, 256, 65535, 65536, 10**8, 3 * 10**7, 2**31 - 1, 2**31, 2**32 - 1)
"""Numbers of four bytes at which programs go wrong."""

VALUES: tuple[Any, ...] = (
    None,
    True,
    "",
    "x",
    "=1+1",
    "../../outside/keep",
    "a\nb\rc",
    "\udcff",
    "x" * 100_000,
    [],
    [[]],
    {},
    {"a": {"b": []}},
    0,
    -1,
    1,
    0.5,
    10**9,
    2**31,
    2**63,
    10**30,
    1e308,
    -1e308,
    math.nan,
    math.inf,
)
"""What stands in place of a value of plain data."""


def changed_bytes(data: bytes, rng: Random) -> tuple[bytes, str]:
    """Return bytes with some flipped, replaced, cut off, left out or added; the beginning is hit most often."""
    kind = rng.choice(("flip", "flip", "number", "cut", "extend", "drop", "empty", "noise"))
    if kind == "empty":
        return (b"", kind) if rng.random() < 0.2 else (data[: rng.randrange(min(64, len(data)))], "cut to the start")
    if kind == "cut":
        return data[: rng.randrange(len(data))], kind
    if kind == "extend":
        return data + rng.randbytes(rng.choice((1, 100, 10_000))), kind
    if kind == "drop":
        start = _place(data, rng)
        return data[:start] + data[start + rng.choice((1, 4, 64)) :], kind
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 3, 20))):
        start = _place(data, rng)
        if kind == "flip":
            changed[start] ^= 1 << rng.randrange(8)
        elif kind == "noise":
            changed[start : start + 8] = rng.randbytes(8)
        else:
            number = rng.choice(WHOLE_NUMBERS)
            width, order = rng.choice((2, 4)), rng.choice(("little", "big"))
            changed[start : start + width] = (number & (256**width - 1)).to_bytes(width, order)
    return bytes(changed), kind


def _place(data: bytes, rng: Random) -> int:
    return rng.randrange(min(512, len(data))) if rng.random() < 0.6 else rng.randrange(len(data))


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value of nested dictionaries and lists, the whole left out."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list | tuple) else ()
    for key, value in pairs:
        yield (*path, key)
        yield from places(value, (*path, key))


def at(tree: Any, path: tuple[Any, ...]) -> Any:
    """Return a value of nested data by the way to it."""
    for key in path:
        tree = tree[key]
    return tree


def with_value(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a copy of nested data with one value replaced."""
    made = copy.deepcopy(tree)
    at(made, path[:-1])[path[-1]] = value
    return made


def without(tree: Any, path: tuple[Any, ...]) -> Any:
    """Return a copy of nested data with one value left out."""
    made = copy.deepcopy(tree)
    del at(made, path[:-1])[path[-1]]
    return made


def changed_data(tree: Any, rng: Random) -> tuple[Any, str]:
    """Return nested data with a value replaced by another kind or an extreme, or left out."""
    path = rng.choice([each for each in places(tree) if not _in_tuple(tree, each)])
    name = ".".join(map(str, path))
    if rng.random() < 0.1:
        return without(tree, path), f"without {name}"
    value = rng.choice(VALUES)
    return with_value(tree, path, value), f"{name}={str(value)[:30]!r}"


def _in_tuple(tree: Any, path: tuple[Any, ...]) -> bool:
    return any(isinstance(at(tree, path[:end]), tuple) for end in range(len(path)))

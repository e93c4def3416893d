"""What people type after `=`, in hydra's grammar: paths and words are the text that the shell gave, whatever is in it.

Hydra reads values by a grammar of its own (https://hydra.cc/docs/advanced/override_grammar/basic), in which `Möwen` is
no text, `photos (2024)` is the call of a function and `007` the number 7. Which settings are texts is known by their
types; lists of numbers, choices and the rest keep that grammar.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import is_dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

_INTERPOLATION = re.compile(r"\$\{[^{}]*\}")
"""What stands for another setting, or for what a resolver returns: `${data.root}`, `${now:%Y}`."""

_ITEM = re.compile(r"""\s*("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?:\\.|[^,\\])*?)\s*(?:,|$)""", re.DOTALL)
"""An item of a list, in quotes or not, with blanks around it."""


class TextKind(Enum):
    """A setting whose value is text."""

    TEXT = "a path or a word"
    TEXTS = "a list of names"
    PATHS = "a path, or a list of paths"
    TABLE = "a path, a list of paths, or entries in braces"


def in_hydras_grammar(kind: type, arguments: Sequence[str]) -> list[str]:
    """Return a command line that hydra reads as it was meant.

    The value of a path or word is its text. What hydra's grammar says of it holds for `null`, and, unless there is a
    file of the very text, for a text in quotes, a text with `${...}`, and, with `-m`, a list of values to run.

    Args:
        kind: the settings of the command.
        arguments: of the command line, as the shell gave them.
    """
    kinds = dict(text_settings(kind))
    many = any(each == "-m" or (len(each) > 3 and "--multirun".startswith(each)) for each in arguments)
    return [_argument(each, kinds, many) for each in arguments]


def text_settings(kind: type, prefix: str = "") -> Iterator[tuple[str, TextKind]]:
    """Yield the settings that are texts, by their full names.

    Args:
        kind: a dataclass of settings.
        prefix: of the names: that of the group, with a dot.
    """
    for field, hint in get_type_hints(kind, include_extras=True).items():
        name = setting_name(field)
        parts = set(_parts(hint))
        for group in parts:
            if isinstance(group, type) and is_dataclass(group):
                yield from text_settings(group, f"{prefix}{name}.")
        if parts <= {Path, str, NoneType} and parts != {NoneType}:
            yield f"{prefix}{name}", TextKind.TEXT
        elif tuple[Path, ...] in parts:
            yield f"{prefix}{name}", TextKind.PATHS
        elif parts <= {Path, dict, list, NoneType} and Path in parts:
            yield f"{prefix}{name}", TextKind.TABLE
        elif get_args(next(iter(parts))) == (str, ...):
            yield f"{prefix}{name}", TextKind.TEXTS


def setting_name(field: str) -> str:
    """Return the name of a setting by that of its field: `class` of `class_`, as `class` is a word of Python."""
    return field.removesuffix("_")


def _parts(hint: Any) -> Iterator[Any]:
    """Yield the types of a union, without what they are annotated with; of generic ones but lists, the plain type."""
    origin = get_origin(hint)
    if origin is Annotated:
        yield from _parts(get_args(hint)[0])
    elif origin in (Union, UnionType):
        for each in get_args(hint):
            yield from _parts(each)
    else:
        yield origin if origin in (dict, list) else hint


def _argument(argument: str, kinds: dict[str, TextKind], many: bool) -> str:
    """Return one argument as hydra reads it."""
    name, _, value = argument.partition("=")
    kind = kinds.get(name.lstrip("+"))
    if kind is None or not value:
        return argument
    if kind is TextKind.TEXTS:
        return f"{name}={_list(value, many)}"
    if kind is TextKind.PATHS and value.startswith("[") and not _there(value):
        return f"{name}={_list(value, many)}"
    if kind is TextKind.TABLE and value.startswith(("{", "[")) and not _there(value):
        return argument if "{" in value else f"{name}={_list(value, many)}"
    return f"{name}={_text(value, many)}"


def _text(value: str, many: bool) -> str:
    """Return the text of a path or word in quotes, or a value that is in hydra's grammar as it is."""
    if value.lower() == "null":
        return value
    if _there(value):
        return quoted(value)
    if _in_quotes(value) or _escapes_a_file(value):
        return value
    return (_sweep(value) if many else None) or quoted(value, plain=not _INTERPOLATION.search(value))


def _sweep(value: str) -> str | None:
    """Return the paths or words of `-m` in hydra's grammar; None where it is one alone."""
    read, pieces = _read(value), value.split(",")
    if read is not None and read.is_sweep_override():
        return value
    return ",".join(map(quoted, pieces)) if len(pieces) > 1 and all(map(_there, pieces)) else None


def _escapes_a_file(value: str) -> bool:
    r"""Return whether a value is the name of a file with hydra's backslashes before its signs, as in `a\,b`."""
    read = _read(value) if "\\" in value else None
    return read is not None and isinstance(meant := read.value(), str) and _there(meant)


def _list(value: str, many: bool) -> str:
    """Return a list of names with each of them in quotes; with `-m`, several lists."""
    read = _read(value)
    if many and read is not None and read.is_sweep_override():
        return value
    lists = re.split(r"(?<=\])\s*,\s*(?=\[)", value) if many else [value]
    if not all(each.startswith("[") and each.endswith("]") for each in lists):
        return value
    return ",".join(f"[{','.join(map(_item, _items(each[1:-1])))}]" for each in lists)


def _items(text: str) -> list[str]:
    """Return the items of a list, which commas divide."""
    return [found[1] for found in _ITEM.finditer(text) if found[1] or found[0]] if text.strip() else []


def _item(text: str) -> str:
    if text.lower() == "null" or not text or _in_quotes(text) or "\\" in text:
        return text
    return quoted(text, plain=not _INTERPOLATION.search(text))


def quoted(text: str, *, plain: bool = True) -> str:
    r"""Return a text in quotes such that hydra, and then OmegaConf, read that very text.

    Args:
        text: any.
        plain: whether `${` is meant as it stands; else it is a reference to another setting.
    """
    if plain:
        text = re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + r"\${", text)
    text = f"./{text}" if text == "???" else text  # by which OmegaConf marks what must be given
    quote = Quote.double if "'" in text and '"' not in text else Quote.single
    return QuotedString(text, quote).with_quotes()


def _in_quotes(value: str) -> bool:
    """Return whether a value is one text in quotes, by hydra's grammar."""
    if len(value) < 2 or value[0] not in "'\"" or value[-1] != value[0]:
        return False
    read = _read(value)
    return read is not None and not read.is_sweep_override() and isinstance(read.value(), str)


def _read(value: str) -> Override | None:
    """Return what hydra reads in a value; None where it is not of its grammar."""
    with suppress(HydraException):
        return OverridesParser.create().parse_override(f"x={value}")
    return None


def _there(value: str) -> bool:
    """Return whether there is a file, folder or link of a name."""
    with suppress(OSError, ValueError):
        return os.path.lexists(value) or os.path.lexists(os.path.expanduser(value))  # noqa: PTH111, it raises nothing
    return False

"""What is said of a setting of the wrong kind or out of bounds."""

import json
import re
from collections.abc import Mapping
from typing import Any

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
        return f"{name} must be one of {', '.join(choices)}, got {shown(value)}"
    must = next((text for start, text in KINDS.items() if kind.startswith(start)), error["msg"])
    value = _value(path, data)
    if any(isinstance(part, int) for part in error["loc"]):
        must = LISTS.get(must, must)
    return f"{name} must be {must}, got {shown(value)}"


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


def shown(value: Any) -> str:
    """Return a value as it is typed: null, true, false, or its text."""
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)

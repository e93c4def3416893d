"""`Act`: one thing that a person did in a review, and the line of `acts.jsonl` that keeps it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard, get_args

from detect.imagery.windows import Window
from detect.labels.json_files import parse_json
from detect.reviewing.review_objects import ReviewObject, is_status

Kind = Literal["add", "accept", "reject", "relabel", "move", "done", "reopen", "undo"]
"""What a person can do: the first five to an object, the next two to a window, the last to the act before."""

KINDS: tuple[Kind, ...] = get_args(Kind)

MAX_PIXELS = 2**31
"""A coordinate or size in pixels beyond this is no place in an image."""

MAX_NAME = 4096
"""Most characters of an image's name, an id or a label."""


@dataclass(frozen=True)
class Act:
    """One thing that a person did; with those before it, it needs no other file to be understood.

    Attributes:
        number: from 1, in the order of the file.
        at: when, as UTC time in ISO 8601.
        image: the image's name.
        kind: what was done.
        before: the object before, None where it was added.
        after: the object after.
        window: that was finished or opened again.
        objects: everything that is in the window, of `done`.
        of: number of the act that is undone.
    """

    number: int
    at: str
    image: str
    kind: Kind
    before: ReviewObject | None = None
    after: ReviewObject | None = None
    window: Window | None = None
    objects: tuple[ReviewObject, ...] = ()
    of: int | None = None

    @property
    def words(self) -> str:
        """What was done, in words, such as `act 3: add cow at x 10, y 20`."""
        changed = self.after or self.before
        if changed is not None:
            return f"act {self.number}: {self.kind} {changed.label} at x {changed.x:g}, y {changed.y:g}"
        if self.window is not None:
            return f"act {self.number}: {self.kind} window at row {self.window.row}, column {self.window.col}"
        return f"act {self.number}: {self.kind}"


def is_kind(text: object) -> TypeGuard[Kind]:
    """Return whether a text is a kind of act."""
    return text in KINDS


def act_line(act: Act) -> bytes:
    """Return the line of an act: JSON in ASCII, with a line feed."""
    data: dict[str, Any] = {"n": act.number, "at": act.at, "image": act.image, "act": act.kind}
    changed = act.after or act.before
    if changed is not None:
        data |= {"id": changed.id, "before": _plain(act.before), "after": _plain(act.after)}
    if act.window is not None:
        data["window"] = [act.window.row, act.window.col, act.window.height, act.window.width]
    if act.kind == "done":
        data["objects"] = [{"id": each.id, **(_plain(each) or {})} for each in act.objects]
    if act.of is not None:
        data["of"] = act.of
    return json.dumps(data, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


def _plain(found: ReviewObject | None) -> dict[str, Any] | None:
    if found is None:
        return None
    facts = {"x": found.x, "y": found.y, "w": found.w, "h": found.h, "label": found.label}
    return {**facts, "score": found.score, "status": found.status}


def read_act(line: bytes) -> Act:
    """Return the act of a line.

    Raises:
        ValueError: it is no act; the message says why.
    """
    data = parse_json(line)
    if not isinstance(data, dict):
        raise ValueError(f"must be a JSON object, is {type(data).__name__}")  # noqa: TRY004
    kind = data.get("act")
    if not is_kind(kind):
        raise ValueError(f"act must be one of {', '.join(KINDS)}, got {str(kind)[:40]!r}")
    act = Act(
        _whole(data, "n", 1),
        _text(data, "at"),
        _text(data, "image"),
        kind,
        _object(data, "before"),
        _object(data, "after"),
        window_of(data["window"]) if "window" in data else None,
        tuple(_read_object(each, _text(each, "id")) for each in data.get("objects", [])),
        _whole(data, "of", 1) if "of" in data else None,
    )
    _check(act)
    return act


def _check(act: Act) -> None:
    """Check that an act has what its kind needs."""
    needs = {
        "add": act.after,
        "done": act.window,
        "reopen": act.window,
        "undo": act.of,
    }.get(act.kind, act.before is not None and act.after is not None)
    if needs is None or needs is False:
        raise ValueError(f"the act {act.kind!r} does not say to what")
    if act.of is not None and act.of >= act.number:
        raise ValueError(f"act {act.number} undoes act {act.of}, which is not before it")


def _object(data: Mapping[str, Any], name: str) -> ReviewObject | None:
    return None if data.get(name) is None else _read_object(data[name], _text(data, "id"))


def _read_object(data: Any, name: str) -> ReviewObject:
    if not isinstance(data, dict):
        raise ValueError(f"an object must be a JSON object, is {type(data).__name__}")  # noqa: TRY004
    status, w, h = data.get("status"), data.get("w"), data.get("h")
    if not is_status(status):
        raise ValueError(f"an object cannot be {str(status)[:40]!r}")
    if (w is None) != (h is None):
        raise ValueError("w and h must both be there or neither")
    size: tuple[float | None, float | None] = (None, None) if w is None else (size_of(w, "w"), size_of(h, "h"))
    x, y = number_of(data.get("x"), "x"), number_of(data.get("y"), "y")
    score = number_of(data.get("score"), "score")
    if not 0 <= score <= 1:
        raise ValueError(f"score must be in [0, 1], got {score}")
    return ReviewObject(name, x, y, *size, _text(data, "label"), score, status)


def number_of(value: Any, name: str) -> float:
    """Return a number of pixels.

    Raises:
        ValueError: it is none, or beyond any image.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_PIXELS:
        raise ValueError(f"{name} must be a number, got {str(value)[:40]!r}")
    return float(value)


def size_of(value: Any, name: str) -> float:
    """Return a width or height in pixels.

    Raises:
        ValueError: it is no number above 0, or beyond any image.
    """
    size = number_of(value, name)
    if size <= 0:
        raise ValueError(f"{name} must be more than 0, got {size:g}")
    return size


def window_of(value: Any) -> Window:
    """Return the window of a list of row, column, height and width in whole pixels.

    Raises:
        ValueError: it is none.
    """
    whole = isinstance(value, list | tuple) and all(isinstance(v, int) and not isinstance(v, bool) for v in value)
    if not whole or len(value) != 4 or not all(0 <= v <= MAX_PIXELS for v in value):
        raise ValueError(f"a window must be row, column, height and width in whole pixels, got {str(value)[:80]}")
    return Window(*value)


def _whole(data: Mapping[str, Any], name: str, least: int) -> int:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number from {least}, got {str(value)[:40]!r}")
    return value


def _text(data: Any, name: str) -> str:
    value = data.get(name) if isinstance(data, dict) else None
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME:
        raise ValueError(f"{name} must be a text of at most {MAX_NAME} characters, got {str(value)[:40]!r}")
    return value

"""From what a page asks for to an act: every field checked, errors in plain sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from detect.imagery.windows import Window
from detect.labels.detections import Detections
from detect.reviewing.acts import MAX_NAME, Act, Kind, number_of, size_of, window_of
from detect.reviewing.review_objects import SURE, ReviewObject, rounded, typical_size


@dataclass(frozen=True)
class Asked:
    """What an act may refer to.

    Attributes:
        number: of the act.
        at: when it is done.
        image: the image's name.
        shape: its (height, width) in pixels.
        classes: the class names.
        objects: those of the image, by id.
        boxes: whether objects are boxes; None where nothing is known of any yet.
        found: what the run found, for the size of a box that is set as a point.
    """

    number: int
    at: str
    image: str
    shape: tuple[int, int]
    classes: tuple[str, ...]
    objects: Mapping[str, ReviewObject]
    boxes: bool | None
    found: Detections

    def act(self, kind: Kind, data: Mapping[str, Any]) -> Act:
        """Return the act that is asked for.

        Args:
            kind: of the act; not `undo`.
            data: its fields, as a page sends them.

        Raises:
            ValueError: a field is missing or wrong, or there is no such object.
        """
        plain = Act(self.number, self.at, self.image, kind)
        if kind == "add":
            return replace(plain, after=self._added(data))
        if kind in ("done", "reopen"):
            window = self._window(data)
            return replace(plain, window=window, objects=self._contents(data, window) if kind == "done" else ())
        before = self._named(data)
        return replace(plain, before=before, after=self._changed(kind, before, data))

    def _changed(self, kind: Kind, before: ReviewObject, data: Mapping[str, Any]) -> ReviewObject:
        """Return an object after an act."""
        if kind == "reject":
            return replace(before, status="rejected")
        if kind == "accept":
            return before if before.status in SURE else replace(before, status="accepted")
        if kind == "relabel":
            return replace(before, label=self._label(data), status="relabelled")
        x, y = self._place(data)
        w, h = before.w, before.h
        if before.w is not None and data.get("w") is not None:
            w, h = self._size(data)
        return replace(before, x=x, y=y, w=w, h=h, status="moved")

    def _added(self, data: Mapping[str, Any]) -> ReviewObject:
        """Return the object that is added: a box where objects are boxes, at a point one of the usual size."""
        label, (x, y) = self._label(data), self._place(data)
        sized = data.get("w") is not None or data.get("h") is not None
        size: tuple[float | None, float | None] = (None, None)
        if sized and self.boxes is not False:
            size = self._size(data)
        elif self.boxes:
            size = self._usual(label)
        return ReviewObject(f"a:{self.number}", x, y, *size, label, 1.0, "added")

    def _usual(self, label: str) -> tuple[float, float]:
        """Return the usual size of the objects of a class, or of all."""
        usual = typical_size(self.found, label)
        if usual is not None:
            return usual
        sized = next(((each.w, each.h) for each in self.objects.values() if each.w and each.h), None)
        if sized is None:
            raise ValueError("how large objects are is not known here yet: draw a box")
        return sized

    def _named(self, data: Mapping[str, Any]) -> ReviewObject:
        name = data.get("id")
        if not isinstance(name, str) or name not in self.objects:
            raise ValueError(f"{self.image} has no object {str(name)[:80]!r}; load the page anew")
        return self.objects[name]

    def _label(self, data: Mapping[str, Any]) -> str:
        label = data.get("label")
        if not isinstance(label, str) or label not in self.classes:
            raise ValueError(f"there is no class {str(label)[:80]!r}; the classes are {', '.join(self.classes)}")
        return label

    def _place(self, data: Mapping[str, Any]) -> tuple[float, float]:
        x, y = rounded(number_of(data.get("x"), "x")), rounded(number_of(data.get("y"), "y"))
        height, width = self.shape
        if not (0 <= x <= width and 0 <= y <= height):
            raise ValueError(f"x {x:g}, y {y:g} is outside of {self.image}, which is {width} x {height} pixels")
        return x, y

    def _size(self, data: Mapping[str, Any]) -> tuple[float, float]:
        w, h = rounded(size_of(data.get("w"), "w")), rounded(size_of(data.get("h"), "h"))
        if not min(w, h) > 0:
            raise ValueError(f"a box of {data['w']} x {data['h']} pixels is too small")
        return w, h

    def _window(self, data: Mapping[str, Any]) -> Window:
        window = window_of(data.get("window"))
        if not window.inside(self.shape):
            raise ValueError(f"the window {data['window']} is not in {self.image}, {self.shape[1]} x {self.shape[0]}")
        return window

    def _contents(self, data: Mapping[str, Any], window: Window) -> tuple[ReviewObject, ...]:
        """Return what is in a window that is finished: what the page lists, which must be what is known here.

        Without a list, that is all that was found or that a person said is there.
        """
        inside = {name: each for name, each in self.objects.items() if each.inside(window, self.shape)}
        sure = [name for name, each in inside.items() if each.sure]
        if data.get("objects") is None:
            return tuple(each for each in inside.values() if each.sure or each.status == "found")
        listed = self._listed(data["objects"])
        for name in listed:
            each = inside.get(name)
            if each is None or each.status == "rejected":
                why = "is not in the window" if each is None else "was rejected"
                raise ValueError(f"the object {name[:80]!r} {why}; load the page anew")
        left_out = next((name for name in sure if name not in listed), None)
        if left_out is not None:
            raise ValueError(
                f"a person said that there is {inside[left_out].label} at x {inside[left_out].x:g}, "
                f"y {inside[left_out].y:g}, and it is not among what is in the window; load the page anew"
            )
        return tuple(inside[name] for name in listed)

    def _listed(self, objects: Any) -> Sequence[str]:
        """Return the ids of the objects that a page lists, which are where the page shows them."""
        if not isinstance(objects, list):
            raise ValueError("what is in a window must be a list of objects")  # noqa: TRY004
        names: dict[str, None] = {}
        for each in objects:
            name = each.get("id") if isinstance(each, dict) else None
            if not isinstance(name, str) or len(name) > MAX_NAME:
                raise ValueError(f"each object in a window needs its id, got {str(each)[:80]}")
            known = self.objects.get(name)
            if known is not None and _differs(each, known):
                raise ValueError(f"the object {name[:80]!r} was changed elsewhere; load the page anew")
            names[name] = None
        return list(names)


def _differs(shown: Mapping[str, Any], known: ReviewObject) -> bool:
    """Return whether a page shows an object at another place or with another label."""
    return any(
        name in shown and shown[name] != value
        for name, value in (("x", known.x), ("y", known.y), ("w", known.w), ("h", known.h), ("label", known.label))
    )

"""`Standing`: the objects and reviewed windows of one image, as the acts of a person leave them."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from detect.imagery.windows import Window
from detect.reviewing.acts import Act
from detect.reviewing.review_objects import ReviewObject


@dataclass
class Finished:
    """A reviewed window.

    Attributes:
        number: of the act that finished it.
        objects: what is in it, by id.
    """

    number: int
    objects: dict[str, ReviewObject]


@dataclass
class Standing:
    """What a person has said of an image; it needs nothing but the acts, whatever becomes of the tables.

    An object that is changed later than its window was reviewed is changed in the window too.

    Attributes:
        shape: (height, width) of the image in pixels.
        acts: that count, in order: neither those undone nor those that undo.
        said: the objects of which a person said something, by id.
        windows: the reviewed windows.
    """

    shape: tuple[int, int]
    acts: list[Act] = field(default_factory=list)
    said: dict[str, ReviewObject] = field(default_factory=dict)
    windows: dict[Window, Finished] = field(default_factory=dict)
    _known: dict[str, ReviewObject] | None = None
    _known_of: Sequence[ReviewObject] = ()

    def apply(self, act: Act) -> None:
        """Apply an act; one that undoes another makes all of it anew."""
        if act.kind == "undo" or act.window is not None:
            self.forget()
        elif self._known is not None and act.after is not None:
            self._known[act.after.id] = act.after
        if act.kind == "undo":
            kept = [each for each in self.acts if each.number != act.of]
            self.acts, self.said, self.windows = [], {}, {}
            for each in kept:
                self.apply(each)
            return
        self.acts.append(act)
        if act.window is not None:
            self.windows.pop(act.window, None)
            if act.kind == "done":
                self.windows[act.window] = Finished(act.number, {each.id: each for each in act.objects})
        if act.after is not None:
            self.said[act.after.id] = act.after
            self._change(act.after)

    def _change(self, changed: ReviewObject) -> None:
        """Change an object in the reviewed windows that it is, or was, in."""
        for window, finished in self.windows.items():
            if changed.sure and changed.inside(window, self.shape):
                finished.objects[changed.id] = changed
            else:
                finished.objects.pop(changed.id, None)

    @property
    def last(self) -> Act | None:
        """The act that would be undone next."""
        return self.acts[-1] if self.acts else None

    @property
    def labels(self) -> set[str]:
        """The class names of all that a person said, and of what is in reviewed windows."""
        finished = (each for window in self.windows.values() for each in window.objects.values())
        return {each.label for each in (*self.said.values(), *finished)}

    def objects(self, tables: Iterable[ReviewObject]) -> Iterator[ReviewObject]:
        """Yield all objects: those of a run's tables with what was said of them, then those that are not in them.

        In a reviewed window, what was found or is a candidate is accepted where the person left it in, and what was
        found is rejected where not.

        Args:
            tables: what the run found, and candidates.
        """
        named = set()
        latest = _Latest(self.windows, self.shape)
        for each in tables:
            named.add(each.id)
            yield self.said.get(each.id) or self._told(each, latest)
        reviewed = {each.id: each for finished in self.windows.values() for each in finished.objects.values()}
        for each in {**reviewed, **self.said}.values():
            if each.id not in named:
                yield self.said.get(each.id) or replace(each, status="accepted")

    def by_id(self, tables: Sequence[ReviewObject]) -> Mapping[str, ReviewObject]:
        """Return all objects by id, as `objects` yields them; they are kept, so that act upon act takes no time for it.

        Args:
            tables: what the run found, and candidates; the same sequence as long as that is so.
        """
        if self._known is None or self._known_of is not tables:
            self._known, self._known_of = {each.id: each for each in self.objects(tables)}, tables
        return self._known

    def forget(self) -> None:
        """Free the memory of what `by_id` keeps."""
        self._known, self._known_of = None, ()

    def _told(self, found: ReviewObject, latest: "_Latest") -> ReviewObject:
        """Return an object of the tables of which nothing was said, with what the latest window that it is in says."""
        finished = latest.of(found)
        if finished is None:
            return found
        if found.id in finished.objects:
            return replace(found, status="accepted")
        return replace(found, status="rejected") if found.status == "found" else found


class _Latest:
    """The reviewed windows of an image, the latest first, found by squares that are as large as the largest of them."""

    def __init__(self, windows: Mapping[Window, Finished], shape: tuple[int, int]) -> None:
        self._shape = shape
        self._side = max((max(each.height, each.width) for each in windows), default=1)
        self._squares: dict[tuple[int, int], list[tuple[Window, Finished]]] = defaultdict(list)
        for window, finished in sorted(windows.items(), key=lambda each: -each[1].number):
            for row in range(window.row // self._side, (window.row_stop - 1) // self._side + 1):
                for col in range(window.col // self._side, (window.col_stop - 1) // self._side + 1):
                    self._squares[row, col].append((window, finished))

    def of(self, found: ReviewObject) -> Finished | None:
        """Return the latest window that an object is in; None where it is in none."""
        row, col = (
            math.floor(min(at, math.nextafter(side, 0)) / self._side)
            for at, side in ((found.y, self._shape[0]), (found.x, self._shape[1]))
        )
        inside = (each for window, each in self._squares.get((row, col), ()) if found.inside(window, self._shape))
        return next(inside, None)

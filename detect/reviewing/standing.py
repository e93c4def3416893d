"""`Standing`: the objects and reviewed windows of one image, as the acts of a person leave them."""

from collections.abc import Iterable, Iterator, Sequence
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

    def apply(self, act: Act) -> None:
        """Take an act into account; one that undoes another makes all of it anew."""
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
        latest = sorted(self.windows.items(), key=lambda each: -each[1].number)
        for each in tables:
            named.add(each.id)
            yield self.said.get(each.id) or self._told(each, latest)
        reviewed = {each.id: each for finished in self.windows.values() for each in finished.objects.values()}
        for each in {**reviewed, **self.said}.values():
            if each.id not in named:
                yield self.said.get(each.id) or replace(each, status="accepted")

    def _told(self, found: ReviewObject, latest: Sequence[tuple[Window, Finished]]) -> ReviewObject:
        """Return an object of the tables of which nothing was said, with what the latest window that it is in says."""
        for window, finished in latest:
            if found.inside(window, self.shape):
                if found.id in finished.objects:
                    return replace(found, status="accepted")
                return replace(found, status="rejected") if found.status == "found" else found
        return found

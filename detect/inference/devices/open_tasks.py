"""The tasks of a run that are not recorded yet: which may be given next, which again, and which is slow."""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from detect.inference.devices.pace import Pace
from detect.inference.devices.tasks import Done, Failed, Found, Key, Task
from detect.inference.strips.strip import Joint, Strip

MOST_AHEAD = 256
"""Most images a worker, of tasks that are given or told of and not recorded yet; the task that all wait for is."""


@dataclass(eq=False)
class OpenTask:
    """A task that is not recorded yet.

    Attributes:
        task: the task.
        after: those that must be complete before it is given: the strips, of the task that joins them.
        told: what came of its images, or its strip.
        given: whether it was given to a worker.
        copied: whether a second one was given it beside the first.
        deaths: how many workers have ended that had it.
        dropped: whether nobody waits for it any more, as another strip of its image failed.
        whole: the task of which it is one image, where those are given one by one; what is told of it is told of both.
    """

    task: Task
    after: Sequence["OpenTask"] = ()
    told: dict[Key, Done | Found | Failed] = field(default_factory=dict)
    given: bool = False
    copied: bool = False
    deaths: int = 0
    dropped: bool = False
    whole: "OpenTask | None" = None

    @property
    def complete(self) -> bool:
        """Whether all its images are told of."""
        return self.told.keys() >= self.task.expected

    @property
    def wanted(self) -> bool:
        """Whether something of it is waited for."""
        return not (self.complete or self.dropped)

    @property
    def ready(self) -> bool:
        """Whether it may be given."""
        return all(each.complete for each in self.after)

    @property
    def is_strip(self) -> bool:
        """Whether it is a strip of a raster."""
        return isinstance(self.task.unit[0].part, Strip)

    @property
    def pixels(self) -> int:
        """How many are counted, or joined."""
        part = self.task.unit[0].part
        if isinstance(part, Joint):
            return sum(strip.pixels for strip in part.strips)
        return sum(source.pixels for source in self.task.unit)


class OpenTasks:
    """The open tasks of a run, in their order.

    Attributes:
        of: the task of each image or strip, recorded ones too.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._open = deque(_opened(tasks))
        self._fresh = deque(self._open)
        self._again: deque[OpenTask] = deque()
        self._held: dict[OpenTask, float] = {}
        self._pace = Pace()
        self._ahead = 0
        self.of = {key: each for each in self._open for key in each.task.expected}

    def __bool__(self) -> bool:
        return bool(self._open)

    @property
    def unheld(self) -> int:
        """How many of them nobody has."""
        return len(self._fresh) + len(self._again)

    def next(self, workers: int) -> OpenTask | None:
        """Return the next task that no worker had, unless it is too far ahead of the one that all wait for.

        Strips that are waited for let those behind their joining pass.

        Args:
            workers: their number.
        """
        first = self._first()
        if first is None or first is self._open[0]:
            return first
        return first if self._ahead + len(first.task.unit) <= MOST_AHEAD * workers else None

    def _first(self) -> OpenTask | None:
        return next((each for each in self._fresh if each.ready), None)

    def next_again(self) -> OpenTask | None:
        """Return the next task of a worker that has ended."""
        return self._again[0] if self._again else None

    def slow(self) -> OpenTask | None:
        """Return the first task that one worker has had for long, as tasks of this run take; each is copied once."""
        now = time.monotonic()
        for each, since in self._held.items():
            if each.wanted and not each.copied and now - since >= self._pace.slow_after(each.pixels):
                return each
        return None

    def few_strips(self, workers: int) -> bool:
        """Return whether the next task is one of the last strips, for so many workers."""
        first = self._first()
        return first is not None and first.is_strip and len(self._fresh) <= 2 * workers

    def give(self, each: OpenTask) -> None:
        """Note that a worker has a task, or a copy of it."""
        if each in self._held:
            each.copied = True
            return
        (self._again if each in self._again else self._fresh).remove(each)
        self._ahead += 0 if each.given else len(each.task.unit)
        each.given = True
        self._held[each] = time.monotonic()

    def give_back(self, each: OpenTask) -> None:
        """Note that nobody has a task any more, of which nothing is told now."""
        self._held.pop(each, None)
        each.told.clear()
        each.copied = False
        self._again.append(each)

    def split(self, each: OpenTask) -> None:
        """Have the images of a task of which nothing is told given one by one: it may be one that ends its workers."""
        self._held.pop(each, None)
        for source, origin in zip(each.task.unit, each.task.origins, strict=True):
            if source.key in each.task.expected - each.told.keys():
                task = Task(each.task.number, (source,), frozenset(), (origin,))
                self.of[source.key] = OpenTask(task, given=True, deaths=1, whole=each)
                self._again.append(self.of[source.key])

    def tell(self, key: Key, event: Done | Found | Failed) -> OpenTask:
        """Keep what is told of an image or a strip, and return its task."""
        each = self.of[key]
        each.told[key] = event
        if each.whole is not None:
            each.whole.told[key] = event
        if each.complete:
            since = self._held.pop(each, None)
            if since is not None and not isinstance(each.task.unit[0].part, Joint):
                self._pace.note(time.monotonic() - since, each.pixels)
        return each

    def recordable(self) -> bool:
        """Return whether the first of them is complete."""
        return bool(self._open) and self._open[0].complete

    def taken(self) -> OpenTask:
        """Remove the first and return it."""
        each = self._open.popleft()
        self._ahead -= len(each.task.unit) if each.given else 0
        return each

    def drop(self, name: str) -> None:
        """Wait no more for the strips of an image that failed, of which the first that failed is taken out."""
        for each in [each for each in self._open if each.task.unit[0].name == name]:
            each.dropped = True
            self._open.remove(each)
            self._held.pop(each, None)
            self._ahead -= len(each.task.unit) if each.given else 0
        self._fresh = deque(each for each in self._fresh if not each.dropped)
        self._again = deque(each for each in self._again if not each.dropped)


def image_names(tasks: Iterable[OpenTask]) -> list[str]:
    """Return the images of which something is expected of tasks, each once."""
    named = (source.name for each in tasks for source in each.task.unit if source.name not in each.task.done)
    return list(dict.fromkeys(named))


def _opened(tasks: Iterable[Task]) -> Iterator[OpenTask]:
    """Yield tasks with those that they must wait for: the strips before the joining of an image, of this run."""
    strips: list[OpenTask] = []
    for task in tasks:
        part = task.unit[0].part
        each = OpenTask(task, tuple(strips) if isinstance(part, Joint) else ())
        strips = [*strips, each] if isinstance(part, Strip) else []
        yield each

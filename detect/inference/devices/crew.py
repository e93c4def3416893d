"""The processes of a run: who has which task, and what is told of it, recorded in the order of the tasks."""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from detect.inference.devices.hands import Hand, Hiring, Processes
from detect.inference.devices.tasks import (
    Advanced,
    Begun,
    Broken,
    Done,
    Event,
    Failed,
    Found,
    Key,
    Rested,
    Start,
    Task,
    Told,
)
from detect.inference.failures import Failure
from detect.inference.strips.strip import Joint, Strip

if TYPE_CHECKING:
    from detect.inference.run import Progress
    from detect.inference.tiles import Source

logger = logging.getLogger(__name__)

MOST_AHEAD = 256
"""Most images a process, of tasks that are given or told of and not recorded yet; the task that all wait for is."""

MOST_LAST_STRIPS = 2
"""Strips that a process has at once when few are left: one that it counts, and one that it reads."""

MOST_GIVEN = 2
"""How often a task is given: where the second process ends too, its images fail."""


class Keeper(Protocol):
    """What records images, in their order."""

    def has(self, name: str, path: Any) -> bool:
        """Return whether an earlier run recorded an image."""

    def keep(self, name: str, kept: Any) -> None:
        """Record an image with what was kept of it."""

    def together(self) -> AbstractContextManager[object]:
        """Return a block in which images are recorded together: they are recorded when it ends."""


@dataclass(eq=False)
class _Open:
    """A task that is not recorded yet.

    Attributes:
        task: the task.
        after: those that must be complete before it is given: the strips, of the task that joins them.
        told: what came of its images, or its strip.
        given: how often it was given to a process.
        deaths: how many processes have ended that had it.
        dropped: whether nobody waits for it any more, as another strip of its image failed.
    """

    task: Task
    after: Sequence["_Open"] = ()
    told: dict[Key, Done | Found | Failed] = field(default_factory=dict)
    given: int = 0
    deaths: int = 0
    dropped: bool = False

    @property
    def complete(self) -> bool:
        """Whether all its images are told of."""
        return self.told.keys() >= self.task.expected

    @property
    def ready(self) -> bool:
        """Whether it may be given."""
        return all(each.complete for each in self.after)


@dataclass(frozen=True, eq=False)
class Crew:
    """Counts units of images in several processes.

    Tasks are given as processes ask for them. A process that ends without being told to (killed, or without memory) is
    replaced; its tasks are given once more, each to a process that has nothing else, so that one that ends processes
    takes no other with it.

    Attributes:
        starts: one a process, by the name of its device.
        keeper: records the images.
        cores: of each process; None leaves all cores to each.
        peaks: most MiB that each process has held, by its place.
        hiring: how they are had.
    """

    starts: Sequence[tuple[str, Start]]
    keeper: Keeper
    cores: Sequence[frozenset[int] | None]
    peaks: dict[int, int] = field(default_factory=dict)
    hiring: Hiring = field(default_factory=Processes)

    @property
    def processes(self) -> int:
        """The number of processes."""
        return len(self.starts)

    def __call__(
        self, units: "Sequence[Sequence[Source]]", progress: "Progress", fail: Callable[[Failure], None]
    ) -> int:
        """Have all images of units recorded or failed, in their order; return the pixels done, of the files.

        Raises:
            ChildProcessError: a process ended while it started, or every one has ended.
            RuntimeError: a process tells other things than it should.
            OSError, MemoryError, ...: the error by which a process ended.
        """
        if not units:
            return 0
        shift = _Shift(self, units, progress, fail)
        try:
            shift.begin()
            shift.work()
        except BaseException:
            shift.end(now=True)
            raise
        shift.end(now=False)
        for place, peak in self.hiring.peaks().items():
            self.peaks[place] = max(self.peaks.get(place, 0), peak)
        return shift.pixels


class _Shift:
    """A crew at work."""

    def __init__(
        self,
        crew: Crew,
        units: "Sequence[Sequence[Source]]",
        progress: "Progress",
        fail: Callable[[Failure], None],
    ) -> None:
        self.crew = crew
        self.progress = progress
        self.fail = fail
        self.pixels = self.ahead = 0
        self.fresh = deque(_opened(_tasks(units, crew.keeper)))
        self.again: deque[_Open] = deque()
        self.open = deque(self.fresh)
        self.task_of = {key: each for each in self.fresh for key in each.task.expected}
        self.sizes = {s.key: s.pixels for unit in units for s in unit}
        self.file_pixels = {s.key: s.scene.file_pixels for unit in units for s in unit if not isinstance(s.part, Strip)}
        self.begun_strips: set[str] = set()
        self.failed_again: set[str] = set()
        self.places = range(min(len(crew.starts), len(units)))
        self.hands: list[Hand[_Open]] = []

    def begin(self) -> None:
        """Start the processes."""
        for place in self.places:
            self.hands.append(self._hire(place))
        logger.info("%d processes count the images: %s", len(self.hands), ", ".join(hand.device for hand in self.hands))

    def _hire(self, place: int) -> "Hand[_Open]":
        device, start = self.crew.starts[place]
        return self.crew.hiring.hire(place, device, start, self.crew.cores[place])

    def work(self) -> None:
        """Hand out tasks and record what is told, until every task is recorded."""
        while self.open:
            if not self.hands:
                raise ChildProcessError("every process of the run has ended; the same command goes on")
            for hand in self.crew.hiring.wait(self.hands):
                self._hear(hand)
            self._record()
            for hand in self.hands:
                if hand.asks:
                    self._answer(hand)

    def _hear(self, hand: "Hand[_Open]") -> None:
        event = hand.heard()
        if event is None:
            self._lose(hand)
        else:
            self._take(hand, event)

    def _take(self, hand: "Hand[_Open]", event: Event) -> None:
        match event:
            case Done(name=name):
                self._told(hand, (name, None), event)
            case Found(name=name, strip=strip):
                self._told(hand, (name, strip), event)
            case Failed(failure=failure) if (failure.name, failure.strip) in self.task_of:
                self._told(hand, (failure.name, failure.strip), event)
            case Failed(failure=failure):
                self._fail_again(failure)
            case Begun(name=name):
                self._begin(name)
            case Advanced(pixels=pixels):
                hand.unfinished += pixels
                self.progress.advance(pixels)
            case Told(level=level, text=text):
                logger.log(level, "%s: %s", hand.device, text)
            case Rested(peak_mib=peak):
                self.crew.peaks[hand.place] = max(self.crew.peaks.get(hand.place, 0), peak or 0)
                if any(not each.complete for each in hand.tasks):
                    raise RuntimeError(f"the process of {hand.device} tells nothing of some of its images")
                hand.tasks.clear()
                hand.unfinished = 0
            case Broken(error=error):
                raise error

    def _begin(self, name: str) -> None:
        """Show the name of an image that begins, once of all its strips."""
        if (name, None) in self.task_of and self.task_of[name, None].after:
            if name in self.begun_strips:
                return
            self.begun_strips.add(name)
        self.progress.start(name)

    def _told(self, hand: "Hand[_Open]", key: Key, event: Done | Found | Failed) -> None:
        self.task_of[key].told[key] = event
        hand.unfinished = max(0, hand.unfinished - self.sizes[key])

    def _fail_again(self, failure: Failure) -> None:
        """Report that an image of an earlier run cannot be read any more; once, however often its task is given."""
        if failure.name not in self.failed_again:
            self.failed_again.add(failure.name)
            self.fail(failure)

    def _lose(self, hand: "Hand[_Open]") -> None:
        """Hand the tasks of a process that has ended to others, and start another one in its place."""
        how = hand.end(now=True)
        lost = [each for each in hand.tasks if not each.complete and not each.dropped]
        if not hand.ready and not hand.blameless:
            raise ChildProcessError(
                f"the process of {hand.device} ended while it started ({how}), {hand.way_out}: the same command goes on"
            )
        self.progress.advance(-hand.unfinished)
        names = list(dict.fromkeys(name for each in lost for name, _ in sorted(each.task.expected, key=str)))
        logger.warning(
            "the process of %s ended (%s) while it counted %d images%s", hand.device, how, len(names), _such_as(names)
        )
        for each in lost:
            each.deaths += not hand.blameless
            if each.deaths < MOST_GIVEN:
                self.progress.advance(-sum(self.sizes[key] for key in each.told))
                each.told.clear()
                self.again.append(each)
                continue
            said = (
                f"the processes that counted it ended, twice (the last by {how}), as without memory; lower max_memory"
            )
            for name, strip in each.task.expected - each.told.keys():
                each.told[name, strip] = Failed(Failure(name, said, strip))
        place = self.hands.index(hand)
        del self.hands[place]
        if (hand.served or hand.blameless) and (self.fresh or self.again):
            self.hands.insert(place, self._hire(hand.place))

    def _answer(self, hand: "Hand[_Open]") -> None:
        """Hand a process that asks a task, or the word that there is none before it has told all that it has."""
        hand.tasks = [each for each in hand.tasks if not each.complete]
        if hand.tasks and (hand.alone or not self._may_give() or self._has_its_share(hand)):
            hand.give(None)
        elif self._may_give():
            self._give(hand, self._take_next(), alone=False)
        elif not hand.tasks and self.again:
            self._give(hand, self.again.popleft(), alone=True)

    def _may_give(self) -> bool:
        """Return whether a task that no process had may be given: not too far ahead of the one that all wait for."""
        first = self._next()
        if first is None:
            return False
        ahead = self.ahead + len(first.task.unit)
        return first is self.open[0] or ahead <= MOST_AHEAD * len(self.hands)

    def _has_its_share(self, hand: "Hand[_Open]") -> bool:
        """Return whether the last strips are left to others, as a process has some that it has not begun."""
        first = self._next()
        strip = first is not None and isinstance(first.task.unit[0].part, Strip)
        return strip and len(hand.tasks) >= MOST_LAST_STRIPS and len(self.fresh) <= 2 * len(self.hands)

    def _next(self) -> _Open | None:
        """Return the next task that no process had; strips that are waited for let those behind their joining pass."""
        return next((each for each in self.fresh if each.ready), None)

    def _take_next(self) -> _Open:
        each = self._next()
        assert each is not None
        self.fresh.remove(each)
        return each

    def _give(self, hand: "Hand[_Open]", each: _Open, alone: bool) -> None:
        self.ahead += 0 if each.given else len(each.task.unit)
        each.given += 1
        hand.tasks.append(each)
        hand.alone = alone
        hand.give(each.task)

    def _record(self) -> None:
        """Record the tasks that are complete, as far as all before them are; the disk is waited for once."""
        if not (self.open and self.open[0].complete):
            return
        from detect.inference.writes import alone

        kept: list[str] = []

        def record() -> None:
            with self.crew.keeper.together():
                while self.open and self.open[0].complete:
                    self._record_task(self.open.popleft(), kept)

        failed = alone("", record)
        if isinstance(failed, Failure):
            for name in kept:
                self.fail(Failure(name, failed.error))

    def _record_task(self, each: _Open, kept: list[str]) -> None:
        """Record a task, in a block in which several are; add the names of the images that it gives to keep."""
        self.ahead -= len(each.task.unit)
        failed = set()
        for (name, strip), event in each.told.items():
            if isinstance(event, Failed):
                failed.add(name)
                self.fail(event.failure)
                if strip is not None:
                    self._drop(name)
            elif isinstance(event, Done):
                kept.append(name)
                self.crew.keeper.keep(name, event.kept)
        self.pixels += sum(self.file_pixels.get(s.key, 0) for s in each.task.unit if s.name not in failed)

    def _drop(self, name: str) -> None:
        """Wait no more for the strips of an image that failed, of which the first that failed is recorded."""
        for each in [each for each in self.open if each.task.unit[0].name == name]:
            each.dropped = True
            self.open.remove(each)
            self.ahead -= len(each.task.unit) if each.given else 0
        self.fresh = deque(each for each in self.fresh if not each.dropped)
        self.again = deque(each for each in self.again if not each.dropped)

    def end(self, now: bool) -> None:
        """End the processes: at once, or when they have seen that there is nothing more."""
        for hand in self.hands:
            hand.leave(now)
        for hand in self.hands:
            hand.end(now)


def _opened(tasks: Iterator[Task]) -> Iterator[_Open]:
    """Yield tasks with those that they must wait for: the strips before the joining of an image, of this run."""
    strips: list[_Open] = []
    for task in tasks:
        part = task.unit[0].part
        each = _Open(task, tuple(strips) if isinstance(part, Joint) else ())
        strips = [*strips, each] if isinstance(part, Strip) else []
        yield each


def _tasks(units: "Sequence[Sequence[Source]]", keeper: Keeper) -> Iterator[Task]:
    for number, unit in enumerate(units):
        yield Task(number, unit, frozenset(s.name for s in unit if keeper.has(s.name, s.scene.path)))


def _such_as(names: Sequence[str]) -> str:
    return f", such as {names[0]}" if names else ""

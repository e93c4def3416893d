"""The processes of a run: who has which task, and what is told of it, recorded in the order of the tasks."""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from detect.inference.devices.hands import Hand, Hiring, Processes
from detect.inference.devices.tasks import Advanced, Begun, Broken, Done, Event, Failed, Rested, Start, Task, Told
from detect.inference.failures import Failure

if TYPE_CHECKING:
    from detect.inference.run import Progress
    from detect.inference.tiles import Source

logger = logging.getLogger(__name__)

MOST_AHEAD = 256
"""Most images a process, of tasks that are given or told of and not recorded yet; the task that all wait for is."""

MOST_GIVEN = 2
"""How often a task is given: where the second process ends too, its images fail."""


class Keeper(Protocol):
    """What records images, in their order."""

    def has(self, name: str, path: Any) -> bool:
        """Return whether an earlier run recorded an image."""

    def keep(self, name: str, kept: Any) -> None:
        """Record an image with what was kept of it."""


@dataclass(eq=False)
class _Open:
    """A task that is not recorded yet.

    Attributes:
        task: the task.
        told: what came of its images, by their names.
        given: how often it was given to a process.
        deaths: how many processes have ended that had it.
    """

    task: Task
    told: dict[str, Done | Failed] = field(default_factory=dict)
    given: int = 0
    deaths: int = 0

    @property
    def complete(self) -> bool:
        """Whether all its images are told of."""
        return self.told.keys() >= self.task.expected


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
        self.fresh = deque(_Open(task) for task in _tasks(units, crew.keeper))
        self.again: deque[_Open] = deque()
        self.open = deque(self.fresh)
        self.task_of = {name: each for each in self.fresh for name in each.task.expected}
        self.sizes = {s.name: s.scene.shape[0] * s.scene.shape[1] for unit in units for s in unit}
        self.file_pixels = {s.name: s.scene.file_pixels for unit in units for s in unit}
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
        """Give tasks and record what is told, until every task is recorded."""
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
                self._told(hand, name, event)
            case Failed(failure=failure) if failure.name in self.task_of:
                self._told(hand, failure.name, event)
            case Failed(failure=failure):
                self._fail_again(failure)
            case Begun(name=name):
                self.progress.start(name)
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

    def _told(self, hand: "Hand[_Open]", name: str, event: Done | Failed) -> None:
        self.task_of[name].told[name] = event
        hand.unfinished = max(0, hand.unfinished - self.sizes[name])

    def _fail_again(self, failure: Failure) -> None:
        """Tell that an image that an earlier run has cannot be read any more; once, however often its task is given."""
        if failure.name not in self.failed_again:
            self.failed_again.add(failure.name)
            self.fail(failure)

    def _lose(self, hand: "Hand[_Open]") -> None:
        """Give the tasks of a process that has ended to others, and start another one in its place."""
        how = hand.end(now=True)
        lost = [each for each in hand.tasks if not each.complete]
        if not hand.ready and not hand.blameless:
            raise ChildProcessError(
                f"the process of {hand.device} ended while it started ({how}), {hand.way_out}: the same command goes on"
            )
        self.progress.advance(-hand.unfinished)
        names = [name for each in lost for name in sorted(each.task.expected)]
        logger.warning(
            "the process of %s ended (%s) while it counted %d images%s", hand.device, how, len(names), _such_as(names)
        )
        for each in lost:
            each.deaths += not hand.blameless
            if each.deaths < MOST_GIVEN:
                self.progress.advance(-sum(self.sizes[name] for name in each.told))
                each.told.clear()
                self.again.append(each)
                continue
            said = (
                f"the processes that counted it ended, twice (the last by {how}), as without memory; lower max_memory"
            )
            for name in each.task.expected - each.told.keys():
                each.told[name] = Failed(Failure(name, said))
        place = self.hands.index(hand)
        del self.hands[place]
        if (hand.served or hand.blameless) and (self.fresh or self.again):
            self.hands.insert(place, self._hire(hand.place))

    def _answer(self, hand: "Hand[_Open]") -> None:
        """Give a process that asks a task, or the word that there is none before it has told all that it has."""
        hand.tasks = [each for each in hand.tasks if not each.complete]
        if hand.tasks and (hand.alone or not self._may_give()):
            hand.give(None)
        elif self._may_give():
            self._give(hand, self.fresh.popleft(), alone=False)
        elif not hand.tasks and self.again:
            self._give(hand, self.again.popleft(), alone=True)

    def _may_give(self) -> bool:
        """Return whether a task that no process had may be given: not too far ahead of the one that all wait for."""
        if not self.fresh:
            return False
        first = self.fresh[0]
        ahead = self.ahead + len(first.task.unit)
        return first is self.open[0] or ahead <= MOST_AHEAD * len(self.hands)

    def _give(self, hand: "Hand[_Open]", each: _Open, alone: bool) -> None:
        self.ahead += 0 if each.given else len(each.task.unit)
        each.given += 1
        hand.tasks.append(each)
        hand.alone = alone
        hand.give(each.task)

    def _record(self) -> None:
        """Record the tasks that are complete, as far as all before them are."""
        while self.open and self.open[0].complete:
            each = self.open.popleft()
            self.ahead -= len(each.task.unit)
            for event in each.told.values():
                failure = event.failure if isinstance(event, Failed) else self._kept(event)
                if failure is not None:
                    self.fail(failure)
            failed = {e.failure.name for e in each.told.values() if isinstance(e, Failed)}
            self.pixels += sum(self.file_pixels[source.name] for source in each.task.unit if source.name not in failed)

    def _kept(self, event: Done) -> Failure | None:
        from detect.inference.writes import alone

        failure = alone(event.name, lambda: self.crew.keeper.keep(event.name, event.kept))
        return failure if isinstance(failure, Failure) else None

    def end(self, now: bool) -> None:
        """End the processes: at once, or when they have seen that there is nothing more."""
        for hand in self.hands:
            hand.leave(now)
        for hand in self.hands:
            hand.end(now)


def _tasks(units: "Sequence[Sequence[Source]]", keeper: Keeper) -> Iterator[Task]:
    for number, unit in enumerate(units):
        yield Task(number, unit, frozenset(s.name for s in unit if keeper.has(s.name, s.scene.path)))


def _such_as(names: Sequence[str]) -> str:
    return f", such as {names[0]}" if names else ""

"""Workers that are simulated, by a clock of their own: how long each takes, which hang, and which end."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from detect.inference.devices import hands, open_tasks, shift, silence
from detect.inference.devices.hands import Hand, Hiring
from detect.inference.devices.tasks import Advanced, Begun, Broken, Done, Event, Found, Rested, Start, Task, Wanted
from detect.inference.strips.strip import Joint, Strip

HANGS, DIES = float("inf"), -1.0
"""Durations of an image by which a worker hangs, or ends."""


@dataclass
class Clock:
    """Stands for the module `time`."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now

    @classmethod
    def ticking(cls, monkeypatch: pytest.MonkeyPatch) -> "Clock":
        """A clock that workers, tasks and silences go by."""
        clock = cls()
        for module in (hands, open_tasks, shift, silence):
            monkeypatch.setattr(module, "time", clock)
        return clock


class SimulatedHand(Hand[Any]):
    """A worker that tells of each image when its time has come, and asks for the next task when it begins with one."""

    def __init__(self, place: int, device: str, world: "World") -> None:
        super().__init__(place, device)
        self.world = world
        self.agenda: list[tuple[float, int, Event | None]] = []
        self.order = count()
        self.busy = self.told = self.begun = world.clock.now
        self.gone = False
        self.stir()
        error = world.starts(place)
        if error != HANGS:
            self.plan(world.clock.now + 1, Wanted() if error is None else Broken(error))

    def plan(self, when: float, event: Event | None) -> None:
        heapq.heappush(self.agenda, (when, next(self.order), event))

    def _next(self) -> Event | None:
        return heapq.heappop(self.agenda)[2]

    def _send(self, task: Task | None) -> None:
        if task is None:
            self.plan(self.told, Rested(None))
            self.plan(self.told, Wanted())
            return
        before = self.busy = max(self.busy, self.world.clock.now)
        for source in task.unit:
            if source.name not in task.done and not self.counts(source):
                return
        self.plan(before if self.world.ahead else self.busy, Wanted())

    def counts(self, source: Any) -> bool:
        """Plan what is told of an image; return whether it ends, before which nothing else is told."""
        seconds = self.world.takes(self.place, source.name, self)
        if seconds in (HANGS, DIES):
            self.plan(self.busy + 1, Begun(source.name))
            if seconds == DIES:
                self.plan(self.busy + 2, None)
            self.busy = HANGS
            return False
        half = source.pixels // 2
        self.plan(self.busy + seconds / 2, Begun(source.name))
        self.plan(self.busy + seconds / 2, Advanced(half))
        self.busy += seconds
        self.plan(self.busy, Advanced(source.pixels - half))
        strip = isinstance(source.part, Strip)
        wrote = self.busy + self.world.writes(self.place)
        if self.world.signs:
            self.sign(self.busy, wrote)
        self.told = max(self.told, wrote)
        self.plan(self.told, Found(*source.key) if strip else Done(source.name, kept(source)))
        return True

    def sign(self, begun: float, wrote: float) -> None:
        """Plan that it tells now and then that it lives while it writes."""
        when = begun + self.world.signs
        while when < wrote:
            self.plan(when, Advanced(0))
            when += self.world.signs

    def leave(self, now: bool) -> None:
        self.gone = True
        self.agenda.clear()

    def end(self, now: bool) -> str:
        self.leave(now)
        self.ended = self.ended or self.world.clock.now
        return "signal 9"


def kept(source: Any) -> str:
    """What is kept of an image."""
    return f"{source.name} joined" if isinstance(source.part, Joint) else source.name


@dataclass(eq=False)
class World(Hiring):
    """Simulated workers.

    Attributes:
        clock: that they go by.
        takes: seconds for an image, by the place, its name and the worker.
        starts: by which error the next worker at a place does not start; None of one that does.
        writes: seconds from the last pixel of an image until it is told of, by the place.
        signs: seconds after which a worker that writes tells again that it lives; 0 where it tells nothing meanwhile.
        ahead: whether a worker asks for the next task when it begins with one.
        copies: as of `Hiring`.
        hired: all workers.
        avoided: those that could not start.
    """

    clock: Clock
    takes: Callable[[int, str, Any], float]
    starts: Callable[[int], Any] = lambda place: None
    writes: Callable[[int], float] = lambda place: 0.0
    signs: float = 0.0
    ahead: bool = True
    copies: bool = False
    hired: list[SimulatedHand] = field(default_factory=list)
    avoided: list[Hand] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def _made(self, place: int, device: str, start: Start, cores: frozenset[int] | None) -> SimulatedHand:
        self.hired.append(SimulatedHand(place, device, self))
        return self.hired[-1]

    def avoid(self, hand: Hand) -> None:
        self.avoided.append(hand)

    def wait(self, hands: Sequence[Hand], seconds: float) -> Sequence[Hand]:
        """Let time pass until somebody tells something."""
        some = [hand for hand in hands if isinstance(hand, SimulatedHand)]
        assert not any(hand.gone for hand in some), "nobody listens to one that was ended"
        first = min((hand.agenda[0][0] for hand in some if hand.agenda), default=HANGS)
        self.clock.now = max(self.clock.now, min(first, self.clock.now + seconds))
        assert self.clock.now < 1e6, "the run does not end"
        return [hand for hand in some if hand.agenda and hand.agenda[0][0] <= self.clock.now]

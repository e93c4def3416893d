"""Those that count for a run elsewhere, as the run sees them: the tasks that each has, and its end."""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from detect.inference.devices.tasks import Event, Rested, Start, Task, Wanted

T = TypeVar("T")


@dataclass(frozen=True)
class Ending:
    """How a worker ended that was not told to.

    Attributes:
        how: in words.
        blameless: whether its tasks have no part in it.
        way_out: what may help, where it ends workers while they start, or each time.
    """

    how: str
    blameless: bool
    way_out: str = ""


class Hand(ABC, Generic[T]):
    """One that has a station, and tells what it does.

    Args:
        place: of it among those of the crew.
        device: its device's name, by which the run tells of it.

    Attributes:
        tasks: that it has, as the run keeps them.
        alone: whether it is to have no other task beside the one it has.
        ready: whether its station is made.
        asks: whether it waits for an answer.
        served: whether it ever had a task.
        unfinished: pixels that it told of, of images that are not done.
        owed: pixels of the images that it has and that nobody has told of, but for those of copies.
        lost: whether it ended without being told to, perhaps while it wrote.
        blameless: whether it ended by something that its tasks have no part in, such as the loss of its machine.
        peak_mib: most memory that it held, where it told so when it ended.
        begun, ended: when it was there and when it was gone, in seconds of `time.monotonic`; None before.
        stirred: when it last told something or was given something; None before it is there.
        warned: whether it was told of that it is silent.
    """

    way_out = "as without memory; lower max_memory, or take fewer runtime.devices"
    """What may help where it ends while it starts."""

    def __init__(self, place: int, device: str) -> None:
        self.place = place
        self.device = device
        self.tasks: list[T] = []
        self.alone = self.ready = self.asks = self.served = self.lost = self.blameless = self.warned = False
        self.unfinished = self.owed = 0
        self.peak_mib: int | None = None
        self.begun: float | None = None
        self.ended: float | None = None
        self.stirred: float | None = None

    def heard(self) -> Event | None:
        """Return what it tells next; None where it has ended."""
        event = self._next()
        self.stir()
        if event is None:
            self.lost = True
        if isinstance(event, Wanted):
            self.ready = self.asks = True
        if isinstance(event, Rested):
            self.alone = False
        return event

    def give(self, task: Task | None) -> None:
        """Answer it; one that has ended is heard of later."""
        self.asks = False
        self.served = self.served or task is not None
        self.stir()
        self._send(task)

    def stir(self) -> None:
        """Note that it is there, or that something passes between it and the run."""
        self.stirred = time.monotonic()
        self.warned = False

    def rest(self) -> None:
        """Note that all that it had is told of."""
        self.tasks.clear()
        self.unfinished = self.owed = 0

    @abstractmethod
    def _next(self) -> Event | None: ...

    @abstractmethod
    def _send(self, task: Task | None) -> None: ...

    @abstractmethod
    def leave(self, now: bool) -> None:
        """End it: when it has seen that there is nothing more, or at once."""

    @abstractmethod
    def end(self, now: bool) -> str:
        """Wait for its end, and say how it ended."""

    def seconds(self) -> float:
        """Return how long it has been there."""
        return 0.0 if self.begun is None else (self.ended or time.monotonic()) - self.begun


class Hiring(ABC):
    """How those that count are had, and heard.

    Attributes:
        copies: whether one that has nothing else to do counts a task that another one is slow with.
    """

    copies = False

    def __init__(self) -> None:
        self._hired: list[Hand] = []

    def hire(self, place: int, device: str, start: Start, cores: frozenset[int] | None) -> Hand:
        """Return a new hand, which makes its station.

        Args:
            place: of it among those of the crew.
            device: its device's name.
            start: makes the station.
            cores: that it may use; None leaves all.
        """
        hand = self._made(place, device, start, cores)
        self._hired.append(hand)
        return hand

    @abstractmethod
    def _made(self, place: int, device: str, start: Start, cores: frozenset[int] | None) -> Hand: ...

    @abstractmethod
    def wait(self, hands: Sequence[Hand], seconds: float) -> Sequence[Hand]:
        """Return those that tell something, or have ended, as soon as there is one; none after some seconds."""

    @abstractmethod
    def avoid(self, hand: Hand) -> None:
        """Hire no other one where this one could not make its station, as far as there is a choice."""

    def peaks(self) -> dict[int, int]:
        """Return the most MiB of each place, of those that told it when they ended."""
        return {hand.place: hand.peak_mib for hand in self._hired if hand.peak_mib is not None}

    def lost(self) -> bool:
        """Return whether one has ended without being told to."""
        return any(hand.lost for hand in self._hired)

    def seconds(self) -> float:
        """Return how long all that were hired have been there, together."""
        return sum(hand.seconds() for hand in self._hired)

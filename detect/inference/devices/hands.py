"""Those that count for a run elsewhere, as the run sees them: the tasks that each has, and its end."""

import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import wait
from typing import Generic, TypeVar

from detect.inference.devices.tasks import Event, Rested, Start, Task, Wanted
from detect.inference.devices.worker import work

T = TypeVar("T")

END_SECONDS = 10.0
"""How long a process that was told to end may take before it is killed."""


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
        lost: whether it ended without being told to, perhaps while it wrote.
        blameless: whether it ended by something that its tasks have no part in, such as the loss of its machine.
        peak_mib: most memory that it held, where it told so when it ended.
        begun, ended: when it was there and when it was gone, in seconds of `time.monotonic`; None before.
    """

    way_out = "as without memory; lower max_memory, or take fewer runtime.devices"
    """What may help where it ends while it starts."""

    def __init__(self, place: int, device: str) -> None:
        self.place = place
        self.device = device
        self.tasks: list[T] = []
        self.alone = self.ready = self.asks = self.served = self.lost = self.blameless = False
        self.unfinished = 0
        self.peak_mib: int | None = None
        self.begun: float | None = None
        self.ended: float | None = None

    def heard(self) -> Event | None:
        """Return what it tells next; None where it has ended."""
        event = self._next()
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
        self._send(task)

    @abstractmethod
    def _next(self) -> Event | None: ...

    @abstractmethod
    def _send(self, task: Task | None) -> None: ...

    @abstractmethod
    def leave(self, now: bool) -> None:
        """Ask it to end: when it has seen that there is nothing more, or at once."""

    @abstractmethod
    def end(self, now: bool) -> str:
        """Wait for its end, and say how it ended."""

    def seconds(self) -> float:
        """Return how long it has been there."""
        return 0.0 if self.begun is None else (self.ended or time.monotonic()) - self.begun


class Hiring(ABC):
    """How those that count are had, and heard."""

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
    def wait(self, hands: Sequence[Hand]) -> Sequence[Hand]:
        """Return those that tell something, or have ended, as soon as there is one."""

    def peaks(self) -> dict[int, int]:
        """Return the most MiB of each place, of those that told it when they ended."""
        return {hand.place: hand.peak_mib for hand in self._hired if hand.peak_mib is not None}

    def lost(self) -> bool:
        """Return whether one has ended without being told to."""
        return any(hand.lost for hand in self._hired)

    def seconds(self) -> float:
        """Return how long all that were hired have been there, together."""
        return sum(hand.seconds() for hand in self._hired)


class ProcessHand(Hand[T]):
    """A process of this machine with a pipe, started when this is made.

    Args:
        place, device: as of `Hand`.
        start: makes the station.
        cores: that it may use; None leaves all.

    Attributes:
        connection: the pipe to it.
    """

    def __init__(self, place: int, device: str, start: Start, cores: frozenset[int] | None) -> None:
        super().__init__(place, device)
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=work, args=(theirs, cores), name=f"count on {device}", daemon=True)
        with _without_interrupts():
            self._process.start()
        self.begun = time.monotonic()
        theirs.close()
        try:
            with suppress(ConnectionError):
                self.connection.send(start)
        except BaseException:
            self.leave(now=True)
            self.end(now=False)
            raise

    def _next(self) -> Event | None:
        try:
            event: Event = self.connection.recv()
        except (EOFError, OSError):
            return None
        return event

    def _send(self, task: Task | None) -> None:
        with suppress(ConnectionError):
            self.connection.send(task)

    def leave(self, now: bool) -> None:
        """Ask it to end: by closing the pipe, or at once."""
        if now:
            self._process.terminate()
        self.connection.close()

    def end(self, now: bool) -> str:
        """Wait for its end, and say how it ended."""
        if now:
            self._process.join(1.0)
            self.leave(now)
        self._process.join(END_SECONDS)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        self.ended = self.ended or time.monotonic()
        code = self._process.exitcode or 0
        return f"signal {-code}" if code < 0 else f"exit code {code}"


class Processes(Hiring):
    """Processes of this machine."""

    def _made(self, place: int, device: str, start: Start, cores: frozenset[int] | None) -> ProcessHand:
        return ProcessHand(place, device, start, cores)

    def wait(self, hands: Sequence[Hand]) -> Sequence[Hand]:
        """Return those whose pipes hold something, or are closed, as soon as there is one."""
        by_pipe = {hand.connection: hand for hand in hands if isinstance(hand, ProcessHand)}
        return [by_pipe[ready] for ready in wait(list(by_pipe))]  # type: ignore[index]


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Keep Ctrl-C from a process that is started in this block; ours waits for the block's end."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

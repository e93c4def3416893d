"""A process of a crew, as the run sees it: a pipe, the tasks that it has, and its end."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from typing import Generic, TypeVar

from detect.inference.devices.tasks import Event, Rested, Start, Task, Wanted
from detect.inference.devices.worker import work

T = TypeVar("T")

END_SECONDS = 10.0
"""How long a process that was told to end may take before it is killed."""


class Hand(Generic[T]):
    """A process with a station, started when this is made.

    Args:
        place: of the process among those of the crew.
        device: its device's name.
        start: makes the station.
        cores: that it may use; None leaves all.

    Attributes:
        connection: the pipe to it.
        tasks: that it has, as the run keeps them.
        alone: whether it is to have no other task beside the one it has.
        ready: whether its station is made.
        asks: whether it waits for an answer.
        served: whether it ever had a task.
        unfinished: pixels that it told of, of images that are not done.
    """

    def __init__(self, place: int, device: str, start: Start, cores: frozenset[int] | None) -> None:
        context = get_context("spawn")
        self.place = place
        self.device = device
        self.tasks: list[T] = []
        self.alone = self.ready = self.asks = self.served = False
        self.unfinished = 0
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=work, args=(theirs, cores), name=f"count on {device}", daemon=True)
        with _without_interrupts():
            self._process.start()
        theirs.close()
        try:
            with suppress(ConnectionError):
                self.connection.send(start)
        except BaseException:
            self.leave(now=True)
            self.end(now=False)
            raise

    def heard(self) -> Event | None:
        """Return what it tells next; None where it has ended."""
        try:
            event: Event = self.connection.recv()
        except (EOFError, OSError):
            return None
        if isinstance(event, Wanted):
            self.ready = self.asks = True
        if isinstance(event, Rested):
            self.alone = False
        return event

    def give(self, task: Task | None) -> None:
        """Answer it; one that has ended is heard of later."""
        self.asks = False
        self.served = self.served or task is not None
        with suppress(ConnectionError):
            self.connection.send(task)

    def leave(self, now: bool) -> None:
        """Tell it to end: by closing the pipe, or at once."""
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
        code = self._process.exitcode or 0
        return f"signal {-code}" if code < 0 else f"exit code {code}"


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Let a process that is started in this block inherit that Ctrl-C is not for it; ours waits for the block's end."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

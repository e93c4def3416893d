"""Processes of this machine that count for a run."""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import wait
from typing import TypeVar

from detect.inference.devices.hands import Hand, Hiring
from detect.inference.devices.tasks import Event, Start, Task
from detect.inference.devices.worker import work

T = TypeVar("T")

END_SECONDS = 10.0
"""How long a process that was told to end may take before it is killed, and then before it is left alone."""


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
        self.stir()
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
        """End it: by closing the pipe, or at once."""
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
            self._process.join(END_SECONDS)  # one that waits for a disk or a device cannot be killed
        self.ended = self.ended or time.monotonic()
        code = self._process.exitcode or 0
        return f"signal {-code}" if code < 0 else f"exit code {code}"


class Processes(Hiring):
    """Processes of this machine."""

    def _made(self, place: int, device: str, start: Start, cores: frozenset[int] | None) -> ProcessHand:
        return ProcessHand(place, device, start, cores)

    def wait(self, hands: Sequence[Hand], seconds: float) -> Sequence[Hand]:
        """Return those whose pipes hold something, or are closed, as soon as there is one; none after some seconds."""
        by_pipe = {hand.connection: hand for hand in hands if isinstance(hand, ProcessHand)}
        return [by_pipe[ready] for ready in wait(list(by_pipe), seconds)]  # type: ignore[index]

    def avoid(self, hand: Hand) -> None:
        """Hire as before: a place has one device."""


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Keep Ctrl-C and SIGTERM from a process that is started in this block, which inherits that; ours wait for its end.

    A process that is begun and not known yet would be left behind.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # which lets both through again, where it begins with the first process
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

"""The end of a command by SIGTERM, as schedulers and managers of services send it: as orderly as by Ctrl-C."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SAME_SECONDS = 1.0
"""In which a second one is the first again: a scheduler may send it to a process and to the group that it is in."""


@contextmanager
def sigterm_as_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Make SIGTERM do what Ctrl-C does while a block lasts, once: a second one ends this process at once.

    A fork of this process ends at once by the first. Nothing changes in another thread than the first, where no signal
    is heard, and where a program around this one has its own way.

    Yields:
        Whether it has come.

    Raises:
        KeyboardInterrupt: it came.
    """
    before, here, came = signal.getsignal(signal.SIGTERM), os.getpid(), list[float]()
    if threading.current_thread() is not threading.main_thread() or before is not signal.SIG_DFL:
        yield lambda: False
        return

    def interrupt(number: int, frame: object) -> None:
        if os.getpid() != here or (came and time.monotonic() - came[0] > SAME_SECONDS):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)
        if not came:
            came.append(time.monotonic())
            raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield lambda: bool(came)
    finally:
        signal.signal(signal.SIGTERM, before)

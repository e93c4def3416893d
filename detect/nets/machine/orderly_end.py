"""The end of a command by SIGTERM, as schedulers and managers of services send it: as orderly as by Ctrl-C."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SAME_SECONDS = 1.0
"""In which a second one is the first again: a scheduler may send it to a process and to the group that it is in."""

_came: list[float] = []
"""When it came, in seconds of `time.monotonic`, in the block that lasts."""


def sigterm_has_come() -> bool:
    """Return whether it has come in the block that lasts: what else goes wrong may be of that."""
    return bool(_came)


@contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """Make SIGTERM do what Ctrl-C does while a block lasts, once: a second one ends this process at once.

    A fork of this process ends at once by the first. Nothing changes in another thread than the first, where no signal
    is heard, and where a program around this one has its own way.

    Raises:
        KeyboardInterrupt: it came.
    """
    before, here = signal.getsignal(signal.SIGTERM), os.getpid()
    if threading.current_thread() is not threading.main_thread() or before is not signal.SIG_DFL:
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        if os.getpid() != here or (_came and time.monotonic() - _came[0] > SAME_SECONDS):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)
        if not _came:
            _came.append(time.monotonic())
            raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        _came.clear()

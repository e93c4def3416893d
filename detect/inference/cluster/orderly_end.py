"""The end of a run on a cluster by SIGTERM, as a scheduler sends it: the same as by Ctrl-C, with nothing left behind.

Ray's own way, set by `ray.init`, prints the stack, aborts the process three seconds later, and raises what is lost if
it comes while Ray waits, as it is no KeyboardInterrupt.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TOLD = f"or by a scheduler, with the signal {signal.SIGTERM.name}"


@contextmanager
def sigterm_as_ctrl_c() -> Iterator[Callable[[], None]]:
    """Make SIGTERM do what Ctrl-C does while a block lasts, once; later ones do not disturb what is done for the first.

    In another thread than the first, where no signal is heard, it does nothing.

    Yields:
        What makes it so again, after something else has taken the signal.

    Raises:
        KeyboardInterrupt: the signal came; as it says.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    came = False

    def interrupt(number: int, frame: object) -> None:
        nonlocal came
        if not came:
            came = True
            raise KeyboardInterrupt

    def take() -> None:
        signal.signal(signal.SIGTERM, interrupt)

    before = signal.getsignal(signal.SIGTERM)
    take()
    try:
        yield take
    except KeyboardInterrupt as stop:
        if came:
            raise KeyboardInterrupt(TOLD) from stop
        raise
    finally:
        signal.signal(signal.SIGTERM, before)

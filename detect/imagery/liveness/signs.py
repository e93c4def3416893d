"""Signs of life, given from where blocks are written, joined or sent: what hangs there gives none, as a timer would."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

EVERY_SECONDS = 10.0
"""How often a sign is handed on, at most: blocks may be many."""


@dataclass(eq=False)
class _Listener:
    hear: Callable[[], None]
    heard: float


_listening: list[_Listener] = []


@contextmanager
def signs_heard(hear: Callable[[], None]) -> Iterator[None]:
    """Hand on the signs of life of this process while a block lasts.

    Args:
        hear: called in any thread, now and then.
    """
    listener = _Listener(hear, time.monotonic())
    _listening.append(listener)
    try:
        yield
    finally:
        _listening.remove(listener)


def give_sign() -> None:
    """Report that some work was done just now, such as a block that is written; it costs next to nothing."""
    for each in tuple(_listening):
        now = time.monotonic()
        if now - each.heard >= EVERY_SECONDS:
            each.heard = now
            each.hear()

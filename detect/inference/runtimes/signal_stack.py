"""The stack on which a thread of Linux runs what handles a signal, where it is another than the thread's own."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SS_DISABLE = 2
"""Says that there is none."""


class Stack(ctypes.Structure):
    """As the system has it, `stack_t`.

    Attributes:
        ss_sp: where it begins.
        ss_flags: `SS_DISABLE`.
        ss_size: in bytes.
    """

    _fields_ = (("ss_sp", ctypes.c_void_p), ("ss_flags", ctypes.c_int), ("ss_size", ctypes.c_size_t))


def signal_stack() -> Stack | None:
    """Return this thread's; None where the system is not Linux."""
    if sys.platform != "linux":
        return None
    found = Stack()
    ctypes.CDLL(None).sigaltstack(None, ctypes.byref(found))
    return found


@contextmanager
def signal_stack_kept() -> Iterator[None]:
    """Restore this thread's stack after a block: the one that it had before, or none, if what it got is smaller."""
    before = signal_stack()
    yield
    after = signal_stack()
    if before is None or after is None or after.ss_flags & SS_DISABLE or before.ss_sp == after.ss_sp:
        return
    if before.ss_flags & SS_DISABLE or before.ss_size > after.ss_size:
        ctypes.CDLL(None).sigaltstack(ctypes.byref(before), None)

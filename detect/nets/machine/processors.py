"""The processor that networks, readers and writers share."""

import os


def usable_cores() -> int:
    """Return how many cores this process may use."""
    named = getattr(os, "sched_getaffinity", None)
    return len(named(0)) if named is not None else os.cpu_count() or 1

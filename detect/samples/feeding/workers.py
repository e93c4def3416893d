"""How many processes make samples: `data.loading.workers=auto`."""

import time
from collections.abc import Callable
from dataclasses import dataclass

MOST_WORKERS = 8
"""Most processes that are started beside one device unasked."""

CORES_PER_WORKER = 4
"""Where the network runs on the processor: so many cores compute about as long as one takes to make its samples."""


TWO_CORES = 2
"""Cores on which an epoch tells whether a process beside the one that learns pays."""

SLOW_SAMPLES = 0.2
"""Share of the time from which on it does: half of it is saved at most, as the other core computes less meanwhile."""


@dataclass(frozen=True)
class Machine:
    """What samples are made on, and for.

    Attributes:
        cores: that this process may use.
        device: `cpu`, `cuda`, `mps`: what runs the network.
        devices: in this machine, that share the cores.
    """

    cores: int
    device: str
    devices: int


def workers_for(machine: Machine, *, in_parts: bool) -> tuple[int, str]:
    """Return how many processes make samples, 0 for the one that learns, and why.

    Args:
        machine: what there is.
        in_parts: whether they can live from epoch to epoch; others would decode every image anew in each.
    """
    cores = machine.cores // max(1, machine.devices)
    if not in_parts:
        return 0, "whole images are decoded once, and kept by the process that learns"
    if machine.device == "cpu":
        if machine.cores <= 2:
            told = "; the first epoch tells whether a process beside it pays" if is_measured(machine) else ""
            return 0, f"{machine.cores} core{'s' if machine.cores > 1 else ''} for the network and its samples{told}"
        return max(1, min(MOST_WORKERS, cores // CORES_PER_WORKER)), f"{machine.cores} cores compute the network"
    number = max(0, min(MOST_WORKERS, cores - 1))
    shared = f" for {machine.devices} devices" if machine.devices > 1 else f" beside {machine.device}"
    return number, f"{machine.cores} cores{shared}"


def is_measured(machine: Machine) -> bool:
    """Return whether an epoch decides how many processes make samples: where two cores compute the network."""
    return machine.device == "cpu" and machine.cores == TWO_CORES and machine.devices == 1


class SampleClock:
    """Measures which share of an epoch's time goes into samples that the process that learns makes; each is entered.

    Args:
        skipped: samples at the beginning that are not counted: photographs are decoded for the first time.
        now: the clock in seconds.
    """

    def __init__(self, skipped: int, now: Callable[[], float] = time.perf_counter) -> None:
        self._skipped = skipped
        self._now = now
        self._made = 0
        self._making = self._entered = self._began = self._ended = 0.0

    def __enter__(self) -> None:
        self._entered = self._now()
        if self._made == self._skipped:
            self._began = self._entered

    def __exit__(self, *error: object) -> None:
        self._ended = self._now()
        self._made += 1
        if self._made > self._skipped:
            self._making += self._ended - self._entered

    @property
    def share(self) -> float | None:
        """The share; None where too few samples were made: not twice as many as are not counted."""
        if self._made < 2 * self._skipped + 1:
            return None
        return self._making / max(self._ended - self._began, 1e-9)

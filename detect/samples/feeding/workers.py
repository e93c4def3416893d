"""How many processes make samples: `data.loading.workers=auto`."""

from dataclasses import dataclass

MOST_WORKERS = 8
"""Most processes that are started beside one device unasked."""

CORES_PER_WORKER = 4
"""Where the network runs on the processor: so many cores compute about as long as one takes to make its samples."""


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
            return 0, f"{machine.cores} cores compute the network, which takes longer than its samples"
        return max(1, min(MOST_WORKERS, cores // CORES_PER_WORKER)), f"{machine.cores} cores compute the network"
    number = max(0, min(MOST_WORKERS, cores - 1))
    shared = f" for {machine.devices} devices" if machine.devices > 1 else f" beside {machine.device}"
    return number, f"{machine.cores} cores{shared}"

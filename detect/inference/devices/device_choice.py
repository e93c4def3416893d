"""Which devices a run takes, one process each, and what of the processor each of them has."""

import logging
import os
from collections.abc import Sequence
from itertools import pairwise

from detect.nets.machine.processors import usable_cores

logger = logging.getLogger(__name__)


def chosen_devices(device: str, devices: int | str | Sequence[int]) -> list[str]:
    """Return the names of the devices of a run, one for each process.

    Args:
        device: of the settings, `auto` or torch's name.
        devices: `auto` takes all CUDA devices where `device` names none of them, else one process; a number takes so
            many (processes, on the CPU); a list takes CUDA devices by their numbers.

    Raises:
        ValueError: devices that are not there, or cannot be shared.
    """
    from detect.inference.runtimes.torch_runtime import pick_device

    if devices in (1, "auto") and device == "cpu":
        return [device]
    picked = pick_device(device)
    said = f"runtime.devices={_shown(devices)}"
    if picked.type == "cuda":
        return _on_cuda(device, picked.index, devices, said)
    if isinstance(devices, Sequence) and not isinstance(devices, str):
        raise ValueError(f"{said} names CUDA devices, and runtime.device={device} is {picked} here; give a number")  # noqa: TRY004
    number = 1 if devices == "auto" else int(devices)
    if number < 1:
        raise ValueError(f"{said} must be auto, 1 or more, or a list of CUDA devices, such as [0,1]")
    if number == 1:
        return [device]
    if picked.type != "cpu":
        raise ValueError(f"{said}: there is one {picked} here; leave it out")
    if number > usable_cores():
        raise ValueError(f"{said}: this process may use {usable_cores()} cores; give as many processes at most")
    return ["cpu"] * number


def _on_cuda(device: str, index: int | None, devices: int | str | Sequence[int], said: str) -> list[str]:
    import torch

    there = torch.cuda.device_count()
    if index is not None:
        if devices not in (1, "auto", [index], (index,)):
            raise ValueError(f"{said} and runtime.device={device}: name no number in one of them")
        return [device]
    if devices == 1:
        return [device]
    if isinstance(devices, int):
        numbers: Sequence[int] = range(devices)
    else:
        numbers = range(there) if isinstance(devices, str) else devices
    if not numbers or len(set(numbers)) < len(numbers) or min(numbers) < 0 or max(numbers) >= there:
        raise ValueError(f"{said}: there are {there} CUDA devices, 0 to {there - 1}; name each of them once at most")
    return [f"cuda:{number}" for number in numbers]


def shared_cores(processes: int) -> list[frozenset[int] | None]:
    """Return the cores of each process on the CPU, near to equal parts of those that this process may use."""
    named = getattr(os, "sched_getaffinity", None)
    cores = sorted(named(0)) if named is not None else list(range(os.cpu_count() or 1))
    if len(cores) < processes:
        return [frozenset(cores)] * processes
    bounds = [round(place * len(cores) / processes) for place in range(processes + 1)]
    return [frozenset(cores[a:b]) for a, b in pairwise(bounds)]


def _shown(devices: int | str | Sequence[int]) -> str:
    return str(devices) if isinstance(devices, int | str) else f"[{','.join(map(str, devices))}]"

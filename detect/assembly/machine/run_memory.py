"""What `max_memory=auto` is: a share of the memory, or what an earlier run into the same folder had."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count, takewhile
from pathlib import Path
from typing import Any, TypeVar

from detect.assembly.fields.byte_sizes import Bytes, byte_size
from detect.assembly.settings.inference_settings import InferenceSettings
from detect.labels.json_files import read_json_object
from detect.nets.machine.host_memory import HostMemory, host_memory

logger = logging.getLogger(__name__)

LEAST = 2 << 30
"""Bytes of `auto` on a small machine, or on one that does not say how much memory it has."""

EARLIER = "max_memory"
"""What an output folder remembers it as."""

Settings = TypeVar("Settings", bound=InferenceSettings)


def with_memory(
    settings: Settings,
    earlier: Path | None = None,
    devices: Sequence[str] = (),
    others: Callable[[], int] | None = None,
) -> Settings:
    """Return settings whose `max_memory` is a number of bytes.

    Where the halo is not exact, the last digits of scores depend on the tiles, and so on the memory: a run that goes on
    has that of the run which it goes on with, and not what is free at the moment.

    Args:
        settings: of a command.
        earlier: the file with the settings of a run that would be gone on with.
        devices: names of those that the run takes; none for the one of the settings.
        others: returns the bytes of `auto` on other machines than this one, and logs why; None where it is this one.
    """
    if settings.max_memory is not None:
        return settings
    known = None if earlier is None else _of_earlier(earlier)
    if known is not None:
        logger.info("max_memory=auto: %s, as the run had that is gone on with", known.text)
        return replace(settings, max_memory=known)
    if others is not None:
        return replace(settings, max_memory=byte_size(f"{others() >> 20}MiB"))
    return replace(settings, max_memory=_told(host_memory(), _free_on_devices(devices or [settings.runtime.device])))


def share_of(memory: HostMemory, device: int | None = None) -> int:
    """Return the greatest of 2, 3, 4, 6, 8, ... GiB that is at most a third of the memory and half of what is free.

    A third leaves the system, the page cache and another program theirs; of it the network takes five eighths. By such
    steps it is mostly the same from run to run, so that the tiles are. It is 2 GiB at least.

    Args:
        memory: of this process.
        device: free bytes of the GPU, or of that of several which has least, of which it is half at most; None where
            the network runs on the processor.
    """
    return greatest_step(min(memory.total // 3, memory.free // 2, *([] if device is None else [device // 2])))


def greatest_step(most: int) -> int:
    """Return the greatest of 2, 3, 4, 6, 8, ... GiB that is at most a number of bytes; 2 GiB at least."""
    steps = (step << doubled for doubled in count() for step in (2 << 30, 3 << 30))
    return max(takewhile(lambda step: step <= most, steps), default=LEAST)


def _told(memory: HostMemory | None, device: int | None) -> Bytes:
    """Return the share of the memory there is, and log why."""
    if memory is None:
        logger.info("max_memory=auto: %d GiB, as this system does not say how much memory is free", LEAST >> 30)
        return byte_size(f"{LEAST >> 30}GiB")
    share = share_of(memory, device)
    logger.info(
        "max_memory=auto: %d GiB of %.1f GiB, of which %.1f are free%s",
        share >> 30,
        memory.total / 2**30,
        memory.free / 2**30,
        "" if device is None else f", and {device / 2**30:.1f} GiB on the device",
    )
    if share > memory.free // 2:
        logger.warning("that is more than half of what is free: set max_memory lower if the system ends the run")
    return byte_size(f"{share >> 30}GiB")


def _free_on_devices(names: Sequence[str]) -> int | None:
    """Return the least free bytes of CUDA devices; None of others, which share the processor's memory.

    The tiles are the same on all devices, so that the one with least decides.
    """
    import torch

    from detect.inference.runtimes.torch_runtime import pick_device

    chosen = [pick_device(name) for name in names]
    return min((int(torch.cuda.mem_get_info(each)[0]) for each in chosen if each.type == "cuda"), default=None)


def _of_earlier(path: Path) -> Bytes | None:
    """Return what a run had; None where there was none, or its settings cannot be read, which is told elsewhere."""
    try:
        recorded: Any = read_json_object(path, path.parent)
        return byte_size(recorded[EARLIER])
    except (OSError, ValueError, KeyError):
        return None

"""The actor of a worker on a cluster: a station in a thread, fed and heard by calls of the run's process.

Nothing heavy is imported before the worker knows its cores.
"""

import os
import pickle
import queue
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from detect.inference.devices.tasks import Event, Start, Task
from detect.inference.devices.worker import serve, take_cores
from detect.nets.machine.peak_memory import peak_memory_mib

BOOT = Path("/proc/sys/kernel/random/boot_id")
"""Names a machine of Linux until it starts anew, whatever container asks."""


def sent(given: Start | Task | None) -> bytes:
    """Return what an actor is given as it travels."""
    return pickle.dumps(given, pickle.HIGHEST_PROTOCOL)


@dataclass(frozen=True)
class Greeting:
    """Where a worker is.

    Attributes:
        node: Ray's name of the node.
        host: the machine's name.
        machine: what tells machines of the same name apart.
        cores: that the worker may use before it is told which.
    """

    node: str
    host: str
    machine: str
    cores: tuple[int, ...]


class StationActor:
    """A worker, each method of which is called in a thread of its own."""

    def __init__(self) -> None:
        self._given: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._told: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def greet(self) -> Greeting:
        """Return where this is."""
        import ray

        named = getattr(os, "sched_getaffinity", None)
        cores = sorted(named(0)) if named is not None else range(os.cpu_count() or 1)
        boot = BOOT.read_text(encoding="ascii").strip() if BOOT.exists() else ""
        host = socket.gethostname()
        node = ray.get_runtime_context().get_node_id()
        return Greeting(node, host, boot or host, tuple(cores))

    def begin(self, start: bytes, cores: frozenset[int] | None) -> None:
        """Make the station, in its thread, and let it count what is given.

        Args:
            start: the `Start` that makes it, as `sent` makes it.
            cores: that it may use; None leaves all.
        """
        self._given.put(start)
        threading.Thread(target=self._count, args=(cores,), name="station", daemon=True).start()

    def _count(self, cores: frozenset[int] | None) -> None:
        if cores is not None:
            take_cores(cores)
        serve(self._received, self._told.put)

    def _received(self) -> Start | Task | None:
        """Return what is given next; in the station's thread, so that what cannot be read is told as its end."""
        given = self._given.get()
        try:
            return cast("Start | Task | None", pickle.loads(given))
        except (ImportError, AttributeError) as error:
            raise RuntimeError(
                f"node {socket.gethostname()} cannot read what the run sends ({error}); install the same detect, and "
                "all that it needs, on all nodes"
            ) from error

    def give(self, task: bytes) -> None:
        """Hand the station a task, or None, the word that there is none before it has told of all that it has."""
        self._given.put(task)

    def peak_mib(self) -> int | None:
        """Return the most memory that the worker has held, in MiB; None where that is not known."""
        return peak_memory_mib()

    def listen(self) -> list[Event]:
        """Return what the station told since the last time, as soon as there is something."""
        told = [self._told.get()]
        with suppress(queue.Empty):
            while True:
                told.append(self._told.get_nowait())
        return told

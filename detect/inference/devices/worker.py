"""The process of a device: it asks for tasks, and tells what is kept of their images.

It imports nothing heavy before it knows its cores: libraries take their number when they are imported.
"""

import logging
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from detect.inference.devices.tasks import Broken, Event, Rested, Station, Task, Told, Wanted
from detect.nets.machine.peak_memory import peak_memory_mib


def work(connection: "Connection[Event, Task | None]", cores: frozenset[int] | None) -> None:
    """Read a `Start` from a pipe, make its station, and count what tasks come until the pipe is closed.

    Ctrl-C is left to the process that gives the tasks; where that ends, however it ends, so does this one. SIGTERM,
    which the process that starts this one holds back meanwhile, ends it at once: it is no more than part of a run.

    Args:
        connection: to it.
        cores: that this process may use; None leaves all.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if cores is not None:
        take_cores(cores)
    serve(connection.recv, connection.send)


def serve(receive: Callable[[], Any], send: Callable[[Event], None]) -> None:
    """Make a station of the `Start` that comes first, and count the tasks that come after it until no more can come.

    Args:
        receive: waits for what comes next: the start, tasks, and None where there is none at the moment.
        send: takes what is told, in one thread at a time.
    """
    teller = Teller(send)
    logging.getLogger().handlers[:] = [teller]
    try:
        station: Station = receive()()
        teller.forwards = True
        while True:
            station.run(_tasks(receive, teller), teller.tell)
            teller.tell(Rested(peak_memory_mib()))
    except (EOFError, ConnectionError):
        return
    except BaseException as error:
        teller.tell(Broken(sendable(error)))


def take_cores(cores: frozenset[int]) -> None:
    """Keep this process to some cores, where the system has a way; libraries to their number elsewhere.

    So are the threads that it has: in one of Ray's this runs beside others, and OpenVINO looks at the first thread's.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
        for thread in Path("/proc/self/task").glob("[0-9]*"):
            with suppress(ProcessLookupError):  # it has ended since
                os.sched_setaffinity(int(thread.name), cores)
    os.environ.setdefault("OMP_NUM_THREADS", str(len(cores)))


def sendable(error: BaseException) -> BaseException:
    """Return an error as it can be sent to another process: itself, or its text where it cannot."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # anything may stand in the way, as an error of another signature
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


class Teller(logging.Handler):
    """Sends events from any thread, and warnings of the log as events as soon as it `forwards` them.

    What is logged before, while a station is made, is what the process that started this one logged too.
    """

    def __init__(self, send: Callable[[Event], None]) -> None:
        super().__init__(logging.WARNING)
        self.forwards = False
        self._send = send
        self._sending = threading.Lock()

    def tell(self, event: Event) -> None:
        """Send an event."""
        with self._sending:
            self._send(event)

    def emit(self, record: logging.LogRecord) -> None:
        """Send a line of the log."""
        if self.forwards:
            self.tell(Told(record.levelno, record.getMessage()))


def _tasks(receive: Callable[[], Task | None], teller: Teller) -> Iterator[Task]:
    """Ask for tasks one by one, until there is none."""
    while True:
        teller.tell(Wanted())
        task = receive()
        if task is None:
            return
        yield task


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

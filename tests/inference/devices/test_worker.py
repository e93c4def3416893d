"""The process of a worker: which cores its threads have."""

import os
import subprocess
import sys

import pytest

from detect.nets.machine.processors import usable_cores

BOUND = """
import os, threading
from contextlib import suppress
from detect.inference.devices.worker import take_cores

def cores():
    found = set()
    for thread in os.listdir("/proc/self/task"):
        with suppress(ProcessLookupError):
            found.add(len(os.sched_getaffinity(int(thread))))
    return found

def in_a_thread(act):
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()

stop, found = threading.Event(), []
other = threading.Thread(target=stop.wait)
other.start()
found.append(cores())
in_a_thread(lambda: take_cores(frozenset({min(os.sched_getaffinity(0))})))
found.append(cores())
in_a_thread(lambda: found.append(cores()))
stop.set()
print(found, os.environ["OMP_NUM_THREADS"])
"""
"""Tells how many cores any of two threads has: before, when a third has taken one core for all, and with a new one."""


@pytest.mark.skipif(sys.platform != "linux", reason="threads are kept to cores on Linux")
@pytest.mark.skipif(usable_cores() < 2, reason="there is one core, which is all")
def test_all_threads_of_a_worker_are_kept_to_its_cores_those_that_come_later_too() -> None:
    """A worker of a cluster counts in a thread beside others, and OpenVINO looks at the first thread's cores."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    told = subprocess.run([sys.executable, "-c", BOUND], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == f"[{{{usable_cores()}}}, {{1}}, {{1}}] 1"

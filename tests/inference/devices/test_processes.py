"""Processes of this machine: what comes while one is started."""

import subprocess
import sys

import pytest

BLOCKED = """
import signal, sys
from detect.inference.devices.processes import _without_interrupts
from multiprocessing import get_context

if __name__ == "__main__":
    for _ in range(2):
        process = get_context("spawn").Process(target=int)
        with _without_interrupts():
            process.start()
            held = {signal.SIGINT, signal.SIGTERM} <= signal.pthread_sigmask(signal.SIG_BLOCK, [])
        process.join()
        print(held, {signal.SIGINT, signal.SIGTERM} & signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no masks of signals")
def test_a_signal_waits_while_the_first_process_is_started_too() -> None:
    """With the first one Python starts a process of its own, and lets signals through again; and none is held after."""
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout == "True set()\n" * 2, done.stderr

"""SIGTERM as Ctrl-C, once; a second one ends the process; it is as before when the block is over."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from detect.nets.machine import orderly_end
from detect.nets.machine.orderly_end import SAME_SECONDS, sigterm_as_ctrl_c, sigterm_has_come

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(autouse=True)
def as_in_a_process_of_its_own() -> object:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


def test_it_interrupts_and_one_that_follows_at_once_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler may send it to a process, and to all of its group."""
    monkeypatch.setattr(orderly_end, "SAME_SECONDS", 3600.0)
    heard = list[str]()
    with pytest.raises(KeyboardInterrupt), sigterm_as_ctrl_c():
        assert not sigterm_has_come()
        try:
            terminate()
        finally:
            terminate()
            heard.append(f"orderly: {sigterm_has_come()}")
    assert heard == ["orderly: True"] and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


ENDS = """
import os, signal, sys, time
from detect.nets.machine import orderly_end
{change}
try:
    with orderly_end.sigterm_as_ctrl_c():
        {ended}
        os.kill(os.getpid(), signal.SIGTERM)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def output_of(change: str, ended: str) -> tuple[int, str]:
    program = ENDS.format(change=change, ended=ended)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout


def test_a_second_one_ends_the_process_at_once() -> None:
    """The clock goes on by two seconds whenever it is looked at."""
    clock = "orderly_end.time = type('clock', (), {'now': 0.0})\n"
    clock += "def monotonic():\n    orderly_end.time.now += 2.0\n    return orderly_end.time.now\n"
    clock += "orderly_end.time.monotonic = monotonic"
    again = "exec('try:\\n    os.kill(os.getpid(), signal.SIGTERM)\\nexcept KeyboardInterrupt:\\n    pass')"
    assert SAME_SECONDS < 2
    assert output_of(clock, again) == (-signal.SIGTERM, "")
    assert output_of("", "pass") == (0, "interrupted\n")


def test_a_fork_ends_at_once_by_the_first() -> None:
    """Such as one that makes samples: what is orderly is done by the process that has begun it."""
    fork = "pid = os.fork(); pid or os.kill(os.getpid(), signal.SIGTERM); print(os.waitpid(pid, 0)[1], flush=True)"
    assert output_of("", fork) == (0, f"{int(signal.SIGTERM)}\ninterrupted\n")


def test_who_has_its_own_way_keeps_it_and_another_thread_takes_no_signal() -> None:
    heard, seen = list[str](), list[object]()
    signal.signal(signal.SIGTERM, lambda *given: heard.append("its own"))
    with sigterm_as_ctrl_c():
        terminate()
        assert heard == ["its own"] and not sigterm_has_come()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def elsewhere() -> None:
        with sigterm_as_ctrl_c():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]

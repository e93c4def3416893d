"""SIGTERM as Ctrl-C: once, whatever else has taken the signal in between, and as before when it is over."""

import os
import signal
import sys
import threading

import pytest

from detect.inference.cluster.orderly_end import sigterm_as_ctrl_c

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_the_first_interrupts_and_says_so_and_a_later_one_does_not_disturb_what_is_done_then() -> None:
    heard = list[str]()
    before = signal.signal(signal.SIGTERM, lambda *given: heard.append("before"))
    try:
        with pytest.raises(KeyboardInterrupt, match="with the signal SIGTERM"), sigterm_as_ctrl_c() as take:
            signal.signal(signal.SIGTERM, lambda *given: heard.append("Ray's"))
            take()
            try:
                terminate()
            finally:
                terminate()
                heard.append("orderly")
        terminate()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == ["orderly", "before"]


def test_ctrl_c_is_told_as_such_and_another_thread_takes_no_signal() -> None:
    with pytest.raises(KeyboardInterrupt) as stop, sigterm_as_ctrl_c():
        raise KeyboardInterrupt
    assert str(stop.value) == ""
    before, seen = signal.getsignal(signal.SIGTERM), list[object]()

    def elsewhere() -> None:
        with sigterm_as_ctrl_c() as take:
            take()
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]

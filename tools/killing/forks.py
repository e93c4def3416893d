"""A command in a fork of this process, which may be killed."""

import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fuzzing.material import run_commands

NAMELESS = 100_000
"""Bytes of a file without a name from which it is one of the run's maps."""


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes:
        code: its exit code, or minus the signal that ended it.
        seconds: how long it took.
        log: what it wrote.
        nameless: whether it held a file without a name, such as a map too large for memory.
    """

    code: int
    seconds: float
    log: str
    nameless: bool


def run(
    command: Sequence[str],
    log: Path,
    kill_after: float | None = None,
    scratch: Path | None = None,
    by: signal.Signals = signal.SIGKILL,
) -> Ended:
    """Run a command in a fork of this process, with its own TMPDIR where one is given; end it after some seconds."""
    sys.stdout.flush()
    log.write_text("")
    begun = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _child(command, log, scratch)
    nameless = False
    while True:
        nameless = nameless or (kill_after is None and _has_nameless(pid))
        done, status = os.waitpid(pid, os.WNOHANG)
        seconds = time.monotonic() - begun
        if done:
            return Ended(os.waitstatus_to_exitcode(status), seconds, log.read_text(errors="replace"), nameless)
        if kill_after is not None and seconds >= kill_after:
            os.kill(pid, by)
            kill_after = None
        time.sleep(0.002)


def _has_nameless(pid: int) -> bool:
    """Return whether a process has a large file without a name, open or mapped."""
    with contextlib.suppress(OSError):
        lines = [line.split() for line in Path(f"/proc/{pid}/maps").read_text().splitlines() if "(deleted)" in line]
        sizes = [int(end, 16) - int(start, 16) for start, end in (line[0].split("-") for line in lines)]
        handles = [f"/proc/{pid}/fd/{name}" for name in os.listdir(f"/proc/{pid}/fd")]  # noqa: PTH208
        sizes += [os.stat(each).st_size for each in handles if "(deleted)" in os.readlink(each)]  # noqa: PTH115, PTH116
        return any(size > NAMELESS for size in sizes)
    return False


def _child(command: Sequence[str], log: Path, scratch: Path | None) -> None:
    target = os.open(log, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(target, stream)
    if scratch is not None:
        os.environ["TMPDIR"] = str(scratch)
    tempfile.tempdir = None
    codes: list[int] = []
    try:
        run_commands((tuple(command),), lambda **told: codes.append(told["code"]))
    except BaseException:
        import traceback

        traceback.print_exc()
        codes.append(1)
    sys.stderr.flush()
    os._exit(codes[-1])

"""Runs `detect.predict` in forks of a process that has imported everything, so that a run can be killed often.

A cold start of Python with torch takes ten times as long as the runs that the tests kill. The forks are those of
Python's server of forks, which `tests.preloaded` makes ready; it has composed the settings of `detect.predict` too.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Child:
    """A command that runs, or has ended."""

    process: Any
    log: Path

    @property
    def pid(self) -> int:
        """The number of its process."""
        return int(self.process.pid)

    def send(self, number: int) -> None:
        """Send a signal; to a child that has ended it does nothing."""
        with suppress(ProcessLookupError):
            if self.process.exitcode is None:
                os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait for the end and give the exit code, or minus the signal that ended it."""
        self.process.join()
        return int(self.process.exitcode)


class Zygote:
    """What starts them, where the server of forks is running."""

    def start(self, log: Path, *overrides: str, slow: float = 0.0, die_at: int | None = None) -> Child:
        """Start `detect.predict`.

        Args:
            log: takes what it writes to the terminal.
            overrides: hydra's.
            slow: seconds that the network takes longer for each batch.
            die_at: the child kills itself before it moves a finished file into place for this time, from 1.
        """
        request = {"log": str(log), "overrides": overrides, "slow": slow, "die_at": die_at}
        process = get_context("forkserver").Process(target=_end, args=(request,))
        process.start()
        return Child(process, log)


def _predict(request: dict[str, Any]) -> None:
    from detect import predict
    from detect.inference.runtimes.torch_runtime import TorchRuntime

    target = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(target, stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request["slow"]:
        TorchRuntime.__call__ = _slowed(TorchRuntime.__call__, request["slow"])  # type: ignore[method-assign]
    if request["die_at"] is not None:
        Path.replace = _dying(Path.replace, request["die_at"])  # type: ignore[method-assign]
    sys.argv = ["detect.predict", *request["overrides"]]
    predict.main()


def _slowed(real: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    def slow(*arguments: Any) -> Any:
        time.sleep(seconds)
        return real(*arguments)

    return slow


def _dying(real: Callable[..., Any], number: int) -> Callable[..., Any]:
    calls: list[object] = []

    def die(path: Path, target: Path) -> Any:
        calls.append(path)
        if len(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(path, target)

    return die


def _end(request: dict[str, Any]) -> None:
    """Run a request in this process, a fork, and end it with the exit code that Python would give."""
    code = _code(request)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _code(request: dict[str, Any]) -> int:
    try:
        _predict(request)
    except SystemExit as stop:
        return int(stop.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
        return 1
    return 0

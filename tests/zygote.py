"""Runs commands in forked children of a process that has imported everything, so that a run can be killed often.

A cold start of Python with torch takes ten times as long as the runs that the tests kill. `Zygote` starts the process
(`python -m tests.zygote`), which reads a line of JSON a request and answers with one. It has composed the settings of
`detect.predict` too.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.commands import call
from tests.kept import made_once


@dataclass(frozen=True)
class Child:
    """A command that runs, or has ended."""

    zygote: "Zygote"
    pid: int
    log: Path

    def send(self, number: int) -> None:
        """Send a signal; to a child that has ended it does nothing, until it is waited for."""
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait for the end and give the exit code, or minus the signal that ended it."""
        return int(self.zygote.ask(do="wait", pid=self.pid)["code"])


class Zygote:
    """The process whose children the commands are; a context manager."""

    def __enter__(self) -> "Zygote":
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=Path(__file__).parents[1],
        )
        self.ask(do="nothing")
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(300)

    def ask(self, **request: Any) -> Any:
        """Send a request and give the answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(self, log: Path, *overrides: str, slow: float = 0.0, die_at: int | None = None) -> Child:
        """Start `detect.predict`.

        Args:
            log: takes what it writes to the terminal.
            overrides: hydra's.
            slow: seconds that the network takes longer for each batch.
            die_at: the child kills itself before it moves a finished file into place for this time, from 1.
        """
        pid = self.ask(do="start", log=str(log), overrides=overrides, slow=slow, die_at=die_at)["pid"]
        return Child(self, pid, log)


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


def _child(request: dict[str, Any]) -> int:
    """Run a request in this process, a fork, and give its exit code as Python would."""
    try:
        _predict(request)
    except SystemExit as stop:
        return int(stop.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
        return 1
    return 0


def _serve() -> None:
    import tests.preloaded  # noqa: F401, a fork has it then

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with made_once():
        assert call("predict", "model=nowhere", "images=nowhere", "output=nowhere", "runtime=torch").code == 2
        gc.collect()
        gc.freeze()
        _answer()


def _answer() -> None:
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        if request["do"] == "start":
            pid = os.fork()
            if pid == 0:
                code = _child(request)
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
            answer = {"pid": pid}
        elif request["do"] == "nothing":
            answer = {}
        else:
            answer = {"code": os.waitstatus_to_exitcode(os.waitpid(request["pid"], 0)[1])}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()

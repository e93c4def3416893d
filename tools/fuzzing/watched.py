"""A function in a forked child that is watched: what it reaches for, how much it takes, how it ends."""

import contextlib
import faulthandler
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .canary import Listener
from .hook import Guard

LARGEST_FILE = 1 << 30
"""Most bytes of a file that a child may write: its disk is that of the machine."""

MESSAGE = 160
"""Characters of an error's message that are kept."""

Tell = Callable[..., None]
Work = Callable[[Tell], None]
"""What the child does; it tells facts by name: `code=2`, `error="..."`."""


@dataclass(frozen=True)
class Bounds:
    """What a child may do and take.

    Attributes:
        seconds: of the processor, or of waiting without using it: both are the same on a busy machine.
        memory_mib: above what it begins with.
        writable: folders that it may change.
        untouchable: folders of which it may open nothing.
        scratch: its folder of temporary files, writable too.
    """

    seconds: float
    memory_mib: int
    writable: tuple[Path, ...]
    untouchable: tuple[Path, ...]
    scratch: Path


@dataclass
class Watched:
    """What a child did.

    Attributes:
        codes: exit codes of its commands.
        wrong: everything that may not be: tracebacks, what it reached for, how it was ended.
        log: what it wrote to the terminal.
        seconds: of the processor that it took.
        memory_mib: most memory above what it began with.
    """

    codes: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    log: str = ""
    seconds: float = 0.0
    memory_mib: int = 0


def watch(work: Work, bounds: Bounds, listener: Listener | None = None) -> Watched:
    """Run a function in a fork of this process.

    Args:
        work: what is done there.
        bounds: what it may do and take.
        listener: an address that nobody may ask.
    """
    with tempfile.TemporaryDirectory() as folder:
        told, log = Path(folder) / "told", Path(folder) / "log"
        told.touch()
        log.touch()
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            _child(work, bounds, told, log)
        found = Watched()
        _wait(pid, bounds, found, listener)
        for line in told.read_text().splitlines():
            for name, value in json.loads(line).items():
                _note(found, name, value)
        found.log = log.read_text(errors="replace")
        return found


def _note(found: Watched, name: str, value: Any) -> None:
    if name == "code":
        found.codes.append(value)
    elif name == "memory_mib":
        found.memory_mib = max(found.memory_mib, value)
    else:
        found.wrong.append(f"{name}: {value}" if name != "reached" else str(value))


def _wait(pid: int, bounds: Bounds, found: Watched, listener: Listener | None) -> None:
    """Wait for the end of a child, and end it where it takes too much."""
    start, moved = memory_mib(pid), time.monotonic()
    while True:
        done, status, used = os.wait4(pid, os.WNOHANG)
        if listener is not None:
            found.wrong += [f"request: {line}" for line in listener.answer()]
        if done:
            found.seconds = used.ru_utime + used.ru_stime
            code = os.waitstatus_to_exitcode(status)
            if code:
                found.wrong.append(f"died: {signal.Signals(-code).name if code < 0 else f'exit code {code}'}")
            return
        seconds = processor_seconds(pid)
        if seconds > found.seconds:
            found.seconds, moved = seconds, time.monotonic()
        found.memory_mib = max(found.memory_mib, memory_mib(pid) - start)
        beyond = _beyond(found, time.monotonic() - moved, bounds)
        if beyond is not None:
            found.wrong.append(beyond)
            _end(pid)
            return
        time.sleep(0.02)


def _beyond(found: Watched, waiting: float, bounds: Bounds) -> str | None:
    """Return which bound is passed."""
    if found.seconds > bounds.seconds:
        return f"time: more than {bounds.seconds:g} s of the processor"
    if waiting > bounds.seconds:
        return f"time: waits for more than {bounds.seconds:g} s"
    if found.memory_mib > bounds.memory_mib:
        return f"memory: more than {bounds.memory_mib} MiB"
    return None


def _end(pid: int) -> None:
    """End a child and what it started, after it has written where it is into its log."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGUSR1)
        time.sleep(0.2)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process, user and system; 0 where there is none such."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int) -> int:
    """Return the resident memory of a process in MiB; 0 where there is none such."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def peak_mib() -> int:
    """Return the most memory that this process held since it was forked, in MiB."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) >> 10
    return 0


def _place_and_message(error: BaseException) -> str:
    """Return an error's kind, the beginning of its message, and where it came from: our last line, and the last."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/detect/" in frame.filename] or frames
    places = " > ".join(dict.fromkeys(f"{Path(each.filename).name}:{each.lineno}" for each in (own[-1], frames[-1])))
    return f"{type(error).__name__} at {places}: {str(error)[:MESSAGE]}"


def _child(work: Work, bounds: Bounds, told: Path, log: Path) -> None:
    """Do the work and end this process."""
    os.setpgid(0, 0)
    facts = os.open(told, os.O_WRONLY | os.O_APPEND)
    target = os.open(log, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(target, stream)
    faulthandler.enable(file=target)
    faulthandler.enable(file=target)
    faulthandler.register(signal.SIGUSR1, file=target, all_threads=True)

    def tell(**values: Any) -> None:
        os.write(facts, json.dumps(values).encode() + b"\n")

    sys.stdout = sys.stderr = os.fdopen(target, "w", buffering=1, errors="backslashreplace", closefd=False)
    code = 1
    try:
        with _limits(bounds):
            start = memory_mib(os.getpid())
            Guard((*bounds.writable, bounds.scratch), bounds.untouchable, lambda what: tell(reached=what)).install()
            work(tell)
            tell(memory_mib=peak_mib() - start)
        code = 0
    except BaseException as error:
        tell(error=_place_and_message(error))
        traceback.print_exc()
        code = 0
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        os._exit(code)


@contextlib.contextmanager
def _limits(bounds: Bounds) -> Iterator[None]:
    """Set what the system itself bounds, and where temporary files go."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    bounds.scratch.mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = str(bounds.scratch)
    tempfile.tempdir = None
    sys.dont_write_bytecode = True
    nowhere = bounds.scratch.parent / "nowhere"
    nowhere.mkdir(exist_ok=True)
    os.chdir(nowhere)
    yield

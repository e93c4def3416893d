"""What Windows and macOS do not have is asked for nowhere without a way around: modules, functions, handles."""

import ast
import builtins
import ctypes
import importlib
import mmap
import os
import re
import signal
import sys
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import detect
from detect.assembly.prediction import image_loop
from detect.nets.machine import peak_memory
from tests.commands import call

PACKAGE = Path(detect.__file__).parent
PATHS = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
COMMANDS = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")

HIDDEN = {"fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"}
"""Modules that only Unix has."""

UNIX_ONLY: dict[ModuleType, tuple[str, ...]] = {
    os: (
        *("chown", "fchmod", "fchown", "fdatasync", "fork", "forkpty", "fstatvfs", "getegid", "geteuid", "getgid"),
        *("getloadavg", "getpgid", "getuid", "killpg", "lockf", "mkfifo", "mknod", "nice", "openpty", "posix_fadvise"),
        *("posix_fallocate", "posix_spawn", "pread", "preadv", "pwrite", "pwritev", "register_at_fork", "sendfile"),
        *("sched_getaffinity", "setsid", "statvfs", "sync", "sysconf", "uname", "wait"),
        *("O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK"),
    ),
    signal: ("SIGALRM", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGUSR1", "SIGUSR2", "alarm", "pthread_sigmask", "setitimer"),
    mmap: ("MADV_DONTNEED", "MADV_SEQUENTIAL", "MADV_WILLNEED", "MAP_ANONYMOUS", "MAP_PRIVATE", "MAP_SHARED"),
}
"""Functions and constants that only Unix has."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def places(path: Path) -> list[tuple[ast.AST, str]]:
    """Every node of a module, with the text of the function that it stands in; of the module where it is in none."""
    text = (PACKAGE / path).read_text(encoding="utf-8")
    tree = ast.parse(text)
    lines = text.splitlines()
    inside: dict[int, str] = {}
    for function in ast.walk(tree):
        if isinstance(function, Function):
            own = "\n".join(lines[function.lineno - 1 : function.end_lineno])
            inside.update((id(node), own) for node in ast.walk(function))
    return [(node, inside.get(id(node), "")) for node in ast.walk(tree)]


def imported(node: ast.AST) -> set[str]:
    names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
    names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
    return {name.partition(".")[0] for name in names}


def test_a_module_of_unix_is_imported_only_where_its_lack_is_caught() -> None:
    lacking = [
        f"{path}:{node.lineno}"  # type: ignore[attr-defined]
        for path in PATHS
        for node, around in places(path)
        if imported(node) & HIDDEN and "except ImportError" not in around
    ]
    assert lacking == []


def test_a_function_of_unix_is_called_only_where_it_was_asked_for() -> None:
    """By `hasattr` or `getattr` with its name, or by the platform, in the same function."""
    names = {module.__name__: set(those) for module, those in UNIX_ONLY.items()}
    lacking = [
        f"{path}:{node.lineno}: {node.value.id}.{node.attr}"
        for path in PATHS
        for node, around in places(path)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.attr in names.get(node.value.id, ())
        and not re.search(rf'sys\.platform|attr\(\w+, "{node.attr}"', around)
    ]
    assert lacking == []


def test_text_is_read_and_written_in_utf_8_whatever_the_system_s_own_is() -> None:
    """Windows' is another; `/proc` is in ASCII."""
    calls = [
        f"{path}:{node.lineno}"
        for path in PATHS
        for node, around in places(path)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("read_text", "write_text")
        and not any(each.arg == "encoding" for each in node.keywords)
        and "/proc" not in around
    ]
    assert calls == []


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide from this package, and from no other, what only Unix has."""
    real = builtins.__import__

    def without(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> ModuleType:
        asking = str((globals or {}).get("__name__", ""))
        if not level and name.partition(".")[0] in HIDDEN and asking.partition(".")[0] == "detect":
            raise ImportError(f"No module named {name!r}", name=name)
        return real(name, globals, locals, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", without)


def test_every_module_is_imported_without_what_only_unix_has(elsewhere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text is run once more, in a module of the same name that nobody keeps."""
    names = [".".join(("detect", *path.with_suffix("").parts)).removesuffix(".__init__") for path in PATHS]
    for name in names:
        importlib.import_module(name)
    for module, lacking in UNIX_ONLY.items():
        for each in lacking:
            monkeypatch.delattr(module, each, raising=False)
    for name, path in zip(names, PATHS, strict=True):
        source = (PACKAGE / path).read_text(encoding="utf-8")
        again = ModuleType(name)
        exec(compile(source, str(path), "exec"), again.__dict__)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_answers_without_what_only_unix_has(elsewhere: None, name: str) -> None:
    done = call(name, "nonsense=1")
    assert done.code == 2 and "nonsense: no such setting" in done.log


def test_peak_memory_is_unknown_where_nothing_tells_it(elsewhere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system with neither /proc nor `resource`."""
    monkeypatch.setattr(Path, "exists", lambda self: False)
    assert peak_memory.peak_memory_mib() is None
    assert image_loop.speed(10, 1.0)["peak_memory_mib"] is None


def test_peak_memory_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """/proc and `resource` tell the same, in kilobytes, to a few of which they round."""
    if sys.platform == "linux":
        told = peak_memory.peak_memory_mib()
        monkeypatch.setattr(Path, "exists", lambda self: False)
        assert told is not None and abs(told - (peak_memory.peak_memory_mib() or 0)) <= 64
    assert (peak_memory.peak_memory_mib() or 0) > 10


@pytest.mark.parametrize(("done", "told"), [(1, 1234), (0, None)])
def test_peak_memory_on_windows_is_the_peak_of_the_working_set(
    monkeypatch: pytest.MonkeyPatch, done: int, told: int | None
) -> None:
    """Of `PROCESS_MEMORY_COUNTERS` the first of eight sizes, after two numbers of 32 bits: its own size, and faults."""

    def fill(process: object, counters: Any, size: int) -> int:
        raw = ctypes.cast(counters, ctypes.POINTER(ctypes.c_uint32))
        assert raw[0] == size == 8 + 8 * ctypes.sizeof(ctypes.c_size_t)
        ctypes.cast(ctypes.addressof(raw.contents) + 8, ctypes.POINTER(ctypes.c_size_t))[0] = 1234 << 20
        return done

    def load(name: str) -> SimpleNamespace:
        assert name == "kernel32"
        return SimpleNamespace(GetCurrentProcess=lambda: None, K32GetProcessMemoryInfo=fill)

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "WinDLL", load, raising=False)
    assert peak_memory.peak_memory_mib() == told

"""What a process does beyond computing, seen by Python's audit events: files it changes, connections, processes."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC
"""Flags of an `open` that may change a file."""

CHANGES: dict[str, tuple[tuple[int, int | None], ...]] = {
    "os.chmod": ((0, 2),),
    "os.chown": ((0, 3),),
    "os.link": ((0, 2), (1, 3)),
    "os.mkdir": ((0, 2),),
    "os.remove": ((0, 1),),
    "os.removexattr": ((0, None),),
    "os.rename": ((0, 2), (1, 3)),
    "os.rmdir": ((0, 1),),
    "os.setxattr": ((0, None),),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
    "os.utime": ((0, 3),),
    "shutil.rmtree": ((0, 1),),
}
"""Events that change the file system: where among the arguments a path is, and the folder that it is relative to."""

LOOKS = ("open", "os.listdir", "os.scandir", "os.walk", "ctypes.dlopen")
"""Events that only read; a path that nobody may touch is noticed in them too."""

FOLLOWING = ("open", "os.truncate", "os.chmod", "os.chown", "os.utime", "os.listdir", "os.scandir")
"""Events that act on what a link points to; the others act on the link."""

CONNECTIONS = (
    "ftplib.connect",
    "http.client.connect",
    "socket.bind",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyaddr",
    "socket.gethostbyname",
    "socket.sendmsg",
    "socket.sendto",
    "urllib.Request",
)

PROCESSES = (
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "os.system",
    "pty.spawn",
    "subprocess.Popen",
)

HARMLESS = ("/dev/null", "/dev/tty")


class Guard:
    """An audit hook that tells, and refuses, what a process may not do; it cannot be taken off again.

    Args:
        writable: folders in which files may be made, changed and removed.
        untouchable: folders of which nothing may even be opened.
        tell: receives a sentence for each thing that was tried.
    """

    def __init__(self, writable: Iterable[Path], untouchable: Iterable[Path], tell: Callable[[str], None]) -> None:
        self.writable = [os.path.realpath(each) for each in writable]
        self.untouchable = [os.path.realpath(each) for each in untouchable]
        self.tell = tell
        self._inside = False

    def install(self) -> None:
        """Begin to watch this process."""
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Check one event.

        Raises:
            PermissionError: it is not allowed.
        """
        if self._inside or not (event in LOOKS or event in CHANGES or event in CONNECTIONS or event in PROCESSES):
            return
        self._inside = True
        try:
            wrong = self._wrong(event, arguments)
        finally:
            self._inside = False
        if wrong is not None:
            self.tell(wrong)
            raise PermissionError(f"refused by the test: {wrong}")

    def _wrong(self, event: str, arguments: tuple[Any, ...]) -> str | None:
        if event in CONNECTIONS or event in PROCESSES:
            what = "connection" if event in CONNECTIONS else "process"
            return f"{what}: {event} {[each for each in arguments if isinstance(each, str | bytes | tuple | list)]}"
        places = CHANGES.get(event, ((0, None),))
        changes = event in CHANGES or (event == "open" and _writes(arguments))
        for at, folder_at in places:
            path = _resolved(arguments, at, folder_at, follow=event in FOLLOWING)
            if path is None:
                continue
            if _below(path, self.untouchable):
                return f"touched: {event} {path}"
            if changes and path not in HARMLESS and not _below(path, self.writable):
                if event == "os.mkdir" and os.path.isdir(path):  # noqa: PTH112
                    continue
                return f"changed: {event} {path}"
        return None


def _writes(arguments: Sequence[Any]) -> bool:
    mode, flags = arguments[1], arguments[2]
    return (isinstance(mode, str) and bool(set(mode) & set("wax+"))) or bool(isinstance(flags, int) and flags & WRITING)


def _resolved(arguments: Sequence[Any], at: int, folder_at: int | None, *, follow: bool) -> str | None:
    """Return the real path of an argument; None for an open file or a name that is no path."""
    if at >= len(arguments) or not isinstance(arguments[at], str | bytes | os.PathLike):
        return None
    path = os.fsdecode(arguments[at])
    folder = arguments[folder_at] if folder_at is not None and folder_at < len(arguments) else None
    if isinstance(folder, int) and folder >= 0 and not os.path.isabs(path):  # noqa: PTH117
        path = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)  # noqa: PTH115, PTH118
    if follow:
        return os.path.realpath(path)
    head, tail = os.path.split(os.path.abspath(path) if ".." not in path else path)  # noqa: PTH100
    return os.path.join(os.path.realpath(head or "."), tail)  # noqa: PTH118


def _below(path: str, folders: Sequence[str]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)

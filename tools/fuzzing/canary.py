"""Things that nobody may reach: files that tell when they are opened, and an address that tells when it is asked."""

import ctypes
import hashlib
import os
import socket
import stat
import struct
import sys
from pathlib import Path

import numpy as np
from PIL import Image

OF_FILES = {0x20: "opened", 0x2: "changed", 0x4: "given other rights"}
OF_FOLDERS = {0x40: "moved away", 0x80: "moved here", 0x100: "made", 0x200: "removed"}
"""Events of inotify, whichever language is behind them."""

ASKED = b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class Canary:
    """A folder with secrets, files and a FIFO that no input leads to; a context manager that sees what becomes of it.

    Args:
        folder: a new folder.
        token: a text that stands in its secrets and may stand in no result.
    """

    def __init__(self, folder: Path, token: str) -> None:
        self.folder, self.token = folder, token
        (folder / "keep/deep").mkdir(parents=True)
        for name in ("secret.txt", "keep/a.txt", "keep/deep/b.txt"):
            (folder / name).write_text(f"{token}\n" * 64)
        pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        for name in ("secret.tif", "secret.png"):
            Image.fromarray(pixels).save(folder / name)
        os.mkfifo(folder / "pipe")

    def __enter__(self) -> "Canary":
        self._before = state_of(self.folder)
        self._watch = _Inotify(self.folder) if sys.platform == "linux" else None
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self._watch is not None:
            self._watch.close()

    def touched(self) -> list[str]:
        """Return what was opened, changed, made or removed, in words."""
        found = self._watch.events() if self._watch is not None else []
        found += differences(self._before, state_of(self.folder))
        if self._watch is not None:
            self._watch.events()
        return found


def state_of(folder: Path) -> dict[str, str]:
    """Return kind and content of everything below a folder; links are not followed."""
    found = {}
    for path in sorted(folder.rglob("*")):
        kind = path.lstat().st_mode
        text = "a folder" if stat.S_ISDIR(kind) else "no file"
        if stat.S_ISLNK(kind):
            text = f"a link to {path.readlink()}"
        elif stat.S_ISREG(kind):
            text = hashlib.sha256(path.read_bytes()).hexdigest()
        found[path.relative_to(folder).as_posix()] = text
    return found


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return what came, went or changed between two states."""
    gone = [f"{name} is gone" for name in before if name not in after]
    come = [f"{name} came" for name in after if name not in before]
    return gone + come + [f"{name} changed" for name in before if name in after and before[name] != after[name]]


class _Inotify:
    """Events of the files below a folder, and of its folders when something in them comes or goes (inotify(7))."""

    def __init__(self, folder: Path) -> None:
        self._c = ctypes.CDLL(None, use_errno=True)
        self._fd = self._c.inotify_init1(os.O_NONBLOCK)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._names: dict[int, str] = {}
        for path in (folder, *folder.rglob("*")):
            bits = OF_FOLDERS if path.is_dir() else OF_FILES
            number = self._c.inotify_add_watch(self._fd, os.fsencode(path), sum(bits))
            self._names[number] = path.relative_to(folder).as_posix()

    def events(self) -> list[str]:
        """Return what happened since the last call."""
        found: dict[str, None] = {}
        while True:
            try:
                data = os.read(self._fd, 1 << 16)
            except BlockingIOError:
                return list(found)
            while data:
                watch, mask, _, length = struct.unpack_from("iIII", data)
                name = data[16 : 16 + length].rstrip(b"\0").decode(errors="replace")
                data = data[16 + length :]
                path = "/".join(filter(None, (self._names.get(watch, "?"), name)))
                for bit, word in {**OF_FILES, **OF_FOLDERS}.items():
                    if mask & bit:
                        found[f"{path} was {word}"] = None

    def close(self) -> None:
        """Stop watching."""
        os.close(self._fd)


class Listener:
    """An address on this machine that writes down who asks it."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def answer(self) -> list[str]:
        """Answer whoever waits, and return the first lines of what they asked for."""
        asked: list[str] = []
        while True:
            try:
                connection, _ = self._socket.accept()
            except BlockingIOError:
                return asked
            with connection:
                connection.settimeout(1)
                try:
                    asked.append(connection.recv(4096).decode(errors="replace").partition("\r\n")[0] or "nothing")
                    connection.sendall(ASKED)
                except OSError as error:
                    asked.append(f"a connection ({error})")

    def close(self) -> None:
        """Give the address up."""
        self._socket.close()

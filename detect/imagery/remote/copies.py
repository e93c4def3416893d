"""Files on this machine for images at addresses: whole copies, and stand-ins for what is read window by window.

A copy is fetched when an image is opened, kept while it is open, and removed when later ones need its room. A stand-in
is a file of the image's length that holds its first bytes alone: names, sizes and the files beside it are looked up
there, its content is read from the store (`reading.open_bytes`, and GDAL's own file systems, `windowed`).
"""

import hashlib
import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.util import Finalize
from pathlib import Path

from filelock import FileLock, Timeout

from detect.imagery.remote.address import Address, Listed
from detect.imagery.remote.store import facts_of, fetch, read_bytes

MOST_BYTES = 4 << 30
"""Bytes of copies that a process keeps for later; those of images that are open are kept however many they are."""

WINDOWED_BYTES = 64 << 20
"""Length of a TIFF, in bytes, above which it is read window by window from the store, not fetched whole."""

SMALL_BYTES = 1 << 18
"""Length of an image that is fetched to be described; of a longer one only what describes it is read."""

HEAD_BYTES = 16
"""How much of an image says of what kind it is."""

TIFF_STARTS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")

STARTS = (
    *TIFF_STARTS,
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"\x00\x00\x00\x0cjP  ",
    b"\xff\x4f\xff\x51",
    b"BM",
    b"GIF8",
    b"RIFF",
)
"""First bytes of what GDAL reads; anything else, such as a list of defects, is short, and is fetched."""

READ_APART = (".aux.xml", ".prj", ".msk")
"""Endings of the files beside an image that GDAL is not asked to read; with others it is fetched, for GDAL to find."""

PREFIX, LOCK = "detect-images-", "lock"
"""How the folders of copies are named, each with a file that its process locks."""


@dataclass(eq=False)
class _Held:
    """A file on this machine, or one that is being made.

    Attributes:
        path: the file; those beside the image lie beside it.
        nbytes: that it takes.
        users: who has it open.
        made: whether it is there.
        making: held while it is made.
    """

    path: Path
    nbytes: int = 0
    users: int = 0
    made: bool = False
    making: threading.Lock = field(default_factory=threading.Lock)


class Copies:
    """The copies of a process, in a folder of its own, which goes with it.

    Args:
        most: bytes that are kept for later.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        _remove_left()
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.most = most
        self.stood_for: dict[Path, Address] = {}
        self._lock = FileLock(self.folder / LOCK)
        self._lock.acquire()
        self._held: OrderedDict[tuple[Address, bool], _Held] = OrderedDict()
        self._busy = threading.Lock()
        Finalize(None, self.close, exitpriority=10)

    def close(self) -> None:
        """Remove all copies."""
        self._lock.release()
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def borrowed(self, address: Address, whole: bool) -> Iterator[Path]:
        """Yield a file for an image, which stays there for as long as the block lasts.

        Args:
            address: of the image.
            whole: whether all its pixels are read; else a stand-in may do.

        Raises:
            OSError: the image cannot be read, or there is no room for it.
        """
        held = self._taken(address, whole)
        try:
            with held.making:
                if not held.made:
                    self._make(address, held, whole)
            yield held.path
        finally:
            with self._busy:
                held.users -= 1
                self._trim()

    def _taken(self, address: Address, whole: bool) -> _Held:
        """Return the file of an image, marked as in use: a whole copy does for a stand-in too."""
        with self._busy:
            key = (address, True) if (address, True) in self._held else (address, whole)
            if key not in self._held:
                name = hashlib.sha256(f"{address} {whole}".encode("utf-8", "surrogateescape")).hexdigest()[:24]
                self._held[key] = _Held(self.folder / name / address.name)
            self._held.move_to_end(key)
            self._held[key].users += 1
            return self._held[key]

    def _make(self, address: Address, held: _Held, whole: bool) -> None:
        listed = address.listed or facts_of(address)
        if listed is None:
            raise FileNotFoundError(f"{address}: no such image")
        address = address.with_facts(listed)
        held.path.parent.mkdir(parents=True, exist_ok=True)
        for name, facts in listed.beside:
            fetch(Address(*address.parts[:-1], name).with_facts(facts), held.path.with_name(name))
        head = read_bytes(address, 0, HEAD_BYTES) if listed.size > SMALL_BYTES else b""
        if is_stood_for(head, listed, whole):
            with held.path.open("wb") as file:
                file.write(head)
                file.truncate(listed.size)
            self.stood_for[held.path] = address
        else:
            fetch(address, held.path)
            held.nbytes = listed.size
        held.made = True

    def _trim(self) -> None:
        """Remove the copies that nobody has open, those that were used longest ago first, until the rest has room."""
        total = sum(held.nbytes for held in self._held.values())
        for key, held in list(self._held.items()):
            if held.users or (total <= self.most and held.made):
                continue
            del self._held[key]
            self.stood_for.pop(held.path, None)
            shutil.rmtree(held.path.parent, ignore_errors=True)
            total -= held.nbytes


def is_stood_for(head: bytes, listed: Listed, whole: bool) -> bool:
    """Return whether an image is read from the store and not fetched.

    Args:
        head: its first bytes; none of a short image.
        listed: its length.
        whole: whether all its pixels are read.
    """
    if not all(name.lower().endswith(READ_APART) for name, _ in listed.beside):
        return False
    return head.startswith(TIFF_STARTS if whole else STARTS) and (not whole or listed.size > WINDOWED_BYTES)


def _remove_left() -> None:
    """Remove the copies of processes that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        lock = folder / LOCK
        if folder.is_symlink() or not lock.is_file() or (hasattr(os, "getuid") and folder.stat().st_uid != os.getuid()):
            continue
        with suppress(Timeout, OSError), FileLock(lock, timeout=0):
            shutil.rmtree(folder, ignore_errors=True)


_copies: dict[int, Copies] = {}
_starting = threading.Lock()


def copies() -> Copies:
    """Return the copies of this process."""
    with _starting:
        if os.getpid() not in _copies:
            _copies.clear()
            _copies[os.getpid()] = Copies()
        return _copies[os.getpid()]


def stood_for(path: Path) -> Address | None:
    """Return the address of the image that a file stands for; None of any other file."""
    held = _copies.get(os.getpid())
    return None if held is None else held.stood_for.get(path)

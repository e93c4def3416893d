"""Files on this machine for images at addresses: whole copies, and stand-ins for what is read window by window.

A copy is fetched when an image is opened, kept while it is open, and removed when later ones need its room. A stand-in
is a file of the length of a large raster that holds its first bytes alone: names, sizes and the files beside it are
looked up there, its content is read from the store (`reading`). GDAL does so while it keeps Python's other threads
waiting, so that photographs are not described so: of a JPEG, a file with a hole where its pixels are does.
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
"""Length of a photograph that is fetched to be described; of a longer JPEG only what describes it is."""

BEGINNING_BYTES = 1 << 17
"""How much of a JPEG is read to describe it; one whose description is longer, as by a large thumbnail, is fetched."""

HEAD_BYTES = 4
"""How much of an image says that it is a TIFF."""

TIFF_STARTS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")

JPEG_ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif")

START_OF_SCAN, FILLING = 0xDA, 0xFF
"""The second byte of the marker in a JPEG after which its pixels come; and what may stand before a marker."""

READ_APART = (".aux.xml", ".prj", ".msk")
"""Endings of the files beside an image that GDAL is not asked to read; with others it is fetched, for GDAL to find."""

PREFIX, LOCK = "detect-images-", "lock"
"""How the folders of copies are named, each with a file that its process locks."""


@dataclass(eq=False)
class _Held:
    """A file on this machine, or one that is being made.

    Attributes:
        key: the address, and whether all pixels are there.
        path: the file; those beside the image lie beside it.
        nbytes: that it takes.
        users: who has it open.
        made: whether it is there.
        making: held while it is made.
    """

    key: tuple[Address, bool]
    path: Path
    nbytes: int = 0
    users: int = 0
    made: bool = False
    making: threading.Lock = field(default_factory=threading.Lock)


class ImageCache:
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
        self._total = 0
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
                self._trim(held)

    def _taken(self, address: Address, whole: bool) -> _Held:
        """Return the file of an image, marked as in use: a whole copy does for a stand-in too."""
        facts = address.listed
        whole = whole or address.suffix.lower() not in JPEG_ENDINGS or (facts is not None and facts.size <= SMALL_BYTES)
        with self._busy:
            key = (address, True) if (address, True) in self._held else (address, whole)
            if key not in self._held:
                name = hashlib.sha256(f"{address} {whole}".encode("utf-8", "surrogateescape")).hexdigest()[:24]
                self._held[key] = _Held(key, self.folder / name / address.name)
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
        if self._is_stood_for(address, listed):
            self.stood_for[held.path] = address
            _write_parts(held.path, listed.size, read_bytes(address, 0, HEAD_BYTES))
        elif whole or not _describe_jpeg(address, listed.size, held.path):
            fetch(address, held.path)
        with self._busy:
            held.nbytes = (whole and held.path not in self.stood_for) * listed.size + sum(
                facts.size for _, facts in listed.beside
            )
            self._total += held.nbytes
            held.made = True

    def _is_stood_for(self, address: Address, listed: Listed) -> bool:
        """Return whether an image is a raster that is read from the store: a large TIFF."""
        if listed.size <= WINDOWED_BYTES or not all(name.lower().endswith(READ_APART) for name, _ in listed.beside):
            return False
        return read_bytes(address, 0, HEAD_BYTES) in TIFF_STARTS

    def _trim(self, closed: _Held) -> None:
        """Remove what was closed unless it may be wanted again; and the copies used longest ago that have no room."""
        if not closed.users and not (closed.made and closed.key[1]):
            self._remove(closed)
        for held in list(self._held.values()) if self._total > self.most else ():
            if not held.users and self._total > self.most:
                self._remove(held)

    def _remove(self, held: _Held) -> None:
        del self._held[held.key]
        self.stood_for.pop(held.path, None)
        shutil.rmtree(held.path.parent, ignore_errors=True)
        self._total -= held.nbytes


def _describe_jpeg(address: Address, size: int, path: Path) -> bool:
    """Write what describes a JPEG, with a hole where its pixels are; return False where it needs more than is read.

    Its segments come first; GDAL's own mask of valid pixels would come last, and its place is the last four bytes.
    """
    start, end = read_bytes(address, 0, BEGINNING_BYTES), read_bytes(address, size - 4, size)
    if not _holds_description(start) or size // 2 <= int.from_bytes(end, "little") <= size:
        return False
    _write_parts(path, size, start, end)
    return True


def _holds_description(start: bytes) -> bool:
    """Return whether the beginning of a file is that of a JPEG, up to its pixels."""
    place = 2
    while start[:2] == b"\xff\xd8" and start[place : place + 1] == b"\xff" and place + 4 <= len(start):
        marker = start[place + 1]
        if marker == START_OF_SCAN:
            return True
        place += 1 if marker == FILLING else 2 + int.from_bytes(start[place + 2 : place + 4], "big")
    return False


def _write_parts(path: Path, size: int, start: bytes, end: bytes = b"") -> None:
    """Write a file of which the beginning and the end are known, with a hole between them."""
    with path.open("wb") as file:
        file.write(start)
        file.truncate(size)
        file.seek(size - len(end))
        file.write(end)


def _remove_left() -> None:
    """Remove the copies of processes that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        lock = folder / LOCK
        if folder.is_symlink() or not lock.is_file() or (hasattr(os, "getuid") and folder.stat().st_uid != os.getuid()):
            continue
        with suppress(Timeout, OSError), FileLock(lock, timeout=0):
            shutil.rmtree(folder, ignore_errors=True)


_caches: dict[int, ImageCache] = {}
_starting = threading.Lock()


def image_cache() -> ImageCache:
    """Return the copies of this process."""
    with _starting:
        if os.getpid() not in _caches:
            _caches.clear()
            _caches[os.getpid()] = ImageCache()
        return _caches[os.getpid()]


def stood_for(path: Path) -> Address | None:
    """Return the address of the image that a file stands for; None of any other file."""
    held = _caches.get(os.getpid())
    return None if held is None else held.stood_for.get(path)

"""The file of a strip: the maps of its tiles' cores, their valid pixels, and what else is gathered of them.

Format: a ZIP archive of NumPy arrays (.npy), stored as they are, each with a check sum. By the number of the tile in
the strip: `N.map` float32 (K, h, w), missing where no pixel of the tile is valid; `N.valid` uint8 (height, width / 8),
missing where all pixels of the core are; `N.shown` and `N.hidden`, what it adds to the preview. Of the strip: `sparse`
(bands, n), `damaged` (UTF-8), and `light`, `texture` and `content` of windows, where they are measured.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from detect.imagery.liveness.signs import give_sign
from detect.imagery.windows import Tiling, Window
from detect.inference.shift.measuring import Measured
from detect.inference.stitching import kept_cells
from detect.inference.strips.stored_shelf import file_to_read, file_to_write
from detect.inference.strips.strip import Strip

if TYPE_CHECKING:
    from detect.inference.tiles import StripEnd

WINDOW_LOOKS = ("light", "texture", "content")
"""The arrays of windows that were measured."""


class StripWriter:
    """Writes the file of a strip, tile by tile: whole, or not at all.

    Args:
        strip: the strip.
        tiling: of the raster.

    Raises:
        OSError: the file cannot be made.
    """

    def __init__(self, strip: Strip, tiling: Tiling) -> None:
        self._tiling = tiling
        self._tiles = 0
        self._opened = ExitStack()
        with ExitStack() as opened:
            path = opened.enter_context(file_to_write(strip.file))
            self._archive = opened.enter_context(ZipFile(path, "w"))
            self._opened = opened.pop_all()

    def put(self, core: Window, tile_map: NDArray[np.float32] | None, valid: NDArray[np.bool_] | None) -> None:
        """Write the core of the next tile: of its map, None where nothing of it is valid, and its valid pixels."""
        if tile_map is not None:
            self._write(f"{self._tiles}.map", kept_cells(self._tiling, core, tile_map))
        if valid is not None and not valid.all():
            self._write(f"{self._tiles}.valid", np.packbits(valid, axis=1))
        self._tiles += 1

    def finish(self, end: "StripEnd") -> None:
        """Write what was gathered of the strip, and have the file at its place.

        Raises:
            NoRoomError: the disk is full.
            OSError: the store, where it is to lie in one, does not take it.
        """
        for number, piece in enumerate(end.pixels.pieces):
            for name, sums in zip(("shown", "hidden"), piece or (), strict=False):
                if sums is not None:
                    self._write(f"{number}.{name}", sums)
        self._write("sparse", end.pixels.sparse)
        self._write("damaged", np.frombuffer(end.damaged.encode(), np.uint8))
        if end.windows is not None:
            for name in WINDOW_LOOKS:
                self._write(name, getattr(end.windows, name))
        self._opened.close()

    def discard(self) -> None:
        """Remove what was written."""
        given_up = InterruptedError("the strip is given up")
        self._opened.__exit__(InterruptedError, given_up, None)

    def _write(self, name: str, values: NDArray[Any]) -> None:
        with self._archive.open(f"{name}.npy", "w", force_zip64=True) as target:
            np.lib.format.write_array(target, np.ascontiguousarray(values), allow_pickle=False)
        give_sign()


class StripReader:
    """Reads the file of a strip; a context manager.

    Args:
        path: of the file.

    Raises:
        ValueError: it is damaged, when that is met.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            path = opened.enter_context(file_to_read(self.path))
            try:
                self._archive = opened.enter_context(ZipFile(path))
            except BadZipFile as error:
                raise self._damaged(error) from error
            self._names = set(self._archive.namelist())
            self._opened = opened.pop_all()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._opened.close()

    def tile_map(self, number: int) -> NDArray[np.float32] | None:
        """Return the map (K, h, w) of a tile's core; None where nothing of the tile is valid."""
        return self._read(f"{number}.map")

    def valid(self, number: int, core: Window) -> NDArray[np.bool_]:
        """Return which pixels (height, width) of a tile's core are valid."""
        packed = self._read(f"{number}.valid")
        if packed is None:
            return np.ones((core.height, core.width), np.bool_)
        return np.unpackbits(packed, axis=1, count=core.width).astype(np.bool_)

    def piece(self, number: int) -> tuple[NDArray[np.float32], NDArray[np.float32] | None] | None:
        """Return what a tile adds to the preview; None where it adds nothing, or there is none."""
        shown = self._read(f"{number}.shown")
        return None if shown is None else (shown, self._read(f"{number}.hidden"))

    @property
    def sparse(self) -> NDArray[np.generic]:
        """Pixels (bands, n) of a sparse grid."""
        values = self._read("sparse")
        if values is None:
            raise self._damaged("without pixels")
        return values

    @property
    def damaged(self) -> str:
        """What the decoder of the image warned of."""
        values = self._read("damaged")
        return "" if values is None else values.tobytes().decode(errors="replace")

    @property
    def windows(self) -> Measured | None:
        """What windows of the image look like; None where this strip has none."""
        light, texture, content = (self._read(name) for name in WINDOW_LOOKS)
        if light is None or texture is None or content is None:
            return None
        return Measured(light, texture, content)

    def _read(self, name: str) -> Any:
        if f"{name}.npy" not in self._names:
            return None
        try:
            with self._archive.open(f"{name}.npy") as source:
                return np.lib.format.read_array(source, allow_pickle=False)
        except (BadZipFile, ValueError, EOFError) as error:
            raise self._damaged(error) from error

    def _damaged(self, why: object) -> ValueError:
        return ValueError(f"{self.path} is damaged ({why}); the same command counts it again where it is removed")


def is_whole(path: Path) -> bool:
    """Return whether a strip's file is there, and all of it as it was written."""
    if not path.is_file() or path.is_symlink():
        return False
    try:
        with ZipFile(path) as archive:
            return archive.testzip() is None
    except (BadZipFile, OSError, EOFError):
        return False

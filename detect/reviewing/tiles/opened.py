"""The images that are open to be looked at, and the tiles that were cut last: both within bounds of memory."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from detect.reviewing.tiles.scene_tiles import ClosedError, SceneTiles, Tile

T = TypeVar("T")

MOST_OPEN = 16
"""Most images that are open at once: each holds files open."""

TILE_BYTES = 64 << 20
"""Most bytes of tiles that are kept."""


@dataclass(frozen=True)
class TileAddress:
    """A tile of an image: the image's number from 0, level, column and row."""

    image: int
    level: int
    col: int
    row: int


class OpenImages:
    """Opens images when a tile of them is asked for; those looked at longest ago are closed when memory runs short.

    Args:
        files: each image's file and, where there is one, a small picture of it.
        most_bytes: that all open images together may take, unless one alone takes as much.
        scratch: folder for nameless files of images that are decoded whole and are too large for memory.
    """

    def __init__(self, files: Sequence[tuple[Path, Path | None]], most_bytes: int, scratch: Path | None = None) -> None:
        self.files = files
        self.scratch = scratch
        self.most_bytes = most_bytes
        self._open: OrderedDict[int, SceneTiles] = OrderedDict()
        self._tiles: OrderedDict[TileAddress, Tile] = OrderedDict()
        self._tile_bytes = 0
        self._lock = threading.Lock()
        self._opening = [threading.Lock() for _ in files]

    def tile(self, at: TileAddress) -> Tile:
        """Return a tile.

        Raises:
            SceneError: the image cannot be read.
            ValueError: there is no such tile.
        """
        with self._lock:
            if at in self._tiles:
                self._tiles.move_to_end(at)
                return self._tiles[at]
        tile = self._on(at.image, lambda tiles: tiles.tile(at.level, at.col, at.row))
        if tile.final:
            self._keep(at, tile)
        return tile

    def ready(self, image: int) -> tuple[bool, float]:
        """Return whether every tile of an image is its own, and how much was read for that in [0, 1], after opening it.

        Raises:
            SceneError: the image cannot be read.
        """
        return self._on(image, lambda tiles: (tiles.ready, tiles.share))

    def _keep(self, at: TileAddress, tile: Tile) -> None:
        """Keep a tile, and forget those that were asked for longest ago."""
        with self._lock:
            if at not in self._tiles:
                self._tile_bytes += len(tile.jpeg)
            self._tiles[at] = tile
            while self._tile_bytes > TILE_BYTES:
                self._tile_bytes -= len(self._tiles.popitem(last=False)[1].jpeg)

    def _on(self, image: int, ask: Callable[[SceneTiles], T]) -> T:
        """Return what an image's tiles answer, after opening it; one that was closed meanwhile is opened again."""
        while True:
            try:
                return ask(self._opened(image))
            except ClosedError:
                continue

    def _opened(self, image: int) -> SceneTiles:
        """Return an image's tiles, opened where it is not open yet; others are closed to make room."""
        with self._opening[image]:
            with self._lock:
                if image in self._open:
                    self._open.move_to_end(image)
                    return self._open[image]
            made = SceneTiles(self.files[image][0], self.most_bytes, self.files[image][1], self.scratch)
            with self._lock:
                self._open[image] = made
                gone = []
                while len(self._open) > 1 and sum(each.nbytes for each in self._open.values()) > self.most_bytes:
                    gone.append(self._open.popitem(last=False)[1])
                while len(self._open) > MOST_OPEN:
                    gone.append(self._open.popitem(last=False)[1])
        for each in gone:
            each.close()
        return made

    def close(self) -> None:
        """Close all images."""
        with self._lock:
            closed = [*self._open.values()]
            self._open.clear()
        for each in closed:
            each.close()

"""Tiles of one image, cut from its file when they are asked for; nothing is written that outlasts the process."""

import math
import threading
import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import SceneReader
from detect.imagery.scenes import Scene, SceneError
from detect.imagery.windows import Window
from detect.reporting.pictures.colours import Span, hatch, span_of, to_display
from detect.reviewing.tiles.cutting import Picture, cut
from detect.reviewing.tiles.decoding import cell_of, in_strips, room_for_copy, way_of
from detect.reviewing.tiles.overview import CELL_PX, COARSE, FINE, Overview
from detect.reviewing.tiles.pyramid import TILE_PX, Pyramid, reduced_shape

QUALITY = 90
"""JPEG quality of a tile."""

SAMPLED, SAMPLE_PX = 8, 64
"""Squares along each axis by whose pixels 16-bit images are stretched, and their side."""

QUIET_S, MOST_PAUSE_S = 0.2, 2.0
"""A part of the overview is read when no tile was for so long, or after it has waited for so long."""

MOST_THUMBNAIL_PX = 4096
"""Longest side of a small picture that stands in for an overview."""


class ClosedError(Exception):
    """The image was closed while a tile of it was asked for."""


@dataclass(frozen=True)
class Tile:
    """A tile: a JPEG, and whether it is the image's own or stands in until the overview is made."""

    jpeg: bytes
    final: bool


class SceneTiles:
    """An image, open to cut tiles from; several threads may ask at once.

    Of an image whose parts can be read alone, a tile is read from the file, reduced by up to 2 or 4; coarser ones come
    from the overviews in the file, or from one that is made in memory when the image is opened, which reads it once.
    Until that is there, a small picture stands in. JPEG and PNG are decoded whole and kept in memory, and so are TIFFs
    of long strips; what is too large for that is decoded into a nameless file (`decoding`), in the background.

    Args:
        path: the image.
        most_bytes: that it may take in memory.
        thumbnail: a small picture of it, None without one.
        scratch: folder for a nameless file; None takes the system's.

    Attributes:
        nbytes: that it takes in memory and in a nameless file.

    Raises:
        SceneError: it cannot be read, or would take more memory.
    """

    def __init__(self, path: Path, most_bytes: int, thumbnail: Path | None = None, scratch: Path | None = None) -> None:
        self.scene = open_scene(path)
        self.pyramid = Pyramid(self.scene.shape)
        self._lock = threading.Lock()
        self._closed = False
        self._read_last = -math.inf
        self._reader = _opened(self.scene)
        self.nbytes = 0
        way = way_of(self._reader, most_bytes)
        self._copy = room_for_copy(self.scene, scratch) if way == "copy" else None
        if way == "memory":
            self.nbytes = self._reader.nbytes
            _check_room(path, self.nbytes, most_bytes)
            self._reader.hold()
        self._spans = sampled_spans(self._reader)
        self._small = None if thumbnail is None else _small_picture(thumbnail)
        self._overview = self._start_overview(most_bytes)

    def tile(self, level: int, col: int, row: int) -> Tile:
        """Return a tile.

        Raises:
            ClosedError: the image was closed.
            SceneError: the file is damaged.
            ValueError: there is no such tile.
        """
        window, factor = self.pyramid.window(level, col, row), self.pyramid.factor(level)
        shape = reduced_shape(window, factor)
        fine = self._overview is None or factor < self._overview.factor
        kept = self._copy.cut(window, shape) if self._copy is not None and fine else None
        if self._closed:
            raise ClosedError
        if kept is not None:
            return Tile(_jpeg(kept), True)
        if self._overview is None or (fine and self._copy is None):
            return Tile(_jpeg(self._read(window, shape)), True)
        if self._overview.ready:
            return Tile(_jpeg(self._overview.cut(window, shape)), True)
        if self._small is None:
            return Tile(_jpeg(hatch(shape)), False)
        scale_y, scale_x = (part / whole for part, whole in zip(self._small.shape, self.scene.shape, strict=False))
        return Tile(_jpeg(cut(self._small, (scale_x, scale_y), window, shape)), False)

    @property
    def ready(self) -> bool:
        """Whether every tile is the image's own.

        Raises:
            SceneError: some never will be: the file is damaged.
        """
        if self._overview is not None and self._overview.error:
            raise SceneError(f"{self.scene.path}: {self._overview.error}")
        return self._overview is None or self._overview.ready

    @property
    def share(self) -> float:
        """How much was read of what makes every tile the image's own, in [0, 1].

        Raises:
            SceneError: as of `ready`.
        """
        return 1.0 if self.ready or self._overview is None else min(self._overview.share, 1.0)

    def close(self) -> None:
        """Close the file."""
        if self._overview is not None:
            self._overview.stop()
        with self._lock:
            self._closed = True
            self._reader.__exit__(None, None, None)

    def _read(self, window: Window, shape: tuple[int, int]) -> Picture:
        """Return a window reduced to a shape, as a picture; the overview waits meanwhile."""
        self._read_last = time.monotonic()
        with self._lock:
            if self._closed:
                raise ClosedError
            pixels = self._reader.reduced(window, shape)
        self._read_last = time.monotonic()
        return self._shown(pixels)

    def _wait_for_quiet(self) -> None:
        """Wait until no tile was read from the file for a while, so that the overview does not hold up a pan."""
        begun = now = time.monotonic()
        while now < begun + MOST_PAUSE_S and now < self._read_last + QUIET_S and not self._closed:
            time.sleep(QUIET_S / 4)
            now = time.monotonic()

    def _shown(self, pixels: NDArray[np.generic]) -> Picture:
        return to_display(pixels, nodata=self.scene.nodata, spans=self._spans)

    def _start_overview(self, most_bytes: int) -> Overview | None:
        """Begin to make the overview of an image that needs one, and to keep all of its pixels where there is room."""
        held = self._reader.resident
        reduced = 1 if held else max(self._reader.overviews, default=1)
        if self._copy is None and max(self.scene.shape) <= TILE_PX * reduced * (COARSE // 2):
            return None
        reader, lock = (self._reader, self._lock) if held else (_opened(self.scene), threading.Lock())

        def read(window: Window, shape: tuple[int, int]) -> Picture:
            self._wait_for_quiet()
            with lock:
                pixels = reader.reduced(window, shape)
            return self._shown(pixels)

        def done() -> None:
            if reader is not self._reader:
                reader.__exit__(None, None, None)

        room = 3 * self.scene.shape[0] * self.scene.shape[1] // FINE**2
        factor = FINE if room <= most_bytes // 8 else COARSE
        wide = cell_of(self._reader.blocks, self.scene.shape[1], CELL_PX**2, factor)
        cell = wide if in_strips(self._reader) else (CELL_PX, CELL_PX)
        made = Overview(self.scene.shape, factor, read, done, str(self.scene.path), cell, self._copy)
        self.nbytes += made.nbytes
        _check_room(self.scene.path, self.nbytes, most_bytes)
        self.nbytes += 0 if self._copy is None else self._copy.nbytes
        made.start()
        return made


def _opened(scene: Scene) -> SceneReader:
    return SceneReader(scene, scene.shown_bands).__enter__()


def _check_room(path: Path, nbytes: int, most_bytes: int) -> None:
    """Check that an image fits into memory.

    Raises:
        SceneError: it does not.
    """
    if nbytes > most_bytes:
        raise SceneError(
            f"{path}: to be shown it takes {-(-nbytes >> 20)} MiB of memory, and {most_bytes >> 20} MiB are allowed; "
            "give memory=..., or make a tiled GeoTIFF with overviews of it (gdal_translate -of COG)"
        )


def sampled_spans(reader: SceneReader) -> list[Span]:
    """Return what becomes black and white in each band of an open image, by squares spread over it."""
    scene = reader.scene
    if scene.dtype == "uint8":
        return [None] * len(reader.bands)
    parts = []
    for window in _spread(scene.shape):
        pixels, valid = reader.read_valid(window)
        parts.append(pixels[:, valid])
    return [span_of(values, scene.nodata) for values in np.concatenate(parts, axis=1)]


def _spread(shape: tuple[int, int]) -> list[Window]:
    """Return small windows spread evenly over an image of a shape."""
    starts = [sorted({round(i * max(0, side - SAMPLE_PX) / (SAMPLED - 1)) for i in range(SAMPLED)}) for side in shape]
    return [Window(row, col, SAMPLE_PX, SAMPLE_PX).within(shape) for row in starts[0] for col in starts[1]]


def _small_picture(path: Path) -> Picture | None:
    """Read a small picture, None where there is none that can be read."""
    try:
        with Image.open(path, formats=["JPEG"]) as picture:
            if max(picture.size) > MOST_THUMBNAIL_PX:
                return None
            return np.asarray(picture.convert("RGB"))
    except (OSError, ValueError):
        return None


def _jpeg(picture: Picture) -> bytes:
    """Return a picture as JPEG with its colours in full resolution: objects may be a few pixels."""
    data = BytesIO()
    Image.fromarray(picture).save(data, format="JPEG", quality=QUALITY, subsampling=0)
    return data.getvalue()

"""Tiles of images, read by a thread while the network is at the ones before."""

import queue
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from detect.imagery.reading import SceneReader
from detect.imagery.scenes import Scene, SceneError
from detect.imagery.thumbnails import Preview
from detect.imagery.windows import Tiling, Window
from detect.inference.plan import Plan

T = TypeVar("T")


AHEAD = 2
"""Batches of tiles that are read before the network asks for them."""


PREVIEW_SIDE = 2400
"""Longest side in pixels of the small picture of a scene that comes with its result."""


@dataclass(frozen=True)
class Failure:
    """An image that could not be done, and why."""

    name: str
    error: str


@dataclass(frozen=True, eq=False)
class Source:
    """An image of a run: its name and its scene."""

    name: str
    scene: Scene


@dataclass(frozen=True, eq=False)
class TileBatch:
    """Tiles of one size, with the core that each is read for."""

    cores: Sequence[tuple[Source, Tiling, Window]]
    pixels: NDArray[np.generic]


@dataclass(frozen=True, eq=False)
class ImageEnd:
    """The last tile of an image has been read."""

    source: Source
    preview: NDArray[np.generic]


def grouped(sources: Sequence[Source], plan: Plan) -> list[list[Source]]:
    """Put neighbouring images together that are one tile each, of the same size, as many as make a batch.

    The groups depend on the images alone, not on what was done before, so that a run that goes on computes each image
    in the company that it had.
    """
    units: list[list[Source]] = []
    for source in sources:
        grid = plan.grid(source.scene.shape)
        before = plan.grid(units[-1][0].scene.shape) if units else grid
        alike = len(before) == len(grid) == 1 and before.tile_hw == grid.tile_hw
        if units and alike and plan.batch(grid) > len(units[-1]):
            units[-1].append(source)
        else:
            units.append([source])
    return units


def read_tiles(
    units: Iterable[Sequence[Source]], bands: Sequence[int], plan: Plan
) -> Iterator[TileBatch | ImageEnd | Failure]:
    """Read the tiles of units of images, batch by batch."""
    for unit in units:
        if len(unit) == 1:
            yield from _tiles_of_large(unit[0], bands, plan)
        else:
            yield from _tiles_of_small(unit, bands, plan)


def _tiles_of_large(source: Source, bands: Sequence[int], plan: Plan) -> Iterator[TileBatch | ImageEnd | Failure]:
    grid = plan.grid(source.scene.shape)
    cores = list(grid)
    size = plan.batch(grid)
    try:
        with SceneReader(source.scene, bands) as reader:
            held = _hold(reader, plan)
            shown = 3 if len(bands) >= 3 else 1
            preview = None if held else Preview(shown, source.scene.shape, PREVIEW_SIDE, source.scene.dtype)
            for first in range(0, len(cores), size):
                chosen = cores[first : first + size]
                tiles = [reader.read(grid.tile(core)) for core in chosen]
                pixels = tiles[0][None] if len(tiles) == 1 else np.stack(tiles)
                if preview is not None:
                    for core, tile in zip(chosen, pixels, strict=True):
                        inner = tile[:shown, grid.halo :, grid.halo :]
                        preview.add(core, inner[:, : core.height, : core.width])
                yield TileBatch([(source, grid, core) for core in chosen], pixels)
            yield ImageEnd(source, reader.preview(PREVIEW_SIDE) if preview is None else preview.finished())
    except SceneError as error:
        yield Failure(source.name, str(error))


def _tiles_of_small(
    unit: Sequence[Source], bands: Sequence[int], plan: Plan
) -> Iterator[TileBatch | ImageEnd | Failure]:
    cores, pixels, endings = [], [], []
    for source in unit:
        try:
            with SceneReader(source.scene, bands) as reader:
                _hold(reader, plan)
                grid = plan.grid(source.scene.shape)
                (core,) = grid
                tile, preview = reader.read(grid.tile(core)), reader.preview(PREVIEW_SIDE)
        except SceneError as error:
            yield Failure(source.name, str(error))
            continue
        pixels.append(tile)
        cores.append((source, grid, core))
        endings.append(ImageEnd(source, preview))
    if pixels:
        yield TileBatch(cores, np.stack(pixels))
    yield from endings


def _hold(reader: SceneReader, plan: Plan) -> bool:
    """Decode an image whole where its format asks for that, or it is small; say whether."""
    plan.check(reader.scene, reader.nbytes)
    whole = not reader.scene.windowed or reader.nbytes <= plan.photograph // 4
    if whole:
        reader.hold()
    return whole


def prefetch(items: Iterator[T], depth: int = AHEAD) -> Generator[T]:
    """Yield items that a thread makes, up to `depth` of them before they are asked for.

    An error in the making is raised here; when the consumer leaves, the thread ends after the item it is at.
    """
    made: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(depth)
    left = threading.Event()

    def put(item: T | None, error: BaseException | None) -> bool:
        while not left.is_set():
            try:
                made.put((item, error), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def make() -> None:
        try:
            for item in items:
                if not put(item, None):
                    return
            put(None, StopIteration())
        except BaseException as error:
            put(None, error)
        finally:
            if isinstance(items, Generator):
                items.close()

    thread = threading.Thread(target=make, name="read", daemon=True)
    thread.start()
    try:
        while True:
            item, error = made.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        left.set()
        thread.join()

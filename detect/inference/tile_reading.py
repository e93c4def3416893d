"""Reading the tiles of images by threads, while the network computes the maps of earlier ones."""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, nullcontext
from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from detect.imagery.gdal.options import gdal_options
from detect.imagery.reading import SceneReader
from detect.imagery.scenes import SceneError
from detect.imagery.values.sparse_pixels import SparsePixels
from detect.imagery.windows import Tiling, Window
from detect.inference.ahead import Work, made_ahead, mapped_ahead
from detect.inference.failures import MAX_PREVIEW_SIDE, Failure
from detect.inference.plan import Plan
from detect.inference.shift.measuring import Measured
from detect.inference.strips.read_strip import Gathering
from detect.inference.strips.strip import Joint, Strip
from detect.inference.tiles import ImageEnd, ReadTile, Source, Step, StripEnd, TileBatch, failure_of
from detect.nets.facts.looks import Looks

Meter = Callable[[SceneReader], Measured | None]
"""Measures windows of an image while it is open."""


MOST_HELD = 1 << 28
"""Most bytes of an image that is decoded whole without need, however much memory there is: of a larger one the tiles
are read as soon as its whole would be, by several threads, and several processes may share it."""

PREFETCHED_BATCHES = 1
"""Batches of tiles that are read of each unit of images before the network asks for them, beside one that is read."""


def grouped(sources: Sequence[Source], plan: Plan) -> list[list[Source]]:
    """Return the images in units: neighbours that are one tile each, of the same size, as many as make a batch.

    The units depend on the images alone, not on what was done before, so that a resumed run forms the same batches.
    """
    units: list[list[Source]] = []
    for source in sources:
        tiling = plan.tiling(source.scene.shape)
        before = plan.tiling(units[-1][0].scene.shape) if units else tiling
        alike = len(before) == len(tiling) == 1 and before.tile_hw == tiling.tile_hw
        if units and alike and plan.batch(tiling) > len(units[-1]):
            units[-1].append(source)
        else:
            units.append([source])
    return units


def read_tiles(
    units: Iterable[Sequence[Source]],
    bands: Sequence[int],
    plan: Plan,
    preview_side: int | None = MAX_PREVIEW_SIDE,
    meter: Meter | None = None,
) -> Generator[Step]:
    """Yield the tiles of units of images, batch by batch, and the end of every image, all in the order of the units.

    Threads read the next units, as many as the plan has workers and room for.

    Args:
        units: images whose tiles share batches.
        bands: band numbers from 1.
        plan: tiles, batches and memory.
        preview_side: longest side in pixels of the picture of each scene; None makes none.
        meter: measures windows of each image, several at once; None measures none.
    """

    def steps(unit: Sequence[Source]) -> Iterator[Step]:
        if isinstance(unit[0].part, Joint):
            return iter(unit)
        if len(unit) == 1:
            return _tiles_of_large(unit[0], bands, plan, preview_side, meter)
        return iter(_tiles_of_small(unit, bands, plan, preview_side, meter))

    works = (Work(partial(steps, unit), unit_bytes(unit, bands, plan), at_once=len(unit) > 1) for unit in units)
    return made_ahead(works, plan.workers, plan.read_ahead, PREFETCHED_BATCHES)


def unit_bytes(unit: Sequence[Source], bands: Sequence[int], plan: Plan) -> int:
    """Return the bytes that a unit of images takes until its tiles are at the network: decoded images and batches."""
    if isinstance(unit[0].part, Joint):
        return 0
    tiling, scene = plan.tiling(unit[0].scene.shape), unit[0].scene
    batch = min(len(tiling) * len(unit), plan.batch(tiling)) * plan.tile_bytes(scene, bands, unit[0].light is not None)
    reader = SceneReader(scene, bands)
    if is_held_whole(reader, plan):
        return reader.nbytes + (1 + PREFETCHED_BATCHES) * batch
    return (1 + PREFETCHED_BATCHES + min(plan.readers(batch), _number_of_batches(unit[0], plan))) * batch


def _tiles_of_large(
    source: Source, bands: Sequence[int], plan: Plan, preview_side: int | None, meter: Meter | None
) -> Iterator[TileBatch | ImageEnd | StripEnd | Failure]:
    try:
        with source.open(source.scene, bands) as reader:
            room = _room_for([source], bands, plan) if _is_one_tile_held(reader, plan) else None
            resident = load_whole(reader, plan, None if room is None else room[0])
            strip = source.part if isinstance(source.part, Strip) else None
            windows = None if meter is None or (strip is not None and strip.first) else meter(reader)
            side = None if resident and strip is None else preview_side
            gathered = Gathering(source.scene, len(bands), side, apart=strip is not None)
            with closing(_batches_of(source, bands, reader, plan, None if room is None else room[0])) as batches:
                for tiles in batches:
                    for tile in tiles:
                        gathered.add(tile.core, tile.of_core(tile.pixels), tile.valid_core)
                    yield TileBatch.of(tiles)
            if strip is not None:
                damaged, reader.damaged = reader.damaged, ""  # the log has that of the whole image, once
                yield StripEnd(source, gathered.of_strip(), damaged, windows)
                return
            preview = _preview(reader, preview_side) if resident else gathered.preview()
            yield ImageEnd(source, preview, reader.damaged, Looks.of(gathered.sparse.finished()), windows)
    except (SceneError, MemoryError) as error:
        yield failure_of(source, error)


def _number_of_batches(source: Source, plan: Plan) -> int:
    """Return how many batches the tiles of an image make, or of a strip of it."""
    if isinstance(source.part, Strip):
        return source.part.stop - source.part.first
    tiling = plan.tiling(source.scene.shape)
    return -(-len(tiling) // plan.batch(tiling))


def _batches_of(
    source: Source,
    bands: Sequence[int],
    reader: SceneReader,
    plan: Plan,
    into: NDArray[np.generic] | None = None,
) -> Generator[list[ReadTile]]:
    """Yield the tiles of an image batch by batch; of one that is not in memory, threads read the next batches.

    The one tile of an image is read `into` the room that is given for it.
    """
    tiling = plan.tiling(source.scene.shape)
    size = plan.batch(tiling)
    first, stop = (source.part.first, source.part.stop) if isinstance(source.part, Strip) else (0, len(tiling))
    cores = islice(tiling, first * size, stop * size)
    batches = iter(lambda: list(islice(cores, size)), [])
    batch = min(len(tiling), size) * plan.tile_bytes(source.scene, bands, source.light is not None)
    number = min(plan.readers(batch), _number_of_batches(source, plan))
    if reader.resident or number == 1:
        yield from ([_read_tile(source, tiling, core, reader, into) for core in chosen] for chosen in batches)
        return
    own, readers = threading.local(), []
    with ExitStack() as opened:

        def read(chosen: list[Window]) -> list[ReadTile]:
            if not hasattr(own, "reader"):
                own.reader = opened.enter_context(source.open(source.scene, bands))
                readers.append(own.reader)
            return [_read_tile(source, tiling, core, own.reader) for core in chosen]

        with closing(mapped_ahead(read, batches, number, number - 1, "read tiles")) as made:
            yield from made
        reader.damaged = min(filter(None, (each.damaged for each in (reader, *readers))), default="")
        for each in readers:
            each.damaged = ""  # one reader tells of all


def _read_tile(
    source: Source, tiling: Tiling, core: Window, reader: SceneReader, into: NDArray[np.generic] | None = None
) -> ReadTile:
    return ReadTile(source, tiling, core, *reader.read_valid(tiling.tile(core), into))


def _tiles_of_small(
    unit: Sequence[Source],
    bands: Sequence[int],
    plan: Plan,
    preview_side: int | None,
    meter: Meter | None,
) -> list[TileBatch | ImageEnd | Failure]:
    tiles: list[ReadTile] = []
    ends: list[ImageEnd] = []
    failures: list[Failure] = []
    together, kept = _room_for(unit, bands, plan), 0
    with nullcontext() if any(source.scene.trusted for source in unit) else gdal_options():
        for source in unit:
            try:
                with source.open(source.scene, bands) as reader:
                    room = None if together is None else together[kept]
                    load_whole(reader, plan, room)
                    tiling = plan.tiling(source.scene.shape)
                    (core,) = tiling
                    tile = _read_tile(source, tiling, core, reader, room)
                    preview = _preview(reader, preview_side)
                    sparse = SparsePixels(len(bands), source.scene.shape)
                    sparse.add(core, tile.of_core(tile.pixels), tile.valid_core)
                    windows = None if meter is None else meter(reader)
                    ends.append(ImageEnd(source, preview, reader.damaged, Looks.of(sparse.finished()), windows))
            except (SceneError, MemoryError) as error:
                failures.append(failure_of(source, error))
                continue
            tiles.append(tile)
            kept += not tile.empty
    batches = [TileBatch.of(tiles, None if together is None else together[:kept])] if tiles else []
    return [*failures, *batches, *ends]


def _room_for(unit: Sequence[Source], bands: Sequence[int], plan: Plan) -> NDArray[np.generic] | None:
    """Return room for the tiles of images of one tile each; None where their values are changed after they are read."""
    if any(source.light is not None for source in unit):
        return None
    scene = unit[0].scene
    return np.empty((len(unit), len(bands), *plan.tiling(scene.shape).tile_hw), scene.dtype)


def _preview(reader: SceneReader, side: int | None) -> NDArray[np.generic] | None:
    return None if side is None else reader.preview(side)


def load_whole(reader: SceneReader, plan: Plan, tile: NDArray[np.generic] | None = None) -> bool:
    """Decode an image whole where its format needs that, or it is small; return whether it is in memory.

    Args:
        reader: of the image.
        plan: of the memory.
        tile: (bands, height, width), room for the one tile of the image, in which it is decoded; None takes other
            memory.
    """
    if reader.resident:
        return True
    plan.check(reader.scene, reader.nbytes)
    whole = is_held_whole(reader, plan)
    if whole:
        height, width = reader.scene.shape
        inner = slice(plan.halo, plan.halo + height), slice(plan.halo, plan.halo + width)
        reader.hold(None if tile is None else tile[:, *inner])
    return whole


def is_held_whole(reader: SceneReader, plan: Plan) -> bool:
    """Return whether an image is decoded whole before its tiles are cut: its format needs that, or it is small."""
    return reader.resident or not reader.scene.windowed or reader.nbytes <= min(plan.photograph // 4, MOST_HELD)


def _is_one_tile_held(reader: SceneReader, plan: Plan) -> bool:
    """Return whether an image is one tile that is decoded whole, into the tile itself."""
    return not reader.resident and is_held_whole(reader, plan) and len(plan.tiling(reader.scene.shape)) == 1

"""Which rasters of a run are counted in strips, and which strips of them are there already."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

from detect.imagery.reading import SceneReader
from detect.imagery.windows import Tiling
from detect.inference.engine import Engine
from detect.inference.strips.shelf import Shelf
from detect.inference.strips.stored_shelf import StoredShelf
from detect.inference.strips.strip import Joint, Part, Strip
from detect.inference.strips.strip_file import is_whole
from detect.inference.tile_reading import is_held_whole
from detect.inference.tiles import Source

logger = logging.getLogger(__name__)

MOST_STRIPS = 128
"""Most strips of a raster: 16 for each of 8 processes, so that the last ones to end leave the others little time."""

BATCHES_A_PROCESS = 2
"""Batches of tiles for each process from which on a raster is shared by all: with fewer, starting costs what is saved.
"""

LEAST_KEPT = 1 << 28
"""Pixels of a raster from which on one process keeps what is done of it too: a processor takes minutes for so many."""

FORMAT = 1
"""Of what is kept: another one is not read."""


def in_strips(
    units: Sequence[Sequence[Source]],
    engine: Engine,
    shelf: Shelf | StoredShelf,
    processes: int,
    preview_side: int | None,
) -> list[Sequence[Source]]:
    """Return units of which those of one large raster are strips, as far as these are not there yet, and their joint.

    The strips of a raster follow from it and its tiling alone, so that any number of processes goes on with them.

    Args:
        units: of whole images.
        engine: the model.
        shelf: where strips are kept.
        processes: that count the images.
        preview_side: longest side in pixels of the picture of each image; None makes none.
    """
    made: list[Sequence[Source]] = []
    for unit in units:
        large = len(unit) == 1 and is_large(unit[0], engine, processes)
        why = kept_whole(unit[0], engine) if large else ""
        if large and not why:
            made += ([each] for each in _parts(unit[0], engine, shelf, preview_side))
            continue
        made.append(unit)
        if why and unit[0].pixels >= LEAST_KEPT:
            logger.info("%s is counted at once, by one process: %s", unit[0].name, why)
    return made


def is_large(source: Source, engine: Engine, processes: int) -> bool:
    """Return whether an image is worth to be counted in strips by so many processes."""
    if source.pixels <= engine.plan.area:
        return False  # as of most of a million photographs, whose tiles are not looked at here
    tiling = engine.plan.tiling(source.scene.shape)
    number = _batches(tiling, engine.plan.batch(tiling))
    shared = processes > 1 and number >= BATCHES_A_PROCESS * processes
    return shared or (number > 1 and source.pixels >= LEAST_KEPT)


def kept_whole(source: Source, engine: Engine) -> str:
    """Return why an image cannot be counted in strips; empty where it can: a raster that is read by windows."""
    if engine.meeting is not None:
        return "its light, scale or statistics are settled before its first tile (adapt, rescale)"
    if engine.scale_views is not None:
        return "it is looked at in several sizes (tta)"
    if source.scene.drawing is not None:
        return "it is a list of defects"
    if is_held_whole(SceneReader(source.scene, engine.spec.bands), engine.plan):
        return "it is decoded whole, by its format or as a small one"
    return ""


def _parts(source: Source, engine: Engine, shelf: Shelf | StoredShelf, preview_side: int | None) -> Iterator[Source]:
    """Yield an image's strips that are not there, and their joint."""
    tiling = engine.plan.tiling(source.scene.shape)
    size = engine.plan.batch(tiling)
    made = {
        "format": FORMAT,
        "tiling": [*tiling.shape, *tiling.core_hw, tiling.halo, tiling.stride, size],
        "bands": list(engine.spec.bands),
        "preview": preview_side,
        "windows": engine.meter is not None,
    }
    folder = shelf.place(source.name, made)
    number = _batches(tiling, size)
    step = -(-number // MOST_STRIPS)
    pixels = [core.height * core.width for core in tiling]
    strips = tuple(
        Strip(folder, first, min(first + step, number), sum(pixels[first * size : (first + step) * size]))
        for first in range(0, number, step)
    )
    is_there = shelf.has if isinstance(shelf, StoredShelf) else is_whole
    left = [strip for strip in strips if not is_there(strip.file)]
    there = len(strips) - len(left)
    logger.info(
        "%s is counted in %d strips%s", source.name, len(strips), f", of which {there} are there" if there else ""
    )
    parts: list[Part] = [*left, Joint(strips)]
    for part in parts:
        yield replace(source, part=part)


def _batches(tiling: Tiling, size: int) -> int:
    return -(-len(tiling) // size)

"""Joining: the strips of a raster put together into what counting it at once would have gathered, bit by bit."""

from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from detect.imagery.liveness.signs import give_sign
from detect.imagery.reading import tell_damaged
from detect.imagery.scenes import display_bands
from detect.imagery.thumbnails import Preview
from detect.imagery.validity.gathered import ValidPixels
from detect.inference.engine import Engine
from detect.inference.shift.measuring import Measured
from detect.inference.stitching import Stitcher
from detect.inference.strips.strip import Joint
from detect.inference.strips.strip_file import StripReader
from detect.inference.tiles import Source
from detect.nets.facts.looks import Looks


@dataclass(frozen=True, eq=False)
class Joined:
    """What was gathered of a raster; as of a `Stitched` image."""

    logits: NDArray[np.float32]
    preview: NDArray[np.generic] | None
    damaged: str
    valid: ValidPixels | None
    looks: Looks | None
    windows: Measured | None


def joined(source: Source, engine: Engine, preview_side: int | None) -> Joined:
    """Return what the strips of a raster have together.

    Sums of floats are added in the order of the tiles, as where the raster is counted at once.

    Args:
        source: of which the part is the joint.
        engine: its plan says whether the map is in memory.
        preview_side: longest side in pixels of the picture; None makes none.

    Raises:
        ValueError: a strip's file is damaged.
        OSError: one is not there, or there is no room for the map.
    """
    assert isinstance(source.part, Joint)
    scene, plan, bands = source.scene, engine.plan, engine.spec.bands
    tiling = plan.tiling(scene.shape)
    cores, size = iter(tiling), plan.batch(tiling)
    stitcher: Stitcher | None = None
    valid = plan.valid_pixels(scene, source.name)
    shown = None
    if preview_side is not None:
        shown = Preview(len(display_bands(len(bands))), scene.shape, preview_side, scene.dtype)
    sparse, damaged, windows = [], [], []
    for strip in source.part.strips:
        with StripReader(strip.file) as reader:
            for number, core in enumerate(islice(cores, (strip.stop - strip.first) * size)):
                tile_map = reader.tile_map(number)
                if stitcher is None:
                    channels = engine.decoder.channels if tile_map is None else len(tile_map)
                    stitcher = plan.stitcher(tiling, channels, source.name)
                stitcher.put_kept(core, tile_map)
                if valid is not None:
                    valid.put(core, reader.valid(number, core))
                if shown is not None:
                    shown.put(core, reader.piece(number))
                give_sign()
            sparse.append(reader.sparse)
            damaged.append(reader.damaged)
            windows.append(reader.windows)
    assert stitcher is not None
    warned = min(filter(None, damaged), default="")
    tell_damaged(scene.path, warned)
    some = [each for each in sparse if each.size] or [np.empty((len(bands), 0), np.float32)]
    return Joined(
        stitcher.finished(),
        None if shown is None else shown.finished(),
        warned,
        None if valid is None or valid.whole else valid,
        Looks.of(np.concatenate(some, axis=1)),
        next((each for each in windows if each is not None), None),
    )

"""The maps of images and strips of which some tiles are there."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detect.imagery.validity.gathered import ValidPixels
from detect.imagery.windows import Tiling, Window
from detect.inference.engine import Engine
from detect.inference.failures import Failure
from detect.inference.plan import Plan
from detect.inference.shift.measuring import Measured
from detect.inference.stitching import Stitcher
from detect.inference.strips.strip import Strip
from detect.inference.strips.strip_file import StripWriter
from detect.inference.tiles import ImageEnd, Source, StripEnd
from detect.labels.detections import Detections
from detect.nets.facts.looks import Looks

NOT_FINITE = (
    "the network's outputs are not finite: pixels hold a huge value that means no data and is not declared "
    "(gdal_edit.py -a_nodata VALUE declares it), or the precision is too small (runtime.precision=32)"
)


class Shown(Protocol):
    """Shows what is done of a run."""

    def start(self, name: str) -> None:
        """Show the name of the image that begins."""

    def advance(self, pixels: int) -> None:
        """Add pixels that are done."""


@dataclass(frozen=True, eq=False)
class Stitched:
    """The whole map (K, h, w) of an image, its preview where one was asked for, and what its decoder warned of.

    `valid` has the valid pixels, None where all are; `looks` and `windows` are as of `ImageEnd`. `others` has what
    is found in other sizes of the image, in pixels of the source's scene.
    """

    source: Source
    logits: NDArray[np.float32]
    preview: NDArray[np.generic] | None
    damaged: str = ""
    valid: ValidPixels | None = None
    looks: Looks | None = None
    windows: Measured | None = None
    others: tuple[Detections, ...] = ()


@dataclass(frozen=True, eq=False)
class _Whole:
    """What is put together of an image: its map, and its valid pixels unless all are."""

    map: Stitcher
    valid: ValidPixels | None

    @classmethod
    def of(cls, source: Source, tiling: Tiling, plan: Plan, channels: int) -> "_Whole":
        """Begin with an image, whose map has some channels."""
        return cls(plan.stitcher(tiling, channels, source.name), plan.valid_pixels(source.scene, source.name))

    def put(self, core: Window, tile_map: NDArray[np.float32] | None, valid: NDArray[np.bool_] | None) -> None:
        """Add a tile: its map, None where nothing of it is valid, and the valid pixels of its core."""
        if tile_map is None:
            self.map.leave_out(core)
        else:
            self.map.put(core, tile_map)
        if self.valid is not None and valid is not None:
            self.valid.put(core, valid)


class Unfinished:
    """The images and strips of which some tiles are mapped, and those that are given up."""

    def __init__(self, engine: Engine, progress: Shown) -> None:
        self._engine = engine
        self._progress = progress
        self._parts: dict[tuple[str, int | None], _Whole | StripWriter] = {}
        self._broken: set[tuple[str, int | None]] = set()
        self._last = ""

    def put(
        self,
        tile: tuple[Source, Tiling, Window],
        tile_map: NDArray[np.float32] | None,
        valid: NDArray[np.bool_] | None,
    ) -> Failure | None:
        """Add a tile: its map, None where nothing of it is valid, and the valid pixels of its core."""
        source, tiling, core = tile
        if source.key in self._broken:
            return None
        if tile_map is not None and not np.isfinite(tile_map).all():
            self.fail(source.key)
            return Failure(source.name, f"{source.scene.path}: {NOT_FINITE}", source.key[1])
        if source.key not in self._parts:
            self._begin(source, tiling, tile_map)
        self._parts[source.key].put(core, tile_map, valid)
        self._progress.advance(core.height * core.width)
        return None

    def _begin(self, source: Source, tiling: Tiling, tile_map: NDArray[np.float32] | None) -> None:
        if source.part is None or source.name != self._last:
            self._progress.start(source.name)
            self._last = source.name
        if isinstance(source.part, Strip):
            self._parts[source.key] = StripWriter(source.part, tiling)
        else:
            channels = self._engine.decoder.channels if tile_map is None else len(tile_map)
            self._parts[source.key] = _Whole.of(source, tiling, self._engine.plan, channels)

    def end(self, step: ImageEnd | StripEnd) -> Stitched | Source | None:
        """Return what a whole image, or a strip, is; None of one that was given up."""
        if step.source.key in self._broken:
            return None
        parts = self._parts[step.source.key]
        if isinstance(step, StripEnd):
            assert isinstance(parts, StripWriter)
            parts.finish(step)
            del self._parts[step.source.key]
            return step.source
        assert isinstance(parts, _Whole)
        del self._parts[step.source.key]
        seen = None if parts.valid is None or parts.valid.whole else parts.valid
        made = parts.map.finished()
        return Stitched(step.source, made, step.preview, step.damaged, seen, step.looks, step.windows)

    def fail(self, key: tuple[str, int | None]) -> bool:
        """Drop an image or a strip; return whether it was not before."""
        parts = self._parts.pop(key, None)
        if isinstance(parts, StripWriter):
            parts.discard()
        new = key not in self._broken
        self._broken.add(key)
        return new

    def close(self) -> None:
        """Drop all that has not ended."""
        for key in list(self._parts):
            self.fail(key)

"""Images of a run, and their tiles as they come to the network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.reading import SceneReader
from detect.imagery.resolution import rescaled
from detect.imagery.scenes import Scene, SceneError
from detect.imagery.windows import Tiling, Window
from detect.inference.failures import Failure
from detect.inference.shift.measuring import Measured
from detect.inference.strips.read_strip import StripPixels
from detect.inference.strips.strip import Joint, Part, Strip, strip_number
from detect.nets.facts.looks import Looks


@dataclass(frozen=True, eq=False)
class Source:
    """An image of a run.

    Attributes:
        name: by which it is reported.
        scene: the image at the network's resolution.
        open: makes the reader of the scene for some bands; by default from its file.
        light: maps the values that the network sees, of valid pixels; None shows them as they are.
        part: the strip of the image that is meant, or the joint of all of them; None for the whole image at once.
    """

    name: str
    scene: Scene
    open: Callable[[Scene, Sequence[int]], SceneReader] = SceneReader
    light: Callable[[NDArray[np.generic], NDArray[np.bool_]], NDArray[np.float32]] | None = None
    part: Part | None = None

    @property
    def key(self) -> tuple[str, int | None]:
        """The name, and the number of the strip, None where it is not one of several: no two tasks have the same."""
        return self.name, strip_number(self.part)

    @property
    def pixels(self) -> int:
        """The pixels of the scene that are counted: all, those of the strip, or none where strips are joined."""
        match self.part:
            case Strip(pixels=pixels):
                return pixels
            case Joint():
                return 0
            case None:
                return self.scene.shape[0] * self.scene.shape[1]

    def seen(self, pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.generic]:
        """Return pixels (..., bands, H, W), of which (..., H, W) are valid, as the network sees them."""
        return pixels if self.light is None else self.light(pixels, valid)

    def at(self, factor: float) -> "Source":
        """Return the image at a number of times its size.

        Raises:
            SceneError: it cannot be read so.
        """
        return self if factor == 1 else replace(self, scene=rescaled(self.scene, factor))


@dataclass(frozen=True, eq=False)
class TileBatch:
    """Tiles of one size, with the core that each is read for.

    Attributes:
        cores: (image, its tiling, the core) of each tile.
        pixels: (B, bands, H, W) of those tiles of which any pixel is valid, in their order.
        valid: (height, width) of each core, which of its pixels are valid; None for an image that says nothing of it.
        empty: whether no pixel of a tile is valid, so that it is not in `pixels`, by tile.
    """

    cores: Sequence[tuple[Source, Tiling, Window]]
    pixels: NDArray[np.generic]
    valid: Sequence[NDArray[np.bool_] | None]
    empty: Sequence[bool]

    @classmethod
    def of(cls, tiles: Sequence["ReadTile"], pixels: NDArray[np.generic] | None = None) -> "TileBatch":
        """Make a batch of tiles that were read; `pixels` where they lie in one array already."""
        if pixels is None:
            kept = [tile.seen for tile in tiles if not tile.empty] or [tiles[0].pixels[:, :0, :0]]
            pixels = kept[0][None] if len(kept) == 1 else np.stack(kept)
        cores = [(tile.source, tile.tiling, tile.core) for tile in tiles]
        return cls(cores, pixels, [tile.valid_core for tile in tiles], [tile.empty for tile in tiles])


@dataclass(frozen=True, eq=False)
class ReadTile:
    """The pixels (bands, H, W) of the tile of a core, and which of them (H, W) are valid."""

    source: Source
    tiling: Tiling
    core: Window
    pixels: NDArray[np.generic]
    valid: NDArray[np.bool_]

    @property
    def seen(self) -> NDArray[np.generic]:
        """The pixels as the network sees them."""
        return self.source.seen(self.pixels, self.valid)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to be seen: no pixel is valid, of the halo neither, as a cell may reach into it."""
        return self.source.scene.masked and not self.valid.any()

    @property
    def valid_core(self) -> NDArray[np.bool_] | None:
        """Which pixels of the core are valid, None for an image that says nothing of it."""
        return self.of_core(self.valid) if self.source.scene.masked else None

    def of_core(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the part (..., height, width) of the tile's values (..., H, W) that is the core's."""
        halo, core = self.tiling.halo, self.core
        return values[..., halo : halo + core.height, halo : halo + core.width]


@dataclass(frozen=True, eq=False)
class ImageEnd:
    """The last tile of an image has been read.

    Attributes:
        source: the image.
        preview: the scene reduced to a small picture, (bands, h, w); None where the run makes none.
        damaged: what the decoder warned of, empty where it did not.
        looks: what its valid pixels look like; None where there are none.
        windows: what windows of it look like; None where that is not measured, or nothing is valid.
    """

    source: Source
    preview: NDArray[np.generic] | None
    damaged: str = ""
    looks: Looks | None = None
    windows: Measured | None = None


@dataclass(frozen=True, eq=False)
class StripEnd:
    """The last tile of a strip has been read; what was gathered is of its tiles alone.

    Attributes:
        source: the image, with the strip.
        pixels: what was gathered of them.
        damaged: what the decoder warned of, empty where it did not.
        windows: what windows of the image look like, with its first strip; None where that is not measured.
    """

    source: Source
    pixels: StripPixels
    damaged: str
    windows: Measured | None


Step = TileBatch | ImageEnd | StripEnd | Source | Failure
"""What is read: a source stands for itself where its strips are to be joined, of which nothing is read."""


def failure_of(source: Source, error: SceneError | MemoryError) -> Failure:
    """Return what went wrong with one image alone."""
    text = str(error) if isinstance(error, SceneError) else f"there is not enough memory for its tiles ({error})"
    return Failure(source.name, text, strip_number(source.part))

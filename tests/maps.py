"""The map of a scene over a tiling that a test chooses, made as every command makes it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.reading import SceneReader
from detect.imagery.scenes import Scene
from detect.imagery.windows import Tiling, Window
from detect.inference.engine import Engine
from detect.inference.plan import Plan
from detect.inference.run import map_scene
from detect.inference.stitching import Runtime
from detect.inference.tiles import Source
from detect.nets.net_spec import BackboneSpec
from tests.cards import patch_card

Read = Callable[[Window], NDArray[np.generic]]


class OneTiling(Plan):
    """A plan with the same tiling for every scene, one tile a batch."""

    def tiling(self, shape: tuple[int, int]) -> Tiling:
        assert shape == self.tiles.shape
        return self.tiles

    def batch(self, tiling: Tiling) -> int:
        return 1


class Given(SceneReader):
    """A reader whose windows come from a test's function."""

    def __init__(self, scene: Scene, bands: Sequence[int], read: Read) -> None:
        super().__init__(scene, bands, np.empty(0))
        self.given = read

    def read_valid(
        self, window: Window, into: NDArray[np.generic] | None = None
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        pixels = self.given(window)
        if into is not None:
            into[:] = pixels
        return pixels if into is None else into, np.ones((window.height, window.width), np.bool_)


def tiled_engine(bands: tuple[int, ...], runtime: Runtime, tiling: Tiling) -> Engine:
    """An engine whose plan has one tiling, whatever the scene."""
    plan = OneTiling(1, 1, tiling.halo, tiling.stride, 1 << 40, 1 << 40)
    object.__setattr__(plan, "tiles", tiling)
    return Engine.of(patch_card(BackboneSpec("test_resnet", tiling.stride), bands=bands), runtime, plan)


def map_tiles(
    scene: Scene, bands: tuple[int, ...], runtime: Runtime, tiling: Tiling, read: Read | None = None
) -> NDArray[np.float32]:
    """The stitched map (K, h, w) of a scene over given tiles; `read` gives the pixels of a window."""
    engine = tiled_engine(bands, runtime, tiling)
    opened: dict[str, Any] = {} if read is None else {"open": lambda of, chosen: Given(of, chosen, read)}
    return map_scene(Source("scene", scene, **opened), engine, preview_side=None).logits

"""Planted objects: what the laws of the grid head find again."""

import numpy as np
from hypothesis import strategies as st

from detect.imagery.windows import Tiling
from detect.inference.stitching import Runtime
from detect.samples.targets import Objects
from tests.grids import (
    memory_scene,
    objects,
)
from tests.laws.nets import cut
from tests.maps import map_tiles


@st.composite
def planted_objects(draw: st.DrawFn, *, boxes: bool, cells: int = 12) -> tuple[Objects, tuple[int, int]]:
    """Objects in cells of 8 pixels of their own, more than a cell apart, at multiples of 1/64 cell; the scene's shape.

    Two that are more than 8 pixels apart are more than 5.6 apart along one axis; boxes of up to 16 pixels then overlap
    by less than (16 - 5.6) / (16 + 5.6) = 0.48. They lie 8 pixels or more from the edge.
    """
    place = st.tuples(*[st.integers(64, 64 * (cells + 1) - 1)] * 2)
    xy: list[tuple[float, float]] = []
    for x, y in draw(st.lists(place, min_size=1, max_size=30)):
        at = (x / 8, y / 8)
        if (
            x % 64
            and y % 64
            and all(
                np.hypot(a - at[0], b - at[1]) > 8.1 and (a // 8, b // 8) != (at[0] // 8, at[1] // 8) for a, b in xy
            )
        ):
            xy.append(at)
    xy = xy or [(20.5, 20.5)]
    side = st.floats(1, 16)
    wh = [[draw(side), draw(side)] for _ in xy] if boxes else None
    label = [draw(st.integers(0, 1)) for _ in xy]
    shape = (8 * (cells + 3) - draw(st.integers(0, 8)), 8 * (cells + 3) - draw(st.integers(0, 8)))
    return objects(xy, wh, label), shape


def touching(shape: tuple[int, int], seed: int, clusters: int) -> Objects:
    """Clusters of up to 6 x 6 objects of 10 pixels that touch one another, many of them in neighbouring cells of 8."""
    rng = np.random.default_rng(seed)
    taken = np.zeros(shape, bool)
    xy = []
    for _ in range(clusters):
        rows, cols = rng.integers(2, 7, 2)
        top, left = rng.uniform(16, (shape[0] - 10 * rows - 16, shape[1] - 10 * cols - 16))
        area = np.s_[int(top) - 16 : int(top) + 10 * rows + 16, int(left) - 16 : int(left) + 10 * cols + 16]
        if not taken[area].any():
            taken[area] = True
            xy += [(left + 10 * j, top + 10 * i) for i in range(rows) for j in range(cols)]
    return objects(np.array(xy), np.full((len(xy), 2), 10.0), rng.integers(0, 2, len(xy)))


def cut_at_the_edge(things: Objects, shape: tuple[int, int]) -> Objects:
    """Boxes as far as they lie in a scene."""
    assert things.wh is not None
    low, high = (np.clip(things.xy + side * things.wh / 2, 0, shape[::-1]) for side in (-1, 1))
    return objects((low + high) / 2, high - low, things.label)


def stitched_map(runtime: Runtime, image: np.ndarray, grid: Tiling) -> np.ndarray:
    """The map of an image (bands, H, W) in memory."""
    return map_tiles(memory_scene(image.shape[1:]), (1, 2, 3), runtime, grid, read=lambda at: cut(image, at))

"""Law 2: stitching the tiles of an identity net, in any order, returns the image."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.imagery.windows import Tiling, Window
from detect.inference.stitching import Stitcher
from tests.laws.nets import cut
from tests.laws.tilings import memory_scene, noise, tilings
from tests.maps import map_tiles


@pytest.mark.parametrize("to_file", [False, True])
@given(tiling=tilings(), order=st.randoms(use_true_random=False), seed=st.integers(0, 99))
@settings(deadline=None)
def test_law_2_an_identity_net_gives_the_image_back_in_any_order(
    to_file: bool, tiling: Tiling, order: Random, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """At a stride s the identity keeps every s-th pixel, the first of each cell; the file of a map has no name."""
    folder = tmp_path_factory.getbasetemp() / "maps"
    folder.mkdir(exist_ok=True)
    image = noise(seed, 2, *tiling.shape).astype(np.float32)
    stitcher = Stitcher(tiling, 2, folder if to_file else None)
    cores = list(tiling)
    order.shuffle(cores)
    for core in cores:
        stitcher.put(core, cut(image, tiling.tile(core))[:, :: tiling.stride, :: tiling.stride])
    found = stitcher.finished()
    assert isinstance(found, np.memmap) is to_file and not list(folder.iterdir())
    np.testing.assert_array_equal(found, image[:, :: tiling.stride, :: tiling.stride])


@given(tiling=tilings(), seed=st.integers(0, 99))
@settings(deadline=None)
def test_law_2_cells_at_the_edge_see_the_mirrored_image(tiling: Tiling, seed: int) -> None:
    """A net that sums each cell's pixels: cells that hang over the scene take numpy's `reflect` padding."""
    image = noise(seed, 1, *tiling.shape).astype(np.float32)

    def sums(tiles: np.ndarray) -> np.ndarray:
        rows, cols = (side // tiling.stride for side in tiles.shape[2:])
        return tiles.reshape(len(tiles), 1, rows, tiling.stride, cols, tiling.stride).sum(axis=(3, 5))

    rows, cols = tiling.map_shape
    whole = cut(image, Window(0, 0, rows * tiling.stride, cols * tiling.stride))
    found = map_tiles(memory_scene(image), (1,), sums, tiling, read=lambda window: cut(image, window))
    np.testing.assert_array_equal(found, sums(whole[None])[0])

"""Law 5: dense evaluation of a patch classifier equals sliding it, window by window, with the same context."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import read_window
from detect.imagery.windows import Window
from detect.inference.runtimes.openvino_runtime import OpenVinoRuntime
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.inference.stitching import Runtime, make_tiling
from tests.laws.nets import random_net
from tests.laws.tilings import assert_same_map, noise
from tests.maps import map_tiles


@pytest.mark.parametrize(
    ("backbone", "cells", "openvino"),
    [
        ("tf_efficientnet_lite0", 2, False),
        ("test_resnet", 1, False),
        ("test_resnet", 3, False),
        ("test_resnet", 4, False),
        ("test_resnet", 3, True),
    ],
)
def test_law_5_dense_evaluation_equals_sliding(tmp_path: Path, backbone: str, cells: int, openvino: bool) -> None:
    """Window by window: the patch around each cell, with a halo of context, cut from the file and classified.

    Dense in OpenVINO and sliding in torch are within 1e-3 of each other, an arithmetic of another order.
    """
    Image.fromarray(noise(2, 75, 90, 3)).save(tmp_path / "a.png")
    scene = open_scene(tmp_path / "a.png")
    net, card = random_net(backbone, cells, 4)
    assert card.halo is not None
    runtime: Runtime = TorchRuntime(net, torch.device("cpu"))
    if openvino:
        runtime = OpenVinoRuntime(net, 3, 16, "uint8", "32")
    dense = map_tiles(scene, card.bands, runtime, make_tiling(scene.shape, 2 * card.halo + 48, card.halo, 16))
    assert dense.shape == (3, 5, 6)
    slid = np.empty_like(dense)
    for i, j in np.ndindex(5, 6):
        patch = Window(16 * (i - cells // 2), 16 * (j - cells // 2), 16 * cells, 16 * cells)
        assert (patch.col + patch.width / 2, patch.row + patch.height / 2) == (
            card.cell_offset + 16 * j,
            card.cell_offset + 16 * i,
        )
        pixels = torch.from_numpy(read_window(scene, patch.grown(card.halo), card.bands))[None]
        with torch.inference_mode():
            slid[:, i, j] = net.classify(pixels)[0].numpy()
    assert card.cell_offset == net.map_offset
    assert_same_map(slid, dense, 1e-3 if openvino else 1e-4)

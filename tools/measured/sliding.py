"""Windows that a classifier is slid over, as people write it."""

import time

import numpy as np
import torch

from detect.imagery.reading import SceneReader
from detect.imagery.scenes import Scene
from detect.imagery.windows import Window
from detect.nets.card import ModelCard
from detect.nets.heads.patch import PatchClassifier

WINDOWS = 512

WINDOWS_IN_BATCH = 64


def slide(net: PatchClassifier, card: ModelCard, scene: Scene, stride: int, side: int) -> float:
    """Classify `WINDOWS` windows one beside the other; return the seconds that all windows of the scene would take.

    Args:
        net: the network.
        card: with the bands.
        scene: a photograph.
        stride: from a window to the next in pixels.
        side: of a window in pixels, context included.
    """
    with SceneReader(scene, card.bands) as reader:
        reader.hold()
        started = time.perf_counter()
        row = scene.shape[0] // 2
        for first in range(0, WINDOWS, WINDOWS_IN_BATCH):
            cols = [stride * (first + i) % scene.shape[1] for i in range(WINDOWS_IN_BATCH)]
            patches = [reader.read(Window(row - side // 2, col - side // 2, side, side)) for col in cols]
            with torch.inference_mode():
                net.classify(torch.from_numpy(np.stack(patches)))
    windows = -(-scene.shape[0] // stride) * -(-scene.shape[1] // stride)
    return (time.perf_counter() - started) * windows / WINDOWS

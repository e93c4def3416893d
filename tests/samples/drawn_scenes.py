"""Labelled scenes without pixels, from which crops are drawn."""

from pathlib import Path

import numpy as np

from detect.imagery.scenes import Scene
from detect.imagery.windows import Window
from detect.labels.detections import Detections
from detect.samples.epochs import CropDraw
from detect.samples.labelled_scenes import LabelledScene

RECIPE = CropDraw(samples=40, side=64, empty_fraction=0.25, negative_fraction=0.4, balance=0.0)


def labelled(
    shape: tuple[int, int], xy: np.ndarray, label: np.ndarray | None = None, negatives: np.ndarray | None = None
) -> LabelledScene:
    """A scene without pixels, with boxes of 10 x 6 pixels."""
    wh = np.tile([10.0, 6.0], (len(xy), 1))
    kinds = np.zeros(len(xy), np.int64) if label is None else label
    found = Detections(xy, np.ones(len(xy)), kinds, ("a", "b"), wh)
    scene = Scene(Path(f"{shape}.png"), shape, "uint8", 3)
    return LabelledScene(str(shape), scene, found, np.empty((0, 2)) if negatives is None else negatives)


def crowd(number: int, shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform((0, 0), shape[::-1], (number, 2))


def number_in(scene: LabelledScene, window: Window) -> int:
    return int(window.contains_xy(scene.objects.xy).sum())

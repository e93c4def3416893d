"""Scenes with what a person labelled in them, as the network sees them, and the sides that they are on."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from detect.imagery.resolution import Resolution
from detect.imagery.scenes import Scene, display_bands, view
from detect.imagery.windows import Window, clamp_far_edges
from detect.labels.detections import Detections
from detect.labels.regions import inside_regions, outside

PART = " [rows "
"""What follows the image's name in the name of a part of it."""


@dataclass(frozen=True, eq=False)
class LabelledScene:
    """A scene with what a person labelled in it.

    Attributes:
        name: the image's name in the annotations; a part of an image has its rows or columns appended.
        scene: the pixels.
        objects: ground truth, in pixels of the scene.
        negatives: (M, 2) xy of look-alikes that are not objects.
        ignored: (M, 4) boxes x1, y1, x2, y2 where nobody said what there is.
    """

    name: str
    scene: Scene
    objects: Detections
    negatives: NDArray[np.float64]
    ignored: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 4)))

    def part(self, window: Window, reach: float = 0.0) -> "LabelledScene":
        """Cut a rectangle out, with the objects whose centres lie in it.

        Args:
            window: the rectangle.
            reach: half the side in pixels of the square around every object beyond the rectangle that is ignored:
                what of it lies within is neither an object of this part nor background.
        """
        inside = self._within(window, self.objects.xy)
        beyond = self.objects.xy[~inside] if reach else np.empty((0, 2))
        halves = np.concatenate([beyond - reach, beyond + reach], axis=1)
        corners = np.array([window.col, window.row, window.col_stop, window.row_stop], np.float64)
        touching = (halves[:, :2] < corners[2:]).all(axis=1) & (halves[:, 2:] > corners[:2]).all(axis=1)
        rows = f"{PART}{window.row}-{window.row_stop}, columns {window.col}-{window.col_stop}]"
        return replace(
            self,
            name=f"{self.name}{rows}",
            scene=view(self.scene, window),
            objects=self.objects[inside].shifted(-window.col, -window.row),
            negatives=self.negatives[self._within(window, self.negatives)] - (window.col, window.row),
            ignored=np.concatenate([self.ignored, halves[touching]]) - np.tile(corners[:2], 2),
        )

    def without_ignored(self) -> "LabelledScene":
        """Leave out the objects and look-alikes that lie in ignored regions."""
        within = inside_regions(self.negatives, self.ignored)
        return replace(self, objects=outside(self.objects, self.ignored), negatives=self.negatives[~within])

    def _within(self, window: Window, xy: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Mark the points of a window; one on the scene's right or lower edge is in the window that ends there."""
        return window.contains_xy(clamp_far_edges(xy, self.scene.shape))


@dataclass(frozen=True)
class SceneSplit:
    """The scenes of each side, and a sentence on how they were chosen."""

    train: tuple[LabelledScene, ...]
    val: tuple[LabelledScene, ...]
    test: tuple[LabelledScene, ...]
    note: str


def resampled_split(split: SceneSplit, resolution: Resolution) -> SceneSplit:
    """Give the scenes of a split as the network sees them, with all that is labelled in them.

    Raises:
        SceneError: an image whose size on the ground is not known, for a resolution that needs it.
    """
    train, val, test = (tuple(_seen(s, resolution) for s in side) for side in (split.train, split.val, split.test))
    return replace(split, train=train, val=val, test=test)


def _seen(labelled: LabelledScene, resolution: Resolution) -> LabelledScene:
    scene = resolution.resampled(labelled.scene)
    x, y = scene.factor_xy
    return replace(
        labelled,
        scene=scene,
        objects=labelled.objects.scaled(x, y),
        negatives=labelled.negatives * (x, y),
        ignored=labelled.ignored * (x, y, x, y),
    )


def image_kind(scenes: Sequence[Scene], bands: Sequence[int] | None) -> tuple[tuple[int, ...], str]:
    """Choose the bands (those asked for, else the first three, or one) and check that all images have one dtype.

    Raises:
        ValueError: images of several dtypes, or too few bands.
    """
    first = scenes[0]
    chosen = tuple(bands) if bands else display_bands(first.bands)
    if min(chosen) < 1:
        raise ValueError(f"data.bands are numbered from 1, got {list(chosen)}")
    for scene in scenes:
        if scene.dtype != first.dtype:
            raise ValueError(
                f"{scene.path} has {scene.dtype} pixels, {first.path} {first.dtype}; convert them to one kind"
            )
        if scene.bands < max(chosen):
            raise ValueError(
                f"{scene.path} has {scene.bands} bands, band {max(chosen)} is needed; set data.bands or convert it"
            )
    return chosen, first.dtype

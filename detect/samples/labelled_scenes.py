"""Labelled scenes, resampled for the network, and the sides of a split."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from detect.imagery.description.arranging import Bands, arranged, learned_bands
from detect.imagery.resolution import Resolution
from detect.imagery.scenes import Scene, view
from detect.imagery.wafers.drawn.drawing import Drawing
from detect.imagery.windows import Window, clamp_far_edges
from detect.labels.detections import Detections
from detect.labels.regions import inside_regions, outside

if TYPE_CHECKING:
    from detect.samples.values.coverage import Coverage

PART = " [rows "
"""Start of what is appended to an image's name to name a part of it."""


@dataclass(frozen=True, eq=False)
class LabelledScene:
    """A scene with its labels.

    Attributes:
        name: the image's name in the annotations; a part of an image has its rows or columns appended.
        scene: the image, or a part of it.
        objects: ground truth, in pixels of the scene.
        negatives: (M, 2) xy of labelled hard negatives, in pixels of the scene.
        ignored: (M, 4) boxes x1, y1, x2, y2 of regions that are not labelled, in pixels of the scene.
        coverage: where its pixels are valid; None for everywhere.
        group: of the image; None where it has none.
    """

    name: str
    scene: Scene
    objects: Detections
    negatives: NDArray[np.float64]
    ignored: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 4)))
    coverage: "Coverage | None" = None
    group: str | None = None

    def part(self, window: Window, reach: float = 0.0) -> "LabelledScene":
        """Return a part of the scene, with the objects whose centres are in it.

        Args:
            window: the part.
            reach: half the side in pixels of the square around every object outside the part that is ignored: where it
                overlaps the part, that is neither an object of this part nor background.
        """
        inside = self._within(window, self.objects.xy)
        outside_xy = self.objects.xy[~inside] if reach else np.empty((0, 2))
        squares = np.concatenate([outside_xy - reach, outside_xy + reach], axis=1)
        corners = np.array([window.col, window.row, window.col_stop, window.row_stop], np.float64)
        overlapping = (squares[:, :2] < corners[2:]).all(axis=1) & (squares[:, 2:] > corners[:2]).all(axis=1)
        rows = f"{PART}{window.row}-{window.row_stop}, columns {window.col}-{window.col_stop}]"
        return replace(
            self,
            name=f"{self.name}{rows}",
            scene=view(self.scene, window),
            objects=self.objects[inside].shifted(-window.col, -window.row),
            negatives=self.negatives[self._within(window, self.negatives)] - (window.col, window.row),
            ignored=np.concatenate([self.ignored, squares[overlapping]]) - np.tile(corners[:2], 2),
        )

    def without_ignored(self) -> "LabelledScene":
        """Return the scene without the objects and hard negatives in ignored regions."""
        within = inside_regions(self.negatives, self.ignored)
        return replace(self, objects=outside(self.objects, self.ignored), negatives=self.negatives[~within])

    def _within(self, window: Window, xy: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which points (N,) are in a window; those on the scene's far edges are in windows that end there."""
        return window.contains_xy(clamp_far_edges(xy, self.scene.shape))


ChosenOn = Literal[
    "folds of other scenes",
    "folds of one scene",
    "named validation images",
    "drawn validation images",
    "strips of the images",
]
"""Where the threshold, the separation and the epoch of a model come from."""


@dataclass(frozen=True)
class SceneSplit:
    """The scenes of each side, and how the validation scenes were chosen.

    Attributes:
        train: the scenes that are learned from.
        val: those that validate; none where folds do.
        test: those that are held back.
        note: a sentence on what validates, and what that cannot tell.
        chosen_on: the same in a word.
        folds: names of the training scenes that each fold of short trainings leaves out, to choose on; none where
            there are validation scenes.
    """

    train: tuple[LabelledScene, ...]
    val: tuple[LabelledScene, ...]
    test: tuple[LabelledScene, ...]
    note: str
    chosen_on: ChosenOn = "named validation images"
    folds: tuple[frozenset[str], ...] = ()

    def of_fold(self, left_out: frozenset[str]) -> "SceneSplit":
        """Return the split of a fold: the scenes that it leaves out validate."""
        train = tuple(labelled for labelled in self.train if labelled.name not in left_out)
        val = tuple(labelled for labelled in self.train if labelled.name in left_out)
        return replace(self, train=train, val=val, folds=())


def resampled_split(split: SceneSplit, resolution: Resolution) -> SceneSplit:
    """Return a split with its scenes and all labels resampled.

    Raises:
        SceneError: an image whose ground sampling distance is not known, for a resolution that needs it.
    """
    train, val, test = (tuple(_resampled(s, resolution) for s in side) for side in (split.train, split.val, split.test))
    return replace(split, train=train, val=val, test=test)


def _resampled(labelled: LabelledScene, resolution: Resolution) -> LabelledScene:
    """Return a scene with its labels, resampled."""
    scene = resolution.resampled(labelled.scene)
    x, y = scene.factor_xy
    return replace(
        labelled,
        scene=scene,
        objects=labelled.objects.scaled(x, y),
        negatives=labelled.negatives * (x, y),
        ignored=labelled.ignored * (x, y, x, y),
    )


def arranged_split(split: SceneSplit, bands: Bands) -> SceneSplit:
    """Return a split with the bands of its scenes in the places in which a network expects them.

    Raises:
        SceneError: an image without one of the bands, or that calls it otherwise.
    """
    train, val, test = (
        tuple(replace(labelled, scene=arranged(labelled.scene, bands)) for labelled in side)
        for side in (split.train, split.val, split.test)
    )
    return replace(split, train=train, val=val, test=test)


def image_kind(scenes: Sequence[Scene], bands: Sequence[int | str] | None) -> tuple[Bands, str]:
    """Return the bands that a network learns from images, and the dtype that they share.

    Args:
        scenes: the images.
        bands: band numbers from 1, or names; None takes those of a photograph, or the only one.

    Raises:
        ValueError: images of several dtypes, a band number below 1, or bands that no image has.
    """
    first = scenes[0]
    for scene in scenes:
        if scene.dtype != first.dtype:
            raise ValueError(
                f"{scene.path} has {scene.dtype} pixels, {first.path} {first.dtype}; convert them to one dtype"
            )
    return learned_bands(scenes, bands), first.dtype


def drawing_alike(scenes: Sequence[Scene]) -> Drawing | None:
    """Return how images are drawn of lists of wafers' defects; None where they have pixels.

    Raises:
        ValueError: some are drawn, and others are not.
    """
    drawn = {scene.drawing: scene.path for scene in scenes}
    if len(drawn) > 1:
        first, second = list(drawn.values())[:2]
        raise ValueError(f"{first} and {second}: lists of defects and images with pixels are not learned together")
    return next(iter(drawn))

"""A model that is ready to run, and what it finds in a scene."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detect.imagery.scenes import Scene, SceneError
from detect.inference.decoding.decoder import Decoder, decoder_of
from detect.inference.decoding.geometry import CellGeometry
from detect.inference.decoding.patch import posteriors
from detect.inference.plan import Plan
from detect.inference.stitching import Runtime, release
from detect.labels.detections import Detections
from detect.nets.card import ModelCard

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Engine:
    """A model made ready to run.

    Attributes:
        card: classes, bands, threshold and radius of the model.
        runtime: maps a batch of tiles.
        plan: tiles and memory.
    """

    card: ModelCard
    runtime: Runtime
    plan: Plan

    @cached_property
    def decoder(self) -> Decoder:
        """What reads the model's maps."""
        return decoder_of(self.card)

    def geometry(self, scene: Scene) -> CellGeometry:
        """Say where the cells of a scene's map lie."""
        return CellGeometry(self.plan.stride, self.card.cell_offset, scene.shape)

    def seen(self, scene: Scene) -> Scene:
        """Give a scene as the model sees it, which must be of the model's kind; the model must find things in scenes.

        Raises:
            SceneError: the pixels are of another type than the model's, or their size on the ground is not known.
            ValueError: the model has no background class.
        """
        if not self.card.finds:
            raise ValueError(
                "this model tells patches apart and has no background class: it cannot find objects in an image"
            )
        if scene.dtype != self.card.dtype:
            raise SceneError(
                f"{scene.path}: pixels are {scene.dtype}, the model was trained on {self.card.dtype}; convert the image"
            )
        return self.card.resolution.seen(scene)


@dataclass(frozen=True, eq=False)
class SceneResult:
    """What was found in a scene.

    Attributes:
        detections: the objects, in pixels of the image file.
        geometry: where the heatmap's cells lie, in pixels of the scene as the model sees it.
        preview: the scene reduced to a small picture, (bands, h, w), of the model's bands.
        logits: (K, h, w), the stitched map, in memory or in a file.
        rows: rows of the map that may be worked on at once.
        heat: gives the probabilities of the classes from rows of the map.
    """

    detections: Detections
    geometry: CellGeometry
    preview: NDArray[np.generic]
    logits: NDArray[np.float32]
    rows: int
    heat: Callable[[NDArray[np.float32]], NDArray[np.float32]] = posteriors

    def heat_strips(self) -> Iterator[NDArray[np.float32]]:
        """Yield the posteriors of the classes, (C, rows, w) in [0, 1], from the top."""
        for row in range(0, self.logits.shape[1], self.rows):
            yield self.heat(np.asarray(self.logits[:, row : row + self.rows]))
            release(self.logits)

    @cached_property
    def heatmap(self) -> NDArray[np.float32]:
        """The posteriors of the classes, (C, h, w) in [0, 1], in memory."""
        return np.concatenate(list(self.heat_strips()), axis=1)

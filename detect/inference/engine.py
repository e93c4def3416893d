"""A model that is ready to run, and its result for a scene."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detect.imagery.scenes import Scene, SceneError
from detect.inference.decoding.decoder import Decoder, decoder_of
from detect.inference.decoding.geometry import CellGeometry
from detect.inference.plan import Plan
from detect.inference.stitching import Runtime, release
from detect.labels.detections import Detections
from detect.nets.card import ModelCard, NetSpec


@dataclass(frozen=True, eq=False)
class Engine:
    """A network made ready to run.

    Attributes:
        spec: head, classes, bands and resolution of the network.
        runtime: maps a batch of tiles.
        plan: tiles and memory.
        threshold: least score of a detection, in [0, 1].
        separation: radius in resampled pixels that two points keep, or for boxes the greatest IoU.
    """

    spec: NetSpec
    runtime: Runtime
    plan: Plan
    threshold: float
    separation: float

    @classmethod
    def of(cls, card: ModelCard, runtime: Runtime, plan: Plan) -> "Engine":
        """Make the engine of a model with the threshold and the separation on its card."""
        return cls(card, runtime, plan, card.threshold, card.separation)

    @cached_property
    def decoder(self) -> Decoder:
        """The decoder of the network's maps."""
        return decoder_of(self.spec)

    def geometry(self, scene: Scene) -> CellGeometry:
        """Return the places of the cells of a scene's map."""
        return CellGeometry(self.plan.stride, self.spec.cell_offset, scene.shape)

    def prepared(self, scene: Scene) -> Scene:
        """Check that a scene is of the network's kind, and return it at the network's resolution.

        Raises:
            SceneError: the pixels are of another type than the model's, or have no known size on the ground.
            ValueError: the model has no background class and finds nothing in images.
        """
        if not self.spec.head.finds:
            raise ValueError(
                "this model classifies patches and has no background class: it cannot find objects in an image"
            )
        if scene.dtype != self.spec.dtype:
            raise SceneError(
                f"{scene.path}: pixels are {scene.dtype}, the model was trained on {self.spec.dtype}; convert the image"
            )
        return self.spec.resolution.resampled(scene)

    def detections(self, logits: NDArray[np.float32], scene: Scene) -> Detections:
        """Return the objects of a scene's map (K, h, w), in resampled pixels."""
        rows = self.plan.rows(*logits.shape[::2])
        return self.decoder.detections(
            logits, self.geometry(scene), separation=self.separation, threshold=self.threshold, rows=rows
        )


@dataclass(frozen=True, eq=False)
class SceneResult:
    """The objects found in a scene, with its map.

    Attributes:
        detections: the objects, in pixels of the image file.
        geometry: places of the heatmap's cells, in resampled pixels.
        preview: the scene reduced to a small picture, (bands, h, w), of the model's bands; None where the run
            makes none.
        logits: (K, h, w), the stitched map, in memory or in a file.
        rows: rows of the map that may be decoded at once.
        heat: returns the probabilities of the classes from rows of the map.
    """

    detections: Detections
    geometry: CellGeometry
    preview: NDArray[np.generic] | None
    logits: NDArray[np.float32]
    rows: int
    heat: Callable[[NDArray[np.float32]], NDArray[np.float32]]

    def heat_strips(self) -> Iterator[NDArray[np.float32]]:
        """Yield the posteriors of the classes, (C, rows, w) in [0, 1], from the top."""
        for row in range(0, self.logits.shape[1], self.rows):
            yield self.heat(np.asarray(self.logits[:, row : row + self.rows]))
            release(self.logits)

    @cached_property
    def heatmap(self) -> NDArray[np.float32]:
        """The posteriors of the classes, (C, h, w) in [0, 1], in memory."""
        return np.concatenate(list(self.heat_strips()), axis=1)

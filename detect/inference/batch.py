"""The batch run: images in, detections and heatmaps out, one image at a time."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detect.imagery import Scene, SceneError, open_scene
from detect.inference.decoding import CellGeometry, decode_patches, posteriors
from detect.inference.stitching import Runtime, map_scene, tile_grid
from detect.labels import Detections, UnwritableError, writable
from detect.nets import ModelCard

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """An image that could not be done, and why."""

    name: str
    error: str


@dataclass(frozen=True, eq=False)
class SceneResult:
    """What was found in a scene.

    Attributes:
        detections: the objects, in pixels.
        heatmap: (C, h, w) posteriors of the classes in [0, 1].
        geometry: where the heatmap's cells lie.
    """

    detections: Detections
    heatmap: NDArray[np.float32]
    geometry: CellGeometry


class Sink(Protocol):
    """Takes the results of a run, in the order of the images."""

    def write(self, name: str, scene: Scene, result: SceneResult) -> None:
        """Keep the result of an image."""

    def fail(self, failure: Failure) -> None:
        """Keep the failure of an image."""


class Progress(Protocol):
    """Is told how far a run is."""

    def start(self, name: str, pixels: int) -> None:
        """Begin an image of so many pixels."""

    def advance(self, pixels: int) -> None:
        """Count pixels done."""


def count_scene(
    scene: Scene, card: ModelCard, runtime: Runtime, *, tile: int, advance: Callable[[int], None] = lambda pixels: None
) -> SceneResult:
    """Find the objects of one scene: tiles, map, detections.

    Args:
        scene: the image.
        card: classes, bands, stride, halo, threshold and radius of the model.
        runtime: runs the model on a tile.
        tile: greatest side of a tile in pixels, halo included.
        advance: told the pixels done.

    Raises:
        SceneError: the image is damaged, or not of the kind that the model was trained on.
        ValueError: the model has no background class, or no halo makes its tiles exact.
    """
    if card.background is None:
        raise ValueError(
            "this model tells patches apart and has no background class: it cannot find objects in an image"
        )
    if card.halo is None:
        raise ValueError(
            "the model's receptive field is unbounded, so that its tiles cannot be stitched; train another backbone"
        )
    if scene.dtype != card.dtype:
        raise SceneError(
            f"{scene.path}: pixels are {scene.dtype}, the model was trained on {card.dtype}; convert the image"
        )
    stride = card.backbone.stride
    grid = tile_grid(scene.shape, tile, card.halo, stride)
    logits = map_scene(scene, card.bands, runtime, grid, advance)
    geometry = CellGeometry(stride, (card.patch_size // stride % 2) * stride / 2, scene.shape)
    detections = decode_patches(logits, card, geometry, radius=card.radius, threshold=card.threshold)
    return SceneResult(detections, posteriors(logits), geometry)


def predict_images(
    images: Sequence[tuple[str, Path]], card: ModelCard, runtime: Runtime, sink: Sink, progress: Progress, *, tile: int
) -> tuple[int, list[Failure]]:
    """Run a model over images; a broken one is reported and the run goes on.

    Args:
        images: (name, path).
        card: the model's.
        runtime: runs the model on a tile.
        sink: takes every result as soon as it is there.
        progress: is told how far the run is.
        tile: greatest side of a tile in pixels, halo included.

    Returns:
        The pixels done, and the failures.
    """
    done, failures = 0, []
    for name, path in images:
        try:
            scene = open_scene(path)
            progress.start(name, scene.shape[0] * scene.shape[1])
            result = count_scene(scene, card, runtime, tile=tile, advance=progress.advance)
            sink.write(writable(name, "image name"), scene, result)
        except (SceneError, UnwritableError) as error:
            failures.append(Failure(name, str(error)))
            sink.fail(failures[-1])
            logger.warning("%s: failed, the run goes on: %s", name, error)
            continue
        done += scene.shape[0] * scene.shape[1]
    return done, failures

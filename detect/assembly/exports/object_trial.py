"""Annotated images that calibrate and try a network of 8 bits that finds objects: by their F1."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.matching import Criterion
from detect.evaluation.scene_scores import score_scenes
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import SceneReader
from detect.imagery.windows import Window
from detect.inference.engine import Engine
from detect.inference.exports.parity import Run
from detect.inference.run import count_scene
from detect.labels.annotations import AnnotatedImage
from detect.labels.regions import outside

TILE_SIDE = 512
"""Side in pixels of the tiles that calibrate, before it is rounded up to the alignment."""


@dataclass(frozen=True, eq=False)
class ObjectTrial:
    """Annotated images of which some calibrate a network and others try it.

    Attributes:
        train: those that calibrate.
        val: those in which it is to find as much.
        criterion: when a detection and an object are one.
        engine: how images are read, stitched and decoded.
    """

    score: ClassVar = "F1"

    train: Sequence[AnnotatedImage]
    val: Sequence[AnnotatedImage]
    criterion: Criterion
    engine: Engine

    def tiles(self, number: int) -> list[NDArray[np.generic]]:
        """Return tiles (1, bands, side, side) of images in turn, at places drawn by chance, the same in every run."""
        rng = np.random.default_rng(0)
        align = self.engine.plan.align or self.engine.plan.stride
        side = -(-TILE_SIDE // align) * align
        many = len(self.train)
        share = [number // many + (i < number % many) for i in range(many)]
        tiles = []
        for image, tiles_here in zip(self.train, share, strict=True):
            if not tiles_here:
                continue
            scene = self.engine.prepared(open_scene(image.path))
            with SceneReader(scene, self.engine.spec.bands) as reader:
                for _ in range(tiles_here):
                    row, col = (int(rng.integers(0, max(1, length - side + 1))) for length in scene.shape)
                    tiles.append(np.array(reader.read(Window(row, col, side, side)))[None])
        return tiles

    def tried(self, run: Run) -> float:
        """Return the F1 of an exported network on the images that try it."""
        engine = replace(self.engine, runtime=run)
        found = {
            image.name: outside(count_scene(open_scene(image.path), engine).detections, image.ignored)
            for image in self.val
        }
        truth = {image.name: outside(image.objects, image.ignored) for image in self.val}
        return float(score_scenes(found, truth, self.criterion)["f1"])

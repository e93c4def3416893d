"""Counting whole labelled scenes with a network: what training is judged by, and where the threshold comes from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.boxes import average_precision
from detect.evaluation.matching import Criterion
from detect.evaluation.scores import score_points
from detect.evaluation.selection import Selection, select_threshold
from detect.imagery.scenes import Scene
from detect.imagery.windows import Window
from detect.inference.decoding.decoder import decoder_of
from detect.inference.decoding.geometry import CellGeometry, to_file_pixels
from detect.inference.plan import Plan
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.inference.stitching import map_scene
from detect.labels.detections import Detections
from detect.labels.regions import outside
from detect.nets.card import ModelCard
from detect.nets.modelfile import Net
from detect.samples.labelled_scenes import LabelledScene

ROUGH, FINE = 1e-2, 1e-3
"""Tolerances of the logits in validation while training, and for the model's own choice of threshold."""


LOWEST = 0.02
"""Objects below this score are not offered as thresholds."""


REACHES = (4, 3, 2, 1)
"""Radii tried, in cells: no two detections are closer."""


OVERLAPS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
"""IoUs of NMS that are tried for boxes."""


class NothingFoundError(ValueError):
    """A network that finds nothing at all in the validation scenes."""


@dataclass(frozen=True)
class CountSettings:
    """How validation counts.

    Attributes:
        criterion: when a detection and an object are one.
        select: `f1` takes the best F1, `count` the least bias among thresholds almost as good.
    """

    criterion: Criterion
    select: str = "f1"


class SceneDetector:
    """Finds objects in labelled scenes with a network; what lies in ignored regions is left out.

    Args:
        scenes: the scenes.
        read: gives the pixels of a window of a scene (decoded once, since every epoch asks again).
        card: classes, stride and halo.
        plan: makes the tiles for a network as it is, whose logits may be wrong by a tolerance.
        spacing: how near labelled objects lie: the least usual distance in pixels as the network sees them (along
            an axis for a patch classifier, whose radius is a square of whole cells), or of boxes the greatest usual
            IoU; None if nobody knows.
    """

    def __init__(
        self,
        scenes: Sequence[LabelledScene],
        read: Callable[[Scene, Window], NDArray[np.generic]],
        card: ModelCard,
        plan: Callable[[Net, float], Plan],
        spacing: float | None = None,
    ) -> None:
        self.scenes = scenes
        self.read = read
        self.card = card
        self.plan = plan
        self.spacing = spacing
        self.decoder = decoder_of(card)

    @property
    def separations(self) -> tuple[float, ...]:
        """What is tried: IoUs for boxes, radii in pixels for points.

        First come those that keep as near together as labelled objects lie, the strongest of them first; then those
        that are too strong, the weakest first.
        """
        tried = OVERLAPS if self.card.boxes else tuple(float(n * self.card.backbone.stride) for n in REACHES)
        if self.spacing is None:
            return tried
        if self.card.boxes:
            spared = [iou for iou in tried if iou >= self.spacing]
        else:
            edge = self.card.backbone.stride if self.card.kind == "patch" else 0
            spared = [radius for radius in tried if radius + edge <= self.spacing]
        return (*spared, *(each for each in reversed(tried) if each not in spared))

    @property
    def strongest(self) -> float:
        """What keeps objects farthest apart."""
        return min(self.separations) if self.card.boxes else max(self.separations)

    def find(
        self, net: Net, tolerance: float, separations: Sequence[float], threshold: float
    ) -> dict[float, dict[str, Detections]]:
        """Find objects of a score or more in every scene, in pixels of the scene as it is seen.

        Returns:
            Suppression -> name of the scene -> what is found.
        """
        plan = self.plan(net, tolerance)
        found: dict[float, dict[str, Detections]] = {value: {} for value in separations}
        for labelled in self.scenes:
            scene_map = self._map(net, labelled.scene, plan)
            geometry = CellGeometry(self.card.backbone.stride, self.card.cell_offset, labelled.scene.shape)
            for value, tables in found.items():
                objects = self.decoder.detections(scene_map, geometry, separation=value, threshold=threshold)
                tables[labelled.name] = outside(objects, labelled.ignored)
        return found

    def _map(self, net: Net, scene: Scene, plan: Plan) -> NDArray[np.float32]:
        grid = plan.grid(scene.shape)
        runtime = TorchRuntime(net, next(net.parameters()).device)
        return map_scene(scene, self.card.bands, runtime, grid, read=lambda window: self.read(scene, window))


class SceneValidator:
    """Counts labelled scenes with a network and chooses threshold and separation on them.

    Objects are compared in pixels of the image files, separations are in pixels of what the network sees.

    Args:
        finder: looks in the validation scenes.
        settings: how to count.
    """

    def __init__(self, finder: SceneDetector, settings: CountSettings) -> None:
        self.finder = finder
        self.scenes = finder.scenes
        self.card = finder.card
        self.settings = settings
        self.truth = {
            each.name: to_file_pixels(outside(each.objects, each.ignored), each.scene) for each in finder.scenes
        }

    def __deepcopy__(self, memo: dict[int, Any]) -> "SceneValidator":
        """Give itself: it changes nothing, and a copy of a module (averaged weights) need not copy its photographs."""
        return self

    def __call__(self, net: Net) -> Mapping[str, float]:
        """Give `f1 precision recall bias_percent threshold separation` at the best choice; 0 if nothing is found."""
        try:
            best = self._choose(self._candidates(net, ROUGH))
        except NothingFoundError:
            best = Selection(1.0, self.finder.separations[0], 0.0, 0.0, 0.0, -100.0)
        names = ("f1", "precision", "recall", "bias_percent", "threshold", "separation")
        return {name: float(getattr(best, name)) for name in names}

    def score(self, net: Net) -> tuple[ModelCard, dict[str, Any], Mapping[str, Detections]]:
        """Choose threshold and separation, and score at the choice; average precisions at all scores.

        Returns:
            The card with its choice, the scores (`score_points`, and `average_precision`), and the detections by scene.
        """
        candidates = self._candidates(net, FINE)
        best = self._choose(candidates)
        all_found = candidates[best.separation]
        found = {name: table[table.score >= best.threshold] for name, table in all_found.items()}
        boxes, criterion = self.card.boxes, self.settings.criterion
        card = replace(
            self.card,
            threshold=best.threshold,
            radius=0.0 if boxes else best.separation,
            nms_iou=best.separation if boxes else None,
        )
        scores = score_points(found, self.truth, self.card.classes, criterion.radius, criterion.iou)
        if boxes:
            scores |= average_precision(all_found, self.truth, self.card.classes)
        return card, scores, found

    def _candidates(self, net: Net, tolerance: float) -> dict[float, dict[str, Detections]]:
        """Find objects at a very low threshold, for every separation, in every scene, in pixels of the files."""
        found = self.finder.find(net, tolerance, self.finder.separations, LOWEST)
        return {
            value: {each.name: to_file_pixels(tables[each.name], each.scene) for each in self.scenes}
            for value, tables in found.items()
        }

    def _choose(self, candidates: Mapping[float, Mapping[str, Detections]]) -> Selection:
        if not any(len(table) for tables in candidates.values() for table in tables.values()):
            raise NothingFoundError(
                f"no place of the validation images scores {LOWEST} or more: train longer (trainer.max_epochs), "
                "label more objects, or lower data.background_fraction (net=patch) or data.empty_fraction (net=grid)"
            )
        return select_threshold(candidates, self.truth, self.settings.criterion, self.settings.select)  # type: ignore[arg-type]

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
from detect.inference.decoding.geometry import CellGeometry, in_file
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


class SceneFinder:
    """Finds objects in labelled scenes with a network; what lies in ignored regions is left out.

    Args:
        scenes: the scenes.
        read: gives the pixels of a window of a scene (decoded once, since every epoch asks again).
        card: classes, stride and halo.
        plan: makes the tiles for a network as it is, whose logits may be wrong by a tolerance.
        crowded: how near labelled objects lie: the least usual distance in pixels as the network sees them (along
            an axis for a patch classifier, whose radius is a square of whole cells), or of boxes the greatest usual
            IoU; None if nobody knows.
    """

    def __init__(
        self,
        scenes: Sequence[LabelledScene],
        read: Callable[[Scene, Window], NDArray[np.generic]],
        card: ModelCard,
        plan: Callable[[Net, float], Plan],
        crowded: float | None = None,
    ) -> None:
        self.scenes = scenes
        self.read = read
        self.card = card
        self.plan = plan
        self.crowded = crowded
        self.decoder = decoder_of(card)

    @property
    def suppressions(self) -> tuple[float, ...]:
        """What is tried: IoUs for boxes, radii in pixels for points.

        First come those that keep as near together as labelled objects lie, the strongest of them first; then those
        that are too strong, the weakest first.
        """
        tried = OVERLAPS if self.card.boxes else tuple(float(n * self.card.backbone.stride) for n in REACHES)
        if self.crowded is None:
            return tried
        if self.card.boxes:
            spared = [iou for iou in tried if iou >= self.crowded]
        else:
            edge = self.card.backbone.stride if self.card.kind == "patch" else 0
            spared = [radius for radius in tried if radius + edge <= self.crowded]
        return (*spared, *(each for each in reversed(tried) if each not in spared))

    @property
    def strongest(self) -> float:
        """What keeps objects farthest apart."""
        return min(self.suppressions) if self.card.boxes else max(self.suppressions)

    def find(
        self, net: Net, tolerance: float, suppressions: Sequence[float], threshold: float
    ) -> dict[float, dict[str, Detections]]:
        """Find objects of a score or more in every scene, in pixels of the scene as it is seen.

        Returns:
            Suppression -> name of the scene -> what is found.
        """
        plan = self.plan(net, tolerance)
        found: dict[float, dict[str, Detections]] = {value: {} for value in suppressions}
        for labelled in self.scenes:
            scene_map = self._map(net, labelled.scene, plan)
            geometry = CellGeometry(self.card.backbone.stride, self.card.cell_offset, labelled.scene.shape)
            for value, tables in found.items():
                objects = self.decoder.detections(scene_map, geometry, suppression=value, threshold=threshold)
                tables[labelled.name] = outside(objects, labelled.ignored)
        return found

    def _map(self, net: Net, scene: Scene, plan: Plan) -> NDArray[np.float32]:
        grid = plan.grid(scene.shape)
        runtime = TorchRuntime(net, next(net.parameters()).device)
        return map_scene(scene, self.card.bands, runtime, grid, read=lambda window: self.read(scene, window))


class SceneCounter:
    """Counts labelled scenes with a network and chooses threshold and suppression on them.

    Objects are compared in pixels of the image files, suppressions are in pixels of what the network sees.

    Args:
        finder: looks in the validation scenes.
        settings: how to count.
    """

    def __init__(self, finder: SceneFinder, settings: CountSettings) -> None:
        self.finder = finder
        self.scenes = finder.scenes
        self.card = finder.card
        self.settings = settings
        self.truth = {each.name: in_file(outside(each.objects, each.ignored), each.scene) for each in finder.scenes}

    def __deepcopy__(self, memo: dict[int, Any]) -> "SceneCounter":
        """Give itself: it changes nothing, and a copy of a module (averaged weights) need not copy its photographs."""
        return self

    def __call__(self, net: Net) -> Mapping[str, float]:
        """Give `f1 precision recall bias_percent threshold suppression` at the best choice; 0 if nothing is found."""
        try:
            best = self._choose(self._candidates(net, ROUGH))
        except NothingFoundError:
            best = Selection(1.0, self.finder.suppressions[0], 0.0, 0.0, 0.0, -100.0)
        names = ("f1", "precision", "recall", "bias_percent", "threshold", "suppression")
        return {name: float(getattr(best, name)) for name in names}

    def score(self, net: Net) -> tuple[ModelCard, dict[str, Any], Mapping[str, Detections]]:
        """Choose threshold and suppression, and score at the choice; average precisions at all scores.

        Returns:
            The card with its choice, the scores (`score_points`, and `average_precision`), and the detections by scene.
        """
        candidates = self._candidates(net, FINE)
        best = self._choose(candidates)
        all_found = candidates[best.suppression]
        found = {name: table[table.score >= best.threshold] for name, table in all_found.items()}
        boxes, criterion = self.card.boxes, self.settings.criterion
        card = replace(
            self.card,
            threshold=best.threshold,
            radius=0.0 if boxes else best.suppression,
            nms_iou=best.suppression if boxes else None,
        )
        scores = score_points(found, self.truth, self.card.classes, criterion.radius, criterion.iou)
        if boxes:
            scores |= average_precision(all_found, self.truth, self.card.classes)
        return card, scores, found

    def _candidates(self, net: Net, tolerance: float) -> dict[float, dict[str, Detections]]:
        """Find objects at a very low threshold, for every suppression, in every scene, in pixels of the files."""
        found = self.finder.find(net, tolerance, self.finder.suppressions, LOWEST)
        return {
            value: {each.name: in_file(tables[each.name], each.scene) for each in self.scenes}
            for value, tables in found.items()
        }

    def _choose(self, candidates: Mapping[float, Mapping[str, Detections]]) -> Selection:
        if not any(len(table) for tables in candidates.values() for table in tables.values()):
            raise NothingFoundError(
                f"no place of the validation images scores {LOWEST} or more: train longer (trainer.max_epochs), "
                "label more objects, or lower data.background_fraction (net=patch) or data.empty_fraction (net=grid)"
            )
        return select_threshold(candidates, self.truth, self.settings.criterion, self.settings.select)  # type: ignore[arg-type]

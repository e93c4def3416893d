"""Counting whole labelled scenes with a network: what training is judged by, and where the threshold comes from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.scores import score_points
from detect.evaluation.selection import Selection, select_threshold
from detect.imagery import Scene, Window
from detect.inference import Plan, TorchRuntime, decode_patches, map_scene
from detect.inference.decoding import CellGeometry
from detect.labels import Detections
from detect.learning import LabelledScene
from detect.nets import ModelCard, PatchClassifier

LOWEST = 0.02
"""Peaks below this score are not offered as thresholds."""

REACHES = (1, 2, 3, 4)
"""Radii tried, in cells: no two detections are closer."""


class NothingFoundError(ValueError):
    """A network that finds nothing at all in the validation scenes."""


@dataclass(frozen=True)
class CountSettings:
    """How validation counts.

    Attributes:
        match_radius: pixels within which a detection and an object are one.
        plan: tiles and memory.
        select: `f1` takes the best F1, `count` the least bias among thresholds almost as good.
    """

    match_radius: float
    plan: Plan
    select: str = "f1"


class SceneCounter:
    """Counts labelled scenes with a network and chooses threshold and radius on them.

    Args:
        scenes: the validation scenes.
        read: gives the pixels of a window of a scene (decoded once, since every epoch asks again).
        card: classes, stride and halo.
        settings: how to count.
    """

    def __init__(
        self,
        scenes: Sequence[LabelledScene],
        read: Callable[[Scene, Window], NDArray[np.generic]],
        card: ModelCard,
        settings: CountSettings,
    ) -> None:
        self.scenes = scenes
        self.read = read
        self.card = card
        self.settings = settings
        self.truth = {labelled.name: labelled.objects for labelled in scenes}

    def __call__(self, net: PatchClassifier) -> Mapping[str, float]:
        """Give `f1 precision recall bias_percent threshold radius` at the best threshold; 0 if nothing is found."""
        try:
            best, _ = self.select(net)
        except NothingFoundError:
            best = Selection(1.0, float(self.card.backbone.stride), 0.0, 0.0, 0.0, -100.0)
        names = ("f1", "precision", "recall", "bias_percent", "threshold", "radius")
        return {name: float(getattr(best, name)) for name in names}

    def select(self, net: PatchClassifier) -> tuple[Selection, Mapping[str, Detections]]:
        """Choose threshold and radius.

        Returns:
            The choice, and the detections that it leaves, by scene.
        """
        stride = self.card.backbone.stride
        maps = {labelled.name: self._map(net, labelled.scene) for labelled in self.scenes}
        found = {
            float(cells * stride): {
                labelled.name: self._decode(maps[labelled.name], labelled.scene, cells * stride, LOWEST)
                for labelled in self.scenes
            }
            for cells in REACHES
        }
        if not any(len(table) for tables in found.values() for table in tables.values()):
            raise NothingFoundError(
                f"no place of the validation images scores {LOWEST} or more: train longer (trainer.max_epochs), "
                "label more objects, or lower data.background_fraction"
            )
        best = select_threshold(found, self.truth, self.settings.match_radius, self.settings.select)  # type: ignore[arg-type]
        kept = {name: table[table.score >= best.threshold] for name, table in found[best.radius].items()}
        return best, kept

    def score(self, net: PatchClassifier) -> tuple[ModelCard, dict[str, Any], Mapping[str, Detections]]:
        """Choose, and score at the choice.

        Returns:
            The card with threshold and radius, the scores (`score_points`), and the detections by scene.
        """
        best, found = self.select(net)
        card = replace(self.card, threshold=best.threshold, radius=best.radius)
        return card, score_points(found, self.truth, self.card.classes, self.settings.match_radius), found

    def _map(self, net: PatchClassifier, scene: Scene) -> NDArray[np.float32]:
        if self.card.halo is None:
            raise ValueError("validation by counting needs a network whose receptive field is bounded")
        grid = self.settings.plan.grid(scene.shape)
        runtime = TorchRuntime(net, next(net.parameters()).device)
        return map_scene(scene, self.card.bands, runtime, grid, read=lambda window: self.read(scene, window))

    def _decode(self, logits: NDArray[np.float32], scene: Scene, radius: float, threshold: float) -> Detections:
        geometry = CellGeometry(self.card.backbone.stride, self.card.cell_offset, scene.shape)
        return decode_patches(logits, self.card, geometry, radius=radius, threshold=threshold)

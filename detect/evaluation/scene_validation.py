"""Counting whole labelled scenes with a network: what training is judged by, and where the threshold comes from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from detect.evaluation.boxes import average_precision
from detect.evaluation.calibration import fit_calibration, probable, with_probabilities
from detect.evaluation.matching import Criterion
from detect.evaluation.scores import score_points
from detect.evaluation.selection import Selection, select_threshold
from detect.imagery.reading import SceneReader
from detect.imagery.scenes import Scene
from detect.inference.decoding.geometry import to_file_pixels
from detect.inference.engine import Engine
from detect.inference.plan import Plan
from detect.inference.run import map_scene
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.inference.tiles import Source
from detect.labels.detections import Detections
from detect.labels.regions import outside
from detect.learning.together import of_all, own_part
from detect.nets.facts.probabilities import MIN_CANDIDATE_SCORE
from detect.nets.modelfile import Net
from detect.nets.net_spec import NetSpec
from detect.samples.labelled_scenes import LabelledScene

TRAINING_TOLERANCE, THRESHOLD_TOLERANCE = 1e-2, 1e-3
"""Tolerances of the logits in validation while training, and for the model's own choice of threshold."""


CANDIDATE_RADII = (4, 3, 2, 1)
"""Radii tried, in cells: no two detections are closer."""


OVERLAPS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
"""IoUs of NMS that are tried for boxes."""


Candidates = Mapping[float, Mapping[str, Detections]]
"""Separation -> name of the scene -> what is found at a very low threshold, in pixels of the image files."""


class NothingFoundError(ValueError):
    """A network that finds nothing at all in the validation scenes."""


@dataclass(frozen=True)
class CountSettings:
    """How validation counts.

    Attributes:
        criterion: when a detection and an object are one.
        select: `f1` takes the best F1, `count` the least bias among thresholds as good but for chance.
    """

    criterion: Criterion
    select: Literal["f1", "count"]


@dataclass(frozen=True)
class Choice:
    """What is chosen on validation scenes, the scores there, and the detections by scene.

    Attributes:
        threshold: least score of a detection; of a calibrated one, where there is a calibration.
        separation: of detections.
        scores: at the choice.
        found: at the choice, by scene.
        calibration: what turns scores into probabilities, as a model's card has it; None where there is none.
    """

    threshold: float
    separation: float
    scores: Mapping[str, Any]
    found: Mapping[str, Detections]
    calibration: Mapping[str, float] | None = None


@dataclass(frozen=True, eq=False)
class Judged:
    """What a model's threshold was chosen on: the choice, the scenes and what is labelled in them.

    Attributes:
        choice: the threshold, the separation, the scores and what was found.
        scenes: the labelled scenes.
        truth: what is labelled, in pixels of the image files, by the scenes' names.
        criterion: when a detection and an object are one.
        fold: for the scenes that folds of short trainings left out: the number of the fold, from 1.
    """

    choice: Choice
    scenes: Sequence[LabelledScene]
    truth: Mapping[str, Detections]
    criterion: Criterion
    fold: Mapping[str, int] = field(default_factory=dict)


class SceneDetector:
    """Finds objects in labelled scenes with a network; those in ignored regions are left out.

    Args:
        scenes: the scenes.
        open: makes the reader of a scene (photographs are decoded once, since every epoch asks again).
        spec: what the network is.
        plan: makes the tiles for a network as it is, whose logits may be wrong by a tolerance.
        spacing: how near labelled objects lie: the least usual distance in resampled pixels (along an axis for a head
            whose separation is a square of whole cells), or of boxes the greatest usual IoU; None if it is not known.
    """

    def __init__(
        self,
        scenes: Sequence[LabelledScene],
        open: Callable[[Scene, Sequence[int]], SceneReader],
        spec: NetSpec,
        plan: Callable[[Net, float], Plan],
        spacing: float | None = None,
    ) -> None:
        self.scenes = scenes
        self.open = open
        self.spec = spec
        self.plan = plan
        self.spacing = spacing

    @property
    def separations(self) -> tuple[float, ...]:
        """The separations to try: IoUs for boxes, radii in resampled pixels for points.

        First come those that keep objects as near together as they are labelled, the strongest of them first; then
        those that are too strong, the weakest first.
        """
        head, stride = self.spec.head, self.spec.stride
        tried = OVERLAPS if head.boxes else tuple(float(n * stride) for n in CANDIDATE_RADII)
        if self.spacing is None:
            return tried
        if head.boxes:
            spared = [iou for iou in tried if iou >= self.spacing]
        else:
            edge = stride if head.square_separation else 0
            spared = [radius for radius in tried if radius + edge <= self.spacing]
        return (*spared, *(each for each in reversed(tried) if each not in spared))

    @property
    def strongest(self) -> float:
        """The separation that keeps objects farthest apart."""
        return min(self.separations) if self.spec.head.boxes else max(self.separations)

    def find(
        self, net: Net, tolerance: float, separations: Sequence[float], threshold: float
    ) -> dict[float, dict[str, Detections]]:
        """Find objects of a score or more in every scene, in resampled pixels; processes of a training share them out.

        Returns:
            Separation -> name of the scene -> detections.
        """
        plan = self.plan(net, tolerance)
        runtime = TorchRuntime(net, next(net.parameters()).device, "32")
        offset = tuple(net.offset.flatten().tolist())
        engines = {value: Engine(self.spec, runtime, plan, threshold, value, offset) for value in separations}
        found: dict[float, dict[str, Detections]] = {value: {} for value in separations}
        for labelled in own_part(self.scenes):
            first = engines[separations[0]]
            whole = map_scene(Source(labelled.name, first.filled(labelled.scene), self.open), first, preview_side=None)
            for value, engine in engines.items():
                detections = engine.detections(whole.logits, labelled.scene, whole.valid)
                found[value][labelled.name] = outside(detections, labelled.ignored)
        names = [labelled.name for labelled in self.scenes]
        return {value: of_all(tables, names) for value, tables in found.items()}


class SceneValidator:
    """Counts labelled scenes with a network and chooses threshold and separation on them.

    Objects are compared in pixels of the image files; separations are in resampled pixels.

    Args:
        detector: finds objects in the validation scenes.
        settings: how to count.
    """

    def __init__(self, detector: SceneDetector, settings: CountSettings) -> None:
        self.detector = detector
        self.scenes = detector.scenes
        self.spec = detector.spec
        self.settings = settings
        self.truth = truth_of(detector.scenes)

    def __deepcopy__(self, memo: dict[int, Any]) -> "SceneValidator":
        """Return itself: a copy of a module (averaged weights) need not copy its photographs."""
        return self

    def __call__(self, net: Net) -> Mapping[str, float]:
        """Return `f1 precision recall bias_percent threshold separation` at the best F1; 0 if nothing is found."""
        try:
            best = select(self.candidates(net, TRAINING_TOLERANCE), self.truth, replace(self.settings, select="f1"))
        except NothingFoundError:
            best = Selection(1.0, self.detector.separations[0], 0.0, 0.0, 0.0, -100.0)
        return curve_values(best)

    def score(self, net: Net) -> Choice:
        """Choose threshold and separation, and score at the choice."""
        return choose(self.candidates(net, THRESHOLD_TOLERANCE), self.truth, self.settings, self.spec)

    def judged(self, net: Net) -> Judged:
        """Return the same with what it was chosen on."""
        return Judged(self.score(net), self.scenes, self.truth, self.settings.criterion)

    def candidates(self, net: Net, tolerance: float) -> Candidates:
        """Find objects at a very low threshold, for every separation, in every scene, in pixels of the files."""
        found = self.detector.find(net, tolerance, self.detector.separations, MIN_CANDIDATE_SCORE)
        return {
            value: {each.name: to_file_pixels(tables[each.name], each.scene) for each in self.scenes}
            for value, tables in found.items()
        }


def truth_of(scenes: Sequence[LabelledScene]) -> dict[str, Detections]:
    """Return the objects outside of ignored regions, in pixels of the image files, by the scenes' names."""
    return {each.name: to_file_pixels(outside(each.objects, each.ignored), each.scene) for each in scenes}


def curve_values(selection: Selection) -> dict[str, float]:
    """Return what is logged of a choice: `f1 precision recall bias_percent threshold separation`."""
    names = ("f1", "precision", "recall", "bias_percent", "threshold", "separation")
    return {name: float(getattr(selection, name)) for name in names}


def select(candidates: Candidates, truth: Mapping[str, Detections], settings: CountSettings) -> Selection:
    """Choose threshold and separation on what was found in labelled scenes.

    Raises:
        NothingFoundError: nothing at all was found.
    """
    if not any(len(table) for tables in candidates.values() for table in tables.values()):
        raise NothingFoundError(
            f"no place of the validation images scores {MIN_CANDIDATE_SCORE} or more: train longer "
            "(trainer.max_epochs), label more objects, or lower data.sampling.empty_fraction"
        )
    return select_threshold(candidates, truth, settings.criterion, settings.select, MIN_CANDIDATE_SCORE)


def choose(candidates: Candidates, truth: Mapping[str, Detections], settings: CountSettings, spec: NetSpec) -> Choice:
    """Choose threshold and separation, make probabilities of the scores, and score at the choice.

    Probabilities keep the order of scores: what is found and every score of it are the same with them and without.
    Average precisions, and how well the probabilities hold, are of all candidates.

    Raises:
        NothingFoundError: nothing at all was found.
    """
    best, criterion, classes = select(candidates, truth, settings), settings.criterion, spec.classes
    all_found, threshold, record = candidates[best.separation], best.threshold, None
    calibration = fit_calibration(all_found, truth, criterion, threshold)
    if calibration is not None:
        all_found, record = probable(all_found, calibration), calibration.to_record()
        threshold = float(calibration(threshold))
    found = {name: table[table.score >= threshold] for name, table in all_found.items()}
    scores = score_points(found, truth, classes, criterion.radius, criterion.iou)
    scores = with_probabilities(scores, found, all_found, truth, criterion, probable=calibration is not None)
    if spec.head.boxes:
        scores |= average_precision(all_found, truth, classes)
    return Choice(threshold, best.separation, scores, found, record)

"""A model that is ready to run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detect.imagery.description.arranging import arranged
from detect.imagery.scenes import Scene, SceneError
from detect.imagery.validity.gathered import ValidPixels
from detect.imagery.windows import clamp_far_edges
from detect.inference.decoding.blocks import marked
from detect.inference.decoding.calibrated import calibrated, calibrated_heat
from detect.inference.decoding.decoder import Decoder, decoder_of
from detect.inference.decoding.geometry import CellGeometry
from detect.inference.meeting.met_images import Meeting
from detect.inference.meeting.scale_views import ScaleViews
from detect.inference.plan import Plan
from detect.inference.shift.judging import ShiftJudge, Unlike
from detect.inference.shift.measuring import Measured, WindowMeter
from detect.inference.stitching import Runtime
from detect.inference.tiles import Source
from detect.labels.detections import Detections
from detect.nets.card import ModelCard
from detect.nets.facts.looks import Looks, unlike
from detect.nets.facts.probabilities import MIN_CANDIDATE_SCORE, ROUNDING, Calibration, told_unknown
from detect.nets.net_spec import NetSpec

MOST_CANDIDATES = 1 << 20
"""Most cells of a map that may hold a candidate: of more, ground is no rarer than objects, and memory is short."""


@dataclass(frozen=True, eq=False)
class Engine:
    """A network made ready to run.

    Everything is done with the network's scores; the last step makes probabilities of them where its card says how.

    Attributes:
        spec: head, classes, bands and resolution of the network.
        runtime: maps a batch of tiles.
        plan: tiles and memory.
        threshold: least score of a detection, in [0, 1]: a probability where scores are made so.
        separation: radius in resampled pixels that two points keep, or for boxes the greatest IoU.
        offset: what the network's normalisation makes 0 of, by band; pixels that are not valid are filled with it.
        looks: what the training images look like; None where that is not known.
        meeting: how each image is met before its first tile; None looks at all alike.
        scale_views: in which sizes an image is looked at beside its own; None for no other.
        floor: least score of the network of the candidates that are kept beside detections; None keeps none.
        meter: measures windows of each image; None measures none.
        judge: says how far such an image is from the training scenes; None where that is not known.
        undecided: whether the threshold is chosen when all images are done: detections then have the network's scores,
            from `threshold` on, which is one of these too.
        by_class: least score of a detection of each class, whose least is `threshold`; empty where all have that.
    """

    spec: NetSpec
    runtime: Runtime
    plan: Plan
    threshold: float
    separation: float
    offset: tuple[float, ...] = ()
    looks: Looks | None = None
    meeting: Meeting | None = None
    scale_views: ScaleViews | None = None
    floor: float | None = None
    meter: WindowMeter | None = None
    judge: ShiftJudge | None = None
    undecided: bool = False
    by_class: tuple[float, ...] = ()

    @classmethod
    def of(cls, card: ModelCard, runtime: Runtime, plan: Plan) -> "Engine":
        """Make the engine of a model with the threshold and the separation on its card.

        Candidates are kept where scores are probabilities, whose sum is the number of objects that is expected.
        """
        made = cls(card, runtime, plan, card.threshold, card.separation, card.offset, card.looks)
        return made if card.calibration is None else made.with_candidates()

    def with_candidates(self) -> "Engine":
        """Return the same with candidates kept, from the lowest score that training looks at on."""
        return replace(self, floor=MIN_CANDIDATE_SCORE)

    @cached_property
    def decoder(self) -> Decoder:
        """The decoder of the network's maps, with the network's scores."""
        return decoder_of(self.spec)

    @cached_property
    def calibration(self) -> Calibration | None:
        """What makes probabilities of the network's scores; None where they are left as they are."""
        record = self.spec.calibration if isinstance(self.spec, ModelCard) else None
        return None if record is None else Calibration.from_record(record)

    @property
    def network_threshold(self) -> float:
        """The threshold as a score of the network."""
        known = None if self.undecided else self.calibration
        return self.threshold if known is None else known.threshold_of(self.threshold)

    @property
    def least_score(self) -> float:
        """The network's score from which on what is found may be a detection: `counted` compares exactly."""
        exact = self.undecided or self.calibration is None
        return self.threshold if exact else max(0.0, self.network_threshold - ROUNDING)

    def calibrated(self, found: Detections) -> Detections:
        """Return objects with the network's scores made probabilities, where they are."""
        return calibrated(found, self.calibration)

    def counted(self, found: Detections) -> Detections:
        """Return what counts of objects with the network's scores, with the scores that it is to have."""
        scored = found if self.undecided else self.calibrated(found)
        least = np.array(self.by_class)[scored.label] if self.by_class else self.threshold
        return scored[scored.score >= least]

    def heat(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of every class in each cell: (K, h, w) to (C, h, w) in [0, 1]."""
        return calibrated_heat(self.decoder.heat(logits), self.calibration)

    def geometry(self, scene: Scene, valid: ValidPixels | None = None) -> CellGeometry:
        """Return the places of the cells of a scene's map, with its valid pixels, None where all are."""
        return CellGeometry(self.plan.stride, self.spec.cell_offset, scene.shape, valid, self.plan.halo)

    def prepared(self, scene: Scene) -> Scene:
        """Check that a scene is of the network's kind, and return it at the network's resolution.

        Raises:
            SceneError: the pixels are of another type than the model's, its bands are others or in an order that does
                not tell, or they have no known size on the ground; or no disk of the size that is there could hold
                the map.
            ValueError: the model has no background class and finds nothing in images.
        """
        if not self.spec.head.finds:
            raise ValueError(
                "this model classifies patches and has no background class: it cannot find objects in an image"
            )
        if scene.drawing != self.spec.drawing:
            raise SceneError(f"{scene.path}: {_unlike_drawn(scene, self.spec)}")
        if scene.dtype != self.spec.dtype:
            raise SceneError(
                f"{scene.path}: pixels are {scene.dtype}, the model was trained on {self.spec.dtype}; convert the image"
            )
        scene = self.filled(self.spec.resampled(arranged(scene, self.spec.learned_bands)))
        self.plan.check_map(scene, self.decoder.channels)
        return scene

    def met(self, source: Source) -> Source:
        """Return an image, at the network's resolution, as its tiles are to be read: met, where images are.

        Raises:
            MemoryError, SceneError: it cannot be read, or so large that no disk could hold its map.
        """
        if self.meeting is None:
            return source
        source = self.meeting.met(source, self.spec.bands, self.plan)
        self.plan.check_map(source.scene, self.decoder.channels)
        return source

    def filled(self, scene: Scene) -> Scene:
        """Return a scene whose pixels that are not valid are read as what the network's normalisation makes 0 of."""
        return replace(scene, fill=tuple(zip(self.spec.bands, self.offset, strict=False)))

    def unlike(self, image: Looks | None, windows: Measured | None, found: Detections | None) -> Unlike:
        """Return how far an image is from the training images, and in what; of nothing that is known, nothing.

        A drawn list of defects has the light of its drawing, which is the model's, however many marks there are.

        Args:
            image: what its pixels look like; None where that was not measured.
            windows: what windows of it look like; None where that was not measured.
            found: its objects, in resampled pixels; None where what counts is not known yet.
        """
        drawn = self.spec.drawing is not None
        words = "" if image is None or self.looks is None or drawn else unlike(image, self.looks)
        if self.judge is None or windows is None:
            return Unlike(None, (f"light: {words}",) if words else ())
        sizes = None if found is None or found.wh is None else np.sqrt(found.wh.prod(axis=1))
        judged = self.judge.unlike(windows, sizes)
        return judged if not words else Unlike(1.0, (f"light: {words}", *(k for k in judged.kinds if k != "light")))

    def detections(self, logits: NDArray[np.float32], scene: Scene, valid: ValidPixels | None = None) -> Detections:
        """Return the objects of a scene's map (K, h, w), in resampled pixels; `valid` is None where all pixels are."""
        return self.counted(self._found(logits, scene, valid, self.least_score))

    def _found(self, logits: NDArray[np.float32], scene: Scene, valid: ValidPixels | None, least: float) -> Detections:
        """Return the objects of a map from a score of the network on, with such scores."""
        rows = self.plan.rows(logits.shape[2])
        return self.decoder.detections(
            logits, self.geometry(scene, valid), separation=self.separation, threshold=least, rows=rows
        )

    def sureness(self, logits: NDArray[np.float32], scene: Scene, valid: ValidPixels | None = None) -> float | None:
        """Return how sure the model is that a scene is of some class that it knows, in [0, 1]; None if not told."""
        return self.decoder.sureness(logits, self.geometry(scene, valid))

    def unknown(self, sureness: float | None) -> bool | None:
        """Return whether a scene is of none of the classes; None where that is not told, or not yet."""
        return None if sureness is None or self.undecided else told_unknown(sureness, self.threshold)

    def merged(
        self,
        logits: NDArray[np.float32],
        scene: Scene,
        valid: ValidPixels | None = None,
        others: Sequence[Detections] = (),
        least: float | None = None,
    ) -> Detections:
        """Return the objects of a scene, of other sizes of it too, with the network's scores, in resampled pixels.

        Args:
            logits: (K, h, w), the scene's map.
            scene: at the own size.
            valid: its valid pixels; None where all are.
            others: `candidates` of its other sizes, in pixels of the own one.
            least: score of the network; None takes the `least_score`.
        """
        least = self.least_score if least is None else least
        if self.scale_views is None:
            return self._found(logits, scene, valid, least)
        own = self.candidates(logits, scene, valid)
        found = self.scale_views.merged([own, *others], self.network_threshold, least)
        return replace(found, xy=clamp_far_edges(found.xy, scene.shape))

    def candidates(self, logits: NDArray[np.float32], scene: Scene, valid: ValidPixels | None = None) -> Detections:
        """Return the objects of the map of one size of a scene, in its pixels, from the floor of scores on.

        Scores are the network's.
        """
        assert self.scale_views is not None
        return self._found(logits, scene, valid, self.scale_views.floor(self.network_threshold))

    def keeps(self, logits: NDArray[np.float32]) -> bool:
        """Return whether candidates are kept of a map: not of one in which a million cells may be one."""
        floor = self.floor
        if floor is None or logits[0].size <= MOST_CANDIDATES:
            return floor is not None
        return marked(logits, lambda part: self.decoder.heat(part).sum(axis=0) >= floor) <= MOST_CANDIDATES


def _unlike_drawn(scene: Scene, spec: NetSpec) -> str:
    """Return why an image is not of the model's kind, one of them, or both, drawn of a list of defects."""
    if scene.drawing is None:
        return "an image, and the model was trained on lists of wafers' defects; give it such lists (KLARF or CSV)"
    if spec.drawing is None:
        return "a list of a wafer's defects, and the model was trained on images; train one on such lists"
    return f"is drawn by {scene.drawing}, and the model was trained on {spec.drawing}"

"""A model that is ready to run, and its result for a scene."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detect.imagery.description.arranging import arranged
from detect.imagery.maps import block_side
from detect.imagery.scenes import Scene, SceneError
from detect.imagery.scratch import release
from detect.imagery.validity.gathered import ValidPixels
from detect.imagery.validity.surveyed import Surveyed
from detect.imagery.windows import Window, clamp_far_edges
from detect.inference.decoding.blocks import marked, planes
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
from detect.nets.card import ModelCard, NetSpec
from detect.nets.facts.looks import Looks, unlike
from detect.nets.facts.probabilities import candidate_floor

MOST_CANDIDATES = 1 << 20
"""Most cells of a map that may hold a candidate: of more, ground is no rarer than objects, and memory is short."""


@dataclass(frozen=True, eq=False)
class Engine:
    """A network made ready to run.

    Attributes:
        spec: head, classes, bands and resolution of the network.
        runtime: maps a batch of tiles.
        plan: tiles and memory.
        threshold: least score of a detection, in [0, 1].
        separation: radius in resampled pixels that two points keep, or for boxes the greatest IoU.
        offset: what the network's normalisation makes 0 of, by band; pixels that are not valid are filled with it.
        looks: what the training images look like; None where that is not known.
        meeting: how each image is met before its first tile; None looks at all alike.
        scale_views: in which sizes an image is looked at beside its own; None for no other.
        floor: least score of the candidates that are kept beside detections; None keeps none.
        meter: measures windows of each image; None measures none.
        judge: says how far such an image is from the training scenes; None where that is not known.
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

    @classmethod
    def of(cls, card: ModelCard, runtime: Runtime, plan: Plan) -> "Engine":
        """Make the engine of a model with the threshold and the separation on its card.

        Candidates are kept where scores are probabilities, whose sum is the number of objects that is expected.
        """
        made = cls(card, runtime, plan, card.threshold, card.separation, card.offset, card.looks)
        return made if card.calibration is None else made.with_candidates()

    def with_candidates(self) -> "Engine":
        """Return the same with candidates kept, from the lowest score that training looks at on."""
        return replace(self, floor=candidate_floor(self.spec.calibration if isinstance(self.spec, ModelCard) else None))

    @cached_property
    def decoder(self) -> Decoder:
        """The decoder of the network's maps."""
        return decoder_of(self.spec)

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
        if scene.dtype != self.spec.dtype:
            raise SceneError(
                f"{scene.path}: pixels are {scene.dtype}, the model was trained on {self.spec.dtype}; convert the image"
            )
        scene = self.filled(self.spec.resolution.resampled(arranged(scene, self.spec.learned_bands)))
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

    def unlike(self, image: Looks | None, windows: Measured | None, found: Detections) -> Unlike:
        """Return how far an image is from the training images, and in what; of nothing that is known, nothing.

        Args:
            image: what its pixels look like; None where that was not measured.
            windows: what windows of it look like; None where that was not measured.
            found: its objects, in resampled pixels.
        """
        words = "" if image is None or self.looks is None else unlike(image, self.looks)
        if self.judge is None or windows is None:
            return Unlike(None, (f"light: {words}",) if words else ())
        sizes = None if found.wh is None else np.sqrt(found.wh.prod(axis=1))
        judged = self.judge.unlike(windows, sizes)
        return judged if not words else Unlike(1.0, (f"light: {words}", *(k for k in judged.kinds if k != "light")))

    def detections(self, logits: NDArray[np.float32], scene: Scene, valid: ValidPixels | None = None) -> Detections:
        """Return the objects of a scene's map (K, h, w), in resampled pixels; `valid` is None where all pixels are."""
        rows = self.plan.rows(logits.shape[2])
        return self.decoder.detections(
            logits, self.geometry(scene, valid), separation=self.separation, threshold=self.threshold, rows=rows
        )

    def merged(
        self,
        logits: NDArray[np.float32],
        scene: Scene,
        valid: ValidPixels | None = None,
        others: Sequence[Detections] = (),
        least: float | None = None,
    ) -> Detections:
        """Return the objects as `detections`, of other sizes of the scene too.

        Args:
            logits: (K, h, w), the scene's map.
            scene: at the own size.
            valid: its valid pixels; None where all are.
            others: `candidates` of its other sizes, in pixels of the own one.
            least: score to take instead of the threshold.
        """
        least = self.threshold if least is None else least
        if self.scale_views is None:
            return replace(self, threshold=least).detections(logits, scene, valid)
        own = self.candidates(logits, scene, valid)
        found = self.scale_views.merged([own, *others], self.threshold, least)
        return replace(found, xy=clamp_far_edges(found.xy, scene.shape))

    def candidates(self, logits: NDArray[np.float32], scene: Scene, valid: ValidPixels | None = None) -> Detections:
        """Return the objects of the map of one size of a scene, in its pixels, from the floor of scores on."""
        assert self.scale_views is not None
        return replace(self, threshold=self.scale_views.floor(self.threshold)).detections(logits, scene, valid)

    def keeps(self, logits: NDArray[np.float32]) -> bool:
        """Return whether candidates are kept of a map: not of one in which a million cells may be one."""
        floor = self.floor
        if floor is None or logits[0].size <= MOST_CANDIDATES:
            return floor is not None
        return marked(logits, lambda part: self.decoder.heat(part).sum(axis=0) >= floor) <= MOST_CANDIDATES


@dataclass(frozen=True, eq=False)
class SceneResult:
    """The objects found in a scene, with its map.

    Attributes:
        detections: the objects, in pixels of the image file.
        geometry: places of the heatmap's cells, in resampled pixels, and the valid pixels.
        preview: the scene reduced to a small picture, (bands, h, w), of the model's bands; None where the run
            makes none.
        logits: (K, h, w), the stitched map, in memory or in a file.
        cells: cells of the map whose probabilities may be made at once.
        heat: returns the probabilities of the classes from rows of the map.
        damaged: what the decoder of the image warned of, empty where it did not.
        surveyed: how much of the image was looked at, None where that is not known.
        unlike: how far the image is from those that the model learned from, and in what.
        candidates: the same as detections, down to a low score; None where they are not kept, or too many.
    """

    detections: Detections
    geometry: CellGeometry
    preview: NDArray[np.generic] | None
    logits: NDArray[np.float32]
    cells: int
    heat: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    damaged: str = ""
    surveyed: Surveyed | None = None
    unlike: Unlike = field(default_factory=lambda: Unlike(None))
    candidates: Detections | None = None

    @property
    def every(self) -> Detections:
        """All that was found: the candidates where they are more than the detections, else these."""
        found, more = self.detections, self.candidates
        return found if more is None or len(more) < len(found) else more

    def heat_pieces(self) -> Iterator[NDArray[np.float32]]:
        """Yield the posteriors of the classes, (C, rows, cols) in [0, 1], from the top, left to right.

        Cells without a valid pixel are NaN. A piece is whole blocks of a written map, one at least: a strip of the map,
        or a part of a strip. The values do not depend on where the map is kept, as in `planes`.
        """
        height, width = self.logits.shape[1:]
        side = block_side(len(self.detections.classes))
        number, across = max(1, self.cells // side**2), -(-width // side)
        rows, cols = (number // across * side, width) if number >= across else (side, number * side)
        for row in range(0, height, rows):
            for col in range(0, width, cols):
                heat = self.heat(np.ascontiguousarray(self.logits[:, row : row + rows, col : col + cols]))
                yield self._without_unseen(heat, row, col)
                release(self.logits)

    @cached_property
    def heatmap(self) -> NDArray[np.float32]:
        """The posteriors of the classes, (C, h, w) in [0, 1], in memory; NaN in cells without a valid pixel."""
        return self._without_unseen(planes(self.logits, self.heat), 0, 0)

    def _without_unseen(self, heat: NDArray[np.float32], row: int, col: int) -> NDArray[np.float32]:
        """Return posteriors (C, h, w), from a cell on, with NaN in cells without a valid pixel."""
        seen = self.geometry.seen_cells(Window(row, col, *heat.shape[1:]))
        return heat if seen is None else np.where(seen, heat, np.float32(np.nan))

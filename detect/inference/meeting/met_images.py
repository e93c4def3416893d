"""Meeting an image: what is settled on a sample of it before its first tile is read, so that tiles change nothing."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detect.imagery.reading import SceneReader
from detect.inference.meeting.batch_norms import NORM_GRID, BatchNorms
from detect.inference.meeting.light_map import light_map
from detect.inference.meeting.sample_windows import Sample
from detect.inference.meeting.scale_choice import SCALE_GRID, ScaleChoice
from detect.inference.plan import Plan
from detect.inference.tile_reading import load_whole
from detect.inference.tiles import Source
from detect.nets.facts.looks import Looks

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Meeting:
    """How a run meets its images, one after the other; each by itself, so that no other image changes its result.

    Attributes:
        share: of the way to the training images' light, and of an image's own statistics in the network's layers.
        looks: of the training images, to whose light images are brought; None leaves it.
        batch_norms: of the network that the run uses; None leaves them.
        scale: by how much images are resampled from the model's resolution: a factor, or what chooses that of each.
    """

    share: float
    looks: Looks | None = None
    batch_norms: BatchNorms | None = None
    scale: float | ScaleChoice = 1.0

    def met(self, source: Source, bands: Sequence[int], plan: Plan) -> Source:
        """Return an image as its tiles are to be read; the network is set for it, until the next one is met.

        Args:
            source: the image.
            bands: band numbers from 1.
            plan: bounds the memory of its pixels.

        Raises:
            MemoryError, SceneError: the image cannot be read.
        """
        if self.looks is not None or isinstance(self.scale, ScaleChoice):
            with source.open(source.scene, bands) as reader:
                load_whole(reader, plan)
                source = self._with_light(source, reader)
                factor = self._factor(source, reader)
        else:
            factor = self.scale
        source = source.at(factor)
        if self.batch_norms is not None:
            self._set_norms(self.batch_norms, source, bands, plan)
        return source

    def answers(self, source: Source, bands: Sequence[int], plan: Plan) -> dict[float, NDArray[np.float64]]:
        """Return the scores of what is found in an image's sample at each scale, in its light; none of a fixed scale.

        Raises:
            MemoryError, SceneError: the image cannot be read.
        """
        if not isinstance(self.scale, ScaleChoice):
            return {}
        with source.open(source.scene, bands) as reader:
            load_whole(reader, plan)
            return self._answers(self.scale, self._with_light(source, reader), reader)

    def chosen(self, answers: Sequence[Mapping[float, NDArray[np.float64]]]) -> float:
        """Return the factor for several images together by their `answers`; 1 of none, or of a fixed scale."""
        if not isinstance(self.scale, ScaleChoice) or not answers:
            return 1.0
        return self.scale.factor({each: np.concatenate([found[each] for found in answers]) for each in answers[0]})

    def _with_light(self, source: Source, reader: SceneReader) -> Source:
        return source if self.looks is None else replace(source, light=light_map(reader, self.looks, self.share))

    def _factor(self, source: Source, reader: SceneReader) -> float:
        if not isinstance(self.scale, ScaleChoice):
            return self.scale
        factor = self.scale.factor(self._answers(self.scale, source, reader))
        if factor != 1:
            logger.info("%s is read at %.2f times the model's scale, where it is answered clearer", source.name, factor)
        return factor

    def _answers(self, scale: ScaleChoice, source: Source, reader: SceneReader) -> dict[float, NDArray[np.float64]]:
        if self.batch_norms is not None:
            self.batch_norms.forget()  # of the image before, which must not change this one's scale
        sample = Sample.of(reader, SCALE_GRID)
        return scale.scores([source.seen(*each) for each in zip(sample.pixels, sample.valid, strict=True)])

    def _set_norms(self, norms: BatchNorms, source: Source, bands: Sequence[int], plan: Plan) -> None:
        with source.open(source.scene, bands) as reader:
            load_whole(reader, plan)
            sample = Sample.of(reader, NORM_GRID, plan.align or plan.stride)
        norms.meet(source.seen(sample.pixels, sample.valid))

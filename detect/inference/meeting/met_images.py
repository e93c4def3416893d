"""Meeting an image: what is settled on a sample of it before its first tile is read, so that tiles change nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from detect.imagery.reading import SceneReader
from detect.inference.meeting.batch_norms import NORM_GRID, BatchNorms
from detect.inference.meeting.light_map import light_map
from detect.inference.meeting.sample_windows import Sample
from detect.inference.plan import Plan
from detect.inference.tiles import Source, load_whole
from detect.nets.looks import Looks


@dataclass(frozen=True, eq=False)
class Meeting:
    """How a run meets its images, one after the other; each by itself, so that no other image changes its result.

    Attributes:
        share: of the way to the training images' light, and of an image's own statistics in the network's layers.
        looks: of the training images, to whose light images are brought; None leaves it.
        batch_norms: of the network that the run uses; None leaves them.
    """

    share: float
    looks: Looks | None = None
    batch_norms: BatchNorms | None = None

    def met(self, source: Source, bands: Sequence[int], plan: Plan) -> Source:
        """Return an image as its tiles are to be read; the network is set for it, until the next one is met.

        Args:
            source: the image.
            bands: band numbers from 1.
            plan: bounds the memory of its pixels.

        Raises:
            MemoryError, SceneError: the image cannot be read.
        """
        with source.open(source.scene, bands) as reader:
            load_whole(reader, plan)
            if self.looks is not None:
                source = replace(source, light=light_map(reader, self.looks, self.share))
            if self.batch_norms is not None:
                self._set_norms(self.batch_norms, source, reader, plan)
        return source

    def _set_norms(self, norms: BatchNorms, source: Source, reader: SceneReader, plan: Plan) -> None:
        sample = Sample.of(reader, NORM_GRID, plan.align or plan.stride)
        norms.meet(source.seen(sample.pixels, sample.valid))

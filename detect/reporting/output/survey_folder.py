"""The predictions folder of a run whose threshold is told by the scores of all its images, when these are done."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.score_mixture import SurveyThreshold, survey_threshold
from detect.imagery.maps.map_kinds import BYTES, MapKind
from detect.imagery.scenes import SceneError
from detect.inference.decoding.calibrated import calibrated
from detect.nets.facts.probabilities import Calibration, network_threshold
from detect.reporting.output.ground_survey import WHOLE_IMAGES, GroundSurvey
from detect.reporting.output.layout import OVERLAYS
from detect.reporting.output.prediction_folder import PredictionFolder
from detect.reporting.output.records import Record
from detect.reporting.pictures.overlays import overlay
from detect.reporting.writing import write_picture

if TYPE_CHECKING:
    from detect.nets.card import ModelCard
    from detect.reporting.publishing.mirror import Mirror

logger = logging.getLogger(__name__)


class SurveyFolder(PredictionFolder):
    """An output folder whose journal keeps candidates, of which `finish` counts those above one threshold for all.

    Their scores are the network's, as those of an `undecided` engine: probabilities are made of them last of all.
    A resumed run has the same candidates, and so the same threshold. Overlays are drawn at the end, of images that are
    read again for it.

    Args:
        folder, card, images, wanted, survey, map_kind: as of `PredictionFolder`; whole images are counted.
        picture: reads an image as a small picture (H, W, 3).

    Attributes:
        chosen: the threshold, None before the end.
    """

    def __init__(
        self,
        folder: "Path | Mirror",
        card: "ModelCard",
        images: Sequence[tuple[str, Path]],
        wanted: Collection[str],
        survey: GroundSurvey = WHOLE_IMAGES,
        map_kind: MapKind = BYTES,
        *,
        picture: Callable[[Path], NDArray[np.uint8]],
    ) -> None:
        self.chosen: SurveyThreshold | None = None
        self._picture = picture
        record = card.calibration
        self._calibration = None if record is None else Calibration.from_record(record)
        super().__init__(folder, card, images, wanted, survey, map_kind)

    @property
    def overlaid(self) -> bool:
        """Whether what is found is drawn on each image as soon as it is counted: it is not known yet."""
        return False

    @property
    def found(self) -> dict[str, Record]:
        """The images of this run that are done, by name; in the end with what is above the threshold alone."""
        every = super().found
        return every if self.chosen is None else {name: self._cut(record) for name, record in every.items()}

    def _cut(self, record: Record) -> Record:
        assert self.chosen is not None
        counted = record.detections[record.detections.score >= self.chosen.value]
        return replace(record, detections=calibrated(counted, self._calibration))

    def finish(
        self, run: Mapping[str, Any], embed_limit: int, measured: Callable[[], Mapping[str, Any]] = dict
    ) -> Path:
        """Choose the threshold, draw the overlays and write the rest as `PredictionFolder.finish` does."""
        self.chosen = None
        scores = [record.detections.score for record in self.found.values()]
        own = network_threshold(self.card.calibration, self.card.threshold)
        self.chosen = survey_threshold(np.concatenate([np.empty(0), *scores]), own, self._told)
        logger.info("threshold=survey: %s", self.chosen.sentence)
        if OVERLAYS in self.wanted:
            for name, record in self.found.items():
                self._draw(name, record)
        model = {**run.get("model", {}), "threshold": self._told(self.chosen.value)}
        notes = [*run.get("notes", ()), f"threshold=survey: {self.chosen.sentence}"]
        return super().finish({**run, "model": model, "notes": notes}, embed_limit, measured)

    def _told(self, score: float) -> float:
        """Return what a score of the network is told as."""
        return score if self._calibration is None else float(self._calibration(score))

    def _draw(self, name: str, record: Record) -> None:
        """Write the overlay of an image; one that cannot be read any more keeps none, and is told."""
        try:
            shown = self._picture(self.sources[name])
        except (SceneError, MemoryError) as error:
            logger.warning("%s: its overlay cannot be drawn: %s", name, error)
            return
        wide = 2.0 if record.object_wh is None else record.object_wh[0]
        picture = overlay(shown, record.detections, shown.shape[1] / record.shape[1], wide / 2)
        write_picture(picture, self.paths.overlay(name))

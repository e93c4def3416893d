"""The images of a run beside those that are annotated: which are the same, and which are in one of the two alone."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detect.assembly.evaluation.recorded_labels import TRAINING_IMAGES
from detect.evaluation.seen import TrainingImages, with_seen
from detect.labels.image_names import match_names
from detect.reporting.output.predictions import Predictions
from detect.reporting.tables import IMAGE

logger = logging.getLogger("detect.evaluate")

MAX_NAMED = 5
"""Images that are named in the log, at most."""


@dataclass(frozen=True)
class MatchedImages:
    """Which of the images that a run counted are annotated.

    Attributes:
        pairs: their names in the annotations by their names in the run.
        not_annotated: the run's other images, sorted.
        not_predicted: the other annotated images, sorted.
    """

    pairs: Mapping[str, str]
    not_annotated: list[str]
    not_predicted: list[str]

    @classmethod
    def of(
        cls, predictions: Predictions, annotated: Collection[str], source: Path | None, word: str = "annotated"
    ) -> "MatchedImages":
        """Match the images of a run with those of annotations.

        Args:
            predictions: the run.
            annotated: names of the annotated images.
            source: the annotations, for messages.
            word: what is said to be done to the images there.

        Raises:
            ValueError: no image is in both.
        """
        done = [str(name) for name in predictions.counts[IMAGE]]
        pairs = match_names(done, list(annotated))
        if not pairs:
            raise ValueError(
                f"no image of {predictions.folder} is {word} in {source}; {done[:3]} against {list(annotated)[:3]}"
            )
        return cls(pairs, sorted({*done} - {*pairs}), sorted({*annotated} - {*pairs.values()}))

    @property
    def left(self) -> dict[str, list[str]]:
        """The images that are not scored, for the scores."""
        return {"not_annotated": self.not_annotated, "not_predicted": self.not_predicted}

    def tell_left(self) -> None:
        """Log which images are not scored."""
        for what, images in self.left.items():
            if images:
                named = ", ".join(images[:MAX_NAMED])
                logger.warning("%d images are %s and not scored: %s", len(images), what.replace("_", " "), named)

    def with_seen(
        self, scores: Mapping[str, Any], model: Mapping[str, Any], groups: Mapping[str, str | None]
    ) -> dict[str, Any]:
        """Return scores with what is said of images that the run's model learned from.

        Args:
            scores: of the matched images.
            model: the model's entry of the run.
            groups: the group of each annotated image.
        """
        training = TrainingImages.from_record(model.get(TRAINING_IMAGES) or {})
        return with_seen(scores, training, {image: groups[name] for image, name in self.pairs.items()})

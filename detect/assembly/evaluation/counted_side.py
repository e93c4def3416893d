"""The annotated images of a side of the split, counted by a model."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detect.assembly.settings.evaluate_settings import EvaluateSettings
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.scenes import Scene
from detect.labels.annotations import AnnotatedImage, Annotations
from detect.labels.detections import Detections
from detect.labels.regions import outside
from detect.nets.card import ModelCard

if TYPE_CHECKING:
    from detect.inference.engine import Engine

logger = logging.getLogger("detect.evaluate")


def images_of_side(settings: EvaluateSettings, card: ModelCard, annotations: Annotations) -> list[AnnotatedImage]:
    """Return the annotated images of a side of the split.

    Raises:
        ValueError: there are none.
    """
    from detect.assembly.sides import sides_of_model

    sides = sides_of_model(settings.data.split, annotations, card.training)
    images = [image for image in annotations.images if settings.split in ("all", sides[image.name])]
    if not images and settings.split == "val" and card.training.get("folds"):
        raise ValueError(
            "no image validated this model, it learned from all: its threshold was chosen by folds, whose scores are "
            "in scores.json beside it; give split=test and images that it does not know, or split=all"
        )
    if not images:
        raise ValueError(
            f"no image of split={settings.split}; set data.split.test=[...] or a split column, or split=all"
        )
    return images


@dataclass(frozen=True, eq=False)
class CountedSide:
    """What a model found in images, by their names.

    Attributes:
        found: outside of ignored regions.
        every: the same at any score, of images whose candidates are not too many.
        scenes: at the model's resolution.
        shares: part of the pixels that is valid, in [0, 1].
        unlike: in what an image is unlike the training scenes, of those that are.
    """

    found: dict[str, Detections]
    every: dict[str, Detections]
    scenes: list[tuple[str, Scene]]
    shares: dict[str, float]
    unlike: dict[str, str]


def count_side(images: Sequence[AnnotatedImage], engine: "Engine") -> CountedSide:
    """Count what is in images, one after the other; each is logged."""
    from detect.inference.run import count_scene

    counted = CountedSide({}, {}, [], {}, {})
    for image in images:
        scene = open_scene(image.path)
        result = count_scene(scene, engine)
        counted.shares[image.name] = 1.0 if result.surveyed is None else result.surveyed.valid / result.surveyed.pixels
        if result.unlike.kinds:
            counted.unlike[image.name] = result.unlike.words
        counted.found[image.name] = outside(result.detections, image.ignored)
        if result.every is not None:
            counted.every[image.name] = outside(result.every, image.ignored)
        counted.scenes.append((image.name, engine.prepared(scene)))
        logger.info("%s: %d found, %d annotated", image.name, len(counted.found[image.name]), len(image.objects))
    return counted


def all_of(images: Sequence[AnnotatedImage], every: Mapping[str, Detections]) -> Mapping[str, Detections] | None:
    """Return the candidates of all images; None, which is logged, where those of one are too many to be kept."""
    left = [image.name for image in images if image.name not in every]
    if not left:
        return every
    logger.warning(
        "numbers of all candidates are left out, and average precision is of what was found: %d images, such as %s, "
        "have too many candidates",
        *(len(left), left[0]),
    )
    return None

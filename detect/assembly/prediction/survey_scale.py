"""One scale for all images of a run, chosen by what a network answers to a sample of some of them."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from detect.assembly.settings.inference_settings import InferenceSettings
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.scenes import SceneError

if TYPE_CHECKING:
    from detect.inference.engine import Engine

logger = logging.getLogger(__name__)

MOST_IMAGES = 8
"""Most images of a run whose samples are looked at, spread evenly over its list."""


def with_survey_scale(settings: InferenceSettings, engine: "Engine", images: Sequence[Path]) -> "Engine":
    """Return an engine that reads all images of a run at one scale, where `rescale=survey` asks for that.

    It depends on the list of images alone, so that a run that is resumed finds the same. Images that cannot be read
    are left out; they fail in the run itself.

    Args:
        settings: of the run.
        engine: whose meeting chooses the scale of each image.
        images: of the run.
    """
    from detect.inference.tiles import Source

    meeting = engine.meeting
    if settings.rescale != "survey" or meeting is None or not images:
        return engine
    places = np.unique(np.linspace(0, len(images) - 1, min(len(images), MOST_IMAGES)).round().astype(int))
    answers: list[dict[float, Any]] = []
    for path in (images[place] for place in places):
        try:
            source = Source(str(path), engine.prepared(open_scene(path)))
            answers.append(meeting.answers(source, engine.spec.bands, engine.plan))
        except (SceneError, MemoryError) as error:
            logger.debug("%s: not looked at for the scale: %s", path, error)
    factor = meeting.chosen([each for each in answers if each])
    logger.info("rescale=survey: by %d of %d images, all are read at %.2f", len(answers), len(images), factor)
    return replace(engine, meeting=replace(meeting, scale=factor))


def scale_settings(settings: InferenceSettings, engine: "Engine") -> dict[str, Any]:
    """Return what the results of a run depend on of the scale of its images; nothing where it is the model's."""
    if settings.rescale == 1 or engine.meeting is None:
        return {}
    chosen = {"rescale_factor": engine.meeting.scale} if settings.rescale == "survey" else {}
    return {"rescale": settings.rescale, **chosen}

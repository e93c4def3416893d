"""The threshold of a run: the model's, one that is given, or one that is told by all its scores."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np
from numpy.typing import NDArray

from detect.assembly.fields.run_choices import SURVEY
from detect.assembly.settings.predict_settings import PredictSettings
from detect.evaluation.score_mixture import SURVEY_FLOOR
from detect.nets.facts.probabilities import network_threshold
from detect.nets.heads.specs import GridHead, PatchHead, WholeHead

if TYPE_CHECKING:
    from detect.inference.engine import Engine
    from detect.nets.card import ModelCard
    from detect.reporting.output.ground_survey import GroundSurvey
    from detect.reporting.output.prediction_folder import PredictionFolder
    from detect.reporting.publishing.mirror import Mirror

logger = logging.getLogger(__name__)


def run_threshold(settings: PredictSettings, card: "ModelCard") -> float:
    """Return the least score that is looked for; where the threshold is told at the end, a lower one of the network.

    Raises:
        ValueError: it is to be told by scores that part into objects and ground, and the model's are of whole images.
    """
    if settings.threshold is None:
        return card.threshold
    if isinstance(settings.threshold, float):
        return settings.threshold
    if isinstance(settings.threshold, Mapping):
        return min(class_thresholds(settings.threshold, dict.fromkeys(card.classes, card.threshold)))
    match card.head:
        case WholeHead():
            raise ValueError(
                "threshold=survey parts the scores of objects from those of ground, and this model tells the pattern "
                f"of a whole image; leave it out (the model's is {card.threshold:.3g}), or give a number"
            )
        case PatchHead() | GridHead():
            return min(SURVEY_FLOOR, network_threshold(card.calibration, card.threshold))
        case _:
            assert_never(card.head)


def class_thresholds(given: Mapping[str, float], own: Mapping[str, float]) -> tuple[float, ...]:
    """Return the threshold of each class; one that is not named keeps its own.

    Args:
        given: some.
        own: of each class.

    Raises:
        ValueError: one is of a class that there is not.
    """
    unknown = [name for name in given if name not in own]
    if unknown:
        raise ValueError(f"threshold: there is no class {unknown[0]!r}; the classes are {', '.join(own)}")
    return tuple(given.get(name, each) for name, each in own.items())


def thresholds_by_class(settings: PredictSettings, card: "ModelCard") -> tuple[float, ...]:
    """Return the threshold of each class of a run; nothing where all have one.

    Raises:
        ValueError: one is of a class that the model does not have, or the model tells the pattern of a whole image.
    """
    if not isinstance(settings.threshold, Mapping):
        return ()
    if isinstance(card.head, WholeHead):
        raise ValueError(  # noqa: TRY004, a wrong setting
            "threshold by class is for objects in images, and this model tells the pattern of a whole image; count "
            "with one, and detect.report threshold={...} counts anew by class"
        )
    return class_thresholds(settings.threshold, dict.fromkeys(card.classes, card.threshold))


def told_threshold(engine: "Engine", card: "ModelCard") -> float | dict[str, float]:
    """Return the threshold of a run as it says it of itself: a number, or one a class."""
    return dict(zip(card.classes, engine.by_class, strict=True)) if engine.by_class else engine.threshold


def log_by_class(engine: "Engine", card: "ModelCard") -> None:
    """Log the threshold of each class, where they have their own: what the engine logs is the least of them."""
    if engine.by_class:
        each = (f"{name} {value:.3f}" for name, value in zip(card.classes, engine.by_class, strict=True))
        logger.info("threshold by class: %s", ", ".join(each))


def told_at_end(settings: PredictSettings) -> bool:
    """Return whether the threshold is told by all scores of the run, when its images are done."""
    return settings.threshold == SURVEY


def threshold_settings(settings: PredictSettings) -> dict[str, Any]:
    """Return what the results depend on of a threshold that is told at the end; nothing of one that is known."""
    return {"threshold": SURVEY, "candidates_from": SURVEY_FLOOR} if told_at_end(settings) else {}


def notes_on_views(settings: PredictSettings) -> list[str]:
    """Return, and log, that a model's own threshold was chosen on single views where several are asked for."""
    if settings.threshold is not None or settings.tta == "none":
        return []
    sentence = (
        f"the model's threshold was chosen without tta, and scores of tta={settings.tta} may be others: counts can be "
        "off by that; tta=none counts as it was chosen, threshold= sets another"
    )
    logger.warning("%s", sentence)
    return [sentence]


def output_sink(
    settings: PredictSettings,
    engine: "Engine",
    card: "ModelCard",
    images: Sequence[tuple[str, Path]],
    survey: "GroundSurvey",
    mirror: "Mirror | None" = None,
) -> "PredictionFolder":
    """Make what takes the results of a run.

    Args:
        settings: of the run.
        engine: that finds.
        card: its model's.
        images: (name, path).
        survey: what of the ground is counted.
        mirror: of the output folder's address; None of a folder on this machine.
    """
    from detect.imagery.maps.map_kinds import KINDS
    from detect.reporting.output.prediction_folder import PredictionFolder
    from detect.reporting.output.survey_folder import SurveyFolder

    kind, output = KINDS[settings.heatmaps], mirror or settings.output
    if not told_at_end(settings):
        return PredictionFolder(output, card, images, settings.write, survey, kind)
    return SurveyFolder(output, card, images, settings.write, survey, kind, picture=picture_reader(engine))


def picture_reader(engine: "Engine") -> Callable[[Path], NDArray[np.uint8]]:
    """Return what reads an image as the small picture (H, W, 3) of its bands that a run makes."""
    from detect.imagery.description.scene_opening import open_scene
    from detect.imagery.reading import SceneReader
    from detect.inference.failures import MAX_PREVIEW_SIDE
    from detect.inference.tile_reading import load_whole
    from detect.reporting.pictures.colours import to_display

    def picture(path: Path) -> NDArray[np.uint8]:
        scene = engine.prepared(open_scene(path))
        with SceneReader(scene, engine.spec.bands) as reader:
            load_whole(reader, engine.plan)
            return to_display(reader.preview(MAX_PREVIEW_SIDE), nodata=scene.nodata)

    return picture

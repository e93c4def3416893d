"""The output folder of an evaluation: made, and written with scores and pictures of errors."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from detect.assembly.evaluation.compared import Compared
from detect.assembly.folders import EvaluationPaths, TrainingPaths
from detect.assembly.output_folders import output_folder
from detect.assembly.settings.evaluate_settings import EvaluateSettings
from detect.evaluation.matching import Criterion
from detect.evaluation.scene_scores import shown_scores
from detect.imagery.scenes import Scene
from detect.reporting.classes.class_folder import WRITTEN as CLASS_FILES
from detect.reporting.classes.class_folder import clear_classes
from detect.reporting.output.layout import SCORES
from detect.reporting.output.written import WrittenFiles
from detect.reporting.pictures.scene_errors import clear_scenes, draw_scenes
from detect.reporting.writing import json_bytes

logger = logging.getLogger("detect.evaluate")


def evaluation_folder(settings: EvaluateSettings) -> EvaluationPaths:
    """Make the output folder, before anything is computed; the scores of an earlier evaluation in it are replaced.

    Raises:
        FileExistsError: it is the folder of a training, or a person changed the scores, or a table of a classifier.
    """
    output = EvaluationPaths(settings.output)
    output_folder(
        output.folder,
        results=(TrainingPaths(output.folder).model,),
        allowed=False,
        way_out="its scores.json is the training run's: name another folder",
    )
    written, way_out = WrittenFiles(output.folder), ", or name another output folder"
    written.check([SCORES], way_out)
    written.check(CLASS_FILES, way_out, adopt=False)
    return output


def write_scores(output: EvaluationPaths, scores: Mapping[str, Any]) -> None:
    """Write `scores.json`, and log the main scores.

    Pictures of an earlier evaluation, which showed other scores, are removed, and its figures of a classifier.
    """
    clear_scenes(output.errors)
    clear_classes(output.folder)
    WrittenFiles(output.folder).write({SCORES: json_bytes(scores, output.scores)})
    logger.info("%s", shown_scores(scores))


def draw_errors(
    criterion: Criterion,
    output: EvaluationPaths,
    scenes: Sequence[tuple[str, Scene]],
    compared: Compared,
    radius_resampled_px: float,
) -> None:
    """Draw each image with what was found, and sheets of what was missed and of false alarms.

    Args:
        criterion: the rule by which objects are matched.
        output: the output folder.
        scenes: name, and scene at the resolution at which the network reads it.
        compared: what was found and what is there.
        radius_resampled_px: half the side of a typical object, in pixels of the scenes.
    """
    drawn = [(name, scene, compared.truth[name]) for name, scene in scenes]
    draw_scenes(output.errors, drawn, compared.found, radius_resampled_px, criterion)
    if drawn:
        logger.info("pictures of what was found, missed and false: %s", output.errors)

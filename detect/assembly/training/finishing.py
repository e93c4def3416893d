"""The end of a training run: the model's card, made once and whole, its scores, its record and the pictures."""

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from detect import __version__
from detect.assembly.engine.ready_engine import separation_text
from detect.assembly.folders import TrainingPaths
from detect.assembly.settings.train_settings import TrainSettings
from detect.assembly.training.material import TrainingMaterial
from detect.assembly.validation import MeasuredHalo, measured_halo
from detect.assembly.whole.fitted_sureness import WHOLE_SEPARATION, sure
from detect.evaluation.classification import Showing, classify, scores_of_patches
from detect.evaluation.scene_scores import verdict
from detect.evaluation.scene_validation import Choice, Judged
from detect.inference.runtimes.torch_runtime import pick_device
from detect.inference.shift.gathering import KnownScene, gather
from detect.inference.shift.measuring import WindowMeter
from detect.labels.annotations import Annotations
from detect.labels.formats.patch_folder import PatchFolder
from detect.nets.card import ModelCard
from detect.nets.facts.window_looks import WindowLooks
from detect.nets.heads.whole import WholeClassifier
from detect.nets.modelfile import Net, save_model
from detect.reporting.pictures.confusions import draw_confusion, draw_worst
from detect.reporting.pictures.curves import RELIABILITY, draw_curves, draw_reliability
from detect.reporting.pictures.scene_errors import draw_scenes
from detect.reporting.writing import write_json
from detect.samples.labelled_scenes import PART, ChosenOn, SceneSplit

logger = logging.getLogger(__name__)

UNCHOSEN = Choice(0.5, 0.0, {}, {})
"""What stands on the card of a classifier of bare patches, which nothing is chosen for."""


def check_test_images(settings: TrainSettings, labels: Annotations | PatchFolder, material: TrainingMaterial) -> None:
    """Check that there are images for the test, where one is asked for.

    Raises:
        ValueError: there are none.
    """
    there = bool(material.sides["test"])
    if isinstance(labels, PatchFolder) and material.whole_sides is None:
        there = "test" in labels.split
    if settings.trainer.test and not there:
        raise ValueError(
            "trainer.test=true needs images for the test: data.split.test, data.split.fold, a split column or folder"
        )


def finish(
    settings: TrainSettings,
    material: TrainingMaterial,
    net: Net,
    halo: int | None,
    judged: Judged | None,
    paths: TrainingPaths,
    started: float,
) -> None:
    """Write model, scores and pictures.

    Args:
        settings: of the run.
        material: what was learned from.
        net: with the weights that are kept.
        halo: the exact one in pixels.
        judged: what threshold and separation were chosen on; None for patches.
        paths: the output folder.
        started: when the run began, of the monotonic clock.
    """
    if isinstance(net, WholeClassifier):
        scores, card = _finished_whole(settings, material, net, halo, paths)
    elif judged is None:
        scores = _scored_patches(settings, net, material, paths)
        card = _card(settings, material, net, halo, None, UNCHOSEN, scores)
    else:
        assert halo is not None
        scores, card = _finished_scenes(settings, material, net, halo, judged, paths)
    if "confusion" in scores:
        draw_confusion(scores["confusion"], paths.validation / "confusion.png")
    draw_reliability(scores["reliability"], paths.validation / RELIABILITY)
    save_model(paths.model, net, card)
    how = {} if material.radius is None else {"radius_from": material.radius.how}
    facts = {"split": "val", **how, "notes": card.training["notes"], "seconds": round(time.monotonic() - started, 1)}
    write_json({**scores, **facts}, paths.scores)
    draw_curves(paths.metrics, paths.curves)
    logger.info("%s", verdict(scores, card.threshold, separation_text(card)))


def _finished_whole(
    settings: TrainSettings, material: TrainingMaterial, net: WholeClassifier, halo: int | None, paths: TrainingPaths
) -> tuple[dict[str, Any], ModelCard]:
    """Return the scores and the card of a classifier of whole images, once it knows how sure it is of its classes."""
    known = sure(settings, net, material)
    scores = scores_of_patches(*known.classified, material.spec, known.threshold) | known.record
    material = replace(material, spec=known.spec, samples=material.samples.with_notes(None, known.notes, ()))
    if known.classified.truth.ndim == 1:
        draw_worst(paths.validation / "worst.jpg", material.samples.val, *known.classified, material.spec.outputs)
    choice = Choice(known.threshold, WHOLE_SEPARATION, {}, {})
    return scores, _card(settings, material, net, halo, None, choice, scores)


def _finished_scenes(
    settings: TrainSettings, material: TrainingMaterial, net: Net, halo: int, judged: Judged, paths: TrainingPaths
) -> tuple[dict[str, Any], ModelCard]:
    """Return the scores and the card of a network that finds objects in scenes; draw those that judged it."""
    assert material.scenes is not None
    measured = measured_halo(net, material.spec, material.scenes, halo)
    logger.info(
        "receptive field: %s pixels in theory; %s change the logits by %.1e at most",
        halo,
        measured.pixels,
        measured.error,
    )
    scenes = [(each.name, each.scene, judged.truth[each.name]) for each in judged.scenes]
    radius_resampled_px = material.spec.head.typical_size / 2
    draw_scenes(paths.validation, scenes, judged.choice.found, radius_resampled_px, judged.criterion)
    scores = scores_of(judged, material.scenes.split.chosen_on)
    return scores, _card(settings, material, net, halo, measured, judged.choice, scores)


def scores_of(judged: Judged, chosen_on: ChosenOn) -> dict[str, Any]:
    """Return the scores of a training's choice: on what it was made, and of every image whether it had been learned.

    Those of folds are of networks that had not learned from the image, though the model has; those of a strip are of a
    network that had learned from the rest of its photograph.

    Args:
        judged: the choice.
        chosen_on: on what it was made.
    """
    scores, seen = dict(judged.choice.scores), chosen_on == "strips of the images"
    images = {
        name: {**numbers, **({"fold": judged.fold[name]} if name in judged.fold else {}), "seen": seen}
        for name, numbers in scores["per_image"].items()
    }
    whole = sorted({name.partition(PART)[0] for name in images}) if seen else []
    return {**scores, "per_image": images, "chosen_on": chosen_on, "seen_in_training": whole}


def _sides_record(split: SceneSplit) -> dict[str, Any]:
    """Return on what a model's threshold was chosen, by which folds, and of which groups it learned."""
    groups = sorted({labelled.group for labelled in split.train if labelled.group is not None})
    return {"chosen_on": split.chosen_on, "folds": [sorted(names) for names in split.folds], "groups": groups}


def _scored_patches(
    settings: TrainSettings, net: Any, material: TrainingMaterial, paths: TrainingPaths
) -> dict[str, Any]:
    """Classify the validation patches, and draw the worst."""
    val, outputs = material.samples.val, material.spec.outputs
    showing = Showing.plain(pick_device(settings.runtime.device), settings.data.loading.batch_size)
    classified = classify(net, material.spec, val, showing)
    draw_worst(paths.validation / "worst.jpg", val, *classified, outputs)
    return scores_of_patches(*classified, material.spec)


def _card(
    settings: TrainSettings,
    material: TrainingMaterial,
    net: Net,
    halo: int | None,
    measured: MeasuredHalo | None,
    chosen: Choice,
    scores: Mapping[str, Any],
) -> ModelCard:
    """Make the card of what was known before the training and what the training measured."""
    offset, scale = (tuple(values.flatten().tolist()) for values in (net.offset, net.scale))
    return ModelCard(
        **vars(material.spec),
        offset=offset,
        scale=scale,
        halo=halo,
        halo_auto=None if measured is None else measured.pixels,
        halo_error=None if measured is None else measured.error,
        threshold=chosen.threshold,
        separation=chosen.separation,
        calibration=chosen.calibration,
        training=_record(settings, material, scores),
        looks=material.values.looks,
        window_looks=_window_looks(material, net),
    )


def _window_looks(material: TrainingMaterial, net: Net) -> WindowLooks | None:
    """Return what windows of the scenes that were learned from look like; None of patches, which are no scenes."""
    if material.scenes is None:
        return None
    source = material.scenes.source
    known = [
        KnownScene(
            labelled.scene,
            labelled.name.partition(PART)[0],
            None if labelled.objects.wh is None else np.sqrt(labelled.objects.wh.prod(axis=1)),
        )
        for labelled in material.scenes.split.train
    ]
    meter = WindowMeter(net, material.values.looks, material.spec.align)
    return gather(known, lambda scene: source.open(scene, source.bands), meter)


def _record(settings: TrainSettings, material: TrainingMaterial, scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model remembers of its training."""
    samples, labels = material.samples, settings.data.labels
    return {
        "version": __version__,
        "objects": samples.outputs,
        "sizes": None if samples.sizes is None else asdict(samples.sizes),
        "notes": [*samples.notes, *samples.warnings],
        **material.sides,
        **({} if material.scenes is None else _sides_record(material.scenes.split)),
        "label_names": dict(labels.names),
        "negative_labels": list(labels.negative),
        "ignore_labels": list(labels.ignored),
        "matching": None if material.radius is None else material.radius.to_record(),
        "normalisation": material.values.sentence() if settings.init is None else f"that of {settings.init}",
        "fold": settings.data.split.fold,
        "seed": settings.seed,
        "validation": scores,
    }

"""Evaluate: `python -m detect.evaluate predictions=DIR annotations=FILE output=DIR`, or a model on a labelled split."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from detect.assembly.command import DONE, command
from detect.assembly.engine import make_engine
from detect.assembly.folders import output_folder
from detect.assembly.given_labels import ignored_regions, labels_aside, read_labels
from detect.assembly.settings import given_path, names
from detect.assembly.sides import sides_of_model
from detect.assembly.trainer import patch_scores
from detect.evaluation.boxes import average_precision
from detect.evaluation.scene_validation import LOWEST
from detect.evaluation.scores import score_points
from detect.imagery.scenes import open_scene
from detect.inference.run import count_scene
from detect.labels.annotations import Annotations
from detect.labels.detections import Detections
from detect.labels.formats.detections_csv import read_detections
from detect.labels.formats.patch_folder import PatchFolder
from detect.labels.images import match_names
from detect.labels.reading import read_truth
from detect.labels.regions import area_outside, outside
from detect.nets.card import ModelCard
from detect.nets.heads.patch import PatchClassifier
from detect.nets.modelfile import Net, load_model
from detect.reporting.page.report_page import write_report
from detect.reporting.tables import read_counts
from detect.reporting.writing import write_json
from detect.samples.bare_patches import FolderDataset, PatchFiles, folder_outputs

logger = logging.getLogger("detect.evaluate")


def run(cfg: DictConfig) -> int:
    """Score detections against annotations and write `scores.json`; see `conf/evaluate.yaml`."""
    if (cfg.predictions is None) == (cfg.model is None):
        raise ValueError("give either predictions=DIR annotations=FILE, or model=FILE data.root=DIR")
    scores = _of_predictions(cfg) if cfg.predictions is not None else _of_model(cfg)
    folder = output_folder(
        Path(cfg.output),
        results=("model.safetensors",),
        allowed=False,
        way_out="its scores.json is the training run's: name another folder",
    )
    write_json(scores, folder / "scores.json")
    shown = (
        "f1",
        "precision",
        "recall",
        "count_mae",
        "count_bias_percent",
        "map50",
        "map",
        "accuracy",
        "balanced_accuracy",
        "macro_f1",
    )
    values = [f"{name} {scores[name]:.3f}" for name in shown if scores.get(name) is not None]
    logger.info("%s", "  ".join(values))
    if cfg.predictions is not None:
        logger.info("report: %s", write_report(Path(cfg.predictions), folder / "scores.json"))
    logger.info("wrote %s", folder / "scores.json")
    return DONE


def _of_predictions(cfg: DictConfig) -> dict[str, Any]:
    """Score the images that were both predicted and annotated; the others are named in the scores."""
    folder = given_path(cfg, "predictions", "folder of predictions")
    if cfg.annotations is None:
        raise ValueError("annotations must be given: annotations=FILE")
    if len(cfg.data.ignore_labels):
        raise ValueError("data.ignore_labels goes with model=FILE data.root=DIR, not with predictions=")
    truth = read_truth(given_path(cfg, "annotations", "annotations"), negative_labels=names(cfg.data.negative_labels))
    if not (folder / "counts.csv").is_file():
        raise FileNotFoundError(f"{folder} holds no counts.csv: is it a folder that detect.predict wrote?")
    counts = read_counts(folder / "counts.csv")
    found_classes = [name for name in counts.columns if name not in ("image", "total")]
    done = [str(name) for name in counts["image"]]
    pairs = match_names(done, list(truth))
    if not pairs:
        raise ValueError(
            f"no image of {folder} is annotated in {cfg.annotations}; {done[:3]} against {list(truth)[:3]}"
        )
    annotated = {name for key in pairs.values() for name in truth[key].names}
    _say_unknown(annotated - set(found_classes))
    every = sorted({*found_classes, *annotated})
    found = read_detections(folder / "detections.csv", every)
    empty = Detections.empty(every)
    kept = {image: found.get(image, empty) for image in pairs}
    wanted = {image: truth[key].with_classes(every) for image, key in pairs.items()}
    for image, regions in ignored_regions(cfg, list(pairs)).items():
        kept[image], wanted[image] = outside(kept[image], regions), outside(wanted[image], regions)
    scores = _score(cfg, kept, wanted, every)
    if _both_boxes(kept, wanted):
        kept, wanted = ({image: _as_boxes(each) for image, each in tables.items()} for tables in (kept, wanted))
        scores |= average_precision(kept, wanted, every)
    left = {"not_annotated": sorted(set(done) - set(pairs)), "not_predicted": sorted(set(truth) - set(pairs.values()))}
    for what, images in left.items():
        if images:
            logger.warning(
                "%d images are %s and not scored: %s", len(images), what.replace("_", " "), ", ".join(images[:5])
            )
    return {**scores, **left}


def _say_unknown(labels: set[str]) -> None:
    if labels:
        logger.warning("the model does not know the annotated classes %s and cannot find them as such", sorted(labels))


def _of_model(cfg: DictConfig) -> dict[str, Any]:
    net, card = load_model(Path(str(cfg.model)))
    labels_aside(cfg, card.training)
    labels = read_labels(cfg)
    if cfg.split not in ("train", "val", "test", "all"):
        raise ValueError(f"split must be train, val, test or all, got {cfg.split}")
    if isinstance(labels, PatchFolder):
        if not isinstance(net, PatchClassifier):
            raise ValueError(  # noqa: TRY004, a wrong use, not a wrong type
                f"{cfg.model} finds objects in images; it cannot classify a folder of patches"
            )
        return {**_patches(cfg, net, card, labels), "split": cfg.split}
    scores = _scenes(cfg, net, card, labels)
    return {**scores, "split": cfg.split}


def _patches(cfg: DictConfig, net: PatchClassifier, card: ModelCard, folder: PatchFolder) -> dict[str, Any]:
    chosen = np.flatnonzero([cfg.split in ("all", side or "train") for side in folder.split])
    if not len(chosen):
        raise ValueError(f"no patches of split={cfg.split} in {cfg.data.root}")
    outputs = folder_outputs(folder, card, names(cfg.data.negative_labels))[chosen]
    patches = FolderDataset([folder.paths[i] for i in chosen], outputs, PatchFiles(card))
    return patch_scores(net, card, patches, cfg)


def _scenes(cfg: DictConfig, net: Net, card: ModelCard, annotations: Annotations) -> dict[str, Any]:
    sides = sides_of_model(cfg, annotations, card.training)
    images = [image for image in annotations.images if cfg.split in ("all", sides[image.name])]
    if not images:
        raise ValueError(f"no image of split={cfg.split}; set data.test=[...] or a split column, or split=all")
    lowest = min(LOWEST, card.threshold) if card.boxes else card.threshold
    engine = make_engine(cfg, net, replace(card, threshold=lowest))
    every: dict[str, Detections] = {}
    found: dict[str, Detections] = {}
    for image in images:
        objects = outside(count_scene(open_scene(image.path), engine).detections, image.ignored)
        every[image.name], found[image.name] = objects, objects[objects.score >= card.threshold]
        logger.info("%s: %d found, %d annotated", image.name, len(found[image.name]), len(image.objects))
    truth = {image.name: outside(image.objects, image.ignored) for image in images}
    scores = _scored(cfg, found, truth, card.classes)
    megapixels = sum(area_outside(image.shape, image.ignored) for image in images) / 1e6
    alarms = round(scores["found"] * (1 - (scores["precision"] or 0.0)))
    scores["false_alarms_per_megapixel"] = alarms / megapixels if megapixels else None
    if card.boxes and annotations.boxes:
        scores |= average_precision(every, truth, sorted({*card.classes, *annotations.classes}))
    return scores


def _scored(
    cfg: DictConfig, found: Mapping[str, Detections], truth: Mapping[str, Detections], classes: Sequence[str]
) -> dict[str, Any]:
    annotated = {name for table in truth.values() for name in table.names}
    _say_unknown(annotated - set(classes))
    names = sorted({*classes, *annotated})
    return _score(
        cfg,
        {image: table.with_classes(names) for image, table in found.items()},
        {image: table.with_classes(names) for image, table in truth.items()},
        names,
    )


def _score(
    cfg: DictConfig, found: Mapping[str, Detections], truth: Mapping[str, Detections], names: Sequence[str]
) -> dict[str, Any]:
    """Score by distance or IoU; where both sides are boxes, also their overlaps."""
    boxes = _both_boxes(found, truth)
    if cfg.iou is not None and not boxes:
        raise ValueError(f"iou={cfg.iou} is for boxes on both sides, and there are points; leave it out, or set radius")
    iou = None if cfg.iou is None else float(cfg.iou)
    if not boxes:
        return score_points(found, truth, names, cfg.radius)
    found, truth = ({image: _as_boxes(table) for image, table in tables.items()} for tables in (found, truth))
    return score_points(found, truth, names, cfg.radius, iou)


def _both_boxes(found: Mapping[str, Detections], truth: Mapping[str, Detections]) -> bool:
    return all(table.wh is not None for tables in (found, truth) for table in tables.values() if len(table))


def _as_boxes(table: Detections) -> Detections:
    return Detections.empty(table.classes, boxes=True) if table.wh is None else table


main = command("evaluate")(run)

if __name__ == "__main__":
    main()

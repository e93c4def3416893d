"""Train: `python -m detect.train data.root=DIR data.annotations=FILE [output=DIR] ...`."""

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf

from detect import __version__, evaluate
from detect.assembly.command import DONE, SOME_FAILED, command, conf_folder
from detect.assembly.folders import output_folder, run_folder
from detect.assembly.given_labels import LABELS_ASIDE, read_labels
from detect.assembly.material import TrainingMaterial, training_material, weights_of
from detect.assembly.settings import names
from detect.assembly.trainer import (
    checkpoint_to_resume,
    classify,
    fit,
    load_best,
    make_module,
    make_trainer,
    tool_trainer,
    verdict,
)
from detect.assembly.validation import completed_card, hard_negatives, measured_halo, scene_validator
from detect.evaluation.scene_validation import SceneValidator
from detect.evaluation.scores import score_patches
from detect.labels.annotations import Annotations
from detect.labels.formats.patch_folder import PatchFolder
from detect.learning.overfit import Losses, learned, one_batch
from detect.nets.card import ModelCard
from detect.nets.heads.patch import PatchClassifier
from detect.nets.modelfile import Net, build_net, save_model
from detect.reporting.pictures.confusions import draw_confusion, draw_worst
from detect.reporting.pictures.curves import draw_curves
from detect.reporting.pictures.scene_errors import draw_scenes
from detect.reporting.writing import write_json, write_text
from detect.samples.loading import PatchData

logger = logging.getLogger("detect.train")


def run(cfg: DictConfig) -> int:
    """Train a network on labelled images and write the model; see `conf/train.yaml`."""
    if cfg.trainer.overfit:
        return _overfit(cfg)
    started = time.monotonic()
    cfg.output = str(run_folder(str(cfg.output)))
    folder = output_folder(
        Path(cfg.output),
        results=("checkpoints", "model.safetensors"),
        allowed=cfg.resume or cfg.overwrite,
        way_out="resume=true goes on with it, overwrite=true starts afresh, or name another folder",
    )
    pl.seed_everything(cfg.seed, verbose=False)
    labels = read_labels(cfg)
    job = training_material(cfg, labels)
    if cfg.trainer.test and not _has_test(labels, job):
        raise ValueError("trainer.test=true needs images for the test: data.test, data.fold, a split column or folder")
    net = build_net(job.card, weights_of(cfg), cfg.net.dropout, cfg.net.drop_path)
    card = completed_card(cfg, job, net)
    counter = scene_validator(cfg, job, card, net)
    module = make_module(cfg, net, job, counter)
    monitor = "val/f1" if counter else "val/balanced_accuracy"
    trainer, best = make_trainer(cfg, folder, monitor, job, hard_negatives(cfg, job, card, net))
    checkpoint = checkpoint_to_resume(cfg, folder)
    if checkpoint is None or not (folder / "config.yaml").exists():
        write_text(OmegaConf.to_yaml(cfg, resolve=True), folder / "config.yaml")
    fit(trainer, module, PatchData(job.task.train, job.task.val, job.loading), checkpoint)
    load_best(module, Path(best.best_model_path), cfg.runtime.device)
    if counter:
        card, scores = _scored_scenes(net, job, counter, folder)
    else:
        assert isinstance(net, PatchClassifier)
        scores = _scored_patches(net, job, cfg, folder)
    draw_confusion(scores["confusion"], folder / "validation" / "confusion.png")
    summary = _summary(cfg, job, scores)
    save_model(folder / "model.safetensors", net, replace(card, training=summary))
    told = {"split": "val", "notes": summary["notes"], "seconds": round(time.monotonic() - started, 1)}
    write_json({**scores, **told}, folder / "scores.json")
    draw_curves(folder / "metrics.csv", folder / "curves.png")
    logger.info("%s", verdict(card, scores))
    logger.info("wrote %s in %.1f minutes", folder / "model.safetensors", (time.monotonic() - started) / 60)
    return evaluate.run(_test_settings(cfg, folder)) if cfg.trainer.test else DONE


def _scored_scenes(
    net: Net, job: TrainingMaterial, counter: SceneValidator, folder: Path
) -> tuple[ModelCard, dict[str, Any]]:
    """Choose threshold and separation on the validation scenes, measure the halo, and draw what was found."""
    card, scores, found = counter.score(net)
    card = measured_halo(net, card, job)
    logger.info(
        "receptive field: %s pixels in theory; %s change the logits by %.1e at most",
        card.halo,
        card.halo_auto,
        card.halo_error or 0.0,
    )
    scenes = [(labelled.name, labelled.scene, counter.truth[labelled.name]) for labelled in counter.scenes]
    draw_scenes(folder / "validation", scenes, found, card.patch_size / 2, counter.settings.criterion)
    return card, scores


def _scored_patches(net: PatchClassifier, job: TrainingMaterial, cfg: DictConfig, folder: Path) -> dict[str, Any]:
    """Classify the validation patches, and draw the worst."""
    classified = classify(net, job.card, job.task.val, cfg)
    draw_worst(folder / "validation" / "worst.jpg", job.task.val, *classified, job.card.outputs)
    return score_patches(*classified, job.card.outputs)


def _summary(cfg: DictConfig, job: TrainingMaterial, scores: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a model remembers of its training."""
    return {
        "version": __version__,
        "objects": job.task.outputs,
        "sizes": None if job.task.sizes is None else asdict(job.task.sizes),
        "notes": [*job.task.notes, *job.task.warnings],
        **job.sides,
        **{name: names(cfg.data[name]) for name in LABELS_ASIDE},
        "fold": None if cfg.data.fold is None else str(cfg.data.fold),
        "seed": int(cfg.seed),
        "validation": scores,
    }


def _overfit(cfg: DictConfig) -> int:
    """Learn one batch by heart and say whether that went; see `conf/trainer/overfit.yaml`."""
    cfg.net.dropout = cfg.finetune.label_smoothing = cfg.finetune.weight_decay = cfg.finetune.unfreeze_at = 0.0
    cfg.trainer.max_epochs = cfg.trainer.overfit
    cfg.augment.transforms = {}
    for name in ("superimpose", "background", "mixup", "cutmix"):
        cfg.augment[name].p = 0.0
    pl.seed_everything(cfg.seed, verbose=False)
    job = training_material(cfg, read_labels(cfg))
    net = build_net(job.card, weights_of(cfg), cfg.net.dropout)
    completed_card(cfg, job, net)
    module = make_module(cfg, net, job, None)
    noted = Losses()
    tool_trainer(cfg, None, noted).fit(module, one_batch(job.task, job.loading))
    losses = noted.values
    good = learned(losses)
    logger.info(
        "one batch of %d: loss %.4f at the start, %.4f at the end: %s",
        job.loading.batch_size,
        losses[0],
        losses[-1],
        "learned" if good else "NOT learned; more steps (trainer.overfit), or look at labels, rates and layers",
    )
    return DONE if good else SOME_FAILED


def _test_settings(cfg: DictConfig, folder: Path) -> DictConfig:
    """Give the settings with which `detect.evaluate` scores the model on its test images."""
    made = OmegaConf.load(conf_folder() / "evaluate.yaml")
    assert isinstance(made, DictConfig)
    for other in ("defaults", "hydra"):
        del made[other]
    own = {"data": {**cfg.data, "val": [], "test": [], "fold": None}, "runtime": cfg.runtime, "split": "test"}
    own |= {"model": str(folder / "model.safetensors"), "output": str(folder / "test")}
    return OmegaConf.merge(made, own, {"radius": cfg.data.match_radius, "iou": cfg.data.match_iou})  # type: ignore[return-value]


def _has_test(labels: Annotations | PatchFolder, job: TrainingMaterial) -> bool:
    return "test" in labels.split if isinstance(labels, PatchFolder) else bool(job.sides["test"])


main = command("train")(run)

if __name__ == "__main__":
    main()

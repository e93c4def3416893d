"""Train: `python -m detect.train data.root=DIR data.annotations=FILE [output=DIR] ...`."""

import logging
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf

from detect import __version__, jobs, setup
from detect.launch import DONE, command, output_folder
from detect.learning import PatchData
from detect.nets import PatchClassifier, build_net, save_model
from detect.reporting import write_json, write_text
from detect.reporting.training import draw_curves, draw_scenes

logger = logging.getLogger("detect.train")


def run(cfg: DictConfig) -> int:
    """Train a network on labelled images and write the model; see `conf/train.yaml`."""
    started = time.monotonic()
    folder = output_folder(
        Path(str(cfg.output)), results=("checkpoints", "model.safetensors"), allowed=cfg.resume or cfg.overwrite,
        way_out="resume=true goes on with it, overwrite=true starts afresh, or name another folder",
    )  # fmt: skip
    pl.seed_everything(cfg.seed, verbose=False)
    labels = jobs.read_labels(cfg)
    job = jobs.training_job(cfg, labels)
    net = build_net(job.card, setup.weights_of(cfg), cfg.net.dropout, cfg.net.drop_path)
    card = jobs.completed_card(cfg, job, net)
    counter = jobs.scene_counter(cfg, job, card, net)
    module = setup.make_module(cfg, net, job, counter)
    checkpoint = setup.checkpoint_to_resume(cfg, folder)
    write_text(OmegaConf.to_yaml(cfg, resolve=True), folder / "config.yaml")
    monitor = "val/f1" if counter else "val/balanced_accuracy"
    trainer, best = setup.trainer(cfg, folder, monitor, job, jobs.hard_negatives(cfg, job, card, net))
    setup.fit(trainer, module, PatchData(job.task.train, job.task.val, job.loading), checkpoint)
    setup.load_best(module, Path(best.best_model_path), cfg.runtime.device)
    scores: dict[str, Any]
    if counter:
        card, scores, found = counter.score(net)
        card = jobs.measured_halo(net, card, job)
        logger.info(
            "receptive field: %s pixels in theory; %s change the logits by %.1e at most",
            card.halo, card.halo_auto, card.halo_error or 0.0,
        )  # fmt: skip
        scenes = [(labelled.name, labelled.scene, counter.truth[labelled.name]) for labelled in counter.scenes]
        draw_scenes(folder / "validation", scenes, found, card.patch_size / 2, counter.settings.criterion)
    else:
        assert isinstance(net, PatchClassifier)
        scores = setup.patch_scores(net, card, job.task.val, cfg)
    notes = [*job.task.notes, *job.task.warnings]
    summary = {
        "version": __version__,
        "objects": job.task.outputs,
        "sizes": None if job.task.sizes is None else asdict(job.task.sizes),
        "notes": notes,
        "val": [] if job.split is None else [labelled.name for labelled in job.split.val],
        "seed": int(cfg.seed),
        "validation": scores,
    }
    save_model(folder / "model.safetensors", net, replace(card, training=summary))
    write_json(
        {**scores, "split": "val", "notes": notes, "seconds": round(time.monotonic() - started, 1)},
        folder / "scores.json",
    )
    draw_curves(folder / "metrics.csv", folder / "curves.png")
    logger.info("%s", setup.verdict(card, scores))
    logger.info("wrote %s in %.1f minutes", folder / "model.safetensors", (time.monotonic() - started) / 60)
    return DONE


main = command("train")(run)

if __name__ == "__main__":
    main()

"""The whole training loop beside the bare network, side by side in one run.

    python tools/bench_training.py [--net grid|patch] [--rounds 3] [--json FILE] [overrides of conf/train.yaml ...]

- `bare`: forward, loss and backward of the default network on one batch that is held in memory, nothing read, cut,
  augmented, logged or stepped.
- `loop`: `detect.train`'s own loop, Lightning, data module and optimiser included, validation and checkpoints left out:
  crops or patches cut from photographs of noise (made for this run) and augmented as the configuration says.

In a round each part runs once; rates are the medians of the rounds, in samples a second. The first epoch of the loop
and the first steps of the bare network are not timed.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from PIL import Image
from torch import Tensor

from detect.assembly.command import conf_folder, keep_freed_memory
from detect.assembly.given_labels import read_labels
from detect.assembly.material import TrainingMaterial, training_material, weights_of
from detect.assembly.trainer import make_module, precision
from detect.learning.module import CountingModule
from detect.nets.modelfile import build_net
from detect.reporting.writing import write_json
from detect.samples.loading import PatchData

SIDE, OBJECTS, IMAGES = 2048, 60, 3
SAMPLES = {"grid": 40, "patch": 320}
"""Samples of an epoch of the loop."""


def photographs(folder: Path) -> Path:
    """Write photographs of noise, and a table of points in them."""
    rng = np.random.default_rng(0)
    rows = ["image,x,y,label"]
    for i in range(IMAGES):
        Image.fromarray(rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8)).save(folder / f"{i}.png", compress_level=1)
        rows += [f"{i}.png,{x:.1f},{y:.1f},thing" for x, y in rng.uniform(100, SIDE - 100, (OBJECTS, 2))]
    table = folder / "points.csv"
    table.write_text("\n".join(rows) + "\n")
    return table


class EpochClock(pl.Callback):
    """Notes when the batches of an epoch begin and end."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._start = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start."""
        self._start = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop."""
        self.seconds.append(time.perf_counter() - self._start)


def settings(net: str, folder: Path, overrides: list[str]) -> DictConfig:
    """Compose what a user gets who names nothing but the data."""
    wanted = [f"net={net}", f"data.root={folder}", f"data.annotations={photographs(folder)}", "data.mining.at=[]"]
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return compose("train", [*wanted, f"data.sampling.samples={SAMPLES[net]}", *overrides])


def loop_rate(cfg: DictConfig, job: TrainingMaterial, rounds: int) -> list[float]:
    """Train an epoch to warm up and one for each round; give samples a second."""
    module = fresh(cfg, job)
    clock = EpochClock()
    trainer = pl.Trainer(
        max_epochs=rounds + 1,
        accelerator=cfg.trainer.accelerator,
        devices=1,
        callbacks=[clock],
        logger=False,
        precision=precision(cfg.trainer.precision, cfg.trainer.accelerator),  # type: ignore[arg-type]
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        gradient_clip_val=cfg.trainer.gradient_clip_val,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
    )
    trainer.fit(module, PatchData(job.samples.epoch, material.samples.val, job.loading))
    samples = cfg.data.sampling.samples // cfg.data.loading.batch_size * cfg.data.loading.batch_size
    return [samples / seconds for seconds in clock.seconds[1:]]


def fresh(cfg: DictConfig, job: TrainingMaterial) -> CountingModule:
    """Make the module that trains, with new layers."""
    return make_module(cfg, build_net(job.card, weights_of(cfg), cfg.net.dropout), job, None)


def bare_rate(cfg: DictConfig, job: TrainingMaterial) -> float:
    """Run forward, loss and backward on one resident batch for about an epoch's samples; give samples a second."""
    module = fresh(cfg, job)
    module.trainer = pl.Trainer(max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    module.log = lambda *_, **__: None  # type: ignore[method-assign]
    module.train()
    module.layers.set(0)
    batch: Any = next(iter(PatchData(job.samples.epoch, material.samples.val, job.loading).train_dataloader()))
    steps = cfg.data.sampling.samples // cfg.data.loading.batch_size
    started = time.perf_counter()
    for step in range(steps + 2):
        if step == 2:
            started = time.perf_counter()
        loss = module.training_step(batch, step)
        assert isinstance(loss, Tensor)
        loss.backward()
        module.zero_grad()
    return steps * cfg.data.loading.batch_size / (time.perf_counter() - started)


def main() -> None:
    """Measure, and print rates and ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", choices=("grid", "patch"), default="grid")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    known, overrides = parser.parse_known_args()
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        cfg = settings(known.net, Path(folder), overrides)
        job = training_material(cfg, read_labels(cfg))
        pairs = [(loop_rate(cfg, job, 1)[0], bare_rate(cfg, job)) for _ in range(known.rounds)]
    loop, bare = (median(pair[i] for pair in pairs) for i in (0, 1))
    print(f"net={known.net}, {torch.get_num_threads()} threads, batches of {cfg.data.loading.batch_size}")
    print(f"loop {loop:.2f} samples/s, bare {bare:.2f} samples/s, ratio {loop / bare:.2f}")
    if known.json:
        write_json({"net": known.net, "loop": loop, "bare": bare, "ratio": loop / bare, "rounds": pairs}, known.json)


if __name__ == "__main__":
    main()

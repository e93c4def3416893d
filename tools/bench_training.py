"""The whole training loop beside the bare network, side by side in one run.

    python tools/bench_training.py [--net grid|patch] [--rounds 3] [--json FILE] [overrides of conf/train.yaml ...]

- `bare`: forward, loss and backward of the default network on one batch that is held in memory, in 32 bits, nothing
  read, cut, augmented, logged or stepped.
- `loop`: `detect.train`'s own loop, Lightning, data module and optimiser included, validation and checkpoints left out:
  crops or patches cut from photographs of noise (made for this run) and augmented as the configuration says.

In a round each part runs once; rates are the medians of the rounds, in samples a second. The first epoch of the loop
and the first steps of the bare network are not timed.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from PIL import Image
from torch import Tensor

from detect.assembly.command import conf_folder, keep_freed_memory
from detect.assembly.gate import checked
from detect.assembly.given_labels import read_labels
from detect.assembly.heads.choice import head_builder
from detect.assembly.settings.train_settings import TrainSettings
from detect.assembly.training.learned_scenes import weights_of
from detect.assembly.training.material import TrainingMaterial, training_material
from detect.assembly.training.trainer import tool_trainer
from detect.learning.module import CountingModule
from detect.nets.modelfile import build_pretrained
from detect.reporting.writing import write_json
from detect.samples.loading import PatchData

SIDE, OBJECTS, IMAGES = 2048, 60, 3
SAMPLES = {"grid": 40, "patch": 80}
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


def settings_of(net: str, folder: Path, overrides: list[str]) -> TrainSettings:
    """Return what a user gets who names nothing but the data."""
    wanted = [f"net={net}", f"data.root={folder}", f"data.annotations={photographs(folder)}", "data.mining.at=[]"]
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        cfg = compose("train", [*wanted, f"data.sampling.samples={SAMPLES[net]}", *overrides])
    return checked(cfg, TrainSettings)


def loop_rate(settings: TrainSettings, material: TrainingMaterial) -> float:
    """Train an epoch to warm up and one that is timed; return samples a second."""
    module = fresh(settings, material)
    clock = EpochClock()
    trainer = tool_trainer(replace(settings, trainer=replace(settings.trainer, max_epochs=2)), None, clock)
    trainer.fit(module, PatchData(material.samples.epoch, material.samples.val, material.loading))
    size = material.loading.batch_size
    return settings.data.sampling.samples // size * size / clock.seconds[1]


def fresh(settings: TrainSettings, material: TrainingMaterial) -> CountingModule:
    """Make the module that trains, with new layers."""
    net = build_pretrained(material.spec, weights_of(settings), settings.net.dropout, settings.net.drop_path)
    return head_builder(settings.net).module(settings, net, material, None)


def bare_rate(settings: TrainSettings, material: TrainingMaterial) -> float:
    """Run forward, loss and backward on one resident batch for about an epoch's samples; return samples a second."""
    module = fresh(settings, material)
    module.trainer = pl.Trainer(max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    module.log = lambda *_, **__: None  # type: ignore[method-assign]
    module.train()
    module.layers.set(0)
    data = PatchData(material.samples.epoch, material.samples.val, material.loading)
    batch: Any = next(iter(data.train_dataloader()))
    size = material.loading.batch_size
    steps = settings.data.sampling.samples // size
    started = time.perf_counter()
    for step in range(steps + 2):
        if step == 2:
            started = time.perf_counter()
        loss = module.training_step(batch, step)
        assert isinstance(loss, Tensor)
        loss.backward()
        module.zero_grad()
    return steps * size / (time.perf_counter() - started)


def main() -> None:
    """Measure, and print rates and ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", choices=("grid", "patch"), default="grid")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    known, overrides = parser.parse_known_args()
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_of(known.net, Path(folder), overrides)
        material = training_material(settings, read_labels(settings.data))
        pairs = [(loop_rate(settings, material), bare_rate(settings, material)) for _ in range(known.rounds)]
    loop, bare = (median(pair[i] for pair in pairs) for i in (0, 1))
    print(f"net={known.net}, {torch.get_num_threads()} threads, batches of {material.loading.batch_size}")
    print(f"loop {loop:.2f} samples/s, bare {bare:.2f} samples/s, ratio {loop / bare:.2f}")
    if known.json:
        write_json({"net": known.net, "loop": loop, "bare": bare, "ratio": loop / bare, "rounds": pairs}, known.json)


if __name__ == "__main__":
    main()

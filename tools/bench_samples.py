"""What the loader of a training delivers without a network: samples a second, and what one costs of a core.

    python tools/bench_samples.py [--nets grid patch] [--workers 0 2] [--epochs 3] [--json FILE] [overrides ...]

Samples are cut from photographs of noise (made for this run), or from those that overrides name (`data.root=...`
`data.annotations=...`), and varied as the settings say. The first epoch is not counted: it starts the
processes.
The time of a core is that of all processes, their start left out where there is one process; on a machine that does
other things too it is what to compare.
"""

import argparse
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from bench_training import settings_of

from detect.assembly.command import keep_freed_memory
from detect.assembly.given_labels import read_labels
from detect.assembly.training.material import TrainingMaterial, training_material
from detect.reporting.writing import write_json
from detect.samples.loading import PatchData


class Clockwork:
    """Stands for a trainer on one processor, in an epoch."""

    num_devices, world_size, global_rank = 1, 1, 0
    strategy = type("Strategy", (), {"root_device": torch.device("cpu")})()

    def __init__(self) -> None:
        self.current_epoch = 0


def cpu_seconds() -> float:
    """Return the processor time of this process, and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def delivered(material: TrainingMaterial, workers: int, epochs: int) -> dict[str, float]:
    """Load an epoch that is not counted and some that are; return samples a second and milliseconds of a core."""
    data: Any = PatchData(material.samples.epoch, material.samples.val, replace(material.loading, workers=workers))
    data.trainer = Clockwork()
    began, started, number, all_of_them = cpu_seconds(), 0.0, 0, 0
    cpu_started = began
    for epoch in range(epochs + 1):
        if epoch == 1:
            started, cpu_started = time.perf_counter(), cpu_seconds()
        data.trainer.current_epoch = epoch
        for batch in data.train_dataloader():
            all_of_them += len(batch[0])
            number += len(batch[0]) if epoch else 0
    seconds = time.perf_counter() - started
    data.teardown("fit")
    cpu = (cpu_seconds() - began) / all_of_them if workers else (cpu_seconds() - cpu_started) / number
    return {"samples_per_s": number / seconds, "cpu_ms_per_sample": 1000 * cpu}


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", nargs="+", choices=("grid", "patch"), default=["grid", "patch"])
    parser.add_argument("--workers", nargs="+", type=int, default=[0, 2])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    known, overrides = parser.parse_known_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    found: dict[str, dict[str, dict[str, float]]] = {"training": {}}
    for net in known.nets:
        with tempfile.TemporaryDirectory() as folder:
            settings = settings_of(net, Path(folder), overrides)
            material = training_material(settings, read_labels(settings.data))
            for workers in known.workers:
                rates = delivered(material, workers, known.epochs)
                found["training"][f"{net}, {workers} workers"] = rates
                print(
                    f"net={net} workers={workers}: {rates['samples_per_s']:.1f} samples/s, "
                    f"{rates['cpu_ms_per_sample']:.2f} ms of a core each",
                    flush=True,
                )
    if known.json:
        write_json(found, known.json)


if __name__ == "__main__":
    main()

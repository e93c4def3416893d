"""Law 7 for trainings: kill small ones at random moments, resume them until they are done, and compare what they wrote.

    python tools/kill_training.py [--kills 20] [--seed 0] [--folder DIR] [--only NAME ...]

Of each variant (both heads; with averaged weights, mining, late layers, early stopping) one training runs undisturbed;
others of the same settings get SIGKILL at moments spread over its time, and go on with `resume=true`. Model, scores but
for the seconds, and metrics must be the same to the last byte. Prints a table; exit code 1 where something differs. The
trainings are forks of this process, which has imported everything, so that a kill costs seconds: for Linux and macOS.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

SIDE, IMAGES, OBJECTS = 192, 4, 8

SAME = ("model.safetensors", "scores.json", "metrics.csv", "config.yaml")
"""The files that must be the same; the folder's name and the seconds in them aside."""

COMMON = (
    "net.backbone=lenet5",
    "net.weights=none",
    "net.stride=4",
    "finetune=scratch",
    "data.sampling.samples=32",
    "data.loading.batch_size=8",
    "trainer.accelerator=cpu",
    "trainer.precision=32",
    "trainer.max_epochs=6",
    "augment=heavy",
)

PATCH = ("net=patch", "net.patch_size=32", "net.margin=16", "net.dropout=0.3", "data.sampling.crop=64")
GRID = ("net=grid", "net.deepest=4", "net.dropout=0.3", "data.sampling.crop=96")
AVERAGED = ("trainer.ema=0.7", "finetune.score_every=2", "finetune.unfreeze_at=0.3")

VARIANTS = {
    "patch": PATCH,
    "patch, averaged, pasted": (*PATCH, *AVERAGED, "augment.superimpose.p=0.5", "data.mining.at=[]"),
    "patch, stops early": (*PATCH, "trainer.patience=1", "data.mining.at=[0.2]"),
    "grid": GRID,
    "grid, averaged": (*GRID, *AVERAGED, "data.mining.at=[0.2,0.5]", "data.mining.score=0.02"),
    "grid, pasted, stops early": (*GRID, "augment.superimpose.p=0.5", "net.object_size=14", "trainer.patience=2"),
}
"""Settings of trainings by name, beside `COMMON`."""


@dataclass
class Outcome:
    """What became of a variant: the epochs that were done at each kill, and the files that differ."""

    seconds: float
    kills: Counter[int] = field(default_factory=Counter)
    compared: int = 0
    different: list[str] = field(default_factory=list)


def write_images(folder: Path) -> None:
    """Write images of noise with discs of two colours, and their points: two images train, one validates."""
    from PIL import Image

    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    rows = ["image,x,y,label,split"]
    row, col = np.mgrid[:SIDE, :SIDE] + 0.5
    for number, side in enumerate(("train", "train", "val", "test")):
        pixels = rng.normal(90, 25, (SIDE, SIDE, 3))
        cells = rng.permutation(16)[:OBJECTS]
        for at, cell in enumerate(cells):
            x, y = 24 + 48 * (cell % 4) + rng.integers(-8, 9), 24 + 48 * (cell // 4) + rng.integers(-8, 9)
            pixels[(col - x) ** 2 + (row - y) ** 2 < 49] = (190, 160, 90) if at % 2 else (90, 130, 190)
            rows.append(f"{number}.png,{x},{y},{'warm' if at % 2 else 'cold'},{side}")
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    (folder / "points.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def start(settings: list[str], log: Path) -> int:
    """Start `detect.train` in a fork of this process and return the fork's number."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(target, 1)
        os.dup2(target, 2)
        sys.argv = ["detect.train", *settings]
        from detect.train import main

        main()
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def ended(pid: int) -> int:
    """Wait for a fork, and return its exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def epochs_done(output: Path) -> int:
    """Return how many epochs are in a folder's state; -1 where there is none."""
    from detect.learning.run_file import read_run_facts

    last = output / "checkpoints/last.ckpt"
    return int(read_run_facts(last)["epochs"]) if last.exists() else -1


def contents(output: Path) -> dict[str, bytes]:
    """Return the bytes of the files that must be the same."""
    found = {name: (output / name).read_bytes() for name in SAME}
    scores = json.loads(found["scores.json"])
    found["scores.json"] = json.dumps({k: v for k, v in scores.items() if k != "seconds"}).encode()
    found["config.yaml"] = found["config.yaml"].replace(str(output).encode(), b"")
    return found


def run_variant(settings: list[str], folder: Path, kills: int, rng: np.random.Generator) -> Outcome:
    """Train undisturbed, then again and again with kills, until there were so many; compare each that ends.

    Args:
        settings: without the output.
        folder: takes the outputs and a log.
        kills: number of them.
        rng: draws the moments, spread over the time of an undisturbed training.
    """
    log = folder / "log"
    begun = time.monotonic()
    if ended(start([*settings, f"output={folder / 'whole'}"], log)):
        raise SystemExit(f"the training failed:\n{log.read_text()}")
    outcome = Outcome(time.monotonic() - begun)
    wanted = contents(folder / "whole")
    output = folder / "0"
    moments = (rng.permutation(kills) + rng.random(kills)) / max(1, kills) * outcome.seconds
    while sum(outcome.kills.values()) < kills or output.exists():
        pid = start([*settings, f"output={output}", "resume=true"], log)
        if (done := sum(outcome.kills.values())) < kills:
            time.sleep(float(moments[done]))
            os.kill(pid, signal.SIGKILL)
        code = ended(pid)
        if code == -signal.SIGKILL:
            outcome.kills[epochs_done(output)] += 1
            continue
        if code:
            raise SystemExit(f"a resumed training failed:\n{log.read_text()}")
        found = contents(output)
        outcome.compared += 1
        outcome.different += [f"{output.name}/{name}" for name in SAME if found[name] != wanted[name]]
        output = folder / str(outcome.compared)
    return outcome


def main() -> int:
    """Run every variant, print the table, and return 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="kills in all, spread over the variants")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--folder", type=Path, help="keeps the trainings; default: a temporary folder, removed")
    parser.add_argument("--only", nargs="+", default=list(VARIANTS), choices=list(VARIANTS), help="variants")
    given = parser.parse_args()

    import torch

    import detect.assembly.evaluation.evaluating_model
    import detect.assembly.material
    import detect.assembly.training.finishing
    import detect.assembly.training.fitting
    import detect.assembly.training.trainer
    import detect.train  # noqa: F401

    torch.set_num_threads(1)
    rng = np.random.default_rng(given.seed)
    outcomes = {}
    with tempfile.TemporaryDirectory() as temporary:
        root = given.folder or Path(temporary)
        write_images(root / "images")
        data = [f"data.root={root / 'images'}", f"data.annotations={root / 'images/points.csv'}"]
        for number, name in enumerate(given.only):
            share = given.kills * (number + 1) // len(given.only) - given.kills * number // len(given.only)
            (root / f"variant{number}").mkdir()
            settings = [*data, *COMMON, *VARIANTS[name]]
            outcomes[name] = run_variant(settings, root / f"variant{number}", share, rng)
            print(line(name, outcomes[name]), flush=True)
    return int(any(each.different for each in outcomes.values()))


def line(name: str, outcome: Outcome) -> str:
    """Return a row of the table."""
    moments = ", ".join(f"{n} after epoch {epochs}" for epochs, n in sorted(outcome.kills.items()) if epochs > 0)
    early = sum(n for epochs, n in outcome.kills.items() if epochs <= 0)
    result = ", ".join(outcome.different) or "same bytes"
    return (
        f"{name:27} {outcome.seconds:5.1f} s undisturbed, {sum(outcome.kills.values())} kills "
        f"({early} before the first epoch's end; {moments or 'none later'}), {outcome.compared} compared: {result}"
    )


if __name__ == "__main__":
    sys.exit(main())

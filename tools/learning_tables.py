"""Tables of what helps when labels are few or unequal: transfer regimes, augmentation, imbalance; three seeds each.

    python tools/learning_tables.py --root DIR --into runs/tables

`--root` is a folder of patches with `train`, `valid` and `test`. Every cell trains on (a part of) `train`, chooses its
epoch on `valid`, and is scored on `test`: mean and standard deviation over the seeds, which also draw the part.

- `regimes`: finetune = scratch, frozen, top, full x 360, 120 and 60 training patches.
- `augment`: augment = none, light, heavy, all patches.
- `imbalance`: classes thinned to a row from all patches down to a twentieth; what makes up for it, one thing at a time.

All cells are short trainings of about the same number of steps, so that they tell the number of patches from the length
of the training; what needs long trainings to pay (new weights, heavy augmentation) does better in longer ones.

Runs that are done with the same settings are not repeated, so that a stopped command goes on where it was; name another
`--into` for another set, or when the recipes in `conf/` changed.
"""

import argparse
import json
import shutil
import subprocess
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BACKGROUND = "backgrounds"
SIZES = (360, 120, 60)
EPOCHS = {360: 8, 120: 25, 60: 58}
"""About 175 steps of 16 patches each, whatever the number of patches: a short training."""

RATIO = 20
BASE = [
    "net.stride=32",
    "net.margin=0",
    "net.dropout=0.3",
    f"data.labels.negative=[{BACKGROUND}]",
    "finetune.weight_decay=0.05",
    "finetune.label_smoothing=0.1",
    "trainer.patience=1000",
]
REGIMES = {
    "scratch": ["finetune=scratch"],
    "frozen": ["finetune=frozen"],
    "top": ["finetune=top"],
    "full": ["finetune=full"],
}
BALANCES = {
    "nothing": [],
    "balanced sampling 0.5 (default)": ["data.sampling.balance=0.5"],
    "balanced sampling 1": ["data.sampling.balance=1"],
    "effective number 0.99": ["net.loss.classes.effective=0.99"],
    "focal, gamma 2": ["net.loss.classes.focal=2"],
    "logit adjustment, tau 1": ["net.loss.classes.adjust=1"],
}
SCORES = ("macro_f1", "balanced_accuracy")


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its row and column, how many patches of each class train, and the settings."""

    row: str
    column: str
    thinned: tuple[float, ...]
    settings: tuple[str, ...]


def cells(table: str, classes: int, held: int) -> list[Cell]:
    """Return the cells of a table for a set of `held` training patches."""
    if table == "regimes":
        return [
            Cell(regime, f"{size} patches", (size / held,) * classes, (*settings, epochs(size)))
            for regime, settings in REGIMES.items()
            for size in SIZES
        ]
    if table == "augment":
        return [
            Cell(f"augment={name}", "all patches", (1.0,) * classes, (f"augment={name}", epochs(360)))
            for name in ("none", "light", "heavy")
        ]
    shares = tuple(float(share) for share in np.geomspace(1, 1 / RATIO, classes))
    off = ["data.sampling.balance=0"]
    return [
        Cell(name, f"1:{RATIO}", shares, (*(off if "sampling" not in name else []), *settings, epochs(120)))
        for name, settings in BALANCES.items()
    ]


def epochs(size: int) -> str:
    """Return the setting of how long to train: fewer patches, more epochs."""
    return f"trainer.max_epochs={EPOCHS[size]}"


def thinned(root: Path, shares: tuple[float, ...], seed: int, into: Path) -> Path:
    """Copy the set with a share of each class's training patches, drawn by the seed; at least two of each."""
    mark = zlib.crc32(str(root.resolve()).encode())
    folder = into / ("-".join(f"{share:.3f}" for share in shares) + f"-seed{seed}-{mark:08x}")
    if folder.exists():
        return folder
    rng = np.random.default_rng(seed)
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    names = sorted(each.name for each in (root / "train").iterdir() if each.is_dir())
    for name, share in zip(names, shares, strict=True):
        files = sorted((root / "train" / name).iterdir())
        kept = rng.choice(len(files), size=max(2, round(share * len(files))), replace=False)
        (part / "train" / name).mkdir(parents=True)
        for i in kept:
            shutil.copy(files[i], part / "train" / name)
    for side in ("valid", "test"):
        shutil.copytree(root / side, part / side)
    part.rename(folder)
    return folder


def run(cell: Cell, root: Path, seed: int, folder: Path) -> dict[str, float]:
    """Train and score one cell with one seed, unless that is done."""
    scores, settings = folder / "test" / "scores.json", folder / "settings.json"
    data = thinned(root, cell.thinned, seed, folder.parents[2] / "data")
    train = [*BASE, f"data.root={data}", *cell.settings, f"seed={seed}", f"output={folder}", "overwrite=true"]
    if not (scores.exists() and settings.exists() and json.loads(settings.read_text()) == train):
        scores.unlink(missing_ok=True)
        test = [f"model={folder / 'model.safetensors'}", f"data.root={data}", "split=test"]
        for command, arguments in (("train", train), ("evaluate", [*test, f"output={folder / 'test'}"])):
            done = subprocess.run(
                [sys.executable, "-m", f"detect.{command}", *arguments], check=False, capture_output=True, text=True
            )
            if done.returncode:
                raise SystemExit(f"detect.{command} {' '.join(arguments)}\n{done.stderr}")
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        settings.write_text(json.dumps(train))
    found = json.loads(scores.read_text())
    return {name: float(found[name]) for name in SCORES}


def show(table: str, rows: list[str], columns: list[str], found: dict[tuple[str, str], list[dict[str, float]]]) -> None:
    """Print a table for each score: mean and standard deviation over the seeds."""
    for score in SCORES:
        print(f"\n{table}: {score.replace('_', ' ')} on the test patches\n")
        print("| | " + " | ".join(columns) + " |")
        print("|---|" + "---|" * len(columns))
        for row in rows:
            shown = []
            for column in columns:
                values = np.array([each[score] for each in found[row, column]])
                spread = f" ± {values.std(ddof=1):.3f}" if len(values) > 1 else ""
                shown.append(f"{values.mean():.3f}{spread}")
            print(f"| {row} | " + " | ".join(shown) + " |", flush=True)


def main() -> None:
    """Train what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--tables", default="regimes,augment,imbalance")
    parser.add_argument("--seeds", default="0,1,2")
    known = parser.parse_args()
    names = [each for each in (known.root / "train").iterdir() if each.is_dir()]
    held = sum(1 for each in names for _ in each.iterdir())
    if held < max(SIZES):
        parser.error(f"{known.root}/train holds {held} patches; the tables need {max(SIZES)} or more")
    seeds = [int(seed) for seed in known.seeds.split(",")]
    for table in known.tables.split(","):
        wanted = cells(table, len(names), held)
        found: dict[tuple[str, str], list[dict[str, float]]] = {}
        for seed in seeds:
            for cell in wanted:
                place = "".join(c if c.isalnum() else "_" for c in f"{cell.row}-{cell.column}")
                scores = run(cell, known.root, seed, known.into.resolve() / table / place / f"seed{seed}")
                found.setdefault((cell.row, cell.column), []).append(scores)
                print(table, cell.row, cell.column, "seed", seed, scores, file=sys.stderr, flush=True)
        rows, columns = (list(dict.fromkeys(getattr(cell, name) for cell in wanted)) for name in ("row", "column"))
        show(table, rows, columns, found)


if __name__ == "__main__":
    main()

"""How well a classifier tells what it has never seen: each class is left out of a training in turn, and is then judged.

    python tools/leave_out_patterns.py --root DIR --labels FILE --into runs/unknown [--classes scratch,ring]
        [--seeds 0,1] [NAME=VALUE ...]

`--labels` is a table (CSV) with columns image, label and split; settings of `detect.train` that are given are those of
every training, such as `experiment=wafers`. Of each class a model learns from the images of the others alone, chooses
its threshold on those of them that validate, and is shown these and all images of the class. So the rate of those that
are wrongly told to be unknown is of the images on which the threshold was chosen, and the rest is of images that
nothing was chosen on.

Printed and written to `unknown.csv` in `--into` is a row a class and seed: the area under the ROC by which the highest
probability tells the known from the others, the share of either that is told to be unknown at the model's threshold,
and the share of the others that pass where 95 % of the known do. Runs that are done are not repeated.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from detect.imagery.files import replace_file

COLUMNS = ("image", "label", "split")
"""What the table of labels must have."""

VALIDATES = "val"
"""The side of the split whose images are judged."""


def main() -> None:
    """Train, judge and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder of the images")
    parser.add_argument("--labels", type=Path, required=True, help="table of their classes")
    parser.add_argument("--into", type=Path, required=True, help="folder for the runs and the table")
    parser.add_argument("--classes", default="", help="classes to leave out, with commas; all by default")
    parser.add_argument("--seeds", default="0", help="seeds, with commas")
    parser.add_argument("settings", nargs="*", help="settings of every training")
    given = parser.parse_args()
    labels = read_labels(given.labels)
    classes = given.classes.split(",") if given.classes else sorted(set(labels["label"]))
    wrong = sorted(set(classes) - set(labels["label"]))
    if wrong:
        parser.error(f"--classes: {wrong[0]!r} is no label of {given.labels}")
    rows = []
    for name in classes:
        for seed in given.seeds.split(","):
            folder = given.into / f"{classes.index(name) + 1}_{seed}"
            told = judge(given.root, labels, name, folder, [f"seed={seed}", *given.settings])
            rows.append({"left_out": name, "seed": seed, **told})
            print(pd.DataFrame(rows).to_string(index=False), flush=True)
            with replace_file(given.into / "unknown.csv") as part:
                pd.DataFrame(rows).to_csv(part, index=False)


def read_labels(path: Path) -> pd.DataFrame:
    """Read the table of labels, every cell as text.

    Raises:
        SystemExit: a column is missing.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise SystemExit(f"{path}: needs the columns {', '.join(COLUMNS)}; {missing[0]} is missing")
    return table


def parts_of(labels: pd.DataFrame, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables that a model learns from, and is judged by: the second has the class that is left out.

    Args:
        labels: image, label and split.
        name: of the class.
    """
    known = labels[labels["label"] != name]
    strange = labels[labels["label"] == name].assign(split=VALIDATES)
    return known, pd.concat([known, strange])


def judge(root: Path, labels: pd.DataFrame, name: str, folder: Path, settings: Sequence[str]) -> dict[str, object]:
    """Train without a class and return the figures of `classes/unknown.csv`, with the macro F1 of the known classes."""
    folder.mkdir(parents=True, exist_ok=True)
    learned, judged = folder / "learned.csv", folder / "judged.csv"
    for table, path in zip(parts_of(labels, name), (learned, judged), strict=True):
        with replace_file(path) as part:
            table.to_csv(part, index=False)
    model, scores = folder / "model", folder / "scores"
    if not (model / "scores.json").is_file():
        run("train", f"data.root={root}", f"data.annotations={learned}", f"output={model}", "overwrite=true", *settings)
    if not (scores / "classes/unknown.csv").is_file():
        data = (f"data.root={root}", f"data.annotations={judged}", f"split={VALIDATES}", f"unknown=[{name}]")
        run("evaluate", f"model={model / 'model.safetensors'}", *data, f"output={scores}")
    told = pd.read_csv(scores / "classes/unknown.csv").iloc[0]
    known = json.loads((scores / "scores.json").read_text(encoding="utf-8"))
    return {**{str(key): value for key, value in told.items()}, "macro_f1": known["macro_f1"]}


def run(command: str, *settings: str) -> None:
    """Run a command of the program; one that fails ends this one."""
    subprocess.run([sys.executable, "-m", f"detect.{command}", *settings], check=True)


if __name__ == "__main__":
    main()

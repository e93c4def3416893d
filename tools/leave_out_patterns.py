"""How well a classifier tells what it has never seen: classes are left out of a training in turn, and are then judged.

    python tools/leave_out_patterns.py --root DIR --labels FILE --into runs/unknown [--classes scratch,ring+donut]
        [--seeds 0,1] [NAME=VALUE ...]

`--labels` is a table (CSV) with columns image, label and split; settings of `detect.train` that are given are those of
every training, such as `experiment=wafers`. Of each class, or of several joined by `+` at once (fewer trainings, and
fewer classes to learn from), a model learns from the images of the others alone, chooses on those of them that
validate up to where an image is known, and is shown these and all images of the class. So the rate of those that are
wrongly told to be unknown is of the images on which the limit was chosen, and the rest is of images that nothing was
chosen on.

Printed and written to `unknown.csv` in `--into` is a row a class and seed: the area under the ROC (`auroc`) by which
the model tells the known from the others, the same by the highest probability where that is something else, the share
of either that is told to be unknown at the model's limit (`false_unknown_rate`, `unknown_rate`), and the share of the
others that pass where 95 % of the known do. Means and the worst class are printed last. Runs that are done are not
repeated.
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
    parser.add_argument("--classes", default="", help="classes to leave out, with commas, + joins; all by default")
    parser.add_argument("--seeds", default="0", help="seeds, with commas")
    parser.add_argument("settings", nargs="*", help="settings of every training")
    given = parser.parse_args()
    labels = read_labels(given.labels)
    groups = groups_of(given.classes) or [(name,) for name in sorted(set(labels["label"]))]
    wrong = sorted({name for group in groups for name in group} - set(labels["label"]))
    if wrong:
        parser.error(f"--classes: {wrong[0]!r} is no label of {given.labels}")
    rows: list[dict[str, object]] = []
    for group in groups:
        for seed in given.seeds.split(","):
            folder = given.into / f"{'+'.join(group)}_{seed}"
            for name, told in judge(given.root, labels, group, folder, [f"seed={seed}", *given.settings]).items():
                rows.append({"left_out": name, "seed": seed, **told})
            print(pd.DataFrame(rows).to_string(index=False), flush=True)
            with replace_file(given.into / "unknown.csv") as part:
                pd.DataFrame(rows).to_csv(part, index=False)
    print(summary(pd.DataFrame(rows)).to_string(), flush=True)


def groups_of(classes: str) -> list[tuple[str, ...]]:
    """Return the classes that are left out together: `a,b+c` is a alone, and then b and c."""
    return [tuple(group.split("+")) for group in classes.split(",")] if classes else []


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over the classes of each figure, and of the areas that of the worst class, means over seeds."""
    figures = ["auroc", "auroc_by_probability", "unknown_rate", "false_unknown_rate"]
    by_class = rows.groupby("left_out")[[name for name in figures if name in rows]].mean()
    worst = by_class.filter(like="auroc").min()
    return pd.DataFrame({"mean": by_class.mean(), "worst": worst}).T[by_class.columns]


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


def parts_of(labels: pd.DataFrame, group: Sequence[str], name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables that a model learns from, and is judged by: the second has a class that is left out.

    Args:
        labels: image, label and split.
        group: the classes that are left out.
        name: that of them which is judged.
    """
    known = labels[~labels["label"].isin(group)]
    strange = labels[labels["label"] == name].assign(split=VALIDATES)
    return known, pd.concat([known, strange])


def judge(
    root: Path, labels: pd.DataFrame, group: Sequence[str], folder: Path, settings: Sequence[str]
) -> dict[str, dict[str, object]]:
    """Train without classes and return of each the figures of `classes/unknown.csv`, with the others' macro F1."""
    folder.mkdir(parents=True, exist_ok=True)
    model, learned = folder / "model", folder / "learned.csv"
    write_table(parts_of(labels, group, group[0])[0], learned)
    if not (model / "scores.json").is_file():
        run("train", f"data.root={root}", f"data.annotations={learned}", f"output={model}", "overwrite=true", *settings)
    return {name: judge_one(root, parts_of(labels, group, name)[1], name, folder) for name in group}


def judge_one(root: Path, table: pd.DataFrame, name: str, folder: Path) -> dict[str, object]:
    """Show the model of a folder a class that it has not learned, and return the figures."""
    judged, scores = folder / f"judged_{name}.csv", folder / f"scores_{name}"
    write_table(table, judged)
    if not (scores / "classes/unknown.csv").is_file():
        data = (f"data.root={root}", f"data.annotations={judged}", f"split={VALIDATES}", f"unknown=[{name}]")
        run("evaluate", f"model={folder / 'model/model.safetensors'}", *data, f"output={scores}")
    told = pd.read_csv(scores / "classes/unknown.csv").iloc[0]
    known = json.loads((scores / "scores.json").read_text(encoding="utf-8"))
    return {**{str(key): value for key, value in told.items()}, "macro_f1": known["macro_f1"]}


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table, whole or not at all."""
    with replace_file(path) as part:
        table.to_csv(part, index=False)


def run(command: str, *settings: str) -> None:
    """Run a command of the program; one that fails ends this one."""
    subprocess.run([sys.executable, "-m", f"detect.{command}", *settings], check=True)


if __name__ == "__main__":
    main()

"""Tables of what helps to tell patterns of wafers: each augmentation off in turn, and what makes up for rare patterns.

    python tools/wafer_tables.py --root DIR --labels FILE --into runs/wafers [--tables unequal] [--seeds 0]
        [--steps 400] [--only "nothing;focal, gamma 2"] [NAME=VALUE ...]

`--labels` is a table (CSV) with columns image, label and split; settings of `detect.train` that are given are those of
every training, beside `experiment=wafers`.

- `augment`: all of the experiment's augmentations, each off in turn, and none; with the table as it is.
- `equal`: what makes up for unequal classes, one thing at a time; with the table as it is.
- `unequal`: the same, with the training maps thinned to a row from all of the first class to a twentieth of the last,
  in the order of their names. The seed draws which stay; those that are left out are a test that nothing is chosen on,
  and the validation stays as it was.

All trainings of a command last about the same number of steps, whatever the number of maps; 0 lasts as many epochs as
the experiment. Printed are macro-F1 and balanced accuracy of the validation maps, by which the epoch was chosen, those
of the last epoch, which was not, those of the chosen epoch by eight views (`tta=d4`), the balanced accuracy of the maps
left out, and F1 by class on the validation. Runs that are done with the same settings are not repeated, so that a
stopped command goes on where it was; name another `--into` for other maps.
"""

import argparse
import json
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from hydra import compose, initialize_config_dir

from detect.assembly.command import conf_folder
from detect.assembly.gate import checked
from detect.assembly.settings.evaluate_settings import EvaluateSettings
from detect.assembly.settings.train_settings import TrainSettings
from detect.evaluate import run as evaluate
from detect.imagery.files import replace_file
from detect.train import run

SCORES = {
    "macro_f1": "macro-F1",
    "balanced_accuracy": "balanced accuracy",
    "last_macro_f1": "macro-F1, last epoch",
    "last_balanced_accuracy": "balanced accuracy, last epoch",
    "views_macro_f1": "macro-F1, eight views",
    "views_balanced_accuracy": "balanced accuracy, eight views",
}
"""Scores of the validation, as columns of the tables."""

RATIO = 20
"""Share of the first class that stays, over that of the last."""

LEAST = 2
"""Training maps of a class that stay in any case."""

EXPERIMENT = "experiment=wafers"

OFF = {
    "no rotation by any angle": ("augment.transforms.Affine.rotate=[0,0]",),
    "no flips and quarter turns": ("augment.transforms.SquareSymmetry.p=0",),
    "no shifts": ("augment.transforms.Affine.translate_percent=[0,0]",),
    "no defects dropped": ("augment.patterns.drop=0",),
    "no defects added": ("augment.patterns.add=0",),
    "no superposition": ("augment.patterns.superpose=0",),
}
"""What leaves off an augmentation."""

AUGMENTATIONS = {"all": (), **OFF, "none": tuple(setting for settings in OFF.values() for setting in settings)}

UNWEIGHTED = ("data.sampling.balance=0", "net.loss.classes={effective:0.0,focal:0.0,adjust:0.0}")

BALANCES = {
    "nothing": UNWEIGHTED,
    "balanced sampling 0.5": (*UNWEIGHTED, "data.sampling.balance=0.5"),
    "balanced sampling 1": (*UNWEIGHTED, "data.sampling.balance=1"),
    "effective number 0.99": (*UNWEIGHTED, "net.loss.classes.effective=0.99"),
    "focal, gamma 2": (*UNWEIGHTED, "net.loss.classes.focal=2"),
    "logit adjustment, tau 1": (*UNWEIGHTED, "net.loss.classes.adjust=1"),
    "sampling 0.5 and logit adjustment, tau 1.5": (
        *UNWEIGHTED,
        "data.sampling.balance=0.5",
        "net.loss.classes.adjust=1.5",
    ),
}
"""What makes up for unequal classes: one thing at a time, then two."""

TABLES = {"augment": AUGMENTATIONS, "equal": BALANCES, "unequal": BALANCES}


@dataclass(frozen=True)
class Scored:
    """What a trained model is worth.

    Attributes:
        macro_f1, balanced_accuracy: of the validation maps, by which the epoch was chosen.
        last_macro_f1, last_balanced_accuracy: of the last epoch.
        views_macro_f1, views_balanced_accuracy: of the chosen epoch, by eight views of each map.
        left_out: balanced accuracy of the training maps that were left out; None where none were.
        f1: of each class, on the validation maps.
    """

    macro_f1: float
    balanced_accuracy: float
    last_macro_f1: float
    last_balanced_accuracy: float
    views_macro_f1: float
    views_balanced_accuracy: float
    left_out: float | None
    f1: dict[str, float]


class Bench:
    """Trains and scores, in a folder in which finished runs stay.

    Args:
        root: the folder of the maps.
        labels: the table of their classes.
        into: where runs are kept.
        steps: of every training, about; 0 for the experiment's epochs.
        settings: of every training.
    """

    def __init__(self, root: Path, labels: pd.DataFrame, into: Path, steps: int, settings: Sequence[str]) -> None:
        self.root, self.labels, self.into = root, labels, into
        self.steps, self.settings = steps, settings

    def scored(self, table: str, row: str, seed: int) -> Scored:
        """Return what a row's model is worth; trained where that is not done yet."""
        labels = thinned(self.labels, seed) if table == "unequal" else self.labels
        given = self.into / f"{table}-{seed}.csv"
        if not given.exists():
            given.parent.mkdir(parents=True, exist_ok=True)
            with replace_file(given) as part:
                labels.to_csv(part, index=False)
        folder = self.into / table / "".join(c if c.isalnum() else "_" for c in row) / f"seed{seed}"
        settings = [EXPERIMENT, f"data.root={self.root}", f"data.annotations={given}", f"seed={seed}"]
        settings += [*self.settings, *TABLES[table][row], f"trainer.test={str(table == 'unequal').lower()}"]
        if self.steps:
            epochs = epochs_of(self.steps, int((labels["split"] == "train").sum()), settings)
            settings += [f"trainer.max_epochs={epochs}", f"trainer.patience={epochs}"]
        train(folder, settings)
        see_by_views(folder, settings)
        return read_scores(folder)


def thinned(labels: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return a table in which fewer and fewer maps of each class train, in the order of their names; the others test.

    Args:
        labels: image, label and split.
        seed: draws which maps stay.
    """
    rng = np.random.default_rng(seed)
    train = labels[labels["split"] == "train"]
    names = sorted(set(train["label"]))
    tests: list[int] = []
    for name, share in zip(names, np.geomspace(1, 1 / RATIO, len(names)), strict=True):
        rows = train.index[train["label"] == name]
        kept = rng.choice(rows, size=min(len(rows), max(LEAST, round(share * len(rows)))), replace=False)
        tests += sorted(set(rows) - set(kept))
    moved = labels[labels["split"] != "test"].copy()
    moved.loc[tests, "split"] = "test"
    return moved


def epochs_of(steps: int, maps: int, settings: Sequence[str]) -> int:
    """Return how many epochs of a number of maps have about as many steps, in batches as the settings say."""
    return max(1, round(steps / -(-maps // composed(settings).data.loading.batch_size)))


def train(folder: Path, settings: Sequence[str]) -> None:
    """Train in a folder, unless that is done with the same settings; a training that fails ends the program."""
    done = folder / "settings.json"
    if done.exists() and json.loads(done.read_text(encoding="utf-8")) == list(settings):
        return
    done.unlink(missing_ok=True)
    print(f"detect.train {' '.join(settings)}", file=sys.stderr, flush=True)
    if run(composed([*settings, f"output={folder}", "overwrite=true"])):
        raise SystemExit(f"training failed in {folder}")
    for each in ("checkpoints", "views"):
        shutil.rmtree(folder / each, ignore_errors=True)
    with replace_file(done) as part:
        part.write_text(json.dumps(list(settings)), encoding="utf-8")


def see_by_views(folder: Path, settings: Sequence[str]) -> None:
    """Score a trained model on eight views of each validation map, unless that is done."""
    if (folder / "views/scores.json").exists():
        return
    data = [each for each in settings if each.startswith(("data.root=", "data.annotations="))]
    asked = [f"model={folder / 'model.safetensors'}", *data, "split=val", "tta=d4", f"output={folder / 'views'}"]
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        judged = checked(compose("evaluate", asked), EvaluateSettings)
    if evaluate(judged):
        raise SystemExit(f"scoring failed in {folder}")


def composed(settings: Sequence[str]) -> TrainSettings:
    """Return settings of a training as they are on its command line."""
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return checked(compose("train", list(settings)), TrainSettings)


def read_scores(folder: Path) -> Scored:
    """Return the scores of a finished training."""
    chosen, views = (json.loads((folder / name).read_text("utf-8")) for name in ("scores.json", "views/scores.json"))
    last = pd.read_csv(folder / "metrics.csv").dropna(subset="val/macro_f1").iloc[-1]
    test = folder / "test/scores.json"
    return Scored(
        chosen["macro_f1"],
        chosen["balanced_accuracy"],
        float(last["val/macro_f1"]),
        float(last["val/balanced_accuracy"]),
        views["macro_f1"],
        views["balanced_accuracy"],
        json.loads(test.read_text("utf-8"))["balanced_accuracy"] if test.exists() else None,
        {name: scores["f1"] for name, scores in chosen["per_class"].items()},
    )


def mean(values: Sequence[float]) -> str:
    """Return the mean of a score over the seeds, with the standard deviation where there are several."""
    spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{spread}"


def cells_of(name: str, runs: Sequence[Scored]) -> list[str]:
    """Return the cells of a setting over its seeds."""
    columns = [[getattr(run, score) for run in runs] for score in SCORES]
    left_out = [run.left_out for run in runs if run.left_out is not None]
    classes = [f"{np.mean([run.f1[each] for run in runs]):.2f}" for each in runs[0].f1]
    return [name, *map(mean, columns), mean(left_out) if left_out else "", *classes]


def heading(classes: Mapping[str, int]) -> list[str]:
    """Return the heads of the columns, with the maps that each class is learned from."""
    return [
        "",
        *SCORES.values(),
        "balanced accuracy, left out",
        *(f"{name} ({number})" for name, number in classes.items()),
    ]


def line(cells: Sequence[str]) -> str:
    """Return a line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def asked() -> argparse.Namespace:
    """Return what the command line asks for, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder of the maps")
    parser.add_argument("--labels", type=Path, required=True, help="table of their classes")
    parser.add_argument("--into", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--tables", default=",".join(TABLES), help="with commas")
    parser.add_argument("--only", default="", help="rows, with semicolons; all by default")
    parser.add_argument("--seeds", default="0", help="with commas")
    parser.add_argument("--steps", type=int, default=400, help="of every training, about; 0: the experiment's epochs")
    parser.add_argument("settings", nargs="*", help="settings of every training")
    given = parser.parse_args()
    given.tables, given.only = given.tables.split(","), given.only.split(";") if given.only else []
    given.seeds = [int(seed) for seed in given.seeds.split(",")]
    for table in given.tables:
        if table not in TABLES:
            parser.error(f"--tables: there is no {table}; there are {', '.join(TABLES)}")
        for row in given.only:
            if row not in TABLES[table]:
                parser.error(f"--only: {table} has no row {row!r}; it has {'; '.join(TABLES[table])}")
    return given


def main() -> None:
    """Train what is missing, and print the tables."""
    given = asked()
    labels = pd.read_csv(given.labels, dtype=str, keep_default_na=False)
    if missing := sorted({"image", "label", "split"} - set(labels.columns)):
        raise SystemExit(f"{given.labels} has no column {missing[0]}")
    bench = Bench(given.root.resolve(), labels, given.into.resolve(), given.steps, given.settings)
    for table in given.tables:
        learned = thinned(labels, given.seeds[0]) if table == "unequal" else labels
        heads = heading(Counter(sorted(learned["label"][learned["split"] == "train"])))
        print(f"\n{table}: {given.steps or 'all'} steps, seeds {given.seeds}, {' '.join(given.settings)}\n")
        print(line(heads), line(["---"] * len(heads)), sep="\n", flush=True)
        for row in given.only or TABLES[table]:
            print(line(cells_of(row, [bench.scored(table, row, seed) for seed in given.seeds])), flush=True)


if __name__ == "__main__":
    main()

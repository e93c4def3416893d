"""How many labelled images are enough: F1 and the error of the count over the number of images that train.

    python tools/label_curve.py --data DIR --into runs/labels [--sets sealions,steel_bars] [--sizes 1,2] [--seeds 0,1]
        [NAME=VALUE ...]

`--data` holds the sets in folders of their names (`SETS`); settings of `detect.train` that are given are those of every
training. Of each set some images are held back: those of one side of
its table, or each image in turn. The others are shuffled by the seed, and the first 1, 2, 3, 5, 10 of them train, so
that more images are always more than the same ones. Threshold and epoch are chosen within the training images, as ever
(of a single image, on a strip of it), and each model counts the images held back once; nothing is chosen on them. All
trainings of a set are of the same length, whatever the number of images.

Printed and drawn are F1 over all runs' objects together, and the mean of the absolute errors of the runs' counts, in
percent; `curve.json` in `--into` has every run. Runs that are done with the same settings are not repeated, so that a
stopped command goes on where it was; `--dry` trains nothing, and draws what is there; `--measured` adds the runs of
other `curve.json`, of another machine or day. A training that fails is named and does not stop the others.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from detect.imagery.files import replace_file

SIZES = (1, 2, 3, 5, 10)
"""Numbers of images that train, as far as a set has them."""

INK, BLUE, RED = "#1f2328", "#0969da", "#bc4c00"
"""Colours of the figure: its text, F1, and the error of the count."""

LINEAR_PERCENT = 100
"""Errors of the count up to here are drawn as they are, larger ones, if any, by their logarithm."""


@dataclass(frozen=True)
class LabelledSet:
    """Labelled images, by the folder that holds them.

    Attributes:
        title: in the figure.
        images: the folder of the images, below that of the set.
        annotations: the table of their labels, likewise.
        held: side in the table's column `split` that is held back; None holds each image back in turn.
        settings: of the trainings.
    """

    title: str
    images: str
    annotations: str
    held: str | None
    settings: tuple[str, ...]


SETS = {
    "sealions": LabelledSet("sea lions", "images", "points.csv", None, ("experiment=sealions_grid",)),
    "steel_bars": LabelledSet("steel bars", "images", "boxes.csv", "val", ("experiment=steel_bars",)),
    "urban_trees": LabelledSet(
        "urban trees", ".", "points.csv", "val", ("experiment=urban_trees", "data.split.guard=16")
    ),
}
"""The sets, in the layout of `data/README.md`; one crop of 256 pixels is cut in two with a small guard alone."""


@dataclass(frozen=True)
class Draw:
    """Which images train and which are held back, in one run."""

    name: str
    seed: int
    trained: tuple[str, ...]
    tested: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """Where the sets lie, where runs go, and how they are trained.

    Attributes:
        data: the folder of the sets.
        into: the folder of the runs.
        settings: of every training, after those of its set.
        threads: of a training's arithmetic; None leaves that to it.
        dry: whether nothing is trained.
    """

    data: Path
    into: Path
    settings: tuple[str, ...]
    threads: int | None
    dry: bool

    def table(self, name: str) -> pd.DataFrame:
        """Return the labels of a set, all as text."""
        return pd.read_csv(self.data / name / SETS[name].annotations, dtype=str)


def draws(table: pd.DataFrame, held: str | None, seed: int, sizes: Sequence[int] = SIZES) -> Iterator[Draw]:
    """Yield the draws of a set for a seed, those with few images first.

    The images are shuffled once, and those train that follow the first one held back: where each is held back in turn,
    each is drawn as often as any other.

    Args:
        table: with `image`, and with `split` where one side is held back.
        held: that side; None holds back each image in turn.
        seed: of the shuffling.
        sizes: numbers of images that train; those that there are not are left out.

    Raises:
        ValueError: nothing is held back, or nothing is left.
    """
    names = sorted(table["image"].unique())
    order = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    if held is None:
        parts = [(name,) for name in names]
    else:
        kept = set(table.loc[table["split"] == held, "image"])
        parts = [tuple(name for name in names if name in kept)]
    for size in sizes:
        for part in parts:
            if not part or len(part) == len(names):
                raise ValueError(f"{len(part)} of {len(names)} images are held back, as split={held}; name another")
            start = order.index(part[0])
            pool = [name for name in (*order[start:], *order[:start]) if name not in part]
            if size <= len(pool):
                where = f"-{Path(part[0]).stem}" if held is None else ""
                yield Draw(f"{size}{where}-seed{seed}", seed, tuple(pool[:size]), part)


def write_table(table: pd.DataFrame, draw: Draw, path: Path) -> int:
    """Write the labels of a draw, with the sides of its images; return the number of objects that train."""
    used = table[table["image"].isin([*draw.trained, *draw.tested])].copy()
    used["split"] = np.where(used["image"].isin(draw.tested), "test", "")
    path.parent.mkdir(parents=True, exist_ok=True)
    used.to_csv(path, index=False)
    return int((used["split"] == "").sum())


def run(name: str, draw: Draw, plan: Plan) -> dict[str, Any] | None:
    """Return the scores of a draw, trained unless that is done with the same settings; None where there are none."""
    labelled, folder = SETS[name], plan.into / name / draw.name
    labels, done = folder.with_suffix(".csv"), folder / "settings.json"
    objects = write_table(plan.table(name), draw, labels)
    settings = [
        *labelled.settings,
        *plan.settings,
        f"data.root={plan.data / name / labelled.images}",
        f"data.annotations={labels}",
        f"seed={draw.seed}",
        "trainer.test=true",
        f"output={folder}",
        "overwrite=true",
    ]
    content = json.dumps([*settings, zlib.crc32(labels.read_bytes())])
    if not (done.exists() and done.read_text(encoding="utf-8") == content):
        if plan.dry:
            return None
        done.unlink(missing_ok=True)
        if not train(settings, folder.with_suffix(".log"), plan.threads):
            return None
        done.write_text(content, encoding="utf-8")
    scores = json.loads((folder / "test" / "scores.json").read_text(encoding="utf-8"))
    shown = ("f1", "precision", "recall", "count_bias_percent", "count_mae", "objects", "found", "radius", "iou")
    facts = {"set": name, "images": len(draw.trained), "labelled": objects, **asdict(draw)}
    return {**facts, **{key: scores.get(key) for key in shown}}


def train(settings: Sequence[str], log: Path, threads: int | None) -> bool:
    """Run a training with its log in a file, say how long it took, and return whether it ended well."""
    print(f"detect.train {' '.join(settings)}", file=sys.stderr, flush=True)
    environment = {**os.environ, **({} if threads is None else {"OMP_NUM_THREADS": str(threads)})}
    began = time.monotonic()
    with log.open("w", encoding="utf-8") as file:
        command = [sys.executable, "-m", "detect.train", *settings]
        code = subprocess.run(command, check=False, stdout=file, stderr=file, env=environment).returncode
    said = f"failed with {code}; {log} says why" if code else f"{(time.monotonic() - began) / 60:.1f} minutes"
    print(f"  {said}", file=sys.stderr, flush=True)
    return not code


def curve(runs: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return a row per set and number of images: the scores of all runs' objects together, and their spread.

    Returns:
        `set images runs labelled f1 f1_low f1_high count_error count_bias`: `labelled` is the mean number of objects
        that trained, `f1_low` and `f1_high` the least and greatest of a run, `count_error` the mean of the runs'
        absolute errors in percent, `count_bias` the error of the sum.
    """
    table = pd.DataFrame(runs)
    table["hits"] = (table["recall"].astype(float).fillna(0) * table["objects"]).round()
    rows = []
    for (name, images), group in table.groupby(["set", "images"], sort=False):
        objects, found = group["objects"].sum(), group["found"].sum()
        f1 = group["f1"].astype(float).fillna(0)
        rows.append(
            {
                "set": name,
                "images": images,
                "runs": len(group),
                "labelled": group["labelled"].mean(),
                "f1": 2 * group["hits"].sum() / (found + objects),
                "f1_low": f1.min(),
                "f1_high": f1.max(),
                "count_error": (100 * (group["found"] / group["objects"] - 1)).abs().mean(),
                "count_bias": 100 * (found / objects - 1),
            }
        )
    return pd.DataFrame(rows)


def with_measured(runs: Sequence[dict[str, Any]], files: Sequence[Path]) -> list[dict[str, Any]]:
    """Return runs with those of other `curve.json` that are not among them, by set and number of images."""
    every = {(run["set"], run["name"]): run for run in runs}
    for file in files:
        for run in json.loads(file.read_text(encoding="utf-8")):
            every.setdefault((run["set"], run["name"]), run)
    order = list(SETS)
    return sorted(every.values(), key=lambda run: (order.index(run["set"]), run["images"], run["name"]))


def show(table: pd.DataFrame) -> None:
    """Print the curve as a table in Markdown."""
    print("| data | images | objects | runs | F1 (least to greatest) | mean error of the count | its bias |")
    print("|---|---:|---:|---:|---|---:|---:|")
    for row in table.to_dict("records"):
        spread = f"{row['f1']:.3f} ({row['f1_low']:.2f} to {row['f1_high']:.2f})"
        error = f"{row['count_error']:.0f} % | {row['count_bias']:+.0f} %"
        numbers = f"{row['images']} | {row['labelled']:.0f} | {row['runs']}"
        print(f"| {SETS[row['set']].title} | {numbers} | {spread} | {error} |")


def draw_figure(runs: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw a panel for each set: F1, and below it the error of the count, over the number of labelled images.

    A pale dot is a run; the line is of all of them, as `curve` has it. The kind of picture follows the file's
    ending.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    table = curve(runs)
    names = list(table["set"].unique())
    ink = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    style: Any = {**dict.fromkeys(ink, INK), "font.size": 10, "axes.spines.top": False, "axes.spines.right": False}
    with rc_context(style):
        figure = Figure(figsize=(9, 4.2), layout="constrained", facecolor="white")
        grid: Any = figure.subplots(2, len(names), sharex="col", sharey="row", squeeze=False, height_ratios=(3, 2))
        for column, name in enumerate(names):
            own = [run for run in runs if run["set"] == name]
            _draw_set(grid[:, column], table[table["set"] == name], own)
        grid[0, 0].set_ylabel("F1")
        grid[0, 0].set_ylim(0, 1.1)
        grid[1, 0].set_ylabel("error of\nthe count, %")
        top = max(abs(100 * (run["found"] / run["objects"] - 1)) for run in runs)
        if top > LINEAR_PERCENT:
            grid[1, 0].set_yscale("symlog", linthresh=LINEAR_PERCENT)
            grid[1, 0].yaxis.set_major_formatter("{x:.0f}")
        grid[1, 0].set_ylim(0, (1.25 if top <= LINEAR_PERCENT else 4) * max(top, 10.0))
        figure.supxlabel("labelled images (and objects in them)", size=10)
        with replace_file(path) as part:
            figure.savefig(part, format=path.suffix.removeprefix(".") or "png", dpi=120)


def _draw_set(panels: Sequence[Any], table: pd.DataFrame, runs: Sequence[dict[str, Any]]) -> None:
    """Draw the two panels of a set."""
    upper, lower = panels
    places = {images: place for place, images in enumerate(table["images"])}
    at = [places[run["images"]] for run in runs]
    errors = [abs(100 * (run["found"] / run["objects"] - 1)) for run in runs]
    scores = [float(run["f1"] or 0) for run in runs]
    for panel, values, dots, form, colour in (
        (upper, table["f1"], scores, "{:.2f}", BLUE),
        (lower, table["count_error"], errors, "{:.0f} %", RED),
    ):
        panel.scatter(at, dots, s=14, color=colour, alpha=0.35, linewidths=0)
        panel.plot(list(places.values()), values, marker="o", color=colour)
        for place, value in enumerate(values):
            said = panel.annotate(form.format(value), (place, value), (0, 7), textcoords="offset points", ha="center")
            said.set(
                size=9, bbox={"boxstyle": "square,pad=0", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
            )
        panel.grid(axis="y", alpha=0.25)
        panel.set_axisbelow(True)
        panel.margins(x=0.15)
    labelled = SETS[table["set"].iloc[0]]
    held = len({image for run in runs for image in run["tested"]})
    how = f"{held} images, each held back in turn" if labelled.held is None else f"{held} images held back"
    upper.set_title(f"{labelled.title}\n", size=11, weight="bold")
    upper.text(0.5, 1.02, how, transform=upper.transAxes, ha="center", va="bottom", size=9)
    ticks = [f"{images}\n({number:.0f})" for images, number in zip(table["images"], table["labelled"], strict=True)]
    lower.set_xticks(list(places.values()), labels=ticks)


def main(arguments: list[str] | None = None) -> int:
    """Train what is missing, one after the other; print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of images that train")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--threads", type=int, help="of a training's arithmetic")
    parser.add_argument("--figure", type=Path, help=".png or .svg; curve.png in --into where it is not given")
    parser.add_argument("--dry", action="store_true", help="train nothing")
    parser.add_argument("--measured", type=Path, nargs="*", default=[], help="curve.json of runs made elsewhere")
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE", help="of every training")
    known = parser.parse_intermixed_args(arguments)
    unknown = sorted(set(known.sets.split(",")) - set(SETS))
    if unknown:
        parser.error(f"--sets {', '.join(unknown)}: the sets are {', '.join(SETS)}")
    sizes = sorted({int(size) for size in known.sizes.split(",")})
    plan = Plan(known.data.resolve(), known.into.resolve(), tuple(known.settings), known.threads, known.dry)
    runs, missing = [], 0
    for name in known.sets.split(","):
        table = plan.table(name)
        every = [draw for seed in known.seeds.split(",") for draw in draws(table, SETS[name].held, int(seed), sizes)]
        for draw in sorted(every, key=lambda each: len(each.trained)):
            scores = run(name, draw, plan)
            missing += scores is None
            runs += [] if scores is None else [scores]
            with replace_file(plan.into / "curve.json") as part:
                part.write_text(json.dumps(runs, indent=1), encoding="utf-8")
    runs = with_measured(runs, known.measured)
    if runs:
        show(curve(runs))
        draw_figure(runs, known.figure or plan.into / "curve.png")
    if missing:
        print(f"{missing} of {missing + len(runs)} runs are not done")
    return 1 if missing and not known.dry else 0


if __name__ == "__main__":
    raise SystemExit(main())

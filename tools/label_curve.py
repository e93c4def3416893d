"""How many labelled images are enough: F1 and the error of the count over the number of images that train.

    python tools/label_curve.py --data DIR --into runs/labels [--sets sealions,steel_bars,urban_trees] [--seeds 0,1]

`--data` holds the sets in folders of their names (`SETS`). Of each set some images are held back: those of one side of
its table, or each image in turn. The others are shuffled by the seed, and the first 1, 2, 3, 5, 10 of them train, so
that more images are always more than the same ones. Threshold and epoch are chosen within the training images, as ever
(of a single image, on a strip of it), and each model counts the images held back once; nothing is chosen on them. All
trainings of a set are of the same length, whatever the number of images.

Printed and drawn are F1 over all runs' objects together, and the mean of the absolute errors of the runs' counts, in
percent; `curve.json` in `--into` has every run. Runs that are done with the same settings are not repeated, so that a
stopped command goes on where it was; `--dry` trains nothing, and draws what is there.
"""

import argparse
import json
import subprocess
import sys
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


def draws(table: pd.DataFrame, held: str | None, seed: int) -> Iterator[Draw]:
    """Yield the draws of a set for a seed, those with few images first.

    The images are shuffled once, and those train that follow the first one held back: where each is held back in turn,
    each is drawn as often as any other.

    Args:
        table: with `image`, and with `split` where one side is held back.
        held: that side; None holds back each image in turn.
        seed: of the shuffling.

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
    for size in SIZES:
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


def run(labelled: LabelledSet, name: str, draw: Draw, data: Path, into: Path, dry: bool) -> dict[str, Any] | None:
    """Return the scores of a draw, trained unless that is done with the same settings; None if it is not to be."""
    folder = into / name / draw.name
    root = data / name / labelled.images
    table = pd.read_csv(data / name / labelled.annotations, dtype=str)
    labels, done = folder.with_suffix(".csv"), folder / "settings.json"
    objects = write_table(table, draw, labels)
    settings = [
        *labelled.settings,
        f"data.root={root}",
        f"data.annotations={labels}",
        f"seed={draw.seed}",
        "trainer.test=true",
        f"output={folder}",
        "overwrite=true",
    ]
    content = json.dumps([*settings, zlib.crc32(labels.read_bytes())])
    if not (done.exists() and done.read_text(encoding="utf-8") == content):
        if dry:
            return None
        done.unlink(missing_ok=True)
        train(settings, folder.with_suffix(".log"))
        done.write_text(content, encoding="utf-8")
    scores = json.loads((folder / "test" / "scores.json").read_text(encoding="utf-8"))
    shown = ("f1", "precision", "recall", "count_bias_percent", "count_mae", "objects", "found", "radius", "iou")
    facts = {"set": name, "images": len(draw.trained), "labelled": objects, **asdict(draw)}
    return {**facts, **{key: scores.get(key) for key in shown}}


def train(settings: Sequence[str], log: Path) -> None:
    """Run a training, with its log in a file; end where it fails."""
    print(f"detect.train {' '.join(settings)}", file=sys.stderr, flush=True)
    with log.open("w", encoding="utf-8") as file:
        command = [sys.executable, "-m", "detect.train", *settings]
        code = subprocess.run(command, check=False, stdout=file, stderr=file).returncode
    if code:
        raise SystemExit(f"detect.train failed with {code}; {log} says why")


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


def show(table: pd.DataFrame) -> None:
    """Print the curve as a table in Markdown."""
    print("| data | images | objects | runs | F1 (least to greatest) | mean error of the count | its bias |")
    print("|---|---:|---:|---:|---|---:|---:|")
    for row in table.to_dict("records"):
        spread = f"{row['f1']:.3f} ({row['f1_low']:.2f} to {row['f1_high']:.2f})"
        error = f"{row['count_error']:.0f} % | {row['count_bias']:+.0f} %"
        numbers = f"{row['images']} | {row['labelled']:.0f} | {row['runs']}"
        print(f"| {SETS[row['set']].title} | {numbers} | {spread} | {error} |")


def draw_figure(table: pd.DataFrame, path: Path) -> None:
    """Draw F1 and the error of the count over the number of images; the kind of picture follows the file's ending."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, group in table.groupby("set", sort=False):
        title = SETS[str(name)].title
        line = left.plot(group["images"], group["f1"], marker="o", label=title)[0]
        left.fill_between(group["images"], group["f1_low"], group["f1_high"], alpha=0.15, color=line.get_color())
        right.plot(group["images"], group["count_error"], marker="o", color=line.get_color(), label=title)
    for axes, what in ((left, "F1 on images held back"), (right, "mean error of the count, %")):
        axes.set_xscale("log")
        axes.set_xticks(SIZES, labels=[str(size) for size in SIZES])
        axes.minorticks_off()
        axes.set_xlabel("labelled images")
        axes.set_ylabel(what)
        axes.grid(alpha=0.25)
    left.set_ylim(0, 1)
    right.set_ylim(bottom=0)
    left.legend(frameon=False)
    with replace_file(path) as part:
        figure.savefig(part, format=path.suffix.removeprefix(".") or "png", dpi=130)


def main(arguments: list[str] | None = None) -> int:
    """Train what is missing, one after the other; print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--figure", type=Path, help=".png or .svg; curve.png in --into where it is not given")
    parser.add_argument("--dry", action="store_true", help="train nothing")
    known = parser.parse_args(arguments)
    unknown = sorted(set(known.sets.split(",")) - set(SETS))
    if unknown:
        parser.error(f"--sets {', '.join(unknown)}: the sets are {', '.join(SETS)}")
    data, into = known.data.resolve(), known.into.resolve()
    runs: list[dict[str, Any]] = []
    for name in known.sets.split(","):
        table = pd.read_csv(data / name / SETS[name].annotations, dtype=str)
        every = [draw for seed in known.seeds.split(",") for draw in draws(table, SETS[name].held, int(seed))]
        for draw in sorted(every, key=lambda each: len(each.trained)):
            scores = run(SETS[name], name, draw, data, into, known.dry)
            runs += [] if scores is None else [scores]
            with replace_file(into / "curve.json") as part:
                part.write_text(json.dumps(runs, indent=1), encoding="utf-8")
    if not runs:
        print("no run is done")
        return 0
    found = curve(runs)
    show(found)
    draw_figure(found, known.figure or into / "curve.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

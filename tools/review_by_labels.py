"""A survey of runs with labels in the place of the person: count, estimate, interval and truth, side by side.

    python tools/review_by_labels.py --annotations FILE --into DIR [--windows 40] [--seeds 0,1,2]
        [--settings side=512] RUN [RUN ...]

Each RUN is an output folder of `detect.predict`, which stays as it is: a copy without its pictures, below `--into`, is
surveyed. Windows are drawn by `detect.survey`, reviewed through the session that the page uses (what is found and not
labelled within the matching radius is rejected, what is named otherwise is renamed, what is missed is added, and the
window is done), and `detect.survey` estimates. Printed are, for each run and seed: the model's count, the estimate, its
95 % interval, the labels' number, whether the interval holds it, and the share of the pixels reviewed; then means.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detect.evaluation.matching import Criterion
from detect.evaluation.radius import recorded_radius
from detect.labels.annotation_files import read_unchecked
from detect.labels.detections import Detections
from detect.labels.image_names import match_names
from detect.reporting.output.layout import HEATMAPS, OVERLAYS
from detect.reporting.output.predictions import Predictions, read_predictions
from detect.reporting.tables import IMAGE
from detect.reviewing.review_objects import as_detections
from detect.reviewing.session import ReviewSession, SurveyTask

USUAL_RADIUS = 16.0
"""Matching radius in pixels where the run does not say its own."""


def labels_of(run: Predictions, annotations: Path) -> dict[str, Detections]:
    """Return the labelled objects of a run's images, by the names that these have in the run."""
    facts = run.model.get("labels") or {}
    aside = [*facts.get("negative_labels", []), *facts.get("ignore_labels", [])]
    truth = read_unchecked(annotations, negative_labels=aside).truth
    images = [str(name) for name in run.counts[IMAGE]]
    pairs = match_names(images, list(truth))
    missing = sorted(set(images) - set(pairs))
    if missing:
        raise SystemExit(f"{run.folder}: {missing[0]} is not annotated in {annotations}")
    return {name: truth[key] for name, key in pairs.items()}


def review(session: ReviewSession, task: SurveyTask, truth: Detections, radius: float) -> None:
    """Do in a window what a person does who sees the labels."""
    inside = truth[task.window.contains_xy(truth.xy)]
    objects = [each for each in session.objects(task.image) if each.status not in ("candidate", "rejected")]
    found = as_detections(objects, session.classes, False)
    kept = task.window.contains_xy(found.xy)
    mine, objects = found[kept], [each for each, there in zip(objects, kept, strict=True) if there]
    classes = tuple(dict.fromkeys([*session.classes, *inside.names]))
    match = Criterion(radius).match(mine.with_classes(classes), inside.with_classes(classes))
    known = dict(zip(match.found_index.tolist(), match.truth_index.tolist(), strict=True))
    for i, each in enumerate(objects):
        if i not in known:
            session.act({"act": "reject", "image": task.image, "id": each.id})
        elif inside.names[known[i]] != each.label:
            session.act({"act": "relabel", "image": task.image, "id": each.id, "label": inside.names[known[i]]})
    for j in set(range(len(inside))) - set(known.values()):
        x, y = inside.xy[j].tolist()
        w, h = (None, None) if inside.wh is None else inside.wh[j].tolist()
        added = {"x": x, "y": y, "w": w, "h": h, "label": inside.names[j]}
        session.act({"act": "add", "image": task.image, **added})
    window = [task.window.row, task.window.col, task.window.height, task.window.width]
    session.act({"act": "done", "image": task.image, "window": window})


def surveyed(run: Path, annotations: Path, into: Path, settings: Sequence[str]) -> Mapping[str, Any]:
    """Survey a copy of a run, and return its `survey.json` with the labels' number as `truth`."""
    shutil.rmtree(into, ignore_errors=True)
    shutil.copytree(run, into, ignore=shutil.ignore_patterns(HEATMAPS, OVERLAYS, "survey*", "review"))
    survey(into, settings)
    read = read_predictions(into)
    truth = labels_of(read, annotations)
    radius = recorded_radius(read.model)
    new = sorted({name for objects in truth.values() for name in objects.names} - set(read.classes))
    session = ReviewSession(into, None, new)
    for task in session.windows:
        review(session, task, truth[task.image], USUAL_RADIUS if radius is None else radius.file_px)
    survey(into, ())
    facts = json.loads((into / "survey.json").read_text(encoding="utf-8"))
    return {**facts, "truth": sum(map(len, truth.values()))}


def survey(folder: Path, settings: Sequence[str]) -> None:
    """Run `detect.survey`."""
    command = [sys.executable, "-m", "detect.survey", f"predictions={folder}", *settings]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> int:
    """Survey every run with every seed, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="output folders of detect.predict")
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--into", type=Path, required=True, help="folder of the copies that are surveyed")
    parser.add_argument("--windows", type=int, default=40)
    parser.add_argument("--seeds", default="0", help="of the draws")
    parser.add_argument("--settings", nargs="*", default=[], help="of detect.survey")
    args = parser.parse_args()
    print("| run | seed | count | estimate | 95 % interval | labels | holds | windows | pixels reviewed |")
    print("|---|---|---|---|---|---|---|---|---|")
    errors, held, raw = [], [], []
    for number, run in enumerate(args.runs):
        for seed in map(int, args.seeds.split(",")):
            settings = [f"windows={args.windows}", f"seed={seed}", *args.settings]
            facts = surveyed(run, args.annotations, args.into / f"{number}-{seed}", settings)
            truth, high = facts["truth"], facts["high"]
            holds = facts["low"] <= truth <= (np.inf if high is None else high)
            errors.append(facts["estimate"] / truth - 1)
            raw.append(facts["count"] / truth - 1)
            held.append(holds)
            print(
                f"| {run.name} | {seed} | {facts['count']} | {facts['estimate']:.1f} | {facts['low']:.0f} to "
                f"{'-' if high is None else f'{high:.0f}'} | {truth} | {'yes' if holds else 'no'} | "
                f"{facts['windows_reviewed']} | {100 * facts['share_reviewed']:.1f} % |",
                flush=True,
            )
    rms, raw_rms = (100 * float(np.sqrt(np.mean(np.square(each)))) for each in (errors, raw))
    print(f"root-mean-square error {rms:.1f} % (the count {raw_rms:.1f} %); intervals hold {sum(held)} of {len(held)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How far to trust a survey: its error, and how often its interval holds the truth, over many draws of windows.

    python tools/simulate_survey.py [--repeats 400] [--json FILE]
    python tools/simulate_survey.py --predictions DIR --annotations FILE [--windows 40] [--side 512] [--repeats 500]
        [--seed 0] [--json FILE]

Without predictions, objects and detections are made up (`survey_worlds.CASES`), in 72, 300 and 5000 windows, of which
10, 20, 40 and 100 are reviewed, eight worlds each. With them, the windows are those of a run of `detect.predict` (with
its candidates, where it kept them: `write=[tables,candidates]`), and the annotations stand for the person who reviews.

`coverage` is how often the 95 % interval holds the true total, `warned` how often a warning goes with it (`unwarned` is
the coverage of the others), `width` half the interval's width over the true total, `rms_error_percent` and
`bias_percent` are of the estimate, `raised_percent` the part of the bias that comes of telling no total below what was
seen (`not_below_seen`), `raw_error_percent` of the detector's count, `uniform_rms_error_percent` of as many
windows drawn evenly and counted without a detector. All in percent of the true total.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from survey_worlds import CASES, make_world, simulate, summarise

from detect.evaluation.survey.design import size_measure
from detect.evaluation.survey.partition import survey_windows
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.files import replace_file
from detect.labels.annotation_files import read_unchecked
from detect.labels.detections import Detections
from detect.labels.formats.detections_csv import read_detections
from detect.labels.image_names import match_names
from detect.reporting.output.predictions import read_candidates, read_predictions
from detect.reporting.tables import IMAGE

GRIDS = ((8, 9), (15, 20), (50, 100))
WINDOWS = (10, 20, 40, 100)
WORLDS = 8
FLOOR = 0.03
"""Least score of a candidate that counts."""


def simulated_rows(repeats: int) -> Iterator[dict[str, Any]]:
    """Yield the numbers of every case, of each number of windows there and reviewed."""
    for name, case in CASES.items():
        for grid in GRIDS:
            worlds = [make_world(case, grid, seed) for seed in range(WORLDS)]
            for wanted in WINDOWS:
                if wanted >= grid[0] * grid[1]:
                    continue
                parts = [
                    simulate(
                        world.windows,
                        world.probability,
                        world.true.sum(axis=1),
                        world.counts.sum(axis=1),
                        wanted,
                        range(number * repeats, number * repeats + max(1, repeats // WORLDS)),
                    )
                    for number, world in enumerate(worlds)
                ]
                yield {"case": name, "windows": grid[0] * grid[1], "reviewed": wanted, **summarise(parts)}


def real_surveys(args: argparse.Namespace) -> dict[str, Any]:
    """Return the numbers of surveys of a run, with annotations in the place of the person who reviews."""
    run = read_predictions(args.predictions)
    labels = run.model.get("labels") or {}
    negative = [*labels.get("negative_labels", []), *labels.get("ignore_labels", [])]
    annotations = read_unchecked(args.annotations, negative_labels=negative)
    images = [str(name) for name in run.counts[IMAGE]]
    truth = {name: annotations.truth[key] for name, key in match_names(images, list(annotations.truth)).items()}
    if not truth:
        raise SystemExit(f"no image of {args.predictions} is annotated in {args.annotations}")
    classes = sorted({*run.classes, *(label for objects in truth.values() for label in objects.names)})
    read = read_detections(run.paths.detections, classes)
    found = {name: read.get(name, Detections.empty(classes)) for name in truth}
    kept = read_candidates(args.predictions, list(truth), classes)
    sources = run.run.get("sources", {})
    if not sources.keys() >= truth.keys():
        raise SystemExit(f"{run.paths.run_facts} does not name the files of all images, whose sizes are needed")
    shapes = {name: open_scene(Path(sources[name])).shape for name in truth}
    windows = survey_windows(shapes, args.side)
    true, counts = windows.sums(truth, classes).sum(axis=1), windows.sums(found, classes).sum(axis=1)
    expected = windows.weights(found if kept is None else kept, FLOOR)
    seeds = range(args.seed, args.seed + args.repeats)
    guided = simulate(windows, size_measure(windows, expected), true, counts, args.windows, seeds)
    even = size_measure(windows, np.zeros(len(windows)))
    uniform = simulate(windows, even, true, np.zeros_like(counts), args.windows, seeds)
    return {
        **summarise([guided]),
        "raw_error_percent": 100 * (int(counts.sum()) / guided.true - 1) if guided.true else None,
        "uniform_rms_error_percent": summarise([uniform])["rms_error_percent"],
        "truth": guided.true,
        "count": int(counts.sum()),
        "windows": args.windows,
        "windows_there": len(windows),
        "share_reviewed": guided.pixels,
        "repeats": args.repeats,
        "side": args.side,
        "candidates": kept is not None,
    }


def main() -> int:
    """Simulate the surveys that were asked for, print their numbers and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictions", type=Path, help="output folder of detect.predict")
    parser.add_argument("--annotations", type=Path, help="the truth of its images, in any format that is read")
    parser.add_argument("--windows", type=int, default=40, help="distinct windows to review")
    parser.add_argument("--side", type=int, default=512, help="of a window, in pixels")
    parser.add_argument("--repeats", type=int, default=500, help="surveys")
    parser.add_argument("--seed", type=int, default=0, help="of the first survey")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    args = parser.parse_args()
    if (args.predictions is None) != (args.annotations is None):
        parser.error("--predictions and --annotations go together")
    if args.windows < 1 or args.side < 1 or args.repeats < 1 or args.seed < 0:
        parser.error("--windows, --side and --repeats must be 1 or more, --seed 0 or more")
    result: Any
    if args.predictions is not None:
        result = real_surveys(args)
        print("\n".join(f"{name:26} {_shown(value)}" for name, value in result.items()))
    else:
        result = []
        for row in simulated_rows(args.repeats):
            if not result:
                print(" ".join(f"{name:>{max(9, len(name))}}" if name != "case" else f"{name:22}" for name in row))
            result.append(row)
            cells = (f"{_shown(v):>{max(9, len(k))}}" if k != "case" else f"{v:22}" for k, v in row.items())
            print(" ".join(cells), flush=True)
    if args.json is not None:
        with replace_file(args.json) as part:
            part.write_text(json.dumps(result, indent=2), encoding="utf-8")
    return 0


def _shown(value: Any) -> str:
    """Return a number to three places, a dash for None."""
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())

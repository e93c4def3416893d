"""Kills predictions at random moments, goes on with them, and compares every byte; fills small disks under runs.

    python tools/kill_runs.py [--kills 20] [--terminate] [--seed 0] [--scenarios patch grid-d4 ...] [--json FILE]
    python tools/kill_runs.py --full [--small DIR]

Kills: a folder of images (small ones that share a batch, a raster of many tiles, one cut short) is predicted in a
process of its own and killed by SIGKILL at moments spread over the whole duration of a run that nothing disturbed; the
same command goes on until it is done, and every file must have the bytes of the undisturbed run, but for the speed in
`run.json` and in the copy that the folder keeps. Both heads, `tta=d4`, two processes (of which the one that records is
killed, on two cores at least), and a map that lies in a file because `max_memory` is small. With `--terminate` it is
SIGTERM, by which a run must end in order once it has begun: with 130, no half a file, and no traceback.

`--full`: output folder and TMPDIR lie on a file system of a few MiB (a tmpfs that is mounted for it, which needs the
right to; or `--small`, an empty folder on one), filled up but for a part of what the run writes. The run must end with
2 and name the folder, leave whole files only, and go on to the same result when there is room; the training likewise.

Exit code 1 where a file differs or a run ends otherwise.
"""

import argparse
import json
import re
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from fuzzing.material import warm_up
from killing.forks import Ended, run
from killing.full_disks import full_runs, small_disk
from killing.same_files import different
from killing.workshop import EXPECTED, NOTHING, SCENARIOS, STOPPED, Workshop, objects_of

BEGUN, COUNTED = "tiles of up to", r"images, \d+ failed"
"""What the log of a run says when it begins, and when all images are counted; after that, it may end anyhow."""


def kill_scenario(shop: Workshop, name: str, kills: int, by: signal.Signals) -> dict[str, Any]:
    """Kill runs of a scenario so many times by a signal, and return what a row of the table says.

    A run that is done before it is killed is compared; the next one begins a new folder.
    """
    place = shop.folder / f"run-{name}"
    place.mkdir()
    log = place / "log"
    whole = run(shop.predict(name, place / "whole"), log)
    if whole.code != EXPECTED:
        return {"scenario": name, "wrong": [f"the undisturbed run ended with {whole.code}: {whole.log[-400:]}"]}
    objects = objects_of(place / "whole")
    if not objects:
        return {"scenario": name, "objects": 0, "wrong": [NOTHING]}
    if name.endswith("-file") and not whole.nameless:
        return {"scenario": name, "wrong": ["the map did not lie in a file: lower MEMORY"]}
    wrong: list[str] = []
    states: set[tuple[int, int]] = set()
    hit, done = 0, 0
    out = place / "0"
    while hit < kills:
        ended = run(shop.predict(name, out), log, shop.rng.random() * whole.seconds, by=by)
        if ended.code in (-by, STOPPED):
            wrong += _disorder(ended, out) if by is signal.SIGTERM else []
            hit += 1
            states.add((len(list(out.rglob("*.jpg"))), _recorded(out)))
        else:
            wrong += _compare(ended, out, place / "whole")
            done += 1
            out = place / str(done)
    wrong += _compare(run(shop.predict(name, out), log), out, place / "whole")
    row = {
        "scenario": name,
        "seconds": round(whole.seconds, 2),
        "objects": objects,
        "map in a file": whole.nameless,
        "kills": hit,
        "states": len(states),
    }
    return {**row, "runs to the end": done + 1, "wrong": wrong}


def _disorder(ended: Ended, out: Path) -> list[str]:
    """Return what a run left behind that should have ended in order, or that it did not, though it had begun."""
    if ended.code != STOPPED:
        begun = BEGUN in ended.log and not re.search(COUNTED, ended.log)
        return [f"{out.name}: ended with {ended.code}: {ended.log[-400:]}"] if begun else []
    left = [f"{out.name}: half a file: {path.name}" for path in out.rglob("*.part")]
    return [*left, *([f"{out.name}: a traceback: {ended.log[-400:]}"] if "Traceback" in ended.log else [])]


def _recorded(out: Path) -> int:
    journal = out / ".run/journal.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def _compare(ended: Ended, out: Path, whole: Path) -> list[str]:
    if ended.code != EXPECTED:
        return [f"{out.name} ended with {ended.code}: {ended.log[-400:]}"]
    return [f"{out.name}: {name} differs" for name in different(out, whole)]


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print rows as a table, and what is wrong below it."""
    names = list(dict.fromkeys(name for row in rows for name in row if name != "wrong"))
    print("|", " | ".join([*names, "wrong"]), "|\n|" + "---|" * (len(names) + 1))
    for row in rows:
        print("|", " | ".join(str(row.get(name, "-")) for name in names), "|", len(row["wrong"]), "|")
    for row in rows:
        for each in row["wrong"]:
            print(f"{row['scenario']} {row.get('share', '')}: {each}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print the table and return the exit code."""
    parser = argparse.ArgumentParser(description="kills runs and fills disks")
    parser.add_argument("--kills", type=int, default=20, help="kills of each scenario")
    parser.add_argument("--terminate", action="store_true", help="by SIGTERM instead of SIGKILL")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=list(SCENARIOS), help="which to run")
    parser.add_argument("--full", action="store_true", help="fill small disks instead")
    parser.add_argument("--small", type=Path, help="an empty folder on a file system of a few MiB")
    parser.add_argument("--json", type=Path, help="a file for the rows")
    options = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    by = signal.SIGTERM if options.terminate else signal.SIGKILL
    with tempfile.TemporaryDirectory() as name:
        warm_up(Path(name) / "cache")
        shop = Workshop(Path(name), Random(options.seed))
        shop.prepare({"patch"} if options.full else {SCENARIOS[each][0] for each in options.scenarios})
        if not options.full:
            for each in options.scenarios:
                rows.append(kill_scenario(shop, each, options.kills, by))
                print(f"{each}: {rows[-1].get('kills', 0)} kills, {len(rows[-1]['wrong'])} wrong", file=sys.stderr)
        else:
            with small_disk(options.small, 8) as small:
                if small is None:
                    print("no small file system can be mounted here: give an empty folder on one with --small")
                    return 2
                rows += full_runs(shop, small)
    show(rows)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return int(any(row["wrong"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())

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
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from fuzzing.material import grid_settings, must, patch_settings, run_commands, warm_up, write_data, write_image

OWN_FACTS = ".run/facts.json"
"""What a run said of itself, kept to be said again."""

WRITTEN = ".run/written.json"
"""The record of the hashes of tables and report."""

SPEED = ("seconds", "megapixels_per_second", "peak_memory_mib")
"""Entries of `run.json` that are different in every run."""


EXPECTED, STOPPED = 3, 130
"""The exit codes of a run over the images: all done but for the one cut short; ended in order by SIGTERM."""

SCENARIOS: dict[str, tuple[str, tuple[str, ...]]] = {
    "patch": ("patch", ("max_memory=2GiB", "tile=256")),
    "grid": ("grid", ("max_memory=2GiB", "tile=256")),
    "patch-d4": ("patch", ("max_memory=2GiB", "tile=256", "tta=d4")),
    "grid-d4": ("grid", ("max_memory=2GiB", "tile=256", "tta=d4")),
    "grid-devices": ("grid", ("max_memory=2GiB", "tile=256", "runtime.device=cpu", "runtime.devices=2")),
    "patch-file": ("patch", ("max_memory={memory}",)),
    "grid-file": ("grid", ("max_memory={memory}", "tta=flips")),
}
"""Name of each scenario: the head, and settings."""

MEMORY = "6MiB"
"""A bound at which the map of the raster lies in a file: more than a 32nd of it."""

NAMELESS = 100_000
"""Bytes of a file without a name from which it is one of the run's maps."""

RASTER = (768, 640)
"""Height and width of the image of many tiles."""


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes:
        code: its exit code, or minus the signal that ended it.
        seconds: how long it took.
        log: what it wrote.
        nameless: whether it held a file without a name, such as a map too large for memory.
    """

    code: int
    seconds: float
    log: str
    nameless: bool


def run(
    command: Sequence[str],
    log: Path,
    kill_after: float | None = None,
    scratch: Path | None = None,
    by: signal.Signals = signal.SIGKILL,
) -> Ended:
    """Run a command in a fork of this process, with its own TMPDIR where one is given; end it after some seconds."""
    sys.stdout.flush()
    log.write_text("")
    begun = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _child(command, log, scratch)
    nameless = False
    while True:
        nameless = nameless or (kill_after is None and _has_nameless(pid))
        done, status = os.waitpid(pid, os.WNOHANG)
        seconds = time.monotonic() - begun
        if done:
            return Ended(os.waitstatus_to_exitcode(status), seconds, log.read_text(errors="replace"), nameless)
        if kill_after is not None and seconds >= kill_after:
            os.kill(pid, by)
            kill_after = None
        time.sleep(0.002)


def _has_nameless(pid: int) -> bool:
    """Return whether a process has a large file without a name, open or mapped."""
    with contextlib.suppress(OSError):
        lines = [line.split() for line in Path(f"/proc/{pid}/maps").read_text().splitlines() if "(deleted)" in line]
        sizes = [int(end, 16) - int(start, 16) for start, end in (line[0].split("-") for line in lines)]
        handles = [f"/proc/{pid}/fd/{name}" for name in os.listdir(f"/proc/{pid}/fd")]  # noqa: PTH208
        sizes += [os.stat(each).st_size for each in handles if "(deleted)" in os.readlink(each)]  # noqa: PTH115, PTH116
        return any(size > NAMELESS for size in sizes)
    return False


def _child(command: Sequence[str], log: Path, scratch: Path | None) -> None:
    target = os.open(log, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(target, stream)
    if scratch is not None:
        os.environ["TMPDIR"] = str(scratch)
    tempfile.tempdir = None
    codes: list[int] = []
    try:
        run_commands((tuple(command),), lambda **told: codes.append(told["code"]))
    except BaseException:
        import traceback

        traceback.print_exc()
        codes.append(1)
    sys.stderr.flush()
    os._exit(codes[-1])


def files_of(folder: Path) -> dict[str, bytes]:
    """Return every file of an output folder by path.

    Speeds are left out, and the journal's lines sorted; of the record of what was written, whose hashes depend on the
    speeds, there is whether each file is the one that it names.
    """
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for lock in (".run/lock", ".run/written.lock"):
        found.pop(lock, None)
    if WRITTEN in found:
        kept = {name: sha256(found[name]).hexdigest() in known for name, known in json.loads(found[WRITTEN]).items()}
        found[WRITTEN] = json.dumps(kept).encode()
    if "run.json" in found:
        facts = json.loads(found["run.json"])
        found["run.json"] = json.dumps({name: value for name, value in facts.items() if name not in SPEED}).encode()
    if OWN_FACTS in found:
        facts = json.loads(found[OWN_FACTS])
        facts["run"] = {name: value for name, value in facts["run"].items() if name not in SPEED}
        found[OWN_FACTS] = json.dumps(facts).encode()
    if ".run/journal.jsonl" in found:
        found[".run/journal.jsonl"] = b"\n".join(sorted(found[".run/journal.jsonl"].splitlines()))
    return found


def different(one: Path, other: Path) -> list[str]:
    """Return the names of files that two folders do not have alike."""
    found, wanted = files_of(one), files_of(other)
    return sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))


def write_images(folder: Path) -> None:
    """Write small images that share a batch, a raster of many tiles, and a photograph cut short."""
    (folder / "deep").mkdir(parents=True)
    for number in range(4):
        write_image(folder / f"{number}.png", number, (128, 96 + 32 * number))
    write_image(folder / "deep/raster.tif", 9, RASTER)
    write_image(folder / "whole.jpg", 5, (200, 200))
    data = (folder / "whole.jpg").read_bytes()
    (folder / "whole.jpg").unlink()
    (folder / "cut.jpg").write_bytes(data[: len(data) // 2])


@dataclass(frozen=True)
class Workshop:
    """Models, images and settings for the runs.

    Attributes:
        folder: where they lie.
        rng: draws the moments.
    """

    folder: Path
    rng: Random

    @property
    def data(self) -> Path:
        """The labelled images."""
        return self.folder / "data"

    @property
    def images(self) -> Path:
        """The images that are predicted."""
        return self.folder / "images"

    def settings(self, head: str) -> tuple[str, ...]:
        """Return the settings of a training."""
        made = patch_settings(self.data) if head == "patch" else grid_settings(self.data)
        return (*made, f"trainer.max_epochs={2 if head == 'patch' else 12}")

    def prepare(self, heads: set[str]) -> None:
        """Write the images and train the models."""
        write_data(self.data)
        write_images(self.images)
        for head in sorted(heads):
            must(self.folder, "train", *self.settings(head), f"output={self.folder / head}")

    def predict(self, name: str, out: Path) -> tuple[str, ...]:
        """Return the command of a scenario."""
        head, more = SCENARIOS[name]
        given = (f"model={self.folder / head}/model.safetensors", f"images={self.images}", f"output={out}")
        threshold = "threshold=0.3" if head == "patch" else "threshold=0.1"
        return ("predict", *given, "runtime=torch", threshold, *(each.format(memory=MEMORY) for each in more))


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
    objects = (place / "whole/detections.csv").read_bytes().count(b"\n") - 1
    if name.endswith("-file") and not whole.nameless:
        return {"scenario": name, "wrong": ["the map did not lie in a file: lower MEMORY"]}
    wrong: list[str] = []
    states: set[tuple[int, int]] = set()
    hit, done = 0, 0
    out = place / "0"
    while hit < kills:
        ended = run(shop.predict(name, out), log, shop.rng.random() * whole.seconds, by=by)
        if ended.code in (-by, STOPPED):
            wrong += _disorder(ended, out) if ended.code == STOPPED else []
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
    """Return what a run left behind that should have ended in order."""
    left = [f"{out.name}: half a file: {path.name}" for path in out.rglob("*.part")]
    return [*left, *([f"{out.name}: a traceback: {ended.log[-400:]}"] if "Traceback" in ended.log else [])]


def _recorded(out: Path) -> int:
    journal = out / ".run/journal.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def _compare(ended: Ended, out: Path, whole: Path) -> list[str]:
    if ended.code != EXPECTED:
        return [f"{out.name} ended with {ended.code}: {ended.log[-400:]}"]
    return [f"{out.name}: {name} differs" for name in different(out, whole)]


@contextlib.contextmanager
def small_disk(given: Path | None, mebibytes: int) -> Iterator[Path | None]:
    """Yield a folder on a file system of a few MiB; None where none can be mounted."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", folder]
        if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
            yield None
            return
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def fill(folder: Path, left: int) -> Path:
    """Write a file that leaves so many bytes of a file system, and return its path."""
    ballast = folder / "ballast"
    number = max(0, shutil.disk_usage(folder).free - left)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, number))
    return ballast


SHARES = (0.0, 0.1, 0.4, 0.7, 0.95)
"""Shares of what a run writes for which there is room."""


@dataclass(frozen=True)
class FullCase:
    """A command on a full disk.

    Attributes:
        name: in the table.
        command: made of an output folder.
        output: whether the output lies on the small disk; else TMPDIR does.
        same: compares an output folder with the undisturbed one.
        codes: exit codes of a run that is done.
    """

    name: str
    command: Callable[[Path], tuple[str, ...]]
    output: bool
    same: Callable[[Path, Path], list[str]]
    codes: tuple[int, ...]


def same_training(one: Path, other: Path) -> list[str]:
    """Return what two trainings do not have alike: weights, and a row an epoch."""
    from safetensors.numpy import load_file

    found, wanted = (load_file(each / "model.safetensors") for each in (one, other))
    wrong = [name for name in wanted if name not in found or not np.array_equal(found[name], wanted[name])]
    rows = [(each / "metrics.csv").read_text().count("\n") for each in (one, other)]
    return wrong + ([f"metrics.csv: {rows}"] if rows[0] != rows[1] else [])


def full_cases(shop: Workshop) -> list[FullCase]:
    """Return the commands that are run on full disks."""

    def train(out: Path) -> tuple[str, ...]:
        cache = "data.loading.cache=1KiB"
        return ("train", *shop.settings("patch"), cache, "resume=true", f"output={out}")

    def predict(out: Path) -> tuple[str, ...]:
        return shop.predict("patch-file", out)

    return [
        FullCase("predict, output", predict, True, different, (EXPECTED,)),
        FullCase("predict, TMPDIR", predict, False, different, (EXPECTED,)),
        FullCase("train, output", train, True, same_training, (0,)),
        FullCase("train, TMPDIR", train, False, same_training, (0,)),
    ]


def full_runs(shop: Workshop, small: Path) -> list[dict[str, Any]]:
    """Run every command with room for a part of what it writes, then with room, and return rows of the table."""
    rows = []
    for case in full_cases(shop):
        place = shop.folder / case.name.replace(", ", "-")
        place.mkdir()
        whole = place / "whole"
        first = run(case.command(whole), place / "log")
        if first.code not in case.codes:
            rows.append({"scenario": case.name, "wrong": [f"undisturbed: {first.code}: {first.log[-400:]}"]})
            continue
        size = sum(path.stat().st_size for path in whole.rglob("*") if path.is_file())
        rows += [full_run(case, share, int(share * size), small, place) for share in SHARES]
    return rows


def full_run(case: FullCase, share: float, room: int, small: Path, place: Path) -> dict[str, Any]:
    """Run a command where there is room for so many bytes, then with room, and return a row of the table."""
    for each in small.iterdir():
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    scratch = small / "tmp"
    scratch.mkdir()
    out = small / "out" if case.output else place / f"{share}"
    temporary = place if case.output else scratch
    ballast = fill(small, room)
    full = run(case.command(out), place / "log", scratch=temporary)
    wrong = judge_full(full, case, out, small)
    ballast.unlink()
    if full.code not in case.codes:
        again = run(case.command(out), place / "log", scratch=temporary)
        if again.code not in case.codes:
            wrong.append(f"with room again: {again.code}: {again.log[-300:]}")
    if not wrong or out.exists():
        with contextlib.suppress(FileNotFoundError):
            wrong += [f"{name} differs" for name in case.same(out, place / "whole")]
    return {"scenario": case.name, "share": share, "room KiB": room >> 10, "code": full.code, "wrong": wrong}


def judge_full(full: Ended, case: FullCase, out: Path, small: Path) -> list[str]:
    """Return what is wrong with how a run ended on a full disk."""
    wrong = []
    if full.code not in (*case.codes, 2):
        wrong.append(f"ended with {full.code}: {full.log[-300:]}")
    elif full.code == 2 and str(small) not in full.log.splitlines()[-1]:
        wrong.append(f"the last line does not name {small}: {full.log.splitlines()[-1:]}")
    if "Traceback" in full.log:
        wrong.append("a traceback")
    wrong += [f"half a file: {path.relative_to(out)}" for path in out.rglob("*.part")]
    return wrong


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

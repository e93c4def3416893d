"""Runs whose disk is full: how much room they get, and what they must leave."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from killing.forks import Ended, run
from killing.same_files import different
from killing.workshop import EXPECTED, NOTHING, Workshop, objects_of


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
        objects: how many were found in a folder; None where nothing is counted.
    """

    name: str
    command: Callable[[Path], tuple[str, ...]]
    output: bool
    same: Callable[[Path, Path], list[str]]
    codes: tuple[int, ...]
    objects: Callable[[Path], int] | None = None


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
        FullCase("predict, output", predict, True, different, (EXPECTED,), objects_of),
        FullCase("predict, TMPDIR", predict, False, different, (EXPECTED,), objects_of),
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
        if case.objects is not None and not case.objects(whole):
            rows.append({"scenario": case.name, "wrong": [NOTHING]})
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

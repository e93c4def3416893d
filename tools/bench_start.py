"""How soon the commands answer: processor seconds of `--help`, of a wrong setting, and until the first tile.

    python tools/bench_start.py [--root CHECKOUT] [--runs 5]

Seconds are those that a process of its own and its children spend on the processor (user and system), the median of
`--runs` after one that is not counted, by which files are compiled and in memory. The last column is the time over that
of `import torch, timm`, which a command has to spend before it can compute anything, and should not before it answers.
`predict to the first tile` runs `detect.predict` on a small image and ends where the runtime is called with a tile.
A dash stands where a checkout's command did not end as it should; how it ended is on stderr.
"""

import argparse
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from house_facts import bound_names, read_modules
from small_run import predict_settings, run_python, train_small_model

REFERENCE = "import torch, timm"
FIRST_TILE = 77
"""Exit code of a process that came to its first tile."""

STOP_AT_A_TILE = f"""
import os, sys
from importlib import import_module

for name in ("detect.inference.runtimes.torch_runtime", "detect.inference.runtime"):
    try:
        module = import_module(name)
    except ModuleNotFoundError:
        continue
    break
module.TorchRuntime.__call__ = lambda *_: os._exit({FIRST_TILE})
sys.argv = ["detect.predict", *sys.argv[1:]]
import_module("detect.predict").main()
"""
"""The second name is that of earlier versions."""


def processor_seconds(root: Path, arguments: Sequence[str], code: int) -> float | None:
    """Run Python once and return its processor seconds; None, and its output on stderr, for another exit code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run_python(root, *arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != code:
        sys.stderr.write(f"{' '.join(arguments[:3])} ended with {done.returncode}, not {code}:\n{done.stderr}\n")
        return None
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def median_seconds(root: Path, arguments: Sequence[str], code: int, runs: int) -> float | None:
    """Return the median of several runs, after one that is not counted; None once one does not end as it should."""
    times: list[float] = []
    for _ in range(runs + 1):
        seconds = processor_seconds(root, arguments, code)
        if seconds is None:
            return None
        times.append(seconds)
    return median(times[1:])


def commands(root: Path) -> list[str]:
    """Return the names of a checkout's commands: the modules at the root of the package that bind `main`."""
    modules = read_modules(root / "detect")
    return [m.path.stem for m in modules if len(m.path.parts) == 1 and "main" in bound_names(m.tree)]


def starts(root: Path, folder: Path) -> dict[str, tuple[list[str], int]]:
    """Return what is measured by its name: Python's arguments, and the exit code that they should lead to."""
    given: dict[str, tuple[list[str], int]] = {
        REFERENCE: (["-c", REFERENCE], 0),
        "import detect": (["-c", "import detect"], 0),
    }
    model = train_small_model(root, folder)
    if model is not None:
        to_a_tile = ["-c", STOP_AT_A_TILE, *predict_settings(folder, model), "overwrite=true"]
        given["predict to the first tile"] = (to_a_tile, FIRST_TILE)
    for name in commands(root):
        given[f"{name} --help"] = (["-m", f"detect.{name}", "--help"], 0)
        given[f"{name} nonsense=1"] = (["-m", f"detect.{name}", "nonsense=1"], 2)
    return given


def main() -> None:
    """Measure a checkout and print the table."""
    parser = argparse.ArgumentParser(description="how soon the commands answer")
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1], help="the checkout to measure")
    parser.add_argument("--runs", type=int, default=5, help="runs of each, of which the median is taken")
    options = parser.parse_args()
    root = options.root.resolve()
    reference: float | None = None
    print(f"| what | processor seconds | over `{REFERENCE}` |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, (arguments, code) in starts(root, Path(folder)).items():
            seconds = median_seconds(root, arguments, code, options.runs)
            reference = seconds if name == REFERENCE else reference
            if seconds is None:
                print(f"| {name} | - | - |", flush=True)
            else:
                ratio = f"{seconds / reference:.2f}" if reference else "-"
                print(f"| {name} | {seconds:.2f} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()

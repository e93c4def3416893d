"""What a CUDA device has to do right, and how fast it is: one command, under five minutes, a line a check.

    python tools/check_cuda.py [--folder DIR] [--json FILE] [--only right|speed] [--device cuda|cpu]

Right: the same objects as the CPU, bf16, training, batches under each other, too little memory, a wrong name. Made
scenes (discs of 10 pixels on grainy ground), two small trainings on the device, one for each head, and the commands as
a user runs them. It ends with exit code 1 where one is broken.

Fast: the bare network, decoding, from file to counts, several devices, crops of a training (`device_speed.py`). A goal
that is missed is "not reached", and no error. `--device cpu` runs that part alone, in a tiny size: its rates say
nothing, but that the script is whole.

With a device it takes about four minutes on a recent card, most of them imports and the CPU's part.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from device_speed import SAME_BYTES, TINY, Rate, Size, rates
from PIL import Image

if TYPE_CHECKING:
    from detect.inference.runtimes.torch_runtime import TorchRuntime

SIDE = 1024
DISCS = 60
SCENES = {"train": 4, "val": 2, "test": 4}

MOST_SHIFT = 0.01
"""Pixels that a detection may move between the CPU's and the device's float32."""

MOST_SCORE_CHANGE = 1e-3
"""Change of a detection's score between them."""

MOST_COUNT_CHANGE = 0.002
"""Share of the total by which bf16 may count otherwise than float32."""

MANY_TILES, MOST_CHANGE = 64, 1e-3
"""Tiles of 512 pixels that are run at once; change of a logit between a batch and its parts."""

HEADS = {
    "patch": ("net=patch", "net.stride=4", "net.patch_size=16", "net.margin=24", "data.sampling.crop=128"),
    "grid": ("net=grid", "net.stride=4", "net.deepest=4", "net.width=32", "data.sampling.crop=192"),
}


@dataclass(frozen=True)
class Check:
    """One line of the result.

    Attributes:
        name: what was checked.
        found: what came out, in words.
        bound: what had to come out.
        right: whether it did.
    """

    name: str
    found: str
    bound: str
    right: bool


def write_scenes(folder: Path) -> None:
    """Write scenes with discs, and `points.csv` with their middles."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:SIDE, :SIDE]
    lines = ["image,x,y,label,split"]
    for side, number in SCENES.items():
        for each in range(number):
            pixels = rng.integers(60, 110, (SIDE, SIDE, 3))
            for x, y in rng.integers(12, SIDE - 12, (DISCS, 2)):
                pixels[(rows - y) ** 2 + (cols - x) ** 2 <= 25] = (230, 140, 40)
                lines.append(f"{side}{each}.png,{x},{y},disc,{side}")
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{side}{each}.png")
    (folder / "points.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def run(*arguments: str) -> tuple[int, str, float]:
    """Run a command of this checkout; return its exit code, what it printed, and its seconds."""
    started = time.monotonic()
    root = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr, time.monotonic() - started


def train(folder: Path, head: str, *more: str) -> tuple[int, str, float]:
    """Train a LeNet with a head on the scenes, on the device."""
    return run(
        "detect.train",
        f"data.root={folder / 'scenes'}",
        f"data.annotations={folder / 'scenes/points.csv'}",
        f"output={folder / head}",
        "net.backbone=lenet5",
        "net.weights=none",
        *HEADS[head],
        "augment=none",
        "data.matching.radius=8",
        "data.sampling.samples=400",
        "trainer.max_epochs=4",
        "trainer.accelerator=gpu",
        "runtime.device=cuda",
        "overwrite=true",
        *more,
    )


def predict(folder: Path, head: str, name: str, *more: str) -> tuple[int, str, pd.DataFrame]:
    """Count the discs of the test scenes; return the exit code, the log and the detections."""
    output = folder / f"{head}_{name}"
    code, log, _ = run(
        "detect.predict",
        f"model={folder / head / 'model.safetensors'}",
        f"images={folder / 'scenes/test*.png'}",
        f"output={output}",
        "runtime=torch",
        *more,
    )
    table = output / "detections.csv"
    return code, log, pd.read_csv(table) if table.exists() else pd.DataFrame()


def check_head(folder: Path, head: str) -> Iterator[Check]:
    """Yield the checks of one head: training, float32 against the CPU, bf16."""
    code, log, seconds = train(folder, head)
    if code:
        yield Check(f"{head}: training", log[-500:], "exit code 0", False)
        return
    f1 = json.loads((folder / head / "scores.json").read_text(encoding="utf-8"))["f1"]
    yield Check(f"{head}: training", f"F1 {f1:.3f} in {seconds:.0f} s", "F1 above 0.9", f1 > 0.9)
    _, _, cpu = predict(folder, head, "cpu", "runtime.device=cpu", "runtime.precision=32")
    _, log, cuda = predict(folder, head, "cuda", "runtime.device=cuda", "runtime.precision=32")
    yield _same(head, cpu, cuda, log)
    _, _, half = predict(folder, head, "bf16", "runtime.device=cuda", "runtime.precision=bf16")
    most = max(1, round(MOST_COUNT_CHANGE * len(cuda)))
    yield Check(
        f"{head}: bf16 against float32",
        f"{len(half)} and {len(cuda)} objects",
        f"{most} more or fewer",
        abs(len(half) - len(cuda)) <= most,
    )


def _same(head: str, cpu: pd.DataFrame, cuda: pd.DataFrame, log: str) -> Check:
    name, bound = f"{head}: CUDA against CPU in float32", f"{MOST_SHIFT} px, {MOST_SCORE_CHANGE} of score"
    if not len(cpu) or len(cpu) != len(cuda):
        return Check(name, f"{len(cuda)} and {len(cpu)} objects {log[-300:] if not len(cuda) else ''}", bound, False)
    shift = float((cpu[["x", "y"]] - cuda[["x", "y"]]).abs().to_numpy().max())
    score = float((cpu["score"] - cuda["score"]).abs().max())
    right = shift <= MOST_SHIFT and score <= MOST_SCORE_CHANGE
    return Check(name, f"{len(cpu)} objects, at most {shift:.1e} px and {score:.1e}", bound, right)


def check_resume(folder: Path) -> Check:
    """Check that a training on the device goes on after its first two epochs."""
    name, output = "a training in two parts", folder / "grid_parts"
    first, log, _ = train(folder, "grid", f"output={output}", "trainer.max_epochs=2")
    second, more, _ = train(folder, "grid", f"output={output}", "overwrite=false", "resume=true")
    epochs = len(pd.read_csv(output / "metrics.csv")) if second == 0 else 0
    found = f"{epochs} epochs" if epochs else (log if first else more)[-300:]
    return Check(name, found, "4 epochs", epochs == 4)


def check_device_names(folder: Path) -> Iterator[Check]:
    """Yield that a device which is not there is refused before anything is done."""
    for device in (f"cuda:{torch.cuda.device_count()}", "cuda:99"):
        code, log, seconds = train(folder, "grid", f"runtime.device={device}", f"output={folder / 'wrong'}")
        early = code == 2 and device in log and not (folder / "wrong/metrics.csv").exists()
        found = f"exit code {code} after {seconds:.0f} s" if early else log[-300:]
        yield Check(f"training with runtime.device={device}", found, "exit code 2 before training", early)


def check_overlap(folder: Path) -> Iterator[Check]:
    """Yield that a batch that is begun while another one is computed has the maps that it has alone, to the last bit.

    With half of the memory that both need the second is run when it is waited for.
    """
    runtime = float32_runtime(folder)
    tiles = np.random.default_rng(1).integers(0, 256, (8, MANY_TILES // 4, 3, 512, 512), dtype=np.uint8)
    alone = [runtime(batch) for batch in tiles]
    torch.cuda.synchronize()
    started = time.monotonic()
    for batch in tiles:
        runtime(batch)
    one_by_one = time.monotonic() - started
    started = time.monotonic()
    found = overlapped(runtime, tiles)
    seconds = time.monotonic() - started
    same = all(np.array_equal(one, other) for one, other in zip(found, alone, strict=True))
    told = "the same bits" if same else "OTHER bits"
    name = f"the next batch begun under the last one's network ({len(tiles)} of {tiles.shape[1]} tiles)"
    yield Check(name, f"{told}, {seconds / one_by_one:.2f} of the time", "the same bits", same)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    overlapped(runtime, tiles)
    peak, total = torch.cuda.max_memory_allocated(), torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.5 * peak / total)
    try:
        change = max(
            float(np.abs(one - other).max()) for one, other in zip(overlapped(runtime, tiles), alone, strict=True)
        )
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    yield Check(f"{name}, half of the memory", f"logits differ by {change:.1e} at most", "", change < MOST_CHANGE)


def overlapped(runtime: "TorchRuntime", batches: np.ndarray) -> list[np.ndarray]:
    """Return the maps of batches, each of which is begun before the last one is waited for."""
    found: list[np.ndarray] = []
    waits = [runtime.begin(batches[0])]
    for batch in batches[1:]:
        waits.append(runtime.begin(batch))
        found.append(np.array(waits.pop(0)()))
    return [*found, np.array(waits.pop()())]


def float32_runtime(folder: Path) -> "TorchRuntime":
    """Return what runs the trained grid network on the device in float32."""
    from detect.inference.runtimes.torch_runtime import TorchRuntime
    from detect.nets.modelfile import load_model

    net, _ = load_model(folder / "grid/model.safetensors")
    return TorchRuntime(net, torch.device("cuda"), "32")


def check_little_memory(folder: Path) -> Iterator[Check]:
    """Yield that batches which do not fit into the device's memory are halved, and count the same."""
    from detect.assembly.engine.ready_engine import make_engine
    from detect.assembly.gate import checked_data, inference_defaults
    from detect.assembly.settings.inference_settings import InferenceSettings
    from detect.nets.modelfile import load_model

    logging.basicConfig(level=logging.INFO, format="    %(message)s")
    defaults = inference_defaults()
    runtime = {**defaults["runtime"], "device": "cuda", "precision": "32", "runtime": "torch"}
    settings = checked_data({**defaults, "runtime": runtime}, InferenceSettings)
    net, card = load_model(folder / "grid/model.safetensors")
    engine = make_engine(settings, net, card, card.threshold)
    tiles = np.random.default_rng(0).integers(0, 256, (MANY_TILES, 3, 512, 512), dtype=np.uint8)
    free = engine.runtime(tiles)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    engine.runtime(tiles)
    peak, total = torch.cuda.max_memory_allocated(), torch.cuda.get_device_properties(0).total_memory
    for part, bound in (
        (0.5, "the same map"),
        (0.1, "the same map"),
        (0.001, "an error that names max_memory or tile"),
    ):
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(part * peak / total)
        name = f"{MANY_TILES} tiles with {part:g} of the memory that they need ({peak >> 20} MiB)"
        try:
            change = float(np.abs(engine.runtime(tiles) - free).max())
        except MemoryError as error:
            yield Check(name, f"MemoryError: {str(error)[:160]}", bound, part < 0.01 and "max_memory" in str(error))
        else:
            yield Check(name, f"logits differ by {change:.1e} at most", bound, part >= 0.01 and change < MOST_CHANGE)
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


def checks(folder: Path) -> Iterator[Check]:
    """Yield every check of what has to be right, as it ends."""
    write_scenes(folder / "scenes")
    for head in HEADS:
        yield from check_head(folder, head)
    yield check_resume(folder)
    yield from check_device_names(folder)
    yield from check_overlap(folder)
    yield from check_little_memory(folder)


def speed(folder: Path, device: str) -> Iterator[Rate]:
    """Yield the rates of a device, in a tiny size on the CPU."""
    yield from rates(folder / "speed", device, TINY if device == "cpu" else Size(), run)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the checks and print a table."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="keep scenes, models and counts here")
    parser.add_argument("--json", type=Path, help="write the lines here too")
    parser.add_argument("--only", choices=("right", "speed"))
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    given = parser.parse_args(arguments)
    on_cuda = given.device == "cuda"
    if on_cuda and not torch.cuda.is_available():
        print("no CUDA device is here; --device cpu runs the rates in a tiny size")
        return 2
    print(f"{torch.cuda.get_device_name() if on_cuda else 'the CPU'}, torch {torch.__version__}", flush=True)
    made: list[Check | Rate] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        if on_cuda and given.only != "speed":
            for check in checks(folder):
                made.append(check)
                say("right" if check.right else "WRONG", check.name, check.found, f"bound: {check.bound}")
        if given.only != "right":
            for rate in speed(folder, given.device):
                made.append(rate)
                goal = f"goal: {rate.goal}" if rate.goal else ""
                say("" if rate.reached else "not reached", rate.name, rate.found, goal)
    if given.json:
        given.json.write_text(json.dumps([asdict(each) for each in made], indent=2), encoding="utf-8")
    return int(any(broken(each) for each in made))


def broken(line: Check | Rate) -> bool:
    """Return whether something is wrong, not slow."""
    return not line.right if isinstance(line, Check) else line.goal == SAME_BYTES and not line.reached


def say(verdict: str, name: str, found: str, wanted: str) -> None:
    """Print a line."""
    print(f"{verdict:12}{name}: {found}{f' ({wanted})' if wanted else ''}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

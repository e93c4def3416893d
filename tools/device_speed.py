"""Rates of a device: the bare network, decoding alone, from file to counts, several devices, crops of a training.

Part of `check_cuda.py`, which prints them as lines; a goal that is missed is "not reached". Goals are those of a GPU
beside eight cores or more: on a CPU they are printed alike, and mean nothing.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from PIL import Image

LEAST_SHARE = 0.5
"""File to counts, of the smaller of the bare network and decoding alone."""

LEAST_CROPS, CROP, WORKERS = 300.0, 384, 8
"""Crops a second that a training takes of its workers, their side in pixels, and the workers."""

BATCH_PIXELS, ROUNDS = 4 << 20, 20
"""Pixels of a batch of the bare network, and how often it is run."""

Run = Callable[..., tuple[int, str, float]]

SAME_BYTES = "the same bytes"
"""What several devices have to write as one does: anything else is no matter of speed."""


@dataclass(frozen=True)
class Size:
    """How much is measured: photographs and their (height, width), the bare network's pixels and rounds, crops."""

    photographs: int = 16
    hw: tuple[int, int] = (3328, 4992)
    batch_pixels: int = BATCH_PIXELS
    rounds: int = ROUNDS
    crops: int = 640
    workers: int = WORKERS


TINY = Size(2, (512, 640), 1 << 18, 2, 16, 1)
"""What shows that all of it runs."""


@dataclass(frozen=True)
class Rate:
    """One line: what was measured, the rate in words, the goal, empty without one, and whether it is reached."""

    name: str
    found: str
    goal: str = ""
    reached: bool = True


def rates(folder: Path, device: str, size: Size, run: Run) -> Iterator[Rate]:
    """Yield the rates of a device, as they are measured.

    Args:
        folder: for a model, photographs and counts.
        device: torch's name.
        size: how much is measured.
        run: runs a command of this checkout; returns exit code, output and seconds.
    """
    model, images = write_material(folder, size)
    bare = bare_rate(model, device, size)
    yield Rate("bare network, tiles on the device", f"{bare:.1f} megapixels/s")
    decoding = decoding_rate(images)
    yield Rate("decoding alone, on all cores", f"{decoding:.1f} megapixels/s")
    counts, said = predict_rate(run, model, images, folder / "one", device)
    bound = min(bare, decoding)
    share = 0.0 if counts is None else counts / bound
    yield Rate(
        "from file to counts",
        said if counts is None else f"{counts:.1f} megapixels/s, {share:.2f} of {bound:.1f}",
        f"{LEAST_SHARE} of the smaller of both",
        share >= LEAST_SHARE,
    )
    yield from several_devices(run, model, images, folder, device, counts)
    yield training_rate(device, size)


def write_material(folder: Path, size: Size) -> tuple[Path, Path]:
    """Write a model of random head, and photographs; return their paths."""
    from measured.images import make_photograph
    from measured.model import make_model

    from detect.imagery.description.scene_opening import open_scene
    from detect.nets.modelfile import save_model

    images = folder / "photographs"
    images.mkdir(parents=True)
    whole, first = folder / "whole.jpg", images / "00.jpg"
    make_photograph(whole)
    with Image.open(whole) as picture:
        picture.crop((0, 0, size.hw[1], size.hw[0])).save(first, quality=95)
    for number in range(1, size.photographs):
        shutil.copy(first, images / f"{number:02}.jpg")
    save_model(folder / "speed.safetensors", *make_model(open_scene(first), 2 << 30))
    return folder / "speed.safetensors", images


def bare_rate(model: Path, device: str, size: Size) -> float:
    """Return megapixels a second of the network alone, on a batch that lies on the device."""
    from detect.inference.runtimes.torch_runtime import PRECISIONS, TorchRuntime
    from detect.nets.modelfile import load_model

    net, card = load_model(model)
    runtime = TorchRuntime(net, torch.device(device), "auto")
    side = 1024 if size.batch_pixels >= 1 << 20 else 256
    number = size.batch_pixels // side**2
    shape = (number, len(card.bands), side, side)
    tiles = torch.randint(0, 256, shape, dtype=torch.uint8, device=device).float()
    tiles = tiles.contiguous(memory_format=torch.channels_last)
    kind = PRECISIONS[runtime.precision]
    with torch.inference_mode(), torch.autocast(torch.device(device).type, kind, enabled=kind != torch.float32):
        for _ in range(2):
            runtime.net(tiles)
        _wait(device)
        started = time.perf_counter()
        for _ in range(size.rounds):
            runtime.net(tiles)
        _wait(device)
    return number * side**2 * size.rounds / 1e6 / (time.perf_counter() - started)


def _wait(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def decoding_rate(images: Path) -> float:
    """Return megapixels a second of decoding photographs whole, in as many threads as there are cores."""
    from detect.nets.machine.processors import usable_cores

    def one(path: Path) -> int:
        with rasterio.open(path) as source:
            return int(np.prod(source.read().shape[1:]))

    started = time.perf_counter()
    with ThreadPoolExecutor(usable_cores()) as pool:
        pixels = sum(pool.map(one, sorted(images.iterdir())))
    return pixels / 1e6 / (time.perf_counter() - started)


def predict_rate(
    run: Run, model: Path, images: Path, output: Path, device: str, *more: str
) -> tuple[float | None, str]:
    """Return megapixels a second of `detect.predict` with tables alone, as its run.json says; else what it printed."""
    given = (f"model={model}", f"images={images}", f"output={output}", "runtime=torch", f"runtime.device={device}")
    code, log, _ = run("detect.predict", *given, "write=[tables]", *more)
    if code:
        return None, log[-500:]
    facts: dict[str, Any] = json.loads((output / "run.json").read_text(encoding="utf-8"))
    return facts["megapixels_per_second"], ""


def several_devices(
    run: Run, model: Path, images: Path, folder: Path, device: str, alone: float | None
) -> Iterator[Rate]:
    """Yield whether all devices together write the same tables as one, and how fast; nothing where there is one.

    On the CPU two processes are two devices, whose tiles are given, as they have half of the memory each.
    """
    on_cpu = torch.device(device).type == "cpu"
    number = 2 if on_cpu else torch.cuda.device_count()
    if number < 2 or alone is None:
        return
    tile = ("tile=512",) if on_cpu else ()
    if tile:
        alone, said = predict_rate(run, model, images, folder / "one_of_tiles", device, *tile)
    one = folder / ("one_of_tiles" if tile else "one")
    rate, said = predict_rate(run, model, images, folder / "all", device, f"runtime.devices={number}", *tile)
    name = f"{number} devices"
    if rate is None or alone is None:
        yield Rate(name, said, "exit code 0", False)
        return
    tables = ("counts.csv", "detections.csv", "failures.csv", ".run/journal.jsonl")
    same = all((one / table).read_bytes() == (folder / "all" / table).read_bytes() for table in tables)
    told = SAME_BYTES if same else "OTHER bytes"
    yield Rate(name, f"{rate:.1f} megapixels/s, {rate / alone:.2f} of one, {told}", SAME_BYTES, same)


def training_rate(device: str, size: Size) -> Rate:
    """Return crops a second of the default grid network's training loop, in a process of its own: it starts others."""
    given = [str(size.crops), str(size.workers), device]
    done = subprocess.run([sys.executable, __file__, *given], capture_output=True, text=True, check=False)
    name, goal = f"training, crops of {CROP} pixels, {size.workers} workers", f"{LEAST_CROPS:.0f} crops/s"
    if done.returncode:
        return Rate(name, done.stderr[-500:], goal, False)
    rate = float(done.stdout.split()[-1])
    return Rate(name, f"{rate:.1f} crops/s", goal, rate >= LEAST_CROPS)


def print_training_rate(crops: int, workers: int, device: str) -> None:
    """Train an epoch to warm up and one that is timed, and print crops a second."""
    import tempfile

    from bench_training import loop_rate, settings_of

    from detect.assembly.given_labels import read_labels
    from detect.assembly.material import training_material

    accelerator = "gpu" if torch.device(device).type == "cuda" else "cpu"
    wanted = [
        f"data.sampling.samples={crops}",
        f"data.sampling.crop={CROP}",
        f"data.loading.workers={workers}",
        f"trainer.accelerator={accelerator}",
        f"runtime.device={device}",
    ]
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_of("grid", Path(folder), wanted)
        print(loop_rate(settings, training_material(settings, read_labels(settings.data))), flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    print_training_rate(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])

"""From file to counts, side by side in one run: sliding windows, dense torch, dense OpenVINO, the bare network, SAHI.

    python tools/bench_inference.py [--images photo.jpg] [--without sahi,gigapixel] [--memory auto] [--precision 32]
        [--json FILE]

All of ours run the same weights (EfficientNet-Lite0 at stride 16 with a head of random numbers: speed does not depend
on them) on the same photograph, and ours go from the file to written heatmap, overlay and tables (not the report's
page), SAHI to its list of objects.

- `sliding_16`, `sliding_48`: as people write it: windows of `WRITTEN_SIDE` pixels, a patch and a margin, cut out and
  classified by torch in batches of 64, at strides of 16 and 48 pixels; measured on `WINDOWS` of the windows and scaled
  up. Its logits are not those of the map: the margin is less than the network looks.
- `sliding`: the same at stride 16 with all of the context, which gives the map's very logits, and which nobody would
  write.
- `dense_torch`, `dense_openvino`: what `detect.predict` does with a folder of `COPIES` of the photograph, by which the
  reading of the next and the writing of the last go on beside the network.
- `dense_openvino_tables`: the same with `write=[tables]`: from file to counts, and no picture.
- `network`: OpenVINO on the same tiles, held in memory, nothing read, stitched or written. Its megapixels are those of
  the tiles; `halo_overhead` is tile pixels over core pixels, so that `dense_openvino * halo_overhead / network` is the
  share of the bare network's speed that is left.
- `decoding`: the photographs decoded, on all cores, and nothing else. The share that is possible at all is the bare
  network's time of the processor over that and decoding's.
- `sahi`: SAHI with YOLO11n of random weights, slices of 640, overlap 0.2. `pip install sahi ultralytics` (AGPL) for it;
  it is no part of this package.

Compilation is left out everywhere (a first image is counted before the clock starts). Rates are the medians of
`--repeats` rounds; in a round every part runs once. Peak memory is that of `python -m detect.predict` as a process of
its own, interpreter and weights included, on the photograph and on a tiled GeoTIFF of a gigapixel made of it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from measured.images import make_gigapixel, make_photograph
from measured.model import Silent, engine, make_model, memory_of
from measured.sahi import sahi_run
from measured.sliding import slide
from network_share import decode_copies, shares
from numpy.typing import NDArray

from detect.assembly.command import keep_freed_memory
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import SceneReader
from detect.inference.engine import Engine
from detect.inference.failures import MAX_PREVIEW_SIDE
from detect.inference.run import predict_images
from detect.inference.runtimes.openvino_runtime import OpenVinoRuntime, compile_cache
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.nets.card import ModelCard
from detect.nets.modelfile import save_model
from detect.reporting.output.layout import STATE
from detect.reporting.output.prediction_folder import PredictionFolder
from detect.reporting.output.products import PRODUCTS, TABLES
from detect.reporting.writing import write_json

WRITTEN_SIDE = 112
SLIDING = ("sliding_48", "sliding_16", "sliding")
FROM_FILES = ("dense_openvino", "dense_openvino_tables")
PARTS = (*SLIDING, "dense_torch", *FROM_FILES, "network", "decoding", "sahi")
COPIES = 4


def from_file_to_counts(made: Engine, card: ModelCard, photograph: Path, wanted: Sequence[str] = PRODUCTS[:4]) -> None:
    """Run `COPIES` of an image as `detect.predict` does, up to the tables, into a folder that is removed."""
    images = [(f"{number}{photograph.suffix}", photograph) for number in range(COPIES)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / STATE).mkdir()
        sink = PredictionFolder(folder, card, images, wanted)
        predict_images(images, made, sink, Silent(), MAX_PREVIEW_SIDE if sink.previewed else None)
        sink.write_tables({})
        if len(sink.found) < len(images):
            raise RuntimeError(f"{photograph} was not counted: {sink.failures}")


def bare(runtime: OpenVinoRuntime, tiles: list[NDArray[np.generic]]) -> None:
    """Run the network on tiles in memory."""
    for tile in tiles:
        runtime(tile)


def seconds(run: Callable[[], None]) -> float:
    """Time one call."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


@dataclass(frozen=True)
class Speeds:
    """What was timed.

    Attributes:
        rates: megapixels a second by part, None of one that was left out.
        overhead: tile pixels over the photograph's.
        cpu: the processor's seconds a megapixel of the photograph, by part.
    """

    rates: dict[str, float | None]
    overhead: float
    cpu: dict[str, float]

    @property
    def shares(self) -> dict[str, float]:
        """The shares of the bare network's rate from file to counts, and the one that is possible."""
        return shares(self.rates, self.overhead, self.cpu, FROM_FILES)


def measure_speed(photograph: Path, without: set[str], repeats: int, memory: int, precision: str) -> Speeds:
    """Time every part."""
    scene = open_scene(photograph)
    net, card = make_model(scene, memory)
    openvino = OpenVinoRuntime(net, 3, net.stride, card.dtype, precision, compile_cache())
    print(f"OpenVINO in {openvino.precision}, torch in 32, {torch.get_num_threads()} threads", flush=True)
    torch_engine = engine(card, net, TorchRuntime(net, torch.device("cpu")), memory)
    openvino_engine = engine(card, net, openvino, memory)
    openvino.kept_pixels = openvino_engine.plan.area
    tiling, halo = openvino_engine.plan.tiling(scene.shape), openvino_engine.plan.halo
    with SceneReader(scene, card.bands) as reader:
        tiles = [np.ascontiguousarray(reader.read(tiling.tile(core)))[None] for core in tiling]
    pixels, tile_pixels = scene.shape[0] * scene.shape[1], len(tiling) * tiling.tile_hw[0] * tiling.tile_hw[1]

    def dense(made: Engine, wanted: Sequence[str] = PRODUCTS[:4]) -> float:
        return seconds(lambda: from_file_to_counts(made, card, photograph, wanted))

    parts: dict[str, tuple[int, Callable[[], float]]] = {
        "sliding": (pixels, lambda: slide(net, card, scene, net.stride, net.patch_size + 2 * halo)),
        "sliding_16": (pixels, lambda: slide(net, card, scene, 16, WRITTEN_SIDE)),
        "sliding_48": (pixels, lambda: slide(net, card, scene, 48, WRITTEN_SIDE)),
        "dense_torch": (COPIES * pixels, lambda: dense(torch_engine)),
        "dense_openvino": (COPIES * pixels, lambda: dense(openvino_engine)),
        "dense_openvino_tables": (COPIES * pixels, lambda: dense(openvino_engine, (TABLES,))),
        "network": (tile_pixels, lambda: seconds(lambda: bare(openvino, tiles))),
        "decoding": (COPIES * pixels, lambda: seconds(lambda: decode_copies(photograph, COPIES))),
    }
    sahi = None if "sahi" in without else sahi_run(photograph)
    if sahi is not None:
        parts["sahi"] = (pixels, lambda: seconds(sahi))
    rates: dict[str, float | None] = dict.fromkeys(PARTS)
    wanted = {name: part for name, part in parts.items() if name not in without}
    times: dict[str, list[float]] = {name: [] for name in wanted}
    worked: dict[str, list[float]] = {name: [] for name in wanted}
    for turn in range(repeats + 1):
        for name, (_, run) in wanted.items():
            before = time.process_time()
            took = run()
            if turn:
                times[name].append(took)
                worked[name].append(time.process_time() - before)
        print(f"round {turn} of {repeats}{'' if turn else ' (not counted)'} done", flush=True)
    for name, (size, _) in wanted.items():
        rates[name] = round(size / 1e6 / median(times[name]), 4)
    megapixels = {name: (pixels if name == "network" else size) / 1e6 for name, (size, _) in wanted.items()}
    cpu = {name: median(each) / megapixels[name] for name, each in worked.items()}
    return Speeds(rates, tile_pixels / pixels, cpu)


def measure_memory(photograph: Path, without: set[str], folder: Path, memory: int) -> dict[str, float | None]:
    """Run `detect.predict` on the photograph and on a gigapixel; return the processes' peak memory in MiB."""
    net, card = make_model(open_scene(photograph), memory)
    save_model(folder / "model.safetensors", net, card)
    images = {"photograph": photograph, "gigapixel": folder / "gigapixel.tif"}
    peaks: dict[str, float | None] = dict.fromkeys(images)
    for name, path in images.items():
        if name in without:
            continue
        if name == "gigapixel":
            make_gigapixel(path, photograph)
            print("a gigapixel is written; counting it takes minutes", flush=True)
        output = folder / name
        command = [
            sys.executable,
            "-m",
            "detect.predict",
            f"model={folder / 'model.safetensors'}",
            f"images={path}",
            f"output={output}",
            f"max_memory={memory}",
        ]
        subprocess.run(command, check=True)
        peaks[name] = json.loads((output / "run.json").read_text(encoding="utf-8"))["peak_memory_mib"]
    return peaks


def show(speeds: Speeds, peaks: dict[str, float | None]) -> None:
    """Print the table."""
    unit = {"network": "megapixels of tiles/s"}
    for name, rate in speeds.rates.items():
        worked = f", {1000 * speeds.cpu[name]:.1f} ms of the processor" if name in speeds.cpu else ""
        shown = "left out" if rate is None else f"{rate:9.3f} {unit.get(name, 'megapixels/s')}{worked}"
        print(f"{name:>21}  {shown}")
    print(f"{'halo overhead':>21}  {speeds.overhead:9.3f} tile pixels per core pixel")
    for name, peak in peaks.items():
        print(f"{name:>21}  {'left out' if peak is None else f'{peak:9.0f} MiB at most'}")
    fast = speeds.rates["dense_openvino"]
    for other in (*SLIDING, "sahi"):
        slow = speeds.rates[other]
        if fast and slow:
            print(f"dense_openvino is {fast / slow:.1f} times as fast as {other}")
    for name, share in speeds.shares.items():
        print(f"{name}: {share:.2f} of the bare network's rate on the same tiles")
    first, second = peaks["photograph"], peaks["gigapixel"]
    if first and second:
        print(f"the gigapixel takes {second / first:.2f} times the photograph's memory")


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="a photograph; by default one is made")
    parser.add_argument("--without", default="", help="parts to leave out, such as sahi,gigapixel")
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", default="auto", help="max_memory, such as 2GiB; auto is what predict takes")
    parser.add_argument("--precision", choices=("auto", "32", "bf16"), default="auto", help="of OpenVINO")
    options = parser.parse_args()
    keep_freed_memory()
    memory = memory_of(options.memory)
    print(f"max_memory={memory / 2**30:g}GiB", flush=True)
    without = {name for name in options.without.split(",") if name}
    known = {*PARTS, "photograph", "gigapixel"}
    if without - known:
        parser.error(f"--without knows {sorted(known)}, got {sorted(without - known)}")
    with tempfile.TemporaryDirectory() as name:
        photograph = options.images or Path(name) / "photograph.jpg"
        if options.images is None:
            make_photograph(photograph)
        speeds = measure_speed(photograph, without, options.repeats, memory, options.precision)
        peaks = measure_memory(photograph, without, Path(name), memory)
        show(speeds, peaks)
        if options.json:
            found = {
                "megapixels_per_second": speeds.rates,
                "halo_overhead": round(speeds.overhead, 4),
                "cpu_seconds_per_megapixel": speeds.cpu,
                "share_of_network": speeds.shares,
                "peak_rss_mib": peaks,
                "max_memory": memory,
                "precision": options.precision,
            }
            write_json(found, options.json)


if __name__ == "__main__":
    main()

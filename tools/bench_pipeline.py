"""The house's own speed in prediction: from files to results with a network that costs nothing, beside decoding alone.

    python tools/bench_pipeline.py [--parts photographs,geotiffs,small] [--images 16] [--rounds 3] [--json FILE]

The network is one convolution with a kernel of one pixel at stride 16 (`kind=grid`, a class, points), so that all that
is measured is what stands around a network: reading, tiles, stitching, detections and what is written.

- `photographs`: a folder of JPEGs of 4,992 x 3,328 pixels.
- `geotiffs`: the same pixels in tiled GeoTIFFs (deflate).
- `small`: `--small` JPEGs of 640 x 640.

Of each part: `decoding`, every image decoded whole by GDAL, as rasterio asks for it, in as many threads as there are
cores, and nothing else: the house has a faster way with JPEGs, so that a ratio may be above 1;
`tables`, `detect.predict`'s way with `write=[tables]`, by one worker and by one a core; `all`, with report, overlays,
heatmaps and candidates too. In a round each runs once; rates are medians of the rounds, in megapixels a second, ratios
those to decoding. `cpu` is the processor's seconds over those of decoding, of all threads: what the work costs, however
it is spread over the cores.

Left out, of what a command does: its start (imports, the model), the listing of the folder, the comparison with an
earlier run, and `run.json`'s facts. The images are in the system's memory for every run. Nor is a network measured: one
that takes most of the processor leaves this little to spare.

What a run wrote is removed when all of its part have ended: on ext4 a file is made ten times as slowly, in 0.4 ms,
where many were removed in the last minutes, and no prediction comes after that.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image

from detect.assembly.command import keep_freed_memory
from detect.imagery.resolution import Resolution
from detect.inference.engine import Engine
from detect.inference.failures import MAX_PREVIEW_SIDE
from detect.inference.plan import make_plan
from detect.inference.run import predict_images
from detect.nets.card import ModelCard
from detect.nets.heads.specs import GridHead
from detect.nets.machine.processors import usable_cores
from detect.nets.net_spec import BackboneSpec
from detect.reporting.output.layout import STATE
from detect.reporting.output.prediction_folder import PredictionFolder
from detect.reporting.output.products import PAGE, PRODUCTS, TABLES
from detect.reporting.progress import ImageProgress
from detect.reporting.writing import write_json

PHOTOGRAPH_HW, SMALL_HW = (3328, 4992), (640, 640)
STRIDE, HALO, BYTES_PER_PIXEL, BUDGET = 16, 64, 60.0, 2 << 30
OBJECTS = 30
"""Objects in a million pixels."""


class Points:
    """A network of one convolution: it takes one pixel of a cell, and its brightness is the logit of an object."""

    name, precision = "points", "32"

    def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        """Map a batch (B, bands, H, W) to (B, 6, h, w): presence, place and size, class."""
        maps = np.zeros((len(pixels), 6, pixels.shape[2] // STRIDE, pixels.shape[3] // STRIDE), np.float32)
        maps[:, 0] = pixels[:, 0, STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE].astype(np.float32) / 8 - 26
        return maps


@dataclass(frozen=True)
class Part:
    """Images of one kind.

    Attributes:
        images: (name, path).
        pixels: of all.
    """

    images: Sequence[tuple[str, Path]]
    pixels: int


def photograph(hw: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    """Return smooth noise with grain (H, W, 3), which is as hard to decode as a photograph, and bright dots."""
    rng = np.random.default_rng(seed)
    height, width = hw
    coarse = Image.fromarray(rng.integers(40, 200, (height // 32, width // 32, 3), np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    pixels = np.clip(smooth + rng.normal(0, 5, (height, width, 1)).astype(np.int16), 0, 220).astype(np.uint8)
    number = OBJECTS * height * width // 1_000_000
    places = (rng.integers(1, side // STRIDE - 1, number) * STRIDE + STRIDE // 2 for side in hw)
    for row, col in zip(*places, strict=True):
        pixels[row - 4 : row + 5, col - 4 : col + 5] = 255
    return pixels


def make_part(name: str, folder: Path, images: int, small: int) -> Part:
    """Write the images of a part; four are made, and the others are copies of them."""
    folder.mkdir()
    hw, number, suffix = (SMALL_HW, small, "jpg") if name == "small" else (PHOTOGRAPH_HW, images, "jpg")
    suffix = "tif" if name == "geotiffs" else suffix
    paths = [folder / f"{i:05d}.{suffix}" for i in range(number)]
    for i, path in enumerate(paths):
        if i >= 4:
            shutil.copyfile(paths[i % 4], path)
        elif suffix == "jpg":
            Image.fromarray(photograph(hw, i)).save(path, quality=90)
        else:
            profile = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "predictor": 2}
            with rasterio.open(
                path, "w", driver="GTiff", dtype="uint8", count=3, height=hw[0], width=hw[1], **profile
            ) as target:
                target.write(photograph(hw, i).transpose(2, 0, 1))
    return Part([(path.name, path) for path in paths], number * hw[0] * hw[1])


def make_card() -> ModelCard:
    """Return the card of the network."""
    return ModelCard(
        head=GridHead(STRIDE, 8, 1, None, 24),
        backbone=BackboneSpec("lenet5", STRIDE),
        classes=("thing",),
        bands=(1, 2, 3),
        dtype="uint8",
        resolution=Resolution(),
        offset=(127.0,) * 3,
        scale=(128.0,) * 3,
        halo=HALO,
        halo_auto=HALO,
        halo_error=0.0,
        threshold=0.95,
        separation=16.0,
        calibration=None,
        training={},
    )


def decode(part: Part) -> None:
    """Decode every image whole, in as many threads as there are cores."""

    def one(image: tuple[str, Path]) -> int:
        with rasterio.open(image[1]) as source:
            return int(source.read([1, 2, 3]).shape[1])

    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(one, part.images))


def predict(part: Part, wanted: Sequence[str], workers: int, results: Path) -> None:
    """Run `detect.predict`'s way, into a new folder in `results`; of files that this process knows nothing of yet."""
    for _, path in part.images:
        path.touch()  # sums of blocks that were checked are remembered by the time of change
    card = make_card()
    plan = replace(make_plan(BUDGET, BYTES_PER_PIXEL, HALO, STRIDE), workers=workers)
    engine = Engine.of(card, Points(), plan)
    folder = Path(tempfile.mkdtemp(dir=results))
    (folder / STATE).mkdir()
    sink = PredictionFolder(folder, card, part.images, wanted)
    with ImageProgress() as progress:
        predict_images(part.images, engine, sink, progress, MAX_PREVIEW_SIDE if sink.previewed else None)
    if PAGE in wanted:
        sink.finish({}, 0)
    else:
        sink.write_tables({})
    if len(sink.found) < len(part.images) or not any(len(r.detections) for r in sink.found.values()):
        raise RuntimeError(f"not all images were counted: {sink.failures}")


def clocked(run: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds of a call, by the clock and of the processor."""
    started, worked = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - started, time.process_time() - worked


def measure(part: Part, rounds: int, results: Path) -> dict[str, Any]:
    """Return rates in megapixels a second, ratios to decoding alone, and the processor's share; write to a folder."""
    cores = usable_cores()
    runs: dict[str, Callable[[], None]] = {
        "decoding": lambda: decode(part),
        "tables, 1 worker": lambda: predict(part, (TABLES,), 1, results),
        "tables": lambda: predict(part, (TABLES,), cores, results),
        "all": lambda: predict(part, PRODUCTS[:5], cores, results),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(clocked(run))
    clock, cpu = ({name: median(pair[i] for pair in pairs) for name, pairs in times.items()} for i in (0, 1))
    return {
        "megapixels_per_second": {name: part.pixels / 1e6 / seconds for name, seconds in clock.items()},
        "ratio": {name: clock["decoding"] / seconds for name, seconds in clock.items()},
        "cpu": {name: seconds / cpu["decoding"] for name, seconds in cpu.items()},
    }


def main() -> None:
    """Run the parts that are asked for, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="photographs,geotiffs,small")
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--small", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    known = parser.parse_args()
    keep_freed_memory()
    found = {}
    print(f"{usable_cores()} cores\n\n| images | | megapixels/s | over decoding | processor's time over decoding |")
    print("|---|---|---:|---:|---:|")
    for name in known.parts.split(","):
        with tempfile.TemporaryDirectory() as folder:
            part = make_part(name, Path(folder) / name, known.images, known.small)
            results = Path(folder) / "results"
            results.mkdir()
            found[name] = measure(part, known.rounds, results)
        for run, rate in found[name]["megapixels_per_second"].items():
            ratio, cpu = found[name]["ratio"][run], found[name]["cpu"][run]
            print(f"| {name} | {run} | {rate:.1f} | {ratio:.2f} | {cpu:.2f} |", flush=True)
    if known.json:
        write_json(found, known.json)


if __name__ == "__main__":
    main()

"""Extreme inputs: 100,000 x 2,000 pixels, 100,000 objects, 500 classes, 2,000 small images; their numbers and bounds.

    python tools/bench_extremes.py [--without small,classes] [--images 2000] [--shared] [--json FILE]

Everything is made in a temporary folder, with fixed seeds. The nets have random weights (LeNet at stride 4, a pyramid
of timm's `test_resnet` for boxes), with outputs scaled so that they find much; the threshold leaves the wanted number.

- `wide`: `detect.predict` on a tiled TIFF of 2,000 rows and 100,000 columns.
- `points`, `boxes`: on an image in which 100,000 objects are found, in under 20 seconds from the command to the page.
- `classes`: on 3,000 x 4,000 pixels with 500 classes and `max_memory=2GiB`: a map of 1.5 GB.
- `small`: 2,000 images of 256 pixels with EfficientNet-Lite0, from files to written results, over the time of the
  network and of decoding alone: images, and the network's maps, one after the other.

Peak memory is that of the process above the peak of the same command on an image of 64 pixels, which is the interpreter
and the weights. Seconds are of the wall, and of the processor for the process and its children; `--shared` holds the
20 seconds against the latter, for a machine that does other things. Exit code 1 where a bound is broken.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rasterio
import torch
from measured.model import Silent, engine, make_model, memory_of
from PIL import Image

from detect.assembly.command import keep_freed_memory
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import SceneReader
from detect.imagery.resolution import Resolution
from detect.imagery.scenes import Scene
from detect.inference.engine import Engine
from detect.inference.plan import make_plan
from detect.inference.run import count_scene, predict_images
from detect.inference.runtimes.openvino_runtime import OpenVinoRuntime, compile_cache
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.nets.card import ModelCard
from detect.nets.heads.specs import GridHead, Head, PatchHead
from detect.nets.modelfile import Net, build_net, save_model
from detect.nets.net_spec import BackboneSpec
from detect.nets.receptive import receptive_halo
from detect.reporting.output.layout import STATE
from detect.reporting.output.prediction_folder import PredictionFolder
from detect.reporting.output.products import PRODUCTS
from detect.reporting.writing import write_json

MANY = 100_000
MEMORY = 2 << 30
MOST_SECONDS, MOST_RATIO = 20.0, 1.3
SMALL_SIDE, SMALL_IMAGES = 256, 2000
GRAIN = 3
"""Side in pixels of the noise's squares."""

PARTS = ("wide", "points", "boxes", "classes", "small")


@dataclass(frozen=True)
class Bound:
    """A measured number and what it may be: `least` to `most`."""

    name: str
    value: float
    most: float
    least: float = 0.0

    @property
    def kept(self) -> bool:
        """Whether the number is within its bounds."""
        return self.least <= self.value <= self.most


def noise(height: int, width: int, seed: int) -> np.ndarray:
    """Return smooth noise with grain (height, width, 3) of uint8."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(30, 226, (-(-height // GRAIN), -(-width // GRAIN), 3), np.uint8))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BILINEAR))


def write_wide(path: Path) -> None:
    """Write a tiled TIFF of 2,000 rows and 100,000 columns."""
    block = noise(2000, 4000, 0).transpose(2, 0, 1)
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 3, "height": 2000, "width": 100_000}
    with rasterio.open(path, "w", **profile, tiled=True, blockxsize=256, blockysize=256, compress="lzw") as target:
        for left in range(0, 100_000, 4000):
            target.write(block, window=rasterio.windows.Window(left, 0, 4000, 2000))


def lively_model(head: Head, backbone: BackboneSpec, classes: int) -> tuple[Net, ModelCard]:
    """Make a random network whose outputs have a mean of 0 and a spread of 2, and its card."""
    torch.manual_seed(0)
    card = ModelCard(
        head=head,
        backbone=backbone,
        classes=tuple(f"class {number}" for number in range(classes)),
        bands=(1, 2, 3),
        dtype="uint8",
        resolution=Resolution(),
        offset=(127.0,) * 3,
        scale=(64.0,) * 3,
        halo=None,
        halo_auto=None,
        halo_error=None,
        threshold=0.0,
        separation=0.5 if head.boxes else float(backbone.stride),
        calibration=None,
        training={},
    )
    net = build_net(card).eval()
    with torch.no_grad():
        raw = net(torch.tensor(noise(512, 512, 1)).permute(2, 0, 1)[None].float())
        spreads, means = torch.std_mean(raw, dim=(0, 2, 3))
        weight, bias = net.head.weight, net.head.bias
        assert weight is not None
        assert bias is not None
        factor = 2 / spreads.clamp(min=1e-6)
        if isinstance(head, GridHead):
            for slot in range(head.slots):
                factor[5 * slot + 3 : 5 * slot + 5] *= 0.1
        weight.mul_(factor.view(-1, 1, 1, 1))
        bias.copy_((bias - means) * factor)
    return net, replace(card, halo=receptive_halo(net, card.stride, 3, card.align))


def with_number(net: Net, card: ModelCard, image: Path, number: int) -> ModelCard:
    """Return the card with the threshold at which so many objects are found in an image."""
    plan = make_plan(MEMORY, 4000.0, card.halo or 0, card.stride, align=card.align)
    made = Engine.of(card, TorchRuntime(net, torch.device("cpu")), plan)
    score = np.sort(count_scene(open_scene(image), made).detections.score)
    if len(score) < number:
        raise SystemExit(f"only {len(score)} objects are found in {image.name}; {number} are wanted")
    return replace(card, threshold=float(score[-number]))


def predict(model: Path, image: Path, output: Path) -> dict[str, float]:
    """Run `detect.predict` as a process of its own; return its wall and processor seconds, peak memory and count."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    settings = [f"model={model}", f"images={image}", f"output={output}", "max_memory=2GiB", "runtime=torch"]
    subprocess.run([sys.executable, "-m", "detect.predict", *settings], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    counts = pd.read_csv(output / "counts.csv")
    return {
        "seconds": time.monotonic() - started,
        "processor": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_mib": json.loads((output / "run.json").read_text(encoding="utf-8"))["peak_memory_mib"],
        "objects": float(counts["total"].sum()),
    }


def above_start(folder: Path, model: Path, image: Path, name: str) -> dict[str, float]:
    """Run `detect.predict` on an image; the peak memory is what it takes above that of a tiny image."""
    tiny = folder / "tiny.png"
    Image.fromarray(noise(64, 64, 0)).save(tiny)
    start = predict(model, tiny, folder / f"{name}-tiny")["peak_mib"]
    found = predict(model, image, folder / name)
    return {**found, "peak_mib": found["peak_mib"] - start}


def lenet(classes: int) -> tuple[Net, ModelCard]:
    """Make a LeNet at stride 4 that classifies patches of 16 pixels."""
    return lively_model(PatchHead(16, "background"), BackboneSpec("lenet5", 4), classes)


def measure_image(folder: Path, name: str) -> dict[str, float]:
    """Make the model and the image of a part, and count it."""
    image, model = folder / f"{name}.tif", folder / f"{name}.safetensors"
    if name == "boxes":
        net, card = lively_model(GridHead(32, 16, 2, 24.0, 24), BackboneSpec("test_resnet", 8), 3)
    else:
        net, card = lenet(500 if name == "classes" else 3)
    if name == "wide":
        write_wide(image)
        card = replace(card, threshold=0.999)
    else:
        height, width = {"points": (5600, 5600), "boxes": (5600, 5600), "classes": (3000, 4000)}[name]
        Image.fromarray(noise(height, width, 2)).save(image)
        card = replace(card, threshold=0.999) if name == "classes" else with_number(net, card, image, MANY)
    save_model(model, net, card)
    return above_start(folder, model, image, name)


def measure_small(folder: Path, number: int) -> dict[str, float]:
    """Time a folder of small images from files to written results, and the network and decoding alone."""
    images = folder / "small"
    images.mkdir()
    large = noise(2048, 2048, 3)
    for each in range(number):
        top, left = np.random.default_rng(each).integers(0, 2048 - SMALL_SIDE, 2)
        part = large[top : top + SMALL_SIDE, left : left + SMALL_SIDE]
        Image.fromarray(part).save(images / f"{each:04}.jpg", quality=90)
    Image.fromarray(large).save(folder / "large.png")
    memory = memory_of("auto")
    net, card = make_model(open_scene(folder / "large.png"), memory)
    made = engine(card, net, OpenVinoRuntime(net, 3, net.stride, card.dtype, "auto", compile_cache()), memory)
    named = [(path.name, path) for path in sorted(images.iterdir())]
    alone(made, named[:64])  # compiles
    bare = timed(lambda: alone(made, named))
    whole = timed(lambda: written(made, card, named, folder / "written"))
    return {
        "seconds": whole[0],
        "processor": whole[1],
        "alone_seconds": bare[0],
        "alone_processor": bare[1],
        "ratio": whole[0] / bare[0],
        "processor_ratio": whole[1] / bare[1],
    }


def alone(made: Engine, images: Sequence[tuple[str, Path]]) -> None:
    """Decode images, run the network in the batches of a run, and decode its maps, one after the other."""
    scenes = [open_scene(path) for _, path in images]
    tiling = made.plan.tiling(scenes[0].shape)
    size, (core,) = made.plan.batch(tiling), tiling

    def tiles() -> Iterator[tuple[list[Scene], np.ndarray]]:
        for first in range(0, len(scenes), size):
            chosen, pixels = scenes[first : first + size], []
            for scene in chosen:
                with SceneReader(scene, made.spec.bands) as reader:
                    reader.hold()
                    pixels.append(reader.read(tiling.tile(core)))
            yield chosen, np.stack(pixels)

    halo, cells = tiling.halo // tiling.stride, tiling.cells(core)
    for chosen, pixels in tiles():
        for scene, logits in zip(chosen, made.runtime(pixels), strict=True):
            made.detections(logits[:, halo : halo + cells.height, halo : halo + cells.width], scene)


def written(made: Engine, card: ModelCard, images: Sequence[tuple[str, Path]], output: Path) -> None:
    """Count images and write all that a run writes, the page too."""
    (output / STATE).mkdir(parents=True)
    sink = PredictionFolder(output, card, images, PRODUCTS[:4])
    predict_images(images, made, sink, Silent())
    sink.finish({}, 200)


def timed(run: Callable[[], None]) -> tuple[float, float]:
    """Return the wall and processor seconds of a call."""
    wall, processor = time.monotonic(), time.process_time()
    run()
    return time.monotonic() - wall, time.process_time() - processor


def bounds(found: dict[str, dict[str, float]], shared: bool) -> list[Bound]:
    """Return the numbers that have bounds."""
    made = []
    for name, numbers in found.items():
        if name == "small":
            made.append(Bound("small: over network and decoding", numbers["ratio"], MOST_RATIO))
            continue
        made.append(Bound(f"{name}: MiB above the start", numbers["peak_mib"], MEMORY >> 20))
        if name in ("points", "boxes"):
            made.append(Bound(f"{name}: objects", numbers["objects"], 1.01 * MANY, 0.99 * MANY))
            made.append(Bound(f"{name}: seconds", numbers["processor" if shared else "seconds"], MOST_SECONDS))
    return made


def main() -> None:
    """Measure the parts that are asked for, and print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--without", default="", help=f"parts to leave out, of {','.join(PARTS)}")
    parser.add_argument("--images", type=int, default=SMALL_IMAGES, help="number of small images")
    parser.add_argument("--shared", action="store_true", help="hold the bounds against processor seconds")
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    options = parser.parse_args()
    without = {name for name in options.without.split(",") if name}
    if without - {*PARTS}:
        parser.error(f"--without knows {list(PARTS)}, got {sorted(without - {*PARTS})}")
    keep_freed_memory()
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        for part in (each for each in PARTS if each not in without):
            folder = Path(name) / part
            folder.mkdir()
            found[part] = measure_small(folder, options.images) if part == "small" else measure_image(folder, part)
            print(part, {key: round(value, 2) for key, value in found[part].items()}, flush=True)
    checked = bounds(found, options.shared)
    for each in checked:
        print(f"{each.name:>36}  {each.value:10.2f}  at most {each.most:10.2f}  {'' if each.kept else 'BROKEN'}")
    if options.json:
        rows: list[dict[str, Any]] = [{**vars(each), "kept": each.kept} for each in checked]
        write_json({"numbers": found, "bounds": rows}, options.json)
    sys.exit(0 if all(each.kept for each in checked) else 1)


if __name__ == "__main__":
    main()

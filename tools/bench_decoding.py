"""What decoding JPEG and PNG costs, by GDAL, Pillow, OpenCV and torchvision, and whether their pixels are the same.

    python tools/bench_decoding.py [FILE ...] [--rounds 5] [--json FILE]

Without files, images of 640 x 640 and 4,992 x 3,328 pixels of smooth noise with grain are made, as JPEG (quality 90,
colours at half the resolution) and PNG, and small ones of many kinds, of which only the pixels are compared.

- `house`: as the program does it: GDAL by one driver, damaged files an error (`imagery/gdal`).
- `gdal`: `rasterio.open` by its defaults.
- `pillow`, `opencv`, `torchvision`: whole images as they are stored, from the file to an array of bands.
- `nvjpeg`: `torchvision.io.decode_jpeg` on a CUDA device, from the file to an array there; only where there is one.

Rates are medians of the rounds in megapixels a second, by one thread and by one a core; in a round every decoder runs
once. `differ` is the share of values that are not GDAL's, `greatest` their greatest difference.

What it says of rasterio's wheels (1.4): they hold the libjpeg of the Independent JPEG Group (9f), which has no vector
instructions, and brings colours of half the resolution to the full one by a larger inverse transform (since version 7);
libjpeg-turbo, which the others hold, interpolates them. A quarter of the values of a usual photograph differ, by up to
9; of one with colours in full, one in ten thousand, by 1. Opening is 0.1 ms of 640 x 640: what takes time is decoding.
So GDAL decodes: what lies in TIFFs, which only GDAL reads, and in JPEGs, of training and of prediction, is seen alike.
A GDAL that is built with libjpeg-turbo was not tried.
PNGs give the same pixels by all, and are no faster than by GDAL; damaged ones give other errors, or end the process.
"""

import argparse
import io
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import rasterio
import torch
import torchvision.io as tv
from numpy.typing import NDArray
from PIL import Image

from detect.imagery.gdal.drivers import driver_of, no_georeference_needed, open_with
from detect.imagery.gdal.options import gdal_options
from detect.nets.machine.processors import usable_cores
from detect.reporting.writing import write_json

Pixels = NDArray[np.generic]
Decoder = Callable[[Path], Pixels]

SIZES_HW = ((640, 640), (3328, 4992))
LEAST_PIXELS = 4 << 20
"""Pixels that a decoder decodes in a round and thread, at least."""


def house(path: Path) -> Pixels:
    """Decode as the program does."""
    with gdal_options(), closing(open_with(path, driver_of(path))) as source:
        return np.asarray(source.read())


def gdal(path: Path) -> Pixels:
    """Decode as `rasterio.open` does by default."""
    with no_georeference_needed():
        source = rasterio.open(path)
    with source:
        return np.asarray(source.read())


def pillow(path: Path) -> Pixels:
    """Decode by Pillow."""
    with Image.open(path) as image:
        return _bands_first(np.asarray(image))


def opencv(path: Path) -> Pixels:
    """Decode by OpenCV, which gives blue first."""
    pixels: Any = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("OpenCV reads no image")
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)
    return _bands_first(pixels)


def torchvision(path: Path) -> Pixels:
    """Decode by torchvision on the CPU."""
    return np.asarray(tv.decode_image(tv.read_file(str(path)), tv.ImageReadMode.UNCHANGED).numpy())


def nvjpeg(path: Path) -> Pixels:
    """Decode on a CUDA device; the pixels stay there while it is timed, and come back to be compared."""
    return np.asarray(_on_device(path).cpu().numpy())


def _on_device(path: Path) -> torch.Tensor:
    found: Any = tv.decode_jpeg(tv.read_file(str(path)), device="cuda")
    torch.cuda.synchronize()
    return torch.as_tensor(found)


def _bands_first(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))


DECODERS: dict[str, Decoder] = {
    "house": house,
    "gdal": gdal,
    "pillow": pillow,
    "opencv": opencv,
    "torchvision": torchvision,
}


def photograph(hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Return smooth noise with grain (H, W, 3), which is as hard to decode as a photograph."""
    rng = np.random.default_rng(0)
    height, width = hw
    coarse = Image.fromarray(rng.integers(40, 216, (height // 32, width // 32, 3), np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    return np.clip(smooth + rng.normal(0, 5, (height, width, 1)).astype(np.int16), 0, 255).astype(np.uint8)


def make_images(folder: Path) -> list[Path]:
    """Write the images that are timed."""
    made = []
    for height, width in SIZES_HW:
        for suffix in ("jpg", "png"):
            made.append(folder / f"{width}x{height}.{suffix}")
            Image.fromarray(photograph((height, width))).save(made[-1], quality=90)
    return made


def make_kinds(folder: Path) -> list[Path]:
    """Write small images of the kinds that decoders treat in their own ways, whole and damaged ones."""
    rgb = Image.fromarray(photograph((320, 480)))
    turned = Image.Exif()
    turned[0x0112] = 6
    clear = np.dstack([np.asarray(rgb), np.arange(320 * 480).reshape(320, 480) % 256]).astype(np.uint8)
    deep = np.asarray(rgb)[..., 0].astype(np.uint16) * 257 + 1
    kinds: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "full_colours.jpg": (rgb, {"subsampling": 0}),
        "grey.jpg": (rgb.convert("L"), {}),
        "progressive.jpg": (rgb, {"progressive": True}),
        "cmyk.jpg": (rgb.convert("CMYK"), {}),
        "turned.jpg": (rgb, {"exif": turned}),
        "grey.png": (rgb.convert("L"), {}),
        "grey_16_bits.png": (Image.fromarray(deep), {}),
        "palette.png": (rgb.quantize(64), {}),
        "transparent.png": (Image.fromarray(clear), {}),
        "black_and_white.png": (rgb.convert("1"), {}),
    }
    paths = []
    for name, (image, options) in kinds.items():
        paths.append(folder / name)
        image.save(paths[-1], **options)
    return paths + _damaged(folder, rgb)


def _damaged(folder: Path, image: Image.Image) -> list[Path]:
    """Write files that end early, or have a wrong byte in the middle."""
    paths = []
    for suffix, kind in (("jpg", "JPEG"), ("png", "PNG")):
        whole = io.BytesIO()
        image.save(whole, kind)
        data = whole.getvalue()
        middle = len(data) // 2
        wrong = data[:middle] + bytes(255 - each for each in data[middle : middle + 8]) + data[middle + 8 :]
        for name, content in (("cut_off", data[:middle]), ("wrong_bytes", wrong)):
            paths.append(folder / f"{name}.{suffix}")
            paths[-1].write_bytes(content)
    return paths


def compare(path: Path, decoders: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return, of each decoder, how its pixels differ from those of GDAL as the program uses it, or what it raises."""
    own = _decoded(house, path)
    found: dict[str, dict[str, Any]] = {}
    for name in decoders:
        pixels = own if name == "house" else _decoded(nvjpeg if name == "nvjpeg" else DECODERS[name], path)
        if isinstance(pixels, str) or isinstance(own, str):
            found[name] = {"said": pixels if isinstance(pixels, str) else "decoded, and the program refuses it"}
        elif (pixels.shape, pixels.dtype) != (own.shape, own.dtype):
            found[name] = {"said": f"{pixels.dtype} {pixels.shape}, not {own.dtype} {own.shape}"}
        else:
            apart = np.abs(pixels.astype(np.int64) - own.astype(np.int64))
            found[name] = {"differ": float((apart > 0).mean()), "greatest": int(apart.max())}
    return found


def _decoded(decoder: Decoder, path: Path) -> Pixels | str:
    try:
        return decoder(path)
    except Exception as error:
        return f"{type(error).__name__}: {error}".replace(str(path), path.name).splitlines()[0][:90]


def measure(path: Path, decoders: Sequence[str], rounds: int) -> dict[str, dict[str, float]]:
    """Return rates in megapixels a second of each decoder, by one thread and by one a core."""
    pixels = int(np.prod(house(path).shape[1:]))
    repeats, cores = max(1, -(-LEAST_PIXELS // pixels)), usable_cores()
    runs: dict[str, Callable[[Path], object]] = {n: _on_device if n == "nvjpeg" else DECODERS[n] for n in decoders}
    times: dict[str, dict[str, list[float]]] = {name: {"one": [], "cores": []} for name in runs}
    with ThreadPoolExecutor(cores) as pool:
        for turn in range(rounds + 1):
            for name, run in runs.items():
                for how, threads in (("one", 1), ("cores", cores)):
                    paths = [path] * (repeats * threads)
                    started = time.perf_counter()
                    list(map(run, paths) if threads == 1 else pool.map(run, paths))
                    if turn:
                        times[name][how].append((time.perf_counter() - started) / len(paths))
    return {name: {how: pixels / 1e6 / median(each) for how, each in both.items()} for name, both in times.items()}


def compare_apart(paths: Sequence[Path]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return by file and decoder what `compare` does, by a process of its own, which a damaged file may end."""
    found: dict[str, dict[str, dict[str, Any]]] = {path.name: {} for path in paths}
    pool = ProcessPoolExecutor(1, get_context("spawn"))
    for path in paths:
        for name in DECODERS:
            try:
                found[path.name].update(pool.submit(compare, path, [name]).result())
            except BrokenProcessPool:
                found[path.name][name] = {"said": "ends the process"}
                pool = ProcessPoolExecutor(1, get_context("spawn"))
    pool.shutdown()
    return found


def said(facts: dict[str, Any]) -> str:
    """Return how pixels differ in words."""
    if "said" in facts:
        return str(facts["said"])
    return "same" if not facts["greatest"] else f"{facts['differ']:.2%} differ, by {facts['greatest']} at most"


def main() -> None:
    """Measure files, given or made, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="images; by default some are made")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    found: dict[str, Any] = {"gdal": rasterio.__gdal_version__, "cores": usable_cores(), "images": {}, "kinds": {}}
    print(f"GDAL {found['gdal']}, {found['cores']} cores\n")
    print("| image | decoder | megapixels/s, 1 thread | 1 a core | pixels |\n|---|---|---:|---:|---|")
    with TemporaryDirectory() as name:
        for path in options.files or make_images(Path(name)):
            device = torch.cuda.is_available() and driver_of(path) == "JPEG"
            decoders = [*DECODERS, *(["nvjpeg"] if device else [])]
            pixels = compare(path, decoders)
            timed = [each for each in decoders if "said" not in pixels[each] or each == "nvjpeg"]
            rates = measure(path, timed, options.rounds)
            found["images"][path.name] = {each: {**pixels[each], **rates.get(each, {})} for each in decoders}
            for each in decoders:
                one, all_cores = (f"{rates[each][how]:.1f}" if each in rates else "-" for how in ("one", "cores"))
                print(f"| {path.name} | {each} | {one} | {all_cores} | {said(pixels[each])} |", flush=True)
        if not options.files:
            found["kinds"] = compare_apart(make_kinds(Path(name)))
            print(f"\n| kind | {' | '.join(DECODERS)} |\n|---|{'---|' * len(DECODERS)}")
            for kind, facts in found["kinds"].items():
                print(f"| {kind} | {' | '.join(map(said, facts.values()))} |")
    if options.json:
        write_json(found, options.json)


if __name__ == "__main__":
    main()

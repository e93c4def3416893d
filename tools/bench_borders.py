"""Measure how much a border of pixels that are not there disturbs a count near it, by what the pixels are filled with.

python tools/bench_borders.py --model model.safetensors --images a.jpg b.jpg [--lines 8] [--json FILE]

Every image is counted whole; then a straight, slanted line is laid through it, all beyond the line is masked, and it is
counted again. Objects whose centre is on this side of the line should be found as before. Those within an object's size
of the line are told apart from the others. Prints, for each fill, how many there were before (`wanted`), how many of
them are lost, and how many are new; `bias` is the difference in percent.

Fills: `black` (zeros), `zero` (the product's: what the model's normalisation makes 0 of), `nearest` (nearest valid
pixel of the row or column up to a reach, zero beyond), `blur` (valid pixels blurred by 16, zero beyond).
`... closed` looks for objects on cells with a valid pixel alone; without it the cells that see one are looked at, and
objects on masked pixels are dropped at the end, as in the product.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from detect import Detector
from detect.evaluation.matching import near_pairs
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import SceneReader
from detect.imagery.scenes import Scene
from detect.imagery.validity.declared import Validity
from detect.inference.engine import Engine
from detect.inference.run import map_scene
from detect.inference.tiles import Source
from detect.labels.detections import Detections

Pixels = NDArray[np.generic]
Marks = NDArray[np.bool_]

REACH_PX = 32
"""How far a pixel is filled from along its row or column."""

BLUR_PX = 16.0
"""Standard deviation of the blur."""


def constant(pixels: Pixels, valid: Marks, zero: Pixels) -> Pixels:
    """Fill with one value a band."""
    return np.where(valid, pixels, zero[:, None, None]).astype(pixels.dtype)


def nearest(pixels: Pixels, valid: Marks, zero: Pixels) -> Pixels:
    """Fill with the nearest valid pixel of the row or column, twice, up to a reach; beyond with one value a band."""
    made, known = constant(pixels, valid, zero), valid
    for _ in range(2):
        known = _filled_once(made, known)
    return made


def _filled_once(pixels: Pixels, known: Marks) -> Marks:
    """Fill what is in reach of known pixels, in place, and return what is known then."""
    (across, far_across), (down, far_down) = _nearest(known), (each.T for each in _nearest(known.T))
    row, col = np.nonzero(~known & (np.minimum(far_across, far_down) <= REACH_PX))
    beside = far_across[row, col] <= far_down[row, col]
    from_row = np.where(beside, row, down[row, col])
    from_col = np.where(beside, across[row, col], col)
    pixels[:, row, col] = pixels[:, from_row, from_col]
    now = known.copy()
    now[row, col] = True
    return now


def _nearest(known: Marks) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the column of the nearest known pixel of each pixel's row, and how far it is; far beyond any for none."""
    width = known.shape[1]
    none = 4 * (width + REACH_PX)
    here = np.arange(width, dtype=np.int32)[None, :]
    before = np.maximum.accumulate(np.where(known, here, np.int32(-none)), axis=1)
    after = np.minimum.accumulate(np.where(known, here, np.int32(none))[:, ::-1], axis=1)[:, ::-1]
    first = here - before <= after - here
    return np.where(first, before, after), np.where(first, here - before, after - here)


def blurred(pixels: Pixels, valid: Marks, zero: Pixels) -> Pixels:
    """Fill with the mean of valid pixels around, weighted by a Gaussian; far from any with one value a band."""
    weight = gaussian_filter(valid.astype(np.float64), BLUR_PX)
    made = constant(pixels, valid, zero)
    for band, plane in zip(made, pixels, strict=True):
        sums = gaussian_filter(np.where(valid, plane, 0).astype(np.float64), BLUR_PX)
        near = ~valid & (weight > 1e-4)
        band[near] = (sums / np.maximum(weight, 1e-12))[near]
    return made


FILLS: dict[str, Callable[[Pixels, Marks, Pixels], Pixels]] = {
    "black": lambda pixels, valid, zero: constant(pixels, valid, np.zeros_like(zero)),
    "zero": constant,
    "nearest": nearest,
    "blur": blurred,
}


@dataclass
class Tally:
    """Objects wanted, lost and new."""

    wanted: int = 0
    lost: int = 0
    new: int = 0

    def add(self, wanted: Detections, found: Detections, radius: float) -> None:
        """Add the objects of one zone of one image; `found` and `wanted` of the others are matched alike."""
        pairs = near_pairs(found.xy, wanted.xy, radius)
        self.wanted += len(wanted)
        self.lost += len(wanted) - len(set(pairs.truth_index.tolist()))
        self.new += len(found) - len(set(pairs.found_index.tolist()))

    def row(self) -> dict[str, float]:
        """Return the numbers."""
        bias = 100 * (self.new - self.lost) / max(1, self.wanted)
        return {"wanted": self.wanted, "lost": self.lost, "new": self.new, "bias": round(bias, 2)}


def half_planes(shape: tuple[int, int], number: int) -> Iterator[Marks]:
    """Yield what is on one side of lines near the middle of a scene, at angles that are no multiple of 45 degrees."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    rng = np.random.default_rng(0)
    for i in range(number):
        angle = 2 * np.pi * (i + 0.3) / number
        at = (0.5 + rng.uniform(-0.2, 0.2, 2)) * shape
        yield (rows - at[0]) * np.sin(angle) + (cols - at[1]) * np.cos(angle) > 0


def count(scene: Scene, engine: Engine, pixels: Pixels, valid: Marks, closed: bool) -> Detections:
    """Return the objects of a masked scene, in resampled pixels, on valid pixels."""
    masked = replace(scene, validity=Validity(mask=True))
    source = Source("masked", masked, lambda scene, bands: SceneReader(scene, bands, pixels, valid))
    whole = map_scene(source, engine, preview_side=None)
    geometry = engine.geometry(masked, whole.valid)
    return engine.decoder.detections(
        whole.logits,
        replace(geometry, reach=0) if closed else geometry,
        separation=engine.separation,
        threshold=engine.threshold,
    )


def measure(model: Path, images: Sequence[Path], lines: int) -> dict[str, dict[str, dict[str, float]]]:
    """Return the tallies by fill and zone."""
    detector = Detector.load(model, device="cpu", runtime="torch")
    engine = detector._engine(None, "none")
    size = detector.card.head.typical_size
    names = [name + way for name in FILLS for way in ("", " closed")]
    tallies = {name: {"near": Tally(), "far": Tally()} for name in names}
    for path in images:
        scene = engine.prepared(open_scene(path))
        with SceneReader(scene, engine.spec.bands) as reader:
            pixels = np.array(reader.read(scene.window))
        zero = np.rint(detector.card.offset).astype(pixels.dtype)
        whole = count(scene, engine, pixels, np.ones(scene.shape, bool), False)
        for valid in half_planes(scene.shape, lines):
            depth = distance_transform_edt(valid)
            for name in names:
                made = FILLS[name.removesuffix(" closed")](pixels, valid, zero)
                found = count(scene, engine, made, valid, name.endswith(" closed"))
                for zone, tally in tallies[name].items():
                    wanted, there = (each[_in_zone(each, depth, size, zone)] for each in (whole, found))
                    tally.add(wanted, there, size / 2)
    return {name: {zone: tally.row() for zone, tally in zones.items()} for name, zones in tallies.items()}


def _in_zone(found: Detections, depth: NDArray[np.float64], size: float, zone: str) -> Marks:
    """Mark the objects on valid pixels up to an object's size from the line, or farther."""
    col, row = np.floor(found.xy).astype(int).T
    at = depth[row, col]
    return (at > 0) & (at <= size) if zone == "near" else at > size


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--images", type=Path, nargs="+", required=True)
    parser.add_argument("--lines", type=int, default=8)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    table = measure(given.model, given.images, given.lines)
    print(f"{'fill':24}{'near: wanted':>14}{'lost':>6}{'new':>6}{'bias %':>8}{'far: wanted':>14}{'lost':>6}{'new':>6}")
    for name, zones in table.items():
        near, far = zones["near"], zones["far"]
        print(
            f"{name:24}{near['wanted']:14}{near['lost']:6}{near['new']:6}{near['bias']:8}{far['wanted']:14}"
            f"{far['lost']:6}{far['new']:6}"
        )
    if given.json is not None:
        given.json.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Measure how much tiling alone changes counts: a perfect detector, tiles that are stitched, slices that are merged.

python tools/bench_seams.py [--tiles 256 512 640 1024 2048] [--counts 300 1500 2500] [--seed 0 1 2] [--json FILE]

`detect` is the package's engine with a simulated network that knows the objects from the pixels of its tile alone.
The others cut slices of the same size, a fifth of it shared; a perfect detector gives the true boxes, clipped to the
slice, of the objects of which a fifth or more (`--visible`) is inside. They differ in how slices are put together:

- `nms_iou_0.5`: non-maximum suppression of all boxes at an intersection over union of 0.5;
- `greedy_nmm_ios_0.5`: greedy non-maximum merging at an intersection over the smaller box of 0.5 (GREEDYNMM, the
  default of SAHI, Akyon et al. 2022; written here from its description);
- `per_tile_nms`: separation within every slice, as above, and no merging.

Prints the error of the count in percent, the mean over the seeds; in the column `whole` nothing is cut, which leaves
what a rule itself does to true boxes. Exits with 1 if `detect` lost an object or found one that is not there.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree
from torchvision.ops import box_iou, nms  # type: ignore[import-untyped,unused-ignore]

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.files import replace_file
from detect.imagery.resolution import Resolution
from detect.inference.engine import Engine
from detect.inference.plan import make_plan
from detect.inference.run import count_scene
from detect.nets.heads.specs import PatchHead
from detect.nets.net_spec import BackboneSpec, NetSpec

Floats = NDArray[np.float64]

STRIDE = 8
FIELD = 48
"""Pixels that a cell of the simulated network sees beyond itself, on every side; the halo that makes it exact."""

TOP = 6.0
"""Log odds of an object in its middle; they fall linearly, to -TOP at a distance of FIELD."""

SIDES = (24.0, 60.0)
"""Least and greatest side of an object in pixels."""

MIN_DISTANCE = 2.5 * STRIDE
"""Least distance of two objects' centres in pixels, along the axis on which they are farther apart."""

MAX_IOU = 0.5
"""Greatest overlap of two objects."""

CLUSTER = 25
"""Mean number of objects in a cluster."""

OVERLAP = 0.2
"""Share of a slice's side that it has in common with the next."""

MAX_TRIES = 100_000
"""Random places that are tried for one group of objects, or objects for one scene."""

SPEC = NetSpec(
    head=PatchHead(3 * STRIDE, "background"),
    backbone=BackboneSpec("simulated", STRIDE, None, bands=1),
    classes=("object",),
    bands=(1,),
    dtype="uint8",
    resolution=Resolution(),
)
THRESHOLD = 0.5
"""Least score of an object that is found."""


@dataclass(frozen=True, eq=False)
class Truth:
    """The objects of a made scene.

    Attributes:
        shape: (height, width) of the scene in pixels.
        boxes: (N, 4) as x1, y1, x2, y2 in pixels, inside the scene.
        score: (N,) of each object when it is seen whole, in [0.5, 1].
    """

    shape: tuple[int, int]
    boxes: Floats
    score: Floats

    @property
    def xy(self) -> Floats:
        """(N, 2) centres in pixels."""
        return (self.boxes[:, :2] + self.boxes[:, 2:]) / 2

    def write(self, path: Path) -> None:
        """Write the image that the simulated network sees: 1 in the pixel of every centre, 0 elsewhere."""
        pixels = np.zeros(self.shape, np.uint8)
        col, row = np.floor(self.xy).astype(int).T
        pixels[row, col] = 1
        Image.fromarray(pixels).save(path)


class PerfectNet:
    """A network that knows every object whose mark it sees: a bump of log odds several cells wide around each mark.

    Bumps that overlap give their maximum. A cell whose field hangs over the tile's edge has seen padding and answers
    background, so that a halo too small by one cell loses objects and splits others in two.
    """

    def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        """Map a batch (B, 1, H, W) to (B, 2, H / STRIDE, W / STRIDE) logits, background first."""
        return np.stack([self._logits(tile[0]) for tile in pixels])

    def _logits(self, tile: NDArray[np.generic]) -> NDArray[np.float32]:
        rows, cols = (STRIDE * (np.arange(side // STRIDE) + 0.5) for side in tile.shape)
        cells = np.stack(np.meshgrid(rows, cols, indexing="ij"), axis=-1)
        marks = cKDTree(np.argwhere(tile.astype(bool)) + 0.5)
        distance = np.minimum(marks.query(cells, distance_upper_bound=FIELD)[0], FIELD)
        logits = np.zeros((2, len(rows), len(cols)), np.float32)
        logits[1] = -TOP
        edge = FIELD // STRIDE
        whole = (slice(edge, len(rows) - edge), slice(edge, len(cols) - edge))
        logits[1][whole] = TOP * (1 - 2 * distance[whole] / FIELD)
        return logits


def find(path: Path, tile: int, halo: int = FIELD) -> Floats:
    """Find the objects of an image with the engine and the simulated network; return (N, 2) centres in pixels."""
    engine = Engine(SPEC, PerfectNet(), make_plan(2 << 30, 16.0, halo, STRIDE, tile), THRESHOLD, STRIDE)
    return count_scene(open_scene(path), engine).detections.xy


def strays(truth: Floats, found: Floats) -> int:
    """Count objects that were not found and finds that are no object, so that they cannot make up for each other.

    A find belongs to the object nearest to it, and an object has one find, less than half `MIN_DISTANCE` away along
    both axes.
    """
    distance, nearest = cKDTree(truth).query(found, p=np.inf)
    right = len(np.unique(nearest[distance < MIN_DISTANCE / 2]))
    return len(truth) + len(found) - 2 * right


def sparse(rng: np.random.Generator, number: int, shape: tuple[int, int]) -> Floats:
    """Scatter boxes that keep a stride's distance."""
    boxes = np.empty((0, 4))
    while len(boxes) < number:
        wh = rng.uniform(*SIDES, (1, 2))
        boxes = placed(rng, np.concatenate([0 * wh, wh], axis=1), boxes, shape)
    return boxes


def touching(rng: np.random.Generator, number: int, shape: tuple[int, int]) -> Floats:
    """Pack boxes wall to wall: clusters of rows, like bricks."""
    boxes = np.empty((0, 4))
    while len(boxes) < number:
        rows, cols = rng.integers(3, 2 * CLUSTER**0.5 - 3, 2, endpoint=True)
        y = np.concatenate([[0], np.cumsum(rng.uniform(*SIDES, rows))])
        x = np.concatenate([np.zeros((rows, 1)), np.cumsum(rng.uniform(*SIDES, (rows, cols)), axis=1)], axis=1)
        top, bottom = (np.repeat(edge, cols) for edge in (y[:-1], y[1:]))
        bricks = np.stack([x[:, :-1].ravel(), top, x[:, 1:].ravel(), bottom], axis=1)
        boxes = placed(rng, bricks[: number - len(boxes)], boxes, shape)
    return boxes


def placed(rng: np.random.Generator, group: Floats, boxes: Floats, shape: tuple[int, int]) -> Floats:
    """Put a group of boxes, which begins at (0, 0), at a free place of the scene; return all boxes."""
    room = np.array(shape[::-1]) - group[:, 2:].max(axis=0)
    for _ in range(MAX_TRIES if (room > 0).all() else 0):
        corner = rng.uniform(0, room)
        low, high = corner - STRIDE, corner + group[:, 2:].max(axis=0) + STRIDE
        if not ((boxes[:, :2] < high) & (boxes[:, 2:] > low)).all(axis=1).any():
            return np.concatenate([boxes, group + np.tile(corner, 2)])
    raise ValueError(f"no room for {len(group)} more objects beside {len(boxes)}; give fewer or a larger scene")


def overlapping(rng: np.random.Generator, number: int, shape: tuple[int, int]) -> Floats:
    """Grow heaps: each box overlaps one that was there before and is of like size; a few begin a heap."""
    limit = np.array(shape[::-1])
    boxes = np.empty((0, 4))
    for _ in range(MAX_TRIES):
        if len(boxes) == number:
            return boxes
        if len(boxes) == 0 or rng.random() < 1 / CLUSTER:
            wh, xy = rng.uniform(*SIDES, 2), rng.uniform(0, limit)
        else:
            parent = boxes[rng.integers(len(boxes))]
            wh = np.clip((parent[2:] - parent[:2]) * rng.uniform(0.9, 1.1, 2), *SIDES)
            xy = (parent[:2] + parent[2:]) / 2 + rng.uniform(-1, 1, 2) * wh
        box = np.concatenate([xy - wh / 2, xy + wh / 2])[None]
        apart = np.abs((boxes[:, :2] + boxes[:, 2:]) / 2 - xy).max(axis=1) >= MIN_DISTANCE
        iou = box_iou(torch.from_numpy(box), torch.from_numpy(boxes)).numpy()
        if (box >= 0).all() and (box[0, 2:] <= limit).all() and apart.all() and (iou <= MAX_IOU).all():
            boxes = np.concatenate([boxes, box])
    raise ValueError(f"no room for {number - len(boxes)} of {number} objects; give fewer or a larger scene")


Maker = Callable[[np.random.Generator, int, tuple[int, int]], Floats]
SCENES: dict[str, Maker] = {"sparse": sparse, "touching": touching, "overlapping": overlapping}


def make_scene(name: str, number: int, shape: tuple[int, int], seed: int) -> Truth:
    """Make a scene of `number` objects; the same for the same seed."""
    rng = np.random.default_rng([list(SCENES).index(name), seed])
    return Truth(shape, SCENES[name](rng, number, shape), rng.uniform(0.5, 1, number))


def starts(length: int, side: int) -> list[int]:
    """Return where slices of `side` pixels begin along an axis; the last one is moved back to end with the scene."""
    step = side - int(side * OVERLAP)
    count = 1 + max(0, -(-(length - side) // step))
    return [max(0, min(i * step, length - side)) for i in range(count)]


def sliced(truth: Truth, side: int, visible: float) -> Iterator[tuple[Floats, Floats]]:
    """Yield the perfect detector's finds in every slice: boxes (M, 4) in pixels of the scene, and scores.

    An object is found when the part `visible` of its area is inside; its score is in proportion to that part.
    """
    areas = np.prod(truth.boxes[:, 2:] - truth.boxes[:, :2], axis=1)
    for top in starts(truth.shape[0], side):
        for left in starts(truth.shape[1], side):
            boxes = np.clip(truth.boxes, np.tile([left, top], 2), np.tile([left + side, top + side], 2))
            share = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) / areas
            found = (share >= visible) & (share > 0)
            yield boxes[found], (truth.score * share)[found]


def suppressed(boxes: Floats, scores: Floats) -> int:
    """Count what non-maximum suppression at an IoU of 0.5 leaves."""
    return len(nms(torch.from_numpy(boxes), torch.from_numpy(scores), 0.5))


def merged(boxes: Floats, scores: Floats) -> int:
    """Count what greedy non-maximum merging leaves.

    The box of the highest score takes in all those whose intersection with it is more than half of the smaller of
    the two, and their union is one object; so on with the rest.
    """
    left = boxes[np.argsort(-scores, kind="stable")].T
    count = 0
    while left.size:
        x1, y1, x2, y2 = left
        areas = (x2 - x1) * (y2 - y1)
        width, height = np.minimum(x2, x2[0]) - np.maximum(x1, x1[0]), np.minimum(y2, y2[0]) - np.maximum(y1, y1[0])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        left = left[:, shared <= 0.5 * np.minimum(areas, areas[0])]
        count += 1
    return count


def count_slices(truth: Truth, side: int, visible: float) -> dict[str, int]:
    """Count the objects of a scene by each rule that puts slices together."""
    slices = list(sliced(truth, side, visible))
    boxes, scores = (np.concatenate(parts) for parts in zip(*slices, strict=True))
    return {
        "nms_iou_0.5": suppressed(boxes, scores),
        "greedy_nmm_ios_0.5": merged(boxes, scores),
        "per_tile_nms": sum(suppressed(*each) for each in slices),
    }


def errors(truth: Truth, tiles: Sequence[int], visible: float) -> tuple[dict[str, list[float]], int]:
    """Return the percent error of every method for each tile size and the whole scene, and the strays of `detect`."""
    table: dict[str, list[float]] = {}
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.tif"
        truth.write(path)
        for tile in (*tiles, max(truth.shape) + 2 * FIELD + STRIDE):
            found = find(path, tile)
            wrong += strays(truth.xy, found)
            for method, count in {"detect": len(found), **count_slices(truth, tile, visible)}.items():
                table.setdefault(method, []).append(100 * (count / len(truth.boxes) - 1))
    return table, wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table for every kind of scene."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--height", type=int, default=4000)
    parser.add_argument("--width", type=int, default=5000)
    parser.add_argument("--counts", type=int, nargs=3, default=[300, 1500, 2500], metavar=tuple(SCENES))
    parser.add_argument("--tiles", type=int, nargs="+", default=[256, 512, 640, 1024, 2048], help="and the whole scene")
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--visible", type=float, default=0.2, help="part of an object that is seen in a slice")
    parser.add_argument("--json", type=Path, help="file for the percent errors by scene and method")
    options = parser.parse_args(arguments)
    columns = [*map(str, options.tiles), "whole"]
    result: dict[str, dict[str, dict[str, float]]] = {}
    wrong = 0
    for name, number in zip(SCENES, options.counts, strict=True):
        truths = [make_scene(name, number, (options.height, options.width), seed) for seed in options.seed]
        tables, strayed = zip(*(errors(truth, options.tiles, options.visible) for truth in truths), strict=True)
        means = {method: np.mean([table[method] for table in tables], axis=0) for method in tables[0]}
        result[name] = {method: dict(zip(columns, map(float, mean), strict=True)) for method, mean in means.items()}
        wrong += sum(strayed)
        print(f"\n{f'{number} {name} objects':24}" + "".join(f"{column:>10}" for column in columns))
        for method, mean in means.items():
            print(f"  {method:22}" + "".join(f"{value:+9.2f}%" for value in mean), flush=True)
    print(f"\ndetect: {wrong} objects lost or invented in all scenes of {len(options.seed)} seeds and all tile sizes")
    if options.json:
        with replace_file(options.json) as part:
            part.write_text(json.dumps(result, indent=2) + "\n")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())

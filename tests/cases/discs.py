"""Scenes of orange discs on grainy ground, as the tests of people's inputs make them."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from tests.commands import call

HEIGHT, WIDTH = 240, 320
"""Sides in pixels of a scene; they differ, so that rows and columns cannot be exchanged unnoticed."""

DISC_PX = 10
"""Diameter in pixels of a disc."""

SMALL_NET = (
    "net.backbone=lenet5",
    "net.weights=none",
    "augment=none",
    "data.matching.radius=8",
    "data.split.val=[d.png]",
)
PATCH_NET = (
    *SMALL_NET,
    "net=patch",
    "net.stride=4",
    "net.patch_size=20",
    "net.margin=24",
    "data.sampling.crop=64",
    "data.sampling.samples=112",
    "data.loading.batch_size=8",
    "trainer.max_epochs=3",
)
GRID_NET = (
    *SMALL_NET,
    "net=grid",
    "finetune=scratch",
    "net.stride=4",
    "net.deepest=4",
    "data.sampling.crop=96",
    "data.sampling.samples=96",
    "data.loading.batch_size=4",
    "finetune.lr=5e-3",
    "trainer.max_epochs=3",
)


def disc_places(seed: int, number: int = 20) -> NDArray[np.float64]:
    """Draw the centres (number, 2) xy of discs at least 24 pixels apart and 12 from the edge."""
    rng = np.random.default_rng(seed)
    places: list[NDArray[np.float64]] = []
    while len(places) < number:
        place = rng.uniform((12, 12), (WIDTH - 12, HEIGHT - 12)).round(1)
        if all(np.hypot(*(place - other)) >= 24 for other in places):
            places.append(place)
    return np.array(places)


def disc_pixels(places: NDArray[np.float64], seed: int, hw: tuple[int, int] = (HEIGHT, WIDTH)) -> NDArray[np.uint8]:
    """Draw grainy ground with an orange disc at each place: (H, W, 3) uint8."""
    rng = np.random.default_rng(seed + 1000)
    pixels = np.array([95, 105, 85]) + rng.normal(0, 9, (*hw, 1)) + rng.normal(0, 4, (*hw, 3))
    y, x = np.mgrid[: hw[0], : hw[1]] + 0.5
    for at_x, at_y in places:
        pixels[(x - at_x) ** 2 + (y - at_y) ** 2 <= (DISC_PX / 2) ** 2] = (225, 140, 40)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def write_photographs(folder: Path, names: str = "abcd") -> Path:
    """Write a photograph of 20 discs for each letter (`a.png`, seed by the letter) and `points.csv` beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in names:
        places = disc_places(ord(name))
        Image.fromarray(disc_pixels(places, ord(name))).save(folder / f"{name}.png")
        rows += [{"image": f"{name}.png", "x": x, "y": y, "label": "disc"} for x, y in places]
    pd.DataFrame(rows).to_csv(folder / "points.csv", index=False)
    return folder


def write_boxes(folder: Path) -> Path:
    """Write `boxes.csv` beside `points.csv`: the same discs as boxes; returns its path."""
    points, half = pd.read_csv(folder / "points.csv"), DISC_PX / 2
    boxes = pd.DataFrame({"image": points["image"], "xmin": points["x"] - half, "ymin": points["y"] - half})
    boxes["xmax"], boxes["ymax"], boxes["label"] = points["x"] + half, points["y"] + half, points["label"]
    boxes.to_csv(folder / "boxes.csv", index=False)
    return folder / "boxes.csv"


def train_on(folder: Path, output: Path, net: tuple[str, ...], *more: str) -> Path:
    """Train a small net on photographs with `points.csv` and return the model file."""
    labels = folder / "points.csv"
    done = call("train", f"data.root={folder}", f"data.annotations={labels}", f"output={output}", *net, *more)
    assert done.code == 0, done.log
    return output / "model.safetensors"

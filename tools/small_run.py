"""A small model and image, made by a checkout's own commands, for the programs that watch how `detect.predict` runs.

`house_facts.py` and `bench_start.py` measure other checkouts with it, so nothing is imported from `detect`.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

PLACES = ((20, 20), (70, 30), (40, 75), (100, 90))
"""x, y of the bright squares in the small images."""


def write_small_data(folder: Path) -> None:
    """Write two images of 128 pixels with bright squares, and `points.csv`: one image trains, one validates."""
    folder.mkdir(parents=True)
    rows = ["image,x,y,label,split"]
    for number, side in enumerate(("train", "val")):
        pixels = np.random.default_rng(number).integers(60, 100, (128, 128, 3), dtype=np.uint8)
        for x, y in PLACES:
            pixels[y - 5 : y + 5, x - 5 : x + 5] = 230
            rows.append(f"{number}.png,{x},{y},square,{side}")
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / "points.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


FEWER_SAMPLES = ("data.sampling.samples=32", "data.samples=32", "")
"""What the number of samples is called, in this version and earlier ones; the last takes the default."""


def run_python(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with a checkout's package, in the checkout."""
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False
    )


def train_small_model(root: Path, folder: Path) -> Path | None:
    """Train a LeNet for one epoch on small images; None, and the reason on stderr, where the checkout cannot."""
    write_small_data(folder / "data")
    settings = [
        f"data.root={folder / 'data'}",
        f"data.annotations={folder / 'data/points.csv'}",
        f"output={folder / 'model'}",
        "net=patch",
        "net.backbone=lenet5",
        "net.weights=none",
        "net.stride=4",
        "net.patch_size=16",
        "trainer.max_epochs=1",
        "overwrite=true",
    ]
    log = ""
    for fewer in FEWER_SAMPLES:
        done = run_python(root, "-m", "detect.train", *settings, *filter(None, [fewer]))
        if done.returncode == 0:
            return folder / "model/model.safetensors"
        log = done.stderr
    sys.stderr.write(f"no model could be trained in {root}:\n{log}")
    return None


def predict_settings(folder: Path, model: Path) -> list[str]:
    """Return the settings of `detect.predict` for the first of the small images."""
    return [f"model={model}", f"images={folder / 'data/0.png'}", f"output={folder / 'out'}", "runtime=torch"]

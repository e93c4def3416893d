from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

torch.set_num_threads(1)

ROWS = [
    ("0.png", 20, 30, "a"),
    ("0.png", 70, 60, "b"),
    ("0.png", 90, 90, "a"),
    ("1.png", 50, 50, "a"),
    ("1.png", 99, 9, "b"),
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two images of noise, 120 x 120, with `points.csv`, and `boxes.csv` of 16 x 25 pixels; the second validates."""
    for name in ("0.png", "1.png"):
        noise = np.random.default_rng(int(name[0])).integers(0, 256, (120, 120, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / name)
    sides = {"0.png": "train", "1.png": "val"}
    points = [{"image": i, "x": x, "y": y, "label": label, "split": sides[i]} for i, x, y, label in ROWS]
    boxes = [
        {
            "image": i,
            "xmin": x - 8,
            "ymin": max(0, y - 12.5),
            "xmax": x + 8,
            "ymax": y + 12.5,
            "label": label,
            "split": sides[i],
        }
        for i, x, y, label in ROWS
    ]
    pd.DataFrame(points).to_csv(tmp_path / "points.csv", index=False)
    pd.DataFrame(boxes).to_csv(tmp_path / "boxes.csv", index=False)
    return tmp_path


@pytest.fixture
def patches(data: Path) -> Path:
    """A folder of two classes with a patch each."""
    for name in ("x", "y"):
        (data / "patches" / name).mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(data / "patches" / name / "0.png")
    return data / "patches"

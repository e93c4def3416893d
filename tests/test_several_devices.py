"""A training on two devices: two processes, one folder, one log, one model."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd

from detect.nets.header import read_card
from tests.conftest import SMALL

ROOT = Path(__file__).parents[1]


def test_two_processes_train_one_model(planted: Path, tmp_path: Path) -> None:
    settings = [
        f"data.root={planted}",
        f"data.annotations={planted / 'points.csv'}",
        *SMALL,
        "trainer.max_epochs=1",
        "trainer.accelerator=cpu",
        "trainer.devices=2",
        "trainer.strategy=ddp",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "detect.train", *settings]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    assert read_card(folder / "model.safetensors").training
    assert list(pd.read_csv(folder / "metrics.csv")["epoch"]) == [0]
    assert done.stderr.count(" epoch 1/1 ") == 1 and done.stderr.count("wrote ") == 1 and "MEMBER: 2/2" in done.stderr

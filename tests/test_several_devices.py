"""A training on two devices: two processes that learn what one does; one folder, one log, one model."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

from detect.nets.header import read_card
from tests.commands import Called
from tests.conftest import SMALL

ROOT = Path(__file__).parents[1]

SETTINGS = (
    *SMALL,
    "data.sampling.samples=32",
    "data.mining.at=[0.5]",
    "data.mining.score=0.01",
    "data.loading.workers=1",
    "augment.superimpose.p=0.5",
    "net.dropout=0",
    "finetune.freeze_bn=true",
    "finetune.keep=4",
    "finetune.unfreeze_at=0.5",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "trainer.ema=0.9",
)


def test_two_processes_learn_what_one_does_with_twice_the_batch(planted: Path, tmp_path: Path, run) -> None:
    """The same losses, scores, mined places and weights, but for what the order of sums changes: of AdamW a thousandth.

    Batch normalisation is at rest, as each process has statistics of its own samples. Augmentation, pasting of objects
    that are cut out, averaged weights, counted images, mining and processes that make samples are on; some layers never
    learn, and others from the second epoch on.
    """
    data = (f"data.root={planted}", f"data.annotations={planted / 'points.csv'}")
    alone: Called = run("train", *data, *SETTINGS, "data.loading.batch_size=8", f"output={tmp_path / 'alone'}")
    assert alone.code == 0, alone.log
    two = ("data.loading.batch_size=4", "trainer.devices=2", "trainer.strategy=ddp")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "detect.train", *data, *SETTINGS, *two]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    log = done.stderr
    assert log.count(" epoch 1/2 ") == 1 and log.count("wrote ") == 1 and "MEMBER: 2/2" in log
    mined = re.findall(r"(\d+) false alarms in the training images", log)
    assert len(mined) == 1 and mined == re.findall(r"(\d+) false alarms in the training images", alone.log)
    assert read_card(folder / "model.safetensors").training
    of_one, of_two = (pd.read_csv(each / "metrics.csv") for each in (tmp_path / "alone", folder))
    assert list(of_two["epoch"]) == [0, 1] and set(of_one) == set(of_two)
    for name in of_one:
        np.testing.assert_allclose(of_two[name], of_one[name], rtol=2e-3, atol=1e-4, err_msg=name)
    one, other = (load_file(each / "model.safetensors") for each in (tmp_path / "alone", folder))
    assert set(one) == set(other)
    for name, weight in one.items():
        apart = np.linalg.norm(other[name].astype(float) - weight)
        assert apart <= 2e-3 * max(1e-3, np.linalg.norm(weight.astype(float))), name

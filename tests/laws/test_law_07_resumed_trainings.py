"""Law 7 for trainings: killed, moved and resumed, for both heads, they write the same files as one that was not.

`tools/kill_training.py` does so with SIGKILL at random moments; here it is an error
between two epochs, in this process.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from detect.learning.checkpoints import Checkpoints
from detect.learning.run_file import read_run_facts, read_run_tensors, write_run_file
from detect.reporting.output.journal import lock_folder
from tests.commands import Called, LostError, call
from tools.kill_training import COMMON, SAME, VARIANTS, contents, write_images

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*treespec"),
]

QUICK = ("data.sampling.samples=16", "trainer.max_epochs=3", "data.mining.at=[0.3]")
MORE = {"grid, averaged": ("data.sampling.samples=32", "trainer.max_epochs=2", "trainer.ema=0.2", "finetune.lr=0.02")}

SLURM = {
    "SLURM_NTASKS": "1",
    "SLURM_JOB_NAME": "train",
    "SLURM_JOB_ID": "7",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
    "SLURM_NODELIST": "127.0.0.1",
}
"""What a job of one process has in its environment."""

Train = Callable[..., Called]


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Call a small training of a variant, into a folder."""
    images = tmp_path_factory.mktemp("data") / "images"
    write_images(images)

    def trained(variant: str, output: Path, *more: str) -> Called:
        data = (f"data.root={images}", f"data.annotations={images / 'points.csv'}", f"output={output}")
        return call("train", *data, *COMMON, *VARIANTS[variant], *QUICK, *MORE.get(variant, ()), *more)

    return trained


@pytest.fixture(scope="module")
def whole(train: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a patch training that nothing disturbed."""
    output = tmp_path_factory.mktemp("whole") / "run"
    done = train("patch", output)
    assert done.code == 0, done.log
    return output


def lost_after(monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    """Make a training end as the machine is lost, once an epoch is written."""
    real = Checkpoints.on_train_epoch_end

    def end(self: Checkpoints, trainer, module) -> None:
        real(self, trainer, module)
        if trainer.current_epoch + 1 == epoch:
            raise LostError

    monkeypatch.setattr(Checkpoints, "on_train_epoch_end", end)


@pytest.mark.parametrize(("variant", "epochs"), [("patch", 3), ("patch, averaged, pasted", 3), ("grid, averaged", 2)])
def test_law_7_a_training_lost_moved_and_resumed_ends_as_one_that_was_not(
    train: Train, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str, epochs: int
) -> None:
    """Lost after every epoch, and each time its folder goes on under another name."""
    if variant != "patch":
        whole = tmp_path / "whole"
        assert train(variant, whole).code == 0
    for epoch in range(1, epochs + 1):
        with monkeypatch.context() as patch, pytest.raises(LostError):
            lost_after(patch, epoch)
            train(variant, tmp_path / str(epoch), "resume=true")
        assert read_run_facts(tmp_path / str(epoch) / "checkpoints/last.ckpt")["epochs"] == epoch
        shutil.move(tmp_path / str(epoch), tmp_path / str(epoch + 1))
    output = tmp_path / str(epochs + 1)
    done = train(variant, output, "resume=true")
    assert done.code == 0, done.log
    one, other = contents(whole), contents(output)
    assert [name for name in SAME if one[name] != other[name]] == []
    assert list(pd.read_csv(output / "metrics.csv")["epoch"]) == list(range(epochs))
    assert not list(output.rglob("*.part"))


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
@pytest.mark.parametrize("cluster", [{}, SLURM])
def test_law_7_a_training_that_a_scheduler_ends_keeps_its_last_epoch_and_goes_on(
    train: Train, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: dict[str, str]
) -> None:
    """SIGTERM in the midst of the second epoch; in a job of SLURM Lightning's own way of it is not in the way."""
    for name, value in cluster.items():
        monkeypatch.setenv(name, value)
    output = tmp_path / "run"
    with monkeypatch.context() as patch:
        terminated_in(patch, 2)
        done = train("patch", output, "resume=true")
    assert done.code == 130, done.log
    assert "stopped with the signal SIGTERM; resume=true goes on with the last whole epoch" in done.log
    assert "Traceback" not in done.log and not list(output.glob("hpc*"))
    assert read_run_facts(output / "checkpoints/last.ckpt")["epochs"] == 1
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    done = train("patch", output, "resume=true")
    assert done.code == 0, done.log
    one, other = contents(whole), contents(output)
    assert [name for name in SAME if one[name] != other[name]] == []


def terminated_in(monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    """Send SIGTERM after the first batch of an epoch, and have Lightning's own way requeue a job meanwhile."""

    def end(self: Checkpoints, trainer, module, *given: object) -> None:
        if trainer.current_epoch + 1 == epoch:
            requeueing = signal.getsignal(signal.SIGUSR1)
            assert requeueing is signal.SIG_DFL, "Lightning would send the job again, from a state of its own"
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Checkpoints, "on_train_batch_end", end, raising=False)


def test_settings_that_change_the_model_are_refused_by_name_with_both_values(train: Train, whole: Path) -> None:
    before = contents(whole)
    done = train("patch", whole, "resume=true", "data.loading.batch_size=16", "seed=5", "trainer.precision=bf16-mixed")
    assert done.code == 2
    for text in ("data.loading.batch_size: 8 then, 16 now", "seed: 0 then, 5 now", "trainer.precision: '32' then"):
        assert text in done.log
    assert contents(whole) == before


def test_settings_that_change_nothing_may_differ(train: Train, whole: Path, tmp_path: Path) -> None:
    """Nor where the images lie, which another machine has elsewhere."""
    output, images = tmp_path / "run", tmp_path / "elsewhere"
    shutil.copytree(whole, output)
    write_images(images)
    moved = (f"data.root={images}", f"data.annotations={images / 'points.csv'}")
    idle = ("data.loading.cache=1GiB", "trainer.logger=csv", "runtime.device=cpu", "runtime=torch", "overwrite=true")
    done = train("patch", output, "resume=true", *idle, *moved)
    assert done.code == 0 and "data.loading.cache: '4GiB' then, '1GiB' now" in done.log and "data.root: " in done.log
    one, other = contents(whole), contents(output)
    assert all(one[name] == other[name] for name in ("model.safetensors", "metrics.csv", "scores.json"))


@pytest.mark.parametrize("changed", ["points.csv", "0.png"])
def test_other_images_or_labels_are_refused(train: Train, whole: Path, tmp_path: Path, changed: str) -> None:
    """A label moved by a tenth of a pixel; a file that is a byte longer."""
    images = tmp_path / "images"
    write_images(images)
    data = (images / changed).read_bytes()
    (images / changed).write_bytes(data.replace(b",warm", b".1,warm", 1) if changed == "points.csv" else data + b"\0")
    before = contents(whole)
    done = train("patch", whole, "resume=true", f"data.root={images}", f"data.annotations={images / 'points.csv'}")
    assert done.code == 2 and "are not those that the training was begun with" in done.log
    assert contents(whole) == before


def test_more_epochs_go_on_say_what_they_do_to_the_schedule_and_are_recorded(
    train: Train, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finished training of 3 epochs is given a fourth; the same, lost and resumed, ends with the same bytes."""
    folders = [tmp_path / "once", tmp_path / "lost"]
    for folder in folders:
        shutil.copytree(whole, folder)
    more = ("resume=true", "trainer.max_epochs=5")
    done = train("patch", folders[0], *more)
    assert done.code == 0 and "trainer.max_epochs: 3 then, 5 now" in done.log
    assert "the schedule is that of 5 epochs, of which 3 are done" in done.log
    config = yaml.safe_load((folders[0] / "config.yaml").read_text())
    assert config["trainer"]["max_epochs"] == 5 and config["earlier"] == [{"epochs": 3, "trainer.max_epochs": 3}]
    assert list(pd.read_csv(folders[0] / "metrics.csv")["epoch"]) == [0, 1, 2, 3, 4]
    with monkeypatch.context() as patch, pytest.raises(LostError):
        lost_after(patch, 4)
        train("patch", folders[1], *more)
    assert yaml.safe_load((folders[1] / "config.yaml").read_text())["trainer"]["max_epochs"] == 3  # of the model there
    assert train("patch", folders[1], *more).code == 0
    one, other = (contents(folder) for folder in folders)
    assert [name for name in SAME if one[name] != other[name]] == []
    fewer = train("patch", folders[1], "resume=true", "trainer.max_epochs=4")
    assert fewer.code == 2 and "trainer.max_epochs=4, and 5 epochs are done" in fewer.log


def test_a_checkpoint_of_lightnings_is_data_no_path_in_it_is_followed(
    train: Train, whole: Path, tmp_path: Path
) -> None:
    """Its callback's paths made Lightning remove a folder; the file is no state of this program, and stays."""
    output, other = tmp_path / "run", tmp_path / "other"
    shutil.copytree(whole, output)
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    key = "ModelCheckpoint{'monitor': 'val/f1', 'mode': 'max', 'every_n_train_steps': 0, 'every_n_epochs': 1}"
    state = {"last_model_path": f"local://{other}", "best_model_path": str(output / "checkpoints/../../other")}
    last = output / "checkpoints/last.ckpt"
    torch.save({"epoch": 1, "state_dict": {}, "callbacks": {key: state}}, last)
    done = train("patch", output, "resume=true")
    assert done.code == 2 and "overwrite=true" in done.log and str(last) in done.log
    assert (other / "thesis.txt").read_text() == "mine"


def test_two_trainings_do_not_write_into_one_folder(train: Train, whole: Path) -> None:
    before = contents(whole)
    with lock_folder(whole):
        done = train("patch", whole, "overwrite=true")
    assert done.code == 2 and "another run is writing there" in done.log
    assert contents(whole) == before


@pytest.mark.parametrize("wrong", [{"epochs": -1}, {"scheduled": 10**400}, {"settings": []}, {"earlier": None}])
def test_a_state_of_impossible_numbers_is_an_error(
    train: Train, whole: Path, tmp_path: Path, wrong: dict[str, object]
) -> None:
    output, last = tmp_path / "run", whole / "checkpoints/last.ckpt"
    write_run_file(output / "checkpoints/last.ckpt", read_run_tensors(last), {**read_run_facts(last), **wrong})
    done = train("patch", output, "resume=true", "trainer.max_epochs=9")
    assert done.code == 2 and f"state.{next(iter(wrong))}" in done.log and "overwrite=true" in done.log


@pytest.mark.parametrize("device", ["cuda:77", "meta", "no such device"])
def test_a_device_that_is_not_there_is_told_before_the_training(train: Train, tmp_path: Path, device: str) -> None:
    done = train("patch", tmp_path / "run", f"runtime.device={device}")
    assert done.code == 2 and f"runtime.device={device}" in done.log
    assert not (tmp_path / "run/checkpoints").exists()

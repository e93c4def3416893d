"""The file of a training's state: what was written comes back, and of anything else nothing is taken."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from detect.learning.callbacks import AveragedWeights, EpochLog, StepLimit
from detect.learning.checkpoints import Checkpoints, Patience, TimeLimit, read_best
from detect.learning.imbalance import ClassLoss
from detect.learning.patch import ClassifierModule
from detect.learning.run_file import HEADER, MOST_CHARACTERS, RunFile, RunFileError, read_run_facts, read_run_tensors
from detect.nets.backbones import build_backbone
from detect.nets.heads.patch import PatchClassifier
from detect.nets.net_spec import BackboneSpec
from detect.samples.loading import PatchData
from tests.cards import EVEN, LOADING, schedule
from tests.patches import coloured

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*treespec"),
]

FULL = schedule(lr=0.01, backbone_lr=0.005, weight_decay=0.01, warmup=0.2)


def module(outputs: int = 3, scores: Callable[..., dict[str, float]] = lambda net: {"f1": 0.25}) -> ClassifierModule:
    torch.manual_seed(0)
    net = PatchClassifier(build_backbone(BackboneSpec("test_resnet", 8)), outputs, 16, 0.0)
    return ClassifierModule(net, FULL, 0, ClassLoss(EVEN, np.ones(outputs), 0.0), scores)


class Stop(pl.Callback):
    """Ends the run as an epoch begins, as a lost machine would."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == self.epoch:
            raise InterruptedError


def fit(
    folder: Path, epochs: int, *more: pl.Callback, resume: bool = False, trained: ClassifierModule | None = None
) -> dict[str, Tensor]:
    """Train on 16 patches, two steps an epoch; the weights at the end."""
    file = RunFile({}, [])
    kept = Checkpoints(folder / "last.ckpt", folder / "best.ckpt", "val/f1", file)
    run = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[kept, EpochLog(folder / "metrics.csv", 16), *more],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        plugins=[file],
    )
    trained = trained or module()
    data = PatchData(lambda epoch: coloured(16, epoch), coloured(8, 1000), LOADING)
    run.fit(trained, data, ckpt_path=folder / "last.ckpt" if resume else None)
    return {name: value.clone() for name, value in trained.state_dict().items()}


def averaged() -> AveragedWeights:
    return AveragedWeights(decay=0.9)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files after an epoch."""
    folder = tmp_path_factory.mktemp("state")
    fit(folder, 1, averaged(), Patience("val/f1", 9, anew=False))
    return folder


def test_a_plateau_is_no_reason_to_lose_epochs(tmp_path: Path) -> None:
    """The score never rises after the first epoch; each one is there after a kill all the same."""
    for epoch in (1, 2, 3):
        with pytest.raises(InterruptedError):
            fit(tmp_path, 9, Stop(epoch), resume=epoch > 1)
        assert read_run_facts(tmp_path / "last.ckpt")["epochs"] == epoch
        assert read_best(tmp_path / "best.ckpt").epoch == 0


@pytest.mark.parametrize("limit", [4, 5])
def test_law_7_steps_that_are_counted(tmp_path: Path, limit: int) -> None:
    """Two steps an epoch: 4 are two epochs, 5 two and a half; in one go, or torn before the second."""
    whole = fit(tmp_path / "whole", 9, StepLimit(limit))
    with pytest.raises(InterruptedError):
        fit(tmp_path / "torn", 9, StepLimit(limit), Stop(1))
    torn = fit(tmp_path / "torn", 9, StepLimit(limit), resume=True)
    assert all(torch.equal(torn[name], value) for name, value in whole.items())
    tables = [(tmp_path / name / "metrics.csv").read_bytes() for name in ("whole", "torn")]
    assert tables[0] == tables[1] and tables[0].count(b"\n") == 1 + -(-limit // 2)


def test_patience_goes_on_where_it_was_and_what_had_stopped_stays_so(tmp_path: Path) -> None:
    """A score that never rises, and a patience of two: epochs 1 and 2 are no better than 0: three are trained."""

    def patience(*, anew: bool = False) -> Patience:
        return Patience("val/f1", 2, anew=anew)

    with pytest.raises(InterruptedError):
        fit(tmp_path, 9, patience(), Stop(2))
    for resumed in (False, True):  # goes on after a kill; then there is nothing left to do
        fit(tmp_path, 9, patience(), resume=True)
        assert read_run_facts(tmp_path / "last.ckpt")["epochs"] == 3, resumed
    fit(tmp_path, 9, patience(anew=True), resume=True)
    assert read_run_facts(tmp_path / "last.ckpt")["epochs"] == 5


def test_a_time_limit_counts_what_earlier_processes_took(tmp_path: Path) -> None:
    fit(tmp_path, 1, TimeLimit("00:01:00:00"))
    spent = TimeLimit("00:01:00:00")
    spent.load_state_dict({"seconds": 3600.0})
    assert spent.time_elapsed() >= 3600
    for wrong in (
        {},
        {"seconds": -1.0},
        {"seconds": float("nan")},
        {"seconds": 1e300},
        {"seconds": "later"},
        {"time_elapsed": 3.0},
    ):
        with pytest.raises(ValueError, match="time limit"):
            TimeLimit("00:01:00:00").load_state_dict(wrong)


def test_lost_metrics_are_written_again_digit_by_digit(tmp_path: Path) -> None:
    fit(tmp_path, 2)
    table = (tmp_path / "metrics.csv").read_bytes()
    (tmp_path / "metrics.csv").write_text("epoch,epoch\n0,1\n")
    fit(tmp_path, 2, resume=True)
    assert (tmp_path / "metrics.csv").read_bytes() == table


def test_a_write_that_fails_leaves_the_earlier_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit(tmp_path, 1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(path: Path, data: bytes) -> int:
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        fit(tmp_path, 2, resume=True)
    monkeypatch.undo()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.name != "metrics.csv"} == {
        name: data for name, data in before.items() if name != "metrics.csv"
    }


Facts = dict[str, Any]
Edit = Callable[[Facts, dict[str, Tensor]], None]


def edited(path: Path, edit: Edit) -> None:
    """Change a state file's plain values and tensors."""
    tensors = load_file(path)
    with safe_open(path, framework="pt") as source:
        facts = json.loads(source.metadata()[HEADER])
    tensors = {name: value.clone() for name, value in tensors.items()}
    edit(facts, tensors)
    save_file(tensors, path, metadata={HEADER: json.dumps(facts)})


HEAD = "state_dict/net.head.weight"
HOSTILE: dict[str, Edit] = {
    "no loops": lambda facts, tensors: facts.pop("loops"),
    "an attribute of a loop": lambda facts, tensors: facts["loops"]["epoch_progress"].update(state_dict=3),
    "a negative counter": lambda facts, tensors: facts["loops"]["epoch_progress"]["total"].update(ready=-1),
    "a counter that is text": lambda facts, tensors: facts["loops"]["epoch_progress"]["total"].update(ready="1"),
    "a counter beyond bounds": lambda facts, tensors: facts["loops"]["epoch_progress"]["total"].update(ready=10**30),
    "a flag that is a number": lambda facts, tensors: facts["loops"]["epoch_loop.batch_progress"].update(
        is_last_batch=2
    ),
    "more steps than are counted": lambda facts, tensors: facts.update(scheduled=10**400),
    "steps below none": lambda facts, tensors: facts.update(scheduled=-1),
    "no steps": lambda facts, tensors: facts.update(scheduled=None),
    "scores that are text": lambda facts, tensors: facts.update(scene_values={"f1": "high"}),
    "callbacks that are a list": lambda facts, tensors: facts.update(callbacks=["ModelCheckpoint"]),
    "a score that is not finite": lambda facts, tensors: next(
        state for key, state in facts["callbacks"].items() if key.startswith("Patience")
    ).update(best=float("inf")),
    "metrics without epochs": lambda facts, tensors: facts["callbacks"]["EpochLog"].update(rows=[{"f1": 1.0}]),
    "metrics that are text": lambda facts, tensors: facts["callbacks"]["EpochLog"].update(rows=[{"epoch": "=1+1"}]),
    "metrics of a column an epoch": lambda facts, tensors: facts["callbacks"]["EpochLog"].update(
        rows=[{"epoch": i, f"f{i}": 1.0} for i in range(4000)]
    ),
    "a metric that is a formula": lambda facts, tensors: facts["callbacks"]["EpochLog"].update(
        rows=[{"epoch": 0, "=cmd|x": 1.0}]
    ),
    "an average of no step": lambda facts, tensors: facts["callbacks"]["AveragedWeights"].clear(),
    "no weights": lambda facts, tensors: [tensors.pop(name) for name in list(tensors) if name.startswith("state_dict")],
    "one tensor too many": lambda facts, tensors: tensors.update({"state_dict/net.more": torch.ones(1)}),
    "another shape": lambda facts, tensors: tensors.update({HEAD: torch.ones(4, 8, 1, 1)}),
    "another type": lambda facts, tensors: tensors.update({HEAD: tensors[HEAD].double()}),
    "no average": lambda facts, tensors: tensors.pop("averaging_state/n_averaged"),
    "moments of another shape": lambda facts, tensors: tensors.update({"exp_avg/net.head.weight": torch.ones(3)}),
    "moments of no parameter": lambda facts, tensors: tensors.update({"step/net.more": torch.ones(())}),
    "half of the moments": lambda facts, tensors: tensors.pop("exp_avg_sq/net.head.weight"),
    "nested without end": lambda facts, tensors: facts.update(
        callbacks={"EpochLog": {"rows": json.loads("[" * 900 + "]" * 900)}}
    ),
}


@pytest.mark.parametrize("edit", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_state_that_does_not_fit_is_refused_with_the_way_out(state: Path, tmp_path: Path, edit: Edit) -> None:
    for name in ("last.ckpt", "best.ckpt"):
        (tmp_path / name).write_bytes((state / name).read_bytes())
    edited(tmp_path / "last.ckpt", edit)
    with pytest.raises(RunFileError, match=r"last\.ckpt does not fit.*overwrite=true"):
        fit(tmp_path, 2, averaged(), Patience("val/f1", 9, anew=False), resume=True)


def claiming(path: Path) -> bytes:
    """A file whose header claims a tensor of four terabytes."""
    header = json.dumps({"state_dict/x": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}}).encode()
    return len(header).to_bytes(8, "little") + header + b"\0" * 64


def pickled(path: Path) -> bytes:
    """Lightning's own checkpoint, whose callback names a folder that Lightning removes and an address that it asks."""
    key = "ModelCheckpoint{'monitor': 'val/f1', 'mode': 'max'}"
    paths = {"last_model_path": f"local://{path.parent}", "best_model_path": "http://192.0.2.1/x", "dirpath": "/"}
    torch.save({"state_dict": {}, "callbacks": {key: paths}, "pytorch-lightning_version": "2.6.0"}, path)
    return path.read_bytes()


def without_header(path: Path) -> bytes:
    save_file({"state_dict/x": torch.ones(1)}, path)
    return path.read_bytes()


def with_long_header(path: Path) -> bytes:
    save_file({"state_dict/x": torch.ones(1)}, path, metadata={HEADER: "[" * (MOST_CHARACTERS + 1)})
    return path.read_bytes()


def with_deep_header(path: Path) -> bytes:
    save_file({"state_dict/x": torch.ones(1)}, path, metadata={HEADER: "[" * 100_000})
    return path.read_bytes()


def with_a_list(path: Path) -> bytes:
    save_file({"state_dict/x": torch.ones(1)}, path, metadata={HEADER: "[]"})
    return path.read_bytes()


@pytest.mark.parametrize(
    "made", [claiming, pickled, without_header, with_long_header, with_deep_header, with_a_list, lambda path: b""]
)
def test_what_is_no_state_is_an_error_before_anything_is_read(tmp_path: Path, made: Callable[[Path], bytes]) -> None:
    path = tmp_path / "last.ckpt"
    path.write_bytes(made(path))
    with pytest.raises(RunFileError, match=r"last\.ckpt.*overwrite=true"):
        read_run_facts(path)
    assert path.exists()


def test_a_state_cut_short_or_a_pipe_is_an_error(state: Path, tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    path.write_bytes((state / "last.ckpt").read_bytes()[:-100])
    with pytest.raises(RunFileError, match="overwrite=true"):
        read_run_tensors(path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RunFileError, match="no file"):
        read_run_facts(tmp_path / "pipe")


def test_the_best_weights_must_be_there_and_this_networks_before_an_epoch_is_trained(
    state: Path, tmp_path: Path
) -> None:
    """Else a resumed training would end without a model."""
    (tmp_path / "last.ckpt").write_bytes((state / "last.ckpt").read_bytes())
    more = averaged(), Patience("val/f1", 9, anew=False), Stop(1)
    with pytest.raises(RunFileError, match=r"best\.ckpt is missing"):
        fit(tmp_path, 2, *more, resume=True)
    fit(tmp_path / "other", 1, trained=module(4))
    (tmp_path / "best.ckpt").write_bytes((tmp_path / "other/best.ckpt").read_bytes())
    with pytest.raises(RunFileError, match=r"best\.ckpt does not fit"):
        fit(tmp_path, 2, *more, resume=True)

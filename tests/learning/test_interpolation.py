from pathlib import Path

import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim.swa_utils import update_bn

from detect.learning.callbacks import AveragedWeights, EpochLog
from detect.learning.checkpoints import Checkpoints, read_best_weights
from detect.learning.grid import GridModule
from detect.learning.interpolation import InterpolatedWeights
from detect.learning.module import channels_last
from detect.learning.run_file import RunFile, read_run_tensors
from detect.nets.heads.grid import GridDetector
from detect.samples.loading import PatchData
from tests.cards import schedule
from tests.learning.test_grid import LOADING, Kill, fresh, module, shapes, trainer

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*treespec"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory"),
]

State = dict[str, Tensor]
RATES = {"lr": 0.01, "backbone_lr": 0.005, "warmup": 0.1}
ITEMS = shapes()


def copied(net: torch.nn.Module) -> State:
    return {name: value.clone() for name, value in net.state_dict().items()}


class Noted:
    """Scores of scenes that note the weights they were counted with; the last epoch is the best."""

    def __init__(self) -> None:
        self.states: list[State] = []
        self.module: GridModule | None = None

    def __call__(self, net: GridDetector) -> dict[str, float]:
        self.states.append(copied(net))
        assert self.module is not None
        return {"f1": float(self.module.current_epoch)}


def fitted(
    folder: Path, share: float | None, *more: pl.Callback, resume: bool = False, dropout: float = 0.0, **rates: object
) -> tuple[GridModule, Noted, InterpolatedWeights | None]:
    """Train for two epochs from the same first weights, with the backbone interpolated by a share."""
    torch.manual_seed(5)
    noted, file = Noted(), RunFile({}, [])
    made = module(fresh(dropout=dropout), schedule(**{**RATES, **rates}), noted)
    noted.module = made
    inter = None if share is None else InterpolatedWeights(share, lambda epoch: ITEMS, 2)
    kept = Checkpoints(folder / "last.ckpt", folder / "best.ckpt", "val/f1", file)
    callbacks = [kept, EpochLog(folder / "metrics.csv", 4), *([inter] if inter else []), *more]
    run = trainer(2, *callbacks, plugins=[file])
    run.fit(made, PatchData(lambda epoch: ITEMS, ITEMS, LOADING), ckpt_path=folder / "last.ckpt" if resume else None)
    return made, noted, inter


def parameters(state: State) -> State:
    return {name: value for name, value in state.items() if name in dict(fresh().named_parameters())}


def test_the_backbone_is_between_its_first_and_its_trained_weights_and_the_training_goes_its_own_way(
    tmp_path: Path,
) -> None:
    """With a share of 0.25 first + 0.25 (trained - first); the head is the trained one. Counted, and kept, is that."""
    alone, _, _ = fitted(tmp_path / "alone", None, dropout=0.3)
    made, noted, _ = fitted(tmp_path / "between", 0.25, dropout=0.3)
    trained, first = copied(made.net), copied(fresh())
    assert all(torch.equal(value, trained[name]) for name, value in alone.net.state_dict().items())
    assert len(noted.states) == 2
    for name, value in parameters(noted.states[-1]).items():
        part = 0.25 if name.startswith("backbone.") else 1.0
        torch.testing.assert_close(value, first[name] + part * (trained[name] - first[name]), atol=1e-6, rtol=1e-5)
    assert any(not torch.equal(trained[name], noted.states[-1][name]) for name in trained)
    best = read_best_weights(tmp_path / "between" / "best.ckpt", made)
    assert all(torch.equal(value, best[f"net.{name}"]) for name, value in noted.states[-1].items())
    last = read_run_tensors(tmp_path / "between" / "last.ckpt")["state_dict"]
    assert all(torch.equal(value, last[f"net.{name}"]) for name, value in trained.items())


def test_statistics_are_those_of_the_training_crops(tmp_path: Path) -> None:
    """As `update_bn` of torch measures them for a whole network (without dropout): on batches of 2 of the 4 crops."""
    _, noted, _ = fitted(tmp_path, 0.5)
    net = fresh().to(memory_format=torch.channels_last)
    net.load_state_dict(noted.states[-1])
    batches = [channels_last(torch.stack([ITEMS[i][0] for i in pair])) for pair in ((0, 1), (2, 3))]
    update_bn(batches, net)
    for name, value in net.state_dict().items():
        if "running" in name:
            torch.testing.assert_close(noted.states[-1][name], value, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("rates", [{"keep": 4}, {"freeze_bn": True}])
def test_layers_that_keep_their_statistics_have_them_still(tmp_path: Path, rates: dict[str, object]) -> None:
    _, noted, _ = fitted(tmp_path, 0.5, **rates)
    first, seen = copied(fresh()), noted.states[-1]
    early = [name for name in first if "running" in name and name.startswith("backbone.")]
    if "keep" in rates:
        early = [name for name in early if not any(f".layer{i}" in name for i in (2, 3, 4))]
    assert early and all(torch.equal(seen[name], first[name]) for name in early)
    assert any(not torch.equal(seen[name], first[name]) for name in first if "running" in name and name not in early)


def test_a_backbone_that_does_not_learn_is_not_interpolated(tmp_path: Path) -> None:
    """Nor are the statistics of the head measured anew."""
    made, noted, inter = fitted(tmp_path, 0.5, backbone_lr=0.0)
    assert inter is not None and inter.kept is None
    assert all(torch.equal(value, noted.states[-1][name]) for name, value in made.net.state_dict().items())


def test_averaged_weights_are_interpolated_and_stay_the_average(tmp_path: Path) -> None:
    """Each takes back what it has put in place: the average and the trained weights are those of a training without."""
    average, other = AveragedWeights(0.5), AveragedWeights(0.5)
    alone, before, _ = fitted(tmp_path / "alone", None, average)
    made, noted, _ = fitted(tmp_path / "between", 0.5, other)
    assert all(torch.equal(value, other.average()[name]) for name, value in average.average().items())
    assert all(torch.equal(value, alone.state_dict()[name]) for name, value in made.state_dict().items())
    first = copied(fresh())
    for name, value in parameters(noted.states[-1]).items():
        part = 0.5 if name.startswith("backbone.") else 1.0
        wanted = first[name] + part * (before.states[-1][name] - first[name])
        torch.testing.assert_close(value, wanted, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("averaged", [False, True])
def test_an_epoch_that_nothing_validates_is_interpolated_alike(tmp_path: Path, averaged: bool) -> None:
    """As in a training whose epoch folds have chosen."""
    states = []
    for validated in (True, False):
        folder, file = tmp_path / str(validated), RunFile({}, [])
        made = module(fresh(), schedule(**RATES))
        kept = Checkpoints(folder / "last.ckpt", folder / "best.ckpt", None, file)
        inter = InterpolatedWeights(0.5, lambda epoch: ITEMS, 2)
        more = [AveragedWeights(0.5)] if averaged else []
        run = trainer(2, kept, inter, *more, plugins=[file], **({} if validated else {"limit_val_batches": 0}))
        run.fit(made, PatchData(lambda epoch: ITEMS, ITEMS, LOADING))
        states.append(read_best_weights(folder / "best.ckpt", made))
        assert inter.kept is not None
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


@pytest.mark.parametrize("averaged", [False, True])
def test_law_7_an_interpolated_run_killed_and_resumed_ends_as_one_that_was_not(tmp_path: Path, averaged: bool) -> None:
    def more() -> list[pl.Callback]:
        return [AveragedWeights(0.5)] if averaged else []

    fitted(tmp_path / "whole", 0.5, *more(), dropout=0.5)
    with pytest.raises(RuntimeError, match="killed"):
        fitted(tmp_path / "torn", 0.5, Kill(), *more(), dropout=0.5)
    fitted(tmp_path / "torn", 0.5, *more(), resume=True, dropout=0.5)
    whole, torn = (read_run_tensors(tmp_path / name / "best.ckpt")["state_dict"] for name in ("whole", "torn"))
    losses = [pd.read_csv(tmp_path / name / "metrics.csv")["val/loss"].tolist() for name in ("whole", "torn")]
    assert losses[0] == losses[1]
    assert all(torch.equal(value, torn[name]) for name, value in whole.items())


@pytest.mark.parametrize("share", [0.0, 1.5])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=rf"finetune\.interpolate must be in \(0, 1\].*got {share}"):
        schedule(interpolate=share)

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from torch import Tensor

from detect.labels.detections import Detections
from detect.learning.callbacks import EpochLog
from detect.learning.checkpoints import Checkpoints
from detect.learning.grid import GridLoss, GridModule
from detect.learning.hyperparameters import Schedule
from detect.learning.imbalance import ClassLoss
from detect.learning.run_file import RunFile
from detect.nets.heads.grid import GridDetector
from detect.nets.modelfile import build_pretrained
from detect.samples.augment import Augment
from detect.samples.crops import crop_samples_of
from detect.samples.epochs import CropDraw, Samples
from detect.samples.labelled_scenes import LabelledScene, SceneSplit
from detect.samples.loading import PatchData
from detect.samples.pixel_cache import PixelSource
from detect.samples.targets import TargetEncoder
from tests.cards import EVEN, LOADING, loss_weights, schedule
from tests.grids import encode, grid_card, objects

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*treespec"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory"),
]

CARD = grid_card(20.0, stride=8, deepest=16, offset=(127.0,) * 3, scale=(64.0,) * 3)
SCHEDULE = schedule(lr=0.01, backbone_lr=0.005, weight_decay=0.01, warmup=0.1)
LOADING = replace(LOADING, batch_size=4)
TERMS = {"loss", "objectness", "box", "label", "lost"}


def fresh(seed: int = 0, dropout: float = 0.0) -> GridDetector:
    torch.manual_seed(seed)
    net = build_pretrained(CARD, "none", dropout=dropout, drop_path=0.0)
    assert isinstance(net, GridDetector)
    return net


def module(net: GridDetector, rates: Schedule = SCHEDULE, scores=None) -> GridModule:
    loss = GridLoss(CARD.head, 8, loss_weights(), ClassLoss(EVEN, np.ones(2), 0.0))
    return GridModule(net, rates, 7, loss, scores)


def trainer(epochs: int, *callbacks: pl.Callback, **options: object) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=any(isinstance(each, Checkpoint) for each in callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        log_every_n_steps=1,
        gradient_clip_val=1.0,
        **options,
    )


def boxed(scene: LabelledScene) -> LabelledScene:
    """Return the scene with a size for its points."""
    points = scene.objects
    boxes = Detections(points.xy, points.score, points.label, points.classes, 20 + 0 * points.xy)
    return LabelledScene(scene.name, scene.scene, boxes, scene.negatives)


@pytest.fixture
def samples(scene) -> Samples:
    """Two scenes of noise, with everything random."""
    train = boxed(scene("1.png", [(30, 30, "a"), (60, 70, "b"), (80, 20, "a"), (82, 21, "a")]))
    val = boxed(scene("22.png", [(50, 50, "a"), (20, 80, "b")]))
    augment = Augment({"SquareSymmetry": {"p": 1.0}, "RandomBrightnessContrast": {"p": 0.7}})
    recipe = CropDraw(16, 64, 0.25, 0.0, 0.5)
    return crop_samples_of(
        SceneSplit((train,), (val,), (), ""),
        PixelSource((1, 2, 3), 1 << 30),
        TargetEncoder(CARD.head, 8, 0.8),
        recipe,
        augment,
        7,
    )


def fit(folder: Path, samples: Samples, net: GridDetector, *callbacks: pl.Callback, resume: bool = False) -> pl.Trainer:
    file = RunFile({}, [])
    kept = Checkpoints(folder / "last.ckpt", folder / "best.ckpt", "val/f1", file)
    run = trainer(2, kept, EpochLog(folder / "metrics.csv", 16), *callbacks, plugins=[file])
    made = module(net, scores=lambda each: {"f1": float(each.head.bias[0])})
    run.fit(
        made,
        PatchData(samples.epoch, samples.val, LOADING),
        ckpt_path=folder / "last.ckpt" if resume else None,
    )
    return run


class Kill(pl.Callback):
    """Ends the run as epoch 1 begins, as a lost machine would."""

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == 1:
            raise RuntimeError("killed")


def test_law_7_a_grid_run_killed_and_resumed_ends_as_one_that_was_not(tmp_path: Path, samples: Samples) -> None:
    """Every term of the loss is in the table; drawn crops, augmentation and dropout are those of the epoch."""
    whole = fresh(dropout=0.5)
    fit(tmp_path / "whole", samples, whole)
    with pytest.raises(RuntimeError, match="killed"):
        fit(tmp_path / "torn", samples, fresh(dropout=0.5), Kill())
    resumed = fresh(seed=99, dropout=0.5)
    fit(tmp_path / "torn", samples, resumed, resume=True)
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in resumed.state_dict().items())
    one, other = (pd.read_csv(tmp_path / name / "metrics.csv") for name in ("whole", "torn"))
    pd.testing.assert_frame_equal(one, other)
    assert {f"{stage}/{term}" for stage in ("train", "val") for term in TERMS} | {"val/f1"} <= set(one.columns)
    assert (one["train/lost"] > 0).any() and (one["val/lost"] == 0).all()  # two objects two pixels apart
    for stage in ("train", "val"):
        terms = one[[f"{stage}/{term}" for term in ("objectness", "box", "label")]].sum(axis=1)
        assert one[f"{stage}/loss"].tolist() == pytest.approx(terms.tolist(), rel=1e-4)


def shapes() -> list[tuple[Tensor, dict[str, Tensor]]]:
    """Four crops of 64 pixels with a bright square of 20 in each, red or blue, which is its class."""
    items = []
    for i, (x, y) in enumerate([(20, 28), (44, 20), (28, 44), (36, 36)]):
        pixels = torch.full((3, 64, 64), 60, dtype=torch.uint8)
        pixels[2 * (i % 2), y - 10 : y + 10, x - 10 : x + 10] = 220
        targets = encode(objects([(x, y)], [(20, 20)], [i % 2]), CARD, (64, 64))
        items.append((pixels, {name: torch.as_tensor(value) for name, value in targets.items()}))
    return items


class Losses(pl.Callback):
    """Notes the loss of every epoch."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.values.append(float(trainer.callback_metrics["train/loss"]))


def test_a_few_crops_are_learnt_by_heart() -> None:
    """50 steps on the same four crops: the loss falls to a twentieth, and just the four centres are found."""
    net = fresh()
    items = shapes()
    losses = Losses()
    trainer(50, losses).fit(module(net), PatchData(lambda epoch: items, items, LOADING))
    assert losses.values[-1] < losses.values[0] / 20
    with torch.inference_mode():
        found = net.eval()(torch.stack([pixels for pixels, _ in items]))
    wanted = torch.stack([targets["objectness"][0] == 1 for _, targets in items])
    assert torch.equal(found[:, 0] > 0, wanted)
    assert [int(each[5:, mask].argmax()) for each, mask in zip(found, wanted, strict=True)] == [0, 1, 0, 1]


@pytest.mark.parametrize(("keep", "rate"), [(4, 0.005), (0, 0.0), (4, 0.0)])
def test_layers_that_are_kept_keep_weights_and_statistics(keep: int, rate: float) -> None:
    """Up to stride 4, `finetune.keep`, or all of the backbone, a rate of 0; all that is behind them learns."""
    net = fresh()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    items = shapes()
    rates = replace(SCHEDULE, keep=keep, backbone_lr=rate)
    trainer(1).fit(module(net, rates), PatchData(lambda epoch: items, items, LOADING))
    same = {name for name, value in net.state_dict().items() if torch.equal(value, before[name])}
    backbone = {name for name in before if name.startswith("backbone.")}
    early = {name for name in backbone if ".layer2" not in name and ".layer3" not in name and ".layer4" not in name}
    kept = early if rate else backbone
    assert kept and kept <= same
    assert {name for name, value in net.named_parameters() if not value.requires_grad} == kept & set(
        dict(net.named_parameters())
    )
    moved = set(before) - same
    assert {"head.weight", "head.bias"} <= moved and bool(moved & backbone) is (rate > 0)
    assert rate == 0 or any("running_mean" in name for name in moved & (backbone - early))

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from torch import Tensor, nn
from torch.nn import functional as F

from detect.labels.detections import Detections
from detect.learning.callbacks import AveragedWeights, EpochLog, averaged
from detect.learning.checkpoints import Checkpoints, read_best
from detect.learning.imbalance import ClassLoss
from detect.learning.mining import MineHardNegatives
from detect.learning.patch import CellLoss, ClassifierModule, DenseModule
from detect.learning.run_file import RunFile, read_run_tensors
from detect.nets.backbones import build_backbone
from detect.nets.heads.patch import NOT_COUNTED, PatchClassifier
from detect.nets.net_spec import BackboneSpec
from detect.samples.augment import Augment
from detect.samples.crops import crop_samples_of
from detect.samples.epochs import CropDraw, Loading
from detect.samples.hard_negatives import Mining
from detect.samples.labelled_scenes import SceneSplit
from detect.samples.loading import PatchData
from detect.samples.pixel_cache import PixelSource
from detect.samples.targets import PatchEncoder
from tests.cards import EVEN, LOADING, schedule
from tests.patches import coloured

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*treespec"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory"),
]

FULL = schedule(lr=0.01, backbone_lr=0.005, weight_decay=0.01, warmup=0.2)
PLAIN, PAIR = ClassLoss(EVEN, np.ones(3), 0.0), ClassLoss(EVEN, np.ones(2), 0.0)


def fresh(dropout: float = 0.0, seed: int = 0) -> PatchClassifier:
    torch.manual_seed(seed)
    return PatchClassifier(build_backbone(BackboneSpec("test_resnet", 8)), 3, 16, dropout)


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


def coloured_data() -> PatchData:
    return PatchData(lambda epoch: coloured(48, epoch), coloured(24, 1000), LOADING)


def test_it_learns_to_tell_colours_in_seconds() -> None:
    """A guess among three has a loss of log 3 = 1.1."""
    run = trainer(4)
    run.fit(ClassifierModule(fresh(), FULL, 0, PLAIN), coloured_data())
    metrics = run.callback_metrics
    assert metrics["val/loss"] < 0.2 and metrics["train/loss"] < 0.3
    assert metrics["val/accuracy"] == metrics["val/balanced_accuracy"] == 1


def test_a_frozen_backbone_keeps_its_weights_and_statistics() -> None:
    net = fresh()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    frozen = schedule(lr=0.01, backbone_lr=0.0, weight_decay=0.1)
    trainer(2).fit(ClassifierModule(net, frozen, 0, PLAIN), coloured_data())
    changed = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"head.weight", "head.bias"}
    assert {name for name, value in net.named_parameters() if value.requires_grad} == changed


class Rates(pl.Callback):
    """Notes the groups of the optimiser before every step."""

    def __init__(self) -> None:
        self.steps: list[list[tuple[float, float, int]]] = []

    def on_train_batch_start(self, trainer: pl.Trainer, *_: object) -> None:
        groups = trainer.optimizers[0].param_groups
        self.steps.append([(g["lr"], g["weight_decay"], max(p.ndim for p in g["params"])) for g in groups])


def test_rates_rise_in_a_line_and_fall_as_a_cosine() -> None:
    """48 patches in batches of 8 are 6 steps an epoch, 12 in all; a warm-up of 0.2 is 2.4, so 2 steps.

    Factors 1 / 2, 1, then (1 + cos(pi i / 10)) / 2 for i = 0 to 9. Weights decay, biases and norms do not.
    """
    rates = Rates()
    trainer(2, rates).fit(ClassifierModule(fresh(), FULL, 0, PLAIN), coloured_data())
    factors = [0.5, 1.0, *((1 + math.cos(math.pi * i / 10)) / 2 for i in range(10))]
    for step, factor in zip(rates.steps, factors, strict=True):
        wanted = [(0.005 * factor, 0.01), (0.005 * factor, 0.0), (0.01 * factor, 0.01), (0.01 * factor, 0.0)]
        np.testing.assert_allclose(sorted(row[:2] for row in step), sorted(wanted), atol=1e-9)
        assert all((decay > 0) == (ndim > 1) for _, decay, ndim in step)


class Means(nn.Module):
    """A backbone whose one feature is the cell's mean."""

    channels, stride, offset, scale = 1, 8, (0.0,), (1.0,)

    def forward(self, pixels: Tensor) -> Tensor:
        return F.avg_pool2d(pixels, 8)


def means(net: PatchClassifier) -> PatchClassifier:
    """Let logits be -m and m of a cell's mean m."""
    with torch.no_grad():
        net.head.weight.copy_(torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1))
        net.head.bias.zero_()
    return net


def test_validation_by_hand() -> None:
    """Output 1 where the mean is over 0: of means 1, 1, -1, -1, 1 and outputs 1, 1, 1, 0, 0 three are right.

    That is 2 / 3 of output 1 and 1 / 2 of output 0, 7 / 12 on average.
    """
    net = means(PatchClassifier(Means(), 2, 8))  # type: ignore[arg-type]
    values, truth = [1.0, 1.0, -1.0, -1.0, 1.0], [1, 1, 1, 0, 0]
    val = [(torch.full((1, 8, 8), mean), output) for mean, output in zip(values, truth, strict=True)]
    run = trainer(1)
    run.validate(ClassifierModule(net, FULL, 0, PLAIN), PatchData(lambda epoch: val, val, LOADING), verbose=False)
    assert run.callback_metrics["val/accuracy"] == pytest.approx(3 / 5)
    assert run.callback_metrics["val/balanced_accuracy"] == pytest.approx(7 / 12)
    right, wrong = math.log(1 + math.exp(-2)), math.log(1 + math.exp(2))  # logits m and -m: 2 apart
    assert run.callback_metrics["val/loss"] == pytest.approx((3 * right + 2 * wrong) / 5, abs=1e-6)


def test_of_cells_those_that_count_are_validated_by_hand() -> None:
    """A crop of 2 x 2 cells of means 1, 1, -1, -1: outputs 1, 0 and 0, and one that does not count."""
    net = means(PatchClassifier(Means(), 2, 8))  # type: ignore[arg-type]
    pixels = torch.tensor([[1.0, 1.0], [-1.0, -1.0]]).kron(torch.ones(8, 8))[None]
    val = [(pixels, {"output": torch.tensor([[1, 0], [0, NOT_COUNTED]])})]
    run = trainer(1)
    run.validate(DenseModule(net, FULL, 0, PAIR, 3.0), PatchData(lambda epoch: val, val, LOADING), verbose=False)
    assert run.callback_metrics["val/accuracy"] == pytest.approx(2 / 3)
    assert run.callback_metrics["val/balanced_accuracy"] == pytest.approx((1 + 1 / 2) / 2)


def test_the_hardest_empty_cells_count_a_number_for_each_object() -> None:
    """Losses log(1 + exp(2 m)) of empty cells of means m = 2, 1, 0 and -1, log(1 + exp(-2)) of the object's, of mean 1.

    At 2 an object the two hardest count, m = 2 and 1, at 0 all; an empty crop counts as one with an object. A cell of
    which nothing is known counts in none.
    """
    mean = torch.tensor([[[1.0, 2.0, 1.0], [0.0, -1.0, 9.0]]])
    logits, output = torch.stack([-mean, mean], dim=1), torch.tensor([[[1, 0, 0], [0, 0, NOT_COUNTED]]])
    found = {m: math.log(1 + math.exp(2 * m)) for m in (2, 1, 0, -1)}
    right = math.log(1 + math.exp(-2))
    assert CellLoss(PAIR, 2.0)(logits, output) == pytest.approx((right + found[2] + found[1]) / 3)
    assert CellLoss(PAIR, 0.0)(logits, output) == pytest.approx((right + sum(found.values())) / 5)
    empty = torch.where(output == 1, NOT_COUNTED, output)
    assert CellLoss(PAIR, 2.0)(logits, empty) == pytest.approx((found[2] + found[1]) / 2)
    assert CellLoss(PAIR, 2.0)(logits, torch.full_like(output, NOT_COUNTED)) == 0


def test_new_weights_expect_the_background() -> None:
    """Before the features say anything, the background has its share, and the two classes the rest alike."""
    net = fresh()
    net.expect_background(0.75)
    assert net.head.bias.detach().softmax(dim=0).tolist() == pytest.approx([0.75, 0.125, 0.125])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": 0.0}, r"finetune\.lr.*got 0.0"),
        ({"backbone_lr": -0.1}, r"finetune\.backbone_lr.*got -0.1"),
        ({"warmup": 1.0}, r"finetune\.warmup.*\[0, 1\), got 1.0"),
        ({"label_smoothing": 1.0}, r"finetune\.label_smoothing.*\[0, 1\), got 1.0"),
        ({"score_every": 0}, r"finetune\.score_every.*got 0"),
    ],
)
def test_numbers_that_make_no_schedule(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(FULL, **change)


def test_numbers_that_make_no_batches() -> None:
    with pytest.raises(ValueError, match=r"data\.loading\.batch_size.*got 1"):
        Loading(1, 0, 0)
    with pytest.raises(ValueError, match=r"data\.loading\.workers.*got -1"):
        Loading(8, -1, 0)


@pytest.mark.parametrize(("patches", "batches"), [(20, [8, 8]), (16, [8, 8]), (5, [5])])
def test_training_drops_a_last_short_batch_unless_it_is_the_only_one(patches: int, batches: list[int]) -> None:
    data = PatchData(lambda epoch: coloured(patches, 0), coloured(20, 0), LOADING)
    assert [len(outputs) for _, outputs in data.train_dataloader()] == batches
    assert [len(outputs) for _, outputs in data.val_dataloader()] == [8, 8, 4]


class Kill(pl.Callback):
    """Ends the run as epoch 1 begins, as a lost machine would."""

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == 1:
            raise RuntimeError("killed")


class Counts:
    """Scores of scenes that tell in which order they were asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, net: PatchClassifier) -> dict[str, float]:
        self.asked += 1
        return {"f1": float(net.head.bias[0]), "bias_percent": 1.0}


def alarm(net: PatchClassifier) -> dict[str, Detections]:
    """Find one thing, somewhere that depends on the weights."""
    place = 20 + 10 * float(net.head.bias.detach().abs().sum())
    return {"1.png": Detections(np.array([[place, 50.0]]), np.array([0.5]), np.zeros(1, int), ("a", "b"))}


def scene_run(folder: Path, scene, epochs: int, *callbacks: pl.Callback, resume: bool = False) -> dict[str, Tensor]:
    """Train with everything random: drawn crops, augmentation, dropout; every third epoch is counted.

    After epoch 0 the network finds a false alarm at a place that its weights say; the head learns alone at first.
    """
    train = scene("1.png", [(30, 30, "a"), (60, 70, "b"), (80, 20, "a")])
    val = scene("22.png", [(50, 50, "a"), (20, 80, "b")])
    recipe, encoder = CropDraw(24, 16, 0.5, 0.5, 0.5, context=16), PatchEncoder(8, 2, 6.0, 10.0, 16)
    augment = Augment({"SquareSymmetry": {}, "RandomBrightnessContrast": {"p": 0.7}})
    split = SceneSplit((train,), (val,), (), "")
    samples = crop_samples_of(split, PixelSource((1, 2, 3), 1 << 30), encoder, recipe, augment, 7)
    rates = replace(FULL, label_smoothing=0.1, score_every=3, unfreeze_at=0.5)
    module = DenseModule(fresh(0.5, seed=0 if not resume else 99), rates, 7, PLAIN, 3.0, Counts())
    file = RunFile({}, [])
    kept = Checkpoints(folder / "last.ckpt", folder / "best.ckpt", "val/f1", file)
    run = trainer(epochs, kept, EpochLog(folder / "metrics.csv", 24), *callbacks, plugins=[file])
    assert samples.hard_negatives is not None
    mined = MineHardNegatives(alarm, split.train, samples.hard_negatives, Mining((0.3,), 1.0))
    run.callbacks.insert(0, mined)  # type: ignore[attr-defined]
    last = folder / "last.ckpt" if resume else None
    run.fit(module, PatchData(samples.epoch, samples.val, LOADING), ckpt_path=last)
    return {name: value.clone() for name, value in module.net.state_dict().items()}


def test_law_7_a_run_killed_and_resumed_ends_as_one_that_was_not(tmp_path: Path, scene) -> None:
    """Epochs 0 and 1 of 2 in one go; or epoch 0, a loss of everything but the files, and epoch 1."""
    whole = scene_run(tmp_path / "whole", scene, 2)
    with pytest.raises(RuntimeError, match="killed"):
        scene_run(tmp_path / "torn", scene, 2, Kill())
    assert len(pd.read_csv(tmp_path / "torn" / "metrics.csv")) == 1
    resumed = scene_run(tmp_path / "torn", scene, 2, resume=True)
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())
    assert any(not torch.equal(fresh(0.5).state_dict()[name], value) for name, value in whole.items())
    one, other = (pd.read_csv(tmp_path / name / "metrics.csv") for name in ("whole", "torn"))
    pd.testing.assert_frame_equal(one, other)


def test_law_7_epochs_between_two_counts_repeat_the_last_one_also_after_a_resume(tmp_path: Path, scene) -> None:
    """Of 3 epochs, 0 and 2 are counted; epoch 1 repeats what epoch 0 found, also if the run was killed between."""
    scene_run(tmp_path / "whole", scene, 3)
    with pytest.raises(RuntimeError, match="killed"):
        scene_run(tmp_path / "torn", scene, 3, Kill())
    scene_run(tmp_path / "torn", scene, 3, resume=True)
    one, other = (pd.read_csv(tmp_path / name / "metrics.csv") for name in ("whole", "torn"))
    f1 = one["val/f1"].tolist()
    assert f1[0] == f1[1] != f1[2]
    pd.testing.assert_frame_equal(one, other)
    best = [read_best(tmp_path / name / "best.ckpt") for name in ("whole", "torn")]
    assert best[0] == best[1]


class Notes:
    """Notes the head's bias of every network that it is asked to score."""

    def __init__(self) -> None:
        self.biases: list[Tensor] = []

    def __deepcopy__(self, memo: dict) -> "Notes":
        return self

    def __call__(self, net: PatchClassifier) -> dict[str, float]:
        assert net.head.bias is not None
        self.biases.append(net.head.bias.detach().clone())
        return {"f1": 0.0}


def test_the_averaged_weights_are_scored_and_kept(tmp_path: Path) -> None:
    """The files of an epoch hold the very weights that were scored, and not those that learn."""
    notes = Notes()
    module = ClassifierModule(fresh(), FULL, 0, PLAIN, notes)
    file = RunFile({}, [])
    kept = Checkpoints(tmp_path / "last.ckpt", tmp_path / "best.ckpt", "val/f1", file)
    trainer(1, AveragedWeights(decay=0.9), kept, plugins=[file]).fit(module, coloured_data())
    last, best = (read_run_tensors(tmp_path / name) for name in ("last.ckpt", "best.ckpt"))
    for state in (last, best):
        torch.testing.assert_close(state["state_dict"]["net.head.bias"], notes.biases[-1])
    assert not torch.allclose(last["current_model_state"]["net.head.bias"], notes.biases[-1])


def test_an_average_soon_forgets_the_weights_that_it_began_with() -> None:
    """Of a first value 1, followed by zeros: after one more step 2/11, then 2/11 x 3/12, then x 4/13.

    After 700 steps nothing is left; a decay of 0.998 all along would leave 0.998^700, a quarter. A small decay is kept.
    """
    value, zero, seen = torch.ones(1), torch.zeros(1), []
    for step in range(1, 701):
        value = averaged(0.998, value, zero, torch.tensor(step))
        seen.append(value.item())
    assert seen[:3] == pytest.approx([2 / 11, 6 / 132, 24 / 1716])
    assert seen[-1] < 1e-6
    assert averaged(0.5, torch.ones(1), zero, torch.tensor(700)).item() == 0.5

from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from detect.learning.hyperparameters import RateSpan
from detect.learning.imbalance import ClassLoss
from detect.learning.patch import ClassifierModule
from detect.learning.trials.overfit import Losses, learned, one_batch
from detect.learning.trials.rates import FactorAdamW, RateCurve, find_rates
from detect.nets.backbones import build_backbone
from detect.nets.heads.patch import PatchClassifier
from detect.nets.net_spec import BackboneSpec
from detect.samples.epochs import Samples
from detect.samples.loading import PatchData
from tests.cards import EVEN, LOADING, schedule
from tests.patches import coloured

pytestmark = [pytest.mark.filterwarnings("ignore:.*does not have many workers")]

SCHEDULE = schedule(lr=0.02, backbone_lr=0.005, warmup=0.1)


def module() -> ClassifierModule:
    torch.manual_seed(0)
    net = PatchClassifier(build_backbone(BackboneSpec("test_resnet", 8)), 3, 16)
    return ClassifierModule(net, SCHEDULE, 0, ClassLoss(EVEN, np.ones(3), 0.0))


def trainer(epochs: int, folder: Path, *callbacks: pl.Callback) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        callbacks=list(callbacks),
        logger=False,
        limit_val_batches=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        default_root_dir=folder,
        log_every_n_steps=1,
    )


def test_one_factor_moves_every_rate_and_stays_a_factor() -> None:
    """The first step of Adam is the rate itself, whatever the gradient: 0.5 * 0.02 and 0.5 * 0.005."""
    one, other = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    optimizer = FactorAdamW(
        [{"params": [one], "rate": 0.02, "weight_decay": 0.0}, {"params": [other], "rate": 0.005, "weight_decay": 0.0}],
        lr=0.5,
    )
    (one + other).sum().backward()
    optimizer.step()
    assert (one.item(), other.item()) == pytest.approx((-0.01, -0.0025), rel=1e-3)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.5]


def test_the_suggestion_is_where_the_loss_falls_most_for_a_ratio_of_factors() -> None:
    """A fall around factor 1 on a logarithmic scale; every second batch is harder by 0.05."""
    factors = np.geomspace(1e-3, 1e3, 61)
    losses = 2 - np.tanh(np.log10(factors))
    losses[::2] += 0.05
    assert RateCurve(factors, losses).suggestion == pytest.approx(1, rel=0.3)
    assert RateCurve(factors, np.arange(61.0)).suggestion is None
    assert RateCurve(factors[:2], losses[:2]).suggestion is None


def test_the_search_leaves_the_weights_as_they_were_and_tries_all_factors(tmp_path: Path) -> None:
    made = module()
    configure = made.configure_optimizers
    before = {name: value.clone() for name, value in made.state_dict().items()}
    data = PatchData(lambda epoch: coloured(40, epoch), coloured(8), LOADING)
    curve = find_rates(trainer(24, tmp_path), made, data, RateSpan(1e-3, 10.0, 24))
    ratios = curve.factors[1:] / curve.factors[:-1]
    assert len(curve.losses) == len(curve.factors) > 10 and curve.factors[0] == pytest.approx(1e-3, rel=0.5)
    np.testing.assert_allclose(ratios[1:], ratios[-1], rtol=1e-6)
    assert curve.factors[-1] == pytest.approx(10, rel=0.5) or len(curve.factors) < 24
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())
    assert made.configure_optimizers == configure and not list(tmp_path.iterdir())
    assert curve.losses[0] == pytest.approx(first_loss(), rel=1e-3)


def first_loss() -> float:
    """The loss of the first batch before anything was learned."""
    pixels, wanted = zip(*coloured(40)[:8], strict=True)
    with torch.no_grad():
        logits = module().train().net.classify(torch.stack(pixels).float())
    return float(torch.nn.functional.cross_entropy(logits, torch.tensor(wanted)))


@pytest.mark.parametrize(("least", "most", "steps"), [(0, 1, 50), (1, 1, 50), (1e-3, 1, 19)])
def test_spans_that_cannot_be(least: float, most: float, steps: int) -> None:
    with pytest.raises(ValueError, match=r"span\."):
        RateSpan(least, most, steps)


def test_one_batch_is_the_same_in_every_step_and_can_be_learned(tmp_path: Path) -> None:
    samples = Samples(lambda epoch: coloured(20, epoch), coloured(8), {}, (), np.ones(3))
    data = one_batch(samples, LOADING)
    assert data.train(0) is data.train(7) and [label for _, label in data.train(0)] == [0, 1, 2, 0, 1, 2, 0, 1]
    losses = Losses()
    trainer(30, tmp_path, losses).fit(module(), data)
    assert len(losses.values) == 30 and learned(losses.values)
    with pytest.raises(ValueError, match=r"\b8 patches.*\b5;.*data\.loading\.batch_size"):
        one_batch(Samples(lambda epoch: coloured(5), coloured(8), {}, (), np.ones(3)), LOADING)


def test_learned_is_a_twentieth_of_the_loss_at_the_start() -> None:
    assert learned([2.0, 9.0, 0.1]) and not learned([2.0, 0.0, 0.11])

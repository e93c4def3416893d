import numpy as np
import pytest
import torch

from detect.learning.hyperparameters import Mix
from detect.learning.mixing import BatchMixer
from detect.learning.patch import ClassifierModule
from tests.learning.test_module import FULL, PLAIN, coloured, coloured_data, fresh, trainer

NEVER = Mix(0.0, 1.0)


def batch(number: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    """Patches that are 0, 10, 20, ... throughout, of classes 0, 1, 2, 0, 1, 2."""
    values = torch.arange(number) * 10.0
    return values.view(-1, 1, 1, 1).expand(-1, 3, 16, 16).clone(), torch.arange(number) % 3


@pytest.mark.parametrize(("mixup", "cutmix"), [(Mix(1.0, 1), NEVER), (NEVER, Mix(1.0, 1))])
def test_targets_are_the_shares_of_the_pixels(mixup: Mix, cutmix: Mix) -> None:
    """A patch of 10 i and its neighbour of 10 (i - 1), or 50 before 0: the mean says how much of each there is."""
    pixels, output = batch()
    neighbour = output.roll(1)
    for seed in range(8):
        torch.manual_seed(seed)
        mixed, target = BatchMixer(mixup, cutmix, 3)(pixels, output)
        mean = mixed.mean(dim=(1, 2, 3))
        share = (mean - pixels.roll(1, 0)[:, 0, 0, 0]) / (pixels - pixels.roll(1, 0))[:, 0, 0, 0]
        wanted = torch.zeros(6, 3)
        for i in range(6):
            wanted[i, output[i]] += share[i]
            wanted[i, neighbour[i]] += 1 - share[i]
        np.testing.assert_allclose(target, wanted, atol=1e-4)


def test_a_share_of_the_batches_is_mixed_and_a_seed_decides() -> None:
    pixels, output = batch()
    mixer = BatchMixer(Mix(0.25, 0.2), Mix(0.25, 1.0), 3)
    torch.manual_seed(0)
    targets = [mixer(pixels, output)[1] for _ in range(200)]
    assert np.mean([target.ndim == 2 for target in targets]) == pytest.approx(0.5, abs=0.1)
    torch.manual_seed(0)
    again = [mixer(pixels, output)[1] for _ in range(200)]
    assert all(torch.equal(one, other) for one, other in zip(targets, again, strict=True))


def test_a_classifier_learns_from_mixed_batches() -> None:
    """A guess among three has a loss of log 3 = 1.1; validation is not mixed."""
    run = trainer(4)
    run.fit(ClassifierModule(fresh(), FULL, 0, PLAIN, mixer=BatchMixer(Mix(1.0, 0.2), NEVER, 3)), coloured_data())
    assert run.callback_metrics["val/accuracy"] == 1
    assert run.callback_metrics["train/loss"] > run.callback_metrics["val/loss"]


def test_the_loss_of_a_mixed_batch_is_that_of_its_shares() -> None:
    net = fresh().eval()
    module = ClassifierModule(net, FULL, 0, PLAIN, mixer=BatchMixer(Mix(1.0, 1.0), NEVER, 3))
    module.log = lambda *_, **__: None  # type: ignore[method-assign]
    pixels = torch.stack([each[0] for each in coloured(6, 0)])
    output = torch.tensor([each[1] for each in coloured(6, 0)])
    torch.manual_seed(3)
    loss = module.training_step((pixels, output), 0)
    torch.manual_seed(3)
    mixed, target = BatchMixer(Mix(1.0, 1.0), NEVER, 3)(pixels.float(), output)
    wanted = -(target * net.classify(mixed).log_softmax(dim=1)).sum(dim=1).mean()
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mix(1.2, 1.0), r"^p .*\[0, 1\], got 1.2"),
        (lambda: Mix(0.2, 0.0), r"^alpha.*got 0.0"),
        (
            lambda: BatchMixer(Mix(0.6, 1.0), Mix(0.5, 1.0), 3),
            r"augment\.mixup\.p and augment\.cutmix\.p .*got 0.6 and 0.5",
        ),
    ],
)
def test_mixtures_that_cannot_be(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()

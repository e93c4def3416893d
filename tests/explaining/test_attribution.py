from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from timm.layers import activations
from torch.nn import functional

from detect.explaining.attribution import COMPLETE, METHODS
from detect.explaining.guided import guided_gradient, unguided
from detect.explaining.method_names import ATTRIBUTIONS, MEANINGS, WORDS
from detect.nets.backbones import build_backbone
from detect.nets.net_spec import BackboneSpec
from tests.explaining.questions import SIDE, CornerNet, DeepNet, LinearNet, asked, corner_square, noise


def test_methods_are_named_once_for_settings_and_for_the_code() -> None:
    assert tuple(METHODS) == ATTRIBUTIONS and set(ATTRIBUTIONS) == set(MEANINGS) <= set(WORDS)


@pytest.mark.parametrize("method", ["saliency", "smoothgrad"])
def test_the_saliency_of_a_linear_model_is_its_weights(method: str) -> None:
    """The gradient of a sum of pixels times weights is the weights, whatever the pixels or the noise on them."""
    net = LinearNet()
    wanted = net.weight.detach()[0].abs().amax(dim=0).numpy()
    made = METHODS[method](asked(net, noise()))
    np.testing.assert_allclose(made.values, wanted, rtol=1e-5)


def test_integrated_gradients_of_a_linear_model_are_weights_times_differences() -> None:
    net, pixels = LinearNet(), noise()
    made = METHODS["integrated_gradients"](asked(net, pixels))
    wanted = (net.weight.detach() * (pixels - 60.0)).sum(dim=1)[0].numpy()
    np.testing.assert_allclose(made.values, wanted, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_integrated_gradients_add_up_to_the_difference_of_scores(seed: int) -> None:
    question = asked(DeepNet(seed), noise(seed), (1, 2))
    with torch.no_grad():
        wanted = float(question.score(question.pixels) - question.score(question.blank.expand(1, 3, SIDE, SIDE)))
    made = METHODS["integrated_gradients"](question)
    assert abs(float(made.values.sum()) - wanted) <= COMPLETE * abs(wanted)
    assert made.facts["error"] <= COMPLETE
    assert f"{100 * made.facts['error']:.1f} % apart" in made.notes[0]


@pytest.mark.parametrize("method", ["gradcam", "guided_gradcam", "occlusion", "integrated_gradients"])
def test_a_network_that_looks_at_a_corner_is_seen_to_look_there(method: str) -> None:
    """The other corner shows the same square, which counts for nothing."""
    made = METHODS[method](asked(CornerNet(), corner_square()))
    row, col = np.unravel_index(int(made.values.argmax()), made.values.shape)
    assert row < 8 and col < 8
    assert made.values[:8, :8].sum() > 0.5 * made.values.clip(0).sum()
    assert np.abs(made.values[-8:, -8:]).max() <= 1e-6 * made.values.max()


def test_occlusion_is_the_fall_of_the_score() -> None:
    """A blank square over the bright one takes all of its 4 cells of 220 - 128 away."""
    made = METHODS["occlusion"](asked(CornerNet(), corner_square()))
    assert made.values.max() == pytest.approx(4 * (220 - 128), rel=1e-5)
    assert made.facts["square"] == 8


def test_guided_gradients_hold_nothing_against_the_score() -> None:
    question = asked(DeepNet(), noise(), (2, 2))
    made = METHODS["guided_gradcam"](question)
    assert made.values.min() >= 0 < made.values.max() and made.notes == ()
    plain = METHODS["guided_gradcam"](asked(LinearNetWithFeatures(), noise()))
    assert "no activation" in plain.notes[0]


def test_timms_activations_are_guided_in_a_copy() -> None:
    """One weight of -1 behind the activation: the gradient is negative there, and nothing of it is passed on."""
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1), activations.GELU(), torch.nn.Conv2d(1, 1, 1))
    torch.nn.init.constant_(net[2].weight, -1.0)
    pixels = torch.ones(1, 1, 2, 2, requires_grad=True)
    cut, any_guided = guided_gradient(net, pixels, torch.Tensor.sum)
    net(pixels).sum().backward()
    assert any_guided and isinstance(net[1], activations.GELU) and not cut.any()
    assert pixels.grad is not None and pixels.grad.abs().min() > 0


class FunctionNet(torch.nn.Module):
    """x to two channels of x, to 2 x - 3 x + 5; each behind a ReLU that is a function, and in place."""

    def __init__(self, relu: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.first, self.second, self.relu = torch.nn.Conv2d(1, 2, 1), torch.nn.Conv2d(2, 1, 1), relu
        with torch.no_grad():
            for layer, weights, bias in ((self.first, [1.0, 1.0], 0.0), (self.second, [2.0, -3.0], 5.0)):
                layer.weight.copy_(torch.tensor(weights).view_as(layer.weight))
                torch.nn.init.constant_(layer.bias, bias)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.relu(self.second(self.relu(self.first(pixels))))


@pytest.mark.parametrize(
    "relu", [torch.relu, torch.Tensor.relu_, partial(functional.relu, inplace=True), torch.nn.ReLU(inplace=True)]
)
def test_functions_are_guided_as_layers_are(relu: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """The gradient at 1 is 2 - 3 = -1; guided, -3 is cut, and 2 is left."""
    gradient, any_guided = guided_gradient(FunctionNet(relu), torch.ones(1, 1, 1, 1), torch.Tensor.sum)
    assert gradient.item() == 2 and any_guided


def test_a_googlenet_is_guided() -> None:
    """All of its activations are functions; plain gradients are negative in places, and of another size."""
    net = build_backbone(BackboneSpec("torchvision/googlenet", 8), "none").eval()
    pixels = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    cut, any_guided = guided_gradient(net, pixels, torch.Tensor.sum)
    net(pixels).sum().backward()
    assert any_guided and not torch.allclose(cut, pixels.grad)
    assert unguided(net) == []


def test_activations_that_are_not_guided_are_named() -> None:
    net = torch.nn.Sequential(torch.nn.Hardtanh(), torch.nn.Sigmoid(), torch.nn.ReLU(), activations.HardSigmoid())
    assert unguided(net) == ["Hardtanh"]


class LinearNetWithFeatures(torch.nn.Module):
    """A convolution and its mean, in which there is nothing to be guided."""

    def __init__(self) -> None:
        super().__init__()
        self.features = torch.nn.Conv2d(3, 2, 4, stride=4)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.features(pixels).mean(dim=(2, 3), keepdim=True)


def test_noise_is_that_of_the_seed_and_leaves_the_callers_alone() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, second = (METHODS["smoothgrad"](asked(DeepNet(), noise(), (1, 1))).values for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert torch.equal(before, torch.random.get_rng_state())

"""Attribution: how much each pixel of a tile counts for one score, by the methods of captum."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detect.explaining.aims import Aim
from detect.explaining.guided import guided_gradient, unguided

SMOOTHED = 16
"""Noisy copies over which SmoothGrad averages."""

NOISE = 0.15
"""Standard deviation of the noise, as a share of the span of a tile's values (Smilkov et al. 2017)."""

STEPS, MOST_STEPS = 32, 128
"""Steps of integrated gradients at first, and at most where their sum is not complete."""

COMPLETE = 0.05
"""Greatest difference of the sum of integrated gradients from that of the scores, as a share of it."""

AT_ONCE = 4
"""Tiles that a network maps at once."""

MOST_PLACES = 12
"""Most places of the occluding square along an axis."""

FEWEST_PER_SQUARE = 2
"""Steps of the occluding square across its own side."""


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked of a network: why a score of a tile is as high as it is.

    Attributes:
        net: readable (`readable`), maps (B, bands, H, W) to (B, K, h, w).
        pixels: (1, bands, H, W) float32, the tile as the network is given it.
        aim: the score.
        layer: name of the layer whose features Grad-CAM weighs.
        blank: (1, bands, 1, 1), the values that stand for nothing: those that the normalisation makes 0.
        square: side in pixels of the square that occlusion hides.
        seed: of the noise.
        patient: whether a map is to be as fine and complete as can be; else half of the steps and copies will do.
    """

    net: nn.Module
    pixels: Tensor
    aim: Aim
    layer: str
    blank: Tensor
    square: int
    seed: int
    patient: bool = True

    @property
    def score(self) -> Callable[[Tensor], Tensor]:
        """What maps pixels (B, bands, H, W) to the score of each: (B,)."""
        return self.aim.score(self.net)


@dataclass(frozen=True, eq=False)
class Attribution:
    """How much each pixel counts.

    Attributes:
        values: (H, W) float32; signed where `signed`, else 0 or more.
        signed: whether what is negative speaks against the score.
        facts: numbers on how it was made.
        notes: sentences on it.
    """

    values: NDArray[np.float32]
    signed: bool
    facts: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def saliency(question: Question) -> Attribution:
    """Return |d score / d pixel|, the greatest over the bands (Simonyan et al. 2014)."""
    from captum.attr import Saliency

    gradient = Saliency(question.score).attribute(_asking(question), abs=True)
    return Attribution(_plane(gradient.amax(dim=1)), signed=False)


def smoothgrad(question: Question) -> Attribution:
    """Return the mean gradient over noisy copies, its greatest size over the bands (Smilkov et al. 2017)."""
    from captum.attr import NoiseTunnel, Saliency

    pixels = _asking(question)
    copies = SMOOTHED if question.patient else SMOOTHED // 2
    spread = NOISE * float(pixels.detach().amax() - pixels.detach().amin())
    with torch.random.fork_rng(devices=_devices(pixels)):
        torch.manual_seed(question.seed)
        gradient = NoiseTunnel(Saliency(question.score)).attribute(
            pixels,
            nt_type="smoothgrad",
            nt_samples=copies,
            nt_samples_batch_size=AT_ONCE,
            stdevs=spread,
            abs=False,
        )
    return Attribution(_plane(gradient.abs().amax(dim=1)), signed=False, facts={"copies": copies, "noise": spread})


def integrated_gradients(question: Question) -> Attribution:
    """Return integrated gradients from a blank tile on, summed over the bands (Sundararajan et al. 2017).

    They add up to the score's difference from that of a blank tile; steps are doubled until they do to `COMPLETE`.
    """
    from captum.attr import IntegratedGradients

    method, pixels, blank = IntegratedGradients(question.score), _asking(question), _blank(question)
    with torch.no_grad():
        wanted = float(question.score(question.pixels) - question.score(blank))
    steps, error = STEPS // (2 if question.patient else 4), float("inf")
    while error > COMPLETE and steps < (MOST_STEPS if question.patient else STEPS // 2):
        steps *= 2
        made = method.attribute(pixels, blank, n_steps=steps, internal_batch_size=AT_ONCE)
        error = abs(float(made.detach().sum()) - wanted) / max(abs(wanted), 1e-12)
    facts = {"difference": wanted, "sum": float(made.detach().sum()), "error": error, "steps": steps}
    words = (
        f"the attributions add up to {facts['sum']:.4g}, the scores differ by {wanted:.4g}: {100 * error:.1f} % apart"
    )
    notes = (f"{words} after {steps} steps",) if error <= COMPLETE else (f"not complete: {words} after {steps} steps",)
    return Attribution(_plane(made.sum(dim=1)), signed=True, facts=facts, notes=notes)


def gradcam(question: Question) -> Attribution:
    """Return Grad-CAM: features weighted by the score's mean gradient, where positive (Selvaraju et al. 2017).

    Cells of the features that cannot reach the score are 0: a map of many cells would else show all that is alike.
    """
    from captum.attr import LayerAttribution, LayerGradCam

    layer = question.net.get_submodule(question.layer)
    pixels = _asking(question)
    cam = LayerGradCam(question.score, layer).attribute(pixels, relu_attributions=True)
    cam = cam * _reaching(question, layer)
    size = tuple(question.pixels.shape[2:])
    notes = () if bool(cam.any()) else ("no feature speaks for the score: the map is empty",)
    return Attribution(_plane(LayerAttribution.interpolate(cam, size, "bilinear")[:, 0]), signed=False, notes=notes)


def _reaching(question: Question, layer: nn.Module) -> Tensor:
    """Return 1 for the cells of a layer's features (1, 1, h, w) of which any has a gradient, else 0."""
    kept: list[Tensor] = []
    hook = layer.register_forward_hook(lambda module, given, made: kept.append(made))
    try:
        score = question.score(_asking(question))
    finally:
        hook.remove()
    (gradient,) = torch.autograd.grad(score.sum(), kept[-1])
    return (gradient != 0).any(dim=1, keepdim=True).to(gradient.dtype)


def guided_gradcam(question: Question) -> Attribution:
    """Return guided gradients times Grad-CAM, the greatest over the bands (Selvaraju et al. 2017)."""
    gradient, any_guided = guided_gradient(question.net, question.pixels, question.aim.of)
    cam = gradcam(question)
    values = _plane(gradient.clamp(min=0).amax(dim=1)) * cam.values
    notes = [] if any_guided else ["the network has no activation that could be guided: plain gradients"]
    left = unguided(question.net)
    if left:
        notes.append(f"activations that are not guided, through which plain gradients pass: {', '.join(left)}")
    return Attribution(values, signed=False, notes=tuple(notes))


def occlusion(question: Question) -> Attribution:
    """Return by how much the score falls where a blank square hides a part of the tile (Zeiler and Fergus 2014)."""
    from captum.attr import Occlusion

    height, width = question.pixels.shape[2:]
    places = MOST_PLACES if question.patient else MOST_PLACES // 2
    step = max(1, question.square // FEWEST_PER_SQUARE, -(-max(height, width) // places))
    side = min(max(question.square, step), height, width)
    step = min(step, side)
    bands = question.pixels.shape[1]
    with torch.no_grad():
        made = Occlusion(question.score).attribute(
            question.pixels,
            sliding_window_shapes=(bands, side, side),
            strides=(bands, step, step),
            baselines=_blank(question),
            perturbations_per_eval=AT_ONCE,
        )
    notes = (f"the square has {side} pixels and is moved by {step}",)
    return Attribution(_plane(made[:, 0]), signed=True, facts={"square": side, "step": step}, notes=notes)


METHODS: dict[str, Callable[[Question], Attribution]] = {
    "saliency": saliency,
    "smoothgrad": smoothgrad,
    "integrated_gradients": integrated_gradients,
    "gradcam": gradcam,
    "guided_gradcam": guided_gradcam,
    "occlusion": occlusion,
}
"""The methods by name, in the order of the page."""


def _asking(question: Question) -> Tensor:
    """Return the pixels, of which gradients are asked."""
    return question.pixels.detach().clone().requires_grad_()


def _blank(question: Question) -> Tensor:
    return question.blank.to(question.pixels).expand_as(question.pixels).contiguous()


def _plane(values: Tensor) -> NDArray[np.float32]:
    """Return (1, H, W) as an array (H, W)."""
    return values.detach()[0].float().cpu().numpy()


def _devices(pixels: Tensor) -> list[torch.device]:
    return [pixels.device] if pixels.device.type == "cuda" else []


def with_net(question: Question, net: nn.Module) -> Question:
    """Return the same question to another network of the same layers, of which nothing need be complete."""
    return replace(question, net=net, patient=False)

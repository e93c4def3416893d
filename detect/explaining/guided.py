"""A network made ready to be looked into: a copy without operations in place, and one with guided gradients."""

from copy import deepcopy
from typing import TypeVar

from timm.layers import activations
from torch import Tensor, nn

ACTIVATIONS = (
    *(nn.ReLU, nn.ReLU6, nn.SiLU, nn.GELU, nn.Hardswish, nn.LeakyReLU, nn.ELU, nn.Mish, nn.Softplus),
    *(activations.GELU, activations.GELUTanh, activations.QuickGELU, activations.Swish, activations.HardSwish),
)
"""Layers through which guided gradients pass where they speak for a score."""

Copied = TypeVar("Copied", bound=nn.Module)


def readable(net: Copied) -> Copied:
    """Return a copy of a network in evaluation mode, with weights that do not learn and no operation in place.

    Gradients are asked for at pixels and features, which a layer that works in place would overwrite.
    """
    made = deepcopy(net).eval().requires_grad_(False)
    for layer in made.modules():
        if getattr(layer, "inplace", False):
            layer.inplace = False  # type: ignore[assignment]
    return made


class GuidedActivation(nn.Module):
    """An activation whose gradient is that of the layer after it, where this is positive.

    Args:
        inner: the activation.
    """

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, values: Tensor) -> Tensor:
        """Return the activations of values of any shape."""
        made: Tensor = self.inner(values)
        if made.requires_grad:
            made.register_hook(lambda gradient: gradient.clamp(min=0))
        return made


def guided(net: Copied) -> tuple[Copied, int]:
    """Return a readable copy with guided gradients (Springenberg et al. 2015), and the number of its activations.

    Smooth activations are guided alike: what is negative of the gradient behind them is cut.
    """
    made = readable(net)
    places = [name for name, layer in made.named_modules() if isinstance(layer, ACTIVATIONS)]
    for place in places:
        made.set_submodule(place, GuidedActivation(made.get_submodule(place)))
    return made, len(places)

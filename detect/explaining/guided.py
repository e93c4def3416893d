"""A network made ready to be looked into: a copy without operations in place, and one with guided gradients."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeVar

import torch
from timm.layers import activations
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

ACTIVATIONS = (
    *(nn.ReLU, nn.ReLU6, nn.SiLU, nn.GELU, nn.Hardswish, nn.LeakyReLU, nn.ELU, nn.Mish, nn.Softplus),
    *(nn.PReLU, nn.SELU, nn.CELU),
    *(activations.GELU, activations.GELUTanh, activations.QuickGELU, activations.Swish, activations.HardSwish),
)
"""Layers through which guided gradients pass where they speak for a score."""

FUNCTIONS = {
    *(torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, functional.relu, functional.silu, functional.gelu),
    *(functional.hardswish, functional.leaky_relu, functional.elu, functional.mish, functional.softplus),
    *(functional.selu, functional.celu, functional.prelu),
}
"""The same as functions; not `relu6`, of which gates are made."""

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


GATES = (nn.Sigmoid, nn.Hardsigmoid, nn.Tanh, nn.Softmax, nn.Softmax2d, nn.LogSoftmax, nn.MultiheadAttention)
"""Layers beside activations that weigh features or change their scale; gradients pass through them as they are."""


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
            made.register_hook(_positive)
        return made


class GuidedFunctions(TorchFunctionMode):
    """Guides what is called as a function within it, too, such as `torch.relu`, of which a network has no layer.

    Attributes:
        met: whether there was any.
    """

    def __init__(self) -> None:
        super().__init__()
        self.met = False

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call a function of torch, and guide the gradient of what it returns where it is an activation."""
        made = func(*args, **(kwargs or {}))
        if func in FUNCTIONS and made.requires_grad:
            made.register_hook(_positive)
            self.met = True
        return made


def _positive(gradient: Tensor) -> Tensor:
    return gradient.clamp(min=0)


def unguided(net: nn.Module) -> list[str]:
    """Return the kinds of a network's activations through which gradients are passed on as they are."""
    rooms = (nn.modules.activation.__name__, activations.__name__)
    kinds = {type(each) for each in net.modules() if type(each).__module__ in rooms}
    gates = (*GATES, activations.Sigmoid, activations.HardSigmoid, activations.Tanh)
    return sorted(kind.__name__ for kind in kinds if not issubclass(kind, (*ACTIVATIONS, *gates)))


def guided_gradient(net: nn.Module, pixels: Tensor, score: Callable[[Tensor], Tensor]) -> tuple[Tensor, bool]:
    """Return the guided gradient of a score (Springenberg et al. 2015), and whether any activation was guided.

    What is negative of the gradient behind an activation is cut, of smooth ones alike.

    Args:
        net: the network, which stays as it is.
        pixels: (1, bands, H, W).
        score: of the network's map.
    """
    made = readable(net)
    places = [name for name, layer in made.named_modules() if isinstance(layer, ACTIVATIONS)]
    for place in places:
        made.set_submodule(place, GuidedActivation(made.get_submodule(place)))
    asking = pixels.detach().clone().requires_grad_()
    with GuidedFunctions() as functions:
        value = score(made(asking))
    (gradient,) = torch.autograd.grad(value.sum(), asking)
    return gradient, bool(places) or functions.met

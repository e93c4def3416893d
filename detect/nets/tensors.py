"""The tensors of a file against those that a network has: names, kinds and shapes first, memory after."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

FLOATS, WHOLE = ("F16", "BF16", "F32", "F64"), ("I32", "I64")
"""Kinds of tensors, by the names that they have in safetensors files, from which weights and counters are taken."""


@dataclass(frozen=True)
class TensorForm:
    """The kind and the shape of a tensor, known without its numbers."""

    whole: bool
    shape: tuple[int, ...]


def forms_in_file(source: Any, wanted: Mapping[str, TensorForm]) -> dict[str, TensorForm]:
    """Read the forms of a file's tensors; no number is read.

    Args:
        source: an open `safe_open`.
        wanted: what the network has; a file of more tensors is refused before they are looked at.

    Raises:
        ValueError: other names than those wanted, or a kind that weights are not of.
    """
    names = set(source.keys())
    _check_names(names, set(wanted))
    forms = {}
    for name in names:
        part = source.get_slice(name)
        kind = part.get_dtype()
        if kind not in (*FLOATS, *WHOLE):
            raise ValueError(f"{name} is of kind {kind}, not of {', '.join((*FLOATS, *WHOLE))}")
        forms[name] = TensorForm(kind in WHOLE, tuple(part.get_shape()))
    return forms


def forms_of(net: nn.Module) -> dict[str, TensorForm]:
    """Return the forms of a network's tensors; one on torch's `meta` device has taken no memory for them."""
    return {
        name: TensorForm(not value.is_floating_point(), tuple(value.shape)) for name, value in net.state_dict().items()
    }


def check_forms(found: Mapping[str, TensorForm], wanted: Mapping[str, TensorForm]) -> None:
    """Check that a file has the tensors of a network.

    Raises:
        ValueError: a tensor of another kind or shape.
    """
    for name, form in wanted.items():
        if found[name] != form:
            raise ValueError(
                f"{name} is of shape {list(found[name].shape)}, and the network of the header has {list(form.shape)}"
                if found[name].shape != form.shape
                else f"{name} holds {'whole' if found[name].whole else 'real'} numbers, which the network has not there"
            )


def fill(net: nn.Module, source: Any) -> None:
    """Copy a file's tensors into a network, one after the other.

    Raises:
        ValueError: numbers that are not finite, or statistics that no training leaves.
    """
    for name, value in net.state_dict().items():
        value.copy_(source.get_tensor(name))
        check_numbers(name, value)


def check_numbers(name: str, value: Tensor) -> None:
    """Check that weights can be computed with: one that cannot makes whole maps NaN, in which nothing is found.

    Raises:
        ValueError: a number that is not finite, a variance below 0, or a divisor of pixels that is not positive.
    """
    if value.is_floating_point() and not bool(torch.isfinite(value).all()):
        raise ValueError(f"the weights are not finite: {name}")
    if name.endswith("running_var") and bool((value < 0).any()):
        raise ValueError(f"{name} has variances below 0")
    if name == "scale" and not bool((value > 0).all()):
        raise ValueError("scale, which divides the pixels, must be positive")


def _check_names(found: set[str], wanted: set[str]) -> None:
    for what, names in (("Missing", wanted - found), ("Unexpected", found - wanted)):
        if names:
            raise ValueError(f"{what} keys: {len(names)} tensors, such as {min(names)[:200]}")

"""The theoretical receptive field of every layer, by the formula, from the operations that a network runs.

A cell i of a layer sees the pixels [low + i * jump, high + i * jump] of the input; a convolution of kernel k, stride s,
padding p and dilation d makes of it low - p * jump, high + (d * (k - 1) - p) * jump and jump * s (Araujo et al. 2019,
"Computing receptive fields of convolutional neural networks"). Branches that meet see what either sees.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

Pair = tuple[float, float]
"""Along rows, and along columns."""

POOLED = ("adaptive_avg_pool2d", "_adaptive_avg_pool2d", "adaptive_max_pool2d", "native_group_norm")
"""Operations after which every cell sees the whole input."""

MIXED = ("bmm", "_softmax", "_scaled_dot_product", "_native_batch_norm_legit.no_stats")
"""Operations by which positions see each other, as in attention."""

ENLARGED = ("upsample_nearest2d", "upsample_bilinear2d")
"""Operations that make several cells of one."""


@dataclass(frozen=True)
class Field:
    """What a cell of a layer sees of the input, in pixels; the first cell along each axis stands for all.

    Attributes:
        low: the first pixel that cell 0 sees, below 0 where it sees padding.
        high: the last one.
        jump: pixels from a cell to the next: the stride.
    """

    low: Pair
    high: Pair
    jump: Pair

    @property
    def size(self) -> Pair:
        """Pixels that a cell sees along each axis; infinite where it sees the whole input."""
        return self.high[0] - self.low[0] + 1, self.high[1] - self.low[1] + 1

    @property
    def bounded(self) -> bool:
        """Whether a cell sees a part of a large input."""
        return all(map(math.isfinite, (*self.low, *self.high)))

    @property
    def reach(self) -> float:
        """Pixels beyond the cell's own that it sees, on the side and along the axis where these are most."""
        before = max(-low for low in self.low)
        after = max(high - (jump - 1) for high, jump in zip(self.high, self.jump, strict=True))
        return max(0.0, before, after)

    def halo(self, align: int) -> int | None:
        """Return the context of a tile that makes it exact, a multiple of `align`; None where none does."""
        return math.ceil(self.reach / align) * align if self.bounded else None

    def at(self, cell: tuple[int, int]) -> tuple[float, float, float, float]:
        """Return the box of pixels that a cell (row, col) sees: x1, y1, x2, y2, half-open."""
        (top, left), (bottom, right) = (
            tuple(edge + jump * place for edge, jump, place in zip(edges, self.jump, cell, strict=True))
            for edges in (self.low, self.high)
        )
        return left, top, right + 1, bottom + 1


PIXELS = Field((0.0, 0.0), (0.0, 0.0), (1.0, 1.0))
"""What a pixel of the input sees: itself."""

EVERYTHING = (-math.inf, -math.inf), (math.inf, math.inf)
"""Low and high of what sees the whole input."""


def widened(field: Field, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair = (1, 1)) -> Field:
    """Return the field behind a convolution or pool."""
    axes = range(2)
    return Field(
        low=_pair(field.low[i] - padding[i] * field.jump[i] for i in axes),
        high=_pair(field.high[i] + (dilation[i] * (kernel[i] - 1) - padding[i]) * field.jump[i] for i in axes),
        jump=_pair(field.jump[i] * stride[i] for i in axes),
    )


def shifted(field: Field, before: Pair) -> Field:
    """Return the field behind padding by some cells above and to the left; fewer than 0 cut as many."""
    axes = range(2)
    low, high = (_pair(edge[i] - before[i] * field.jump[i] for i in axes) for edge in (field.low, field.high))
    return Field(low, high, field.jump)


def enlarged(field: Field, factor: Pair) -> Field:
    """Return the field behind an enlargement by the nearest cell; what any of the new cells sees is taken for all."""
    axes = range(2)
    low = _pair(field.low[i] - (factor[i] - 1) * field.jump[i] / factor[i] for i in axes)
    return Field(low, field.high, _pair(field.jump[i] / factor[i] for i in axes))


def joined(first: Field, second: Field) -> Field:
    """Return the field of cells that see what the cells of two layers see."""
    low = _pair(min(pair) for pair in zip(first.low, second.low, strict=True))
    high = _pair(max(pair) for pair in zip(first.high, second.high, strict=True))
    return Field(low, high, _pair(min(pair) for pair in zip(first.jump, second.jump, strict=True)))


def _pair(values: Iterator[float]) -> Pair:
    rows, cols = values
    return rows, cols


class FieldMode(TorchDispatchMode):
    """Follows the fields of tensors through the operations of a network.

    Args:
        pixels: the network's input.
    """

    def __init__(self, pixels: Tensor) -> None:
        super().__init__()
        self._known: dict[int, tuple[Tensor, Field]] = {id(pixels): (pixels, PIXELS)}

    def field(self, tensor: Tensor) -> Field | None:
        """Return the field of a tensor's cells; None of one that was not made of the input."""
        found = self._known.get(id(tensor))
        return None if found is None else found[1]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an operation, and note what its results see."""
        made = func(*args, **(kwargs or {}))
        given = [each for each in _tensors((args, kwargs or {})) if id(each) in self._known]
        if given:
            for each in _tensors(made):
                self._known[id(each)] = (each, self._behind(str(func).removeprefix("aten."), given, args, each))
        return made

    def _behind(self, name: str, given: list[Tensor], args: tuple[Any, ...], made: Tensor) -> Field:
        """Return the field of what an operation made, by its name and arguments."""
        field = reduce(joined, [self._known[id(each)][1] for each in given])
        if name.startswith("convolution") and args[1].ndim == 4:
            if args[6]:
                raise ValueError("the receptive field of a transposed convolution is not known by this formula")
            high, wide = args[1].shape[2:]
            return widened(field, (high, wide), _two(args[3]), _two(args[4]), _two(args[5]))
        if name.startswith(("max_pool2d", "avg_pool2d")):
            kernel, rest = _two(args[1]), list(args[2:])
            stride = _two(rest[0]) if rest and rest[0] else kernel
            padding = _two(rest[1]) if len(rest) > 1 else (0, 0)
            dilated = name.startswith("max_pool2d") and len(rest) > 2
            return widened(field, kernel, stride, padding, _two(rest[2]) if dilated else (1, 1))
        if name.startswith("constant_pad_nd"):
            left, _, top = [*args[1], 0, 0, 0][:3]
            return shifted(field, (top, left))
        if name.startswith(ENLARGED):
            old, new = given[0].shape[2:], made.shape[2:]
            return enlarged(field, (new[0] / old[0], new[1] / old[1]))
        over = {dim % given[0].ndim for dim in args[1]} if name.startswith("mean.dim") and args[1] else set()
        if name.startswith((*POOLED, *MIXED)) or (given[0].ndim == 4 and over >= {2, 3}):
            return Field(*EVERYTHING, field.jump)
        return field


def fields_of(net: nn.Module, bands: int, side: int) -> tuple[dict[str, Field], Field]:
    """Return what the cells of every layer see that makes one map, by its name, and what those of the output see.

    Args:
        net: maps (1, bands, H, W) to (1, K, h, w).
        bands: number of input bands.
        side: of the square on which it is run, a multiple of its alignment; nothing depends on it.

    Raises:
        ValueError: the network has a layer of which the formula knows nothing.
    """
    device = next(net.parameters()).device
    pixels = torch.zeros(1, bands, side, side, device=device)
    mode, found, hooks = FieldMode(pixels), {}, []

    def note(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, given: Any, made: Any) -> None:
            field = mode.field(made) if isinstance(made, Tensor) else None
            if field is not None:
                found[name] = field

        return hook

    training = net.training
    net.eval()
    try:
        hooks = [layer.register_forward_hook(note(name)) for name, layer in net.named_modules() if name]
        with torch.no_grad(), mode:
            output = net(pixels)
    finally:
        net.train(training)
        for each in hooks:
            each.remove()
    last = mode.field(output)
    if last is None:
        raise ValueError("the network's output is not made of its input, as far as the formula can follow")
    return found, last


def _two(value: Any) -> tuple[int, int]:
    """Return a number for each axis, of one for both, or of a list of one or two."""
    values = [value] if isinstance(value, int) else list(value)
    return values[0], values[-1]


def _tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested lists, tuples and dictionaries."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _tensors(each)
    elif isinstance(value, Mapping):
        yield from _tensors(list(value.values()))

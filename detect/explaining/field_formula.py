"""The theoretical receptive field of every layer, by the formula, from the operations that a network runs.

Cell i of a convolution of kernel k, stride s, padding p and dilation d sees the cells i * s - p to
i * s - p + d * (k - 1) of the layer before it, and so the pixels that these see (Araujo et al. 2019, "Computing
receptive fields of convolutional neural networks"). Branches that meet see what either sees.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

Pair = tuple[float, float]
"""Along rows and along columns, or the first and the last."""

POOLED = ("adaptive_avg_pool2d", "_adaptive_avg_pool2d", "adaptive_max_pool2d", "native_group_norm")
"""Operations after which every cell sees the whole input."""

MIXED = ("bmm", "_softmax", "_scaled_dot_product", "_native_batch_norm_legit.no_stats")
"""Operations by which positions see each other, as in attention."""

ENLARGED = ("upsample_nearest2d", "upsample_bilinear2d")
"""Operations that make several cells of one."""


@dataclass(frozen=True)
class Axis:
    """What the cells of a layer see along one axis, in pixels of the input.

    Behind an enlargement not all cells see alike: those of one period do, in turn.

    Attributes:
        lows: the first pixel that each cell of a period sees, from cell 0 on; below 0 where it sees padding.
        highs: the last one.
        jump: pixels from a cell to the next: the stride.
    """

    lows: tuple[float, ...]
    highs: tuple[float, ...]
    jump: float

    def span(self, cell: int) -> Pair:
        """Return the first and the last pixel that a cell sees, by its number; below 0 it lies before the input."""
        periods, place = divmod(cell, len(self.lows))
        moved = periods * len(self.lows) * self.jump
        return self.lows[place] + moved, self.highs[place] + moved

    def over(self, cells: Callable[[int], Iterable[int]], period: int, jump: float) -> "Axis":
        """Return the axis of a layer each cell of which sees some cells of this one."""
        spans = [[self.span(cell) for cell in cells(place)] for place in range(period)]
        lows = tuple(min(low for low, _ in each) for each in spans)
        return Axis(lows, tuple(max(high for _, high in each) for each in spans), jump)

    def slid(self, kernel: int, stride: int, padding: int, dilation: int) -> "Axis":
        """Return the axis behind a convolution or pool."""
        period, reach = len(self.lows) // math.gcd(len(self.lows), stride), dilation * (kernel - 1)

        def seen(place: int) -> range:
            first = place * stride - padding
            return range(first, first + reach + 1, dilation)

        return self.over(seen, period, self.jump * stride)

    def enlarged(self, factor: int) -> "Axis":
        """Return the axis behind an enlargement by the nearest cell."""
        return self.over(lambda place: (place // factor,), factor * len(self.lows), self.jump / factor)

    def shifted(self, before: int) -> "Axis":
        """Return the axis behind padding by some cells before the first; fewer than 0 cut as many."""
        return self.over(lambda place: (place - before,), len(self.lows), self.jump)

    def joined(self, other: "Axis") -> "Axis":
        """Return the axis of cells that see what either sees; where one sees everything its stride is of no matter."""
        period, jump = math.lcm(len(self.lows), len(other.lows)), min(self.jump, other.jump)
        spans = [(self.span(place), other.span(place)) for place in range(period)]
        lows = tuple(min(one[0], two[0]) for one, two in spans)
        return Axis(lows, tuple(max(one[1], two[1]) for one, two in spans), jump)

    @property
    def low(self) -> float:
        """The first pixel that any cell sees, from its own first pixel on."""
        return min(low - place * self.jump for place, low in enumerate(self.lows))

    @property
    def high(self) -> float:
        """The last one."""
        return max(high - place * self.jump for place, high in enumerate(self.highs))

    def reach(self, align: int) -> float:
        """Return the pixels that cells see beyond a block of them, which begins and ends on multiples of `align`."""
        spans = [self.span(cell) for cell in range(max(1, round(align / self.jump)))]
        return max(0.0, -min(low for low, _ in spans), max(high for _, high in spans) - (align - 1))


@dataclass(frozen=True)
class Field:
    """What the cells of a layer see of the input, along rows and along columns."""

    rows: Axis
    cols: Axis

    @property
    def size(self) -> Pair:
        """Most pixels that a cell sees along each axis; infinite where it sees the whole input."""
        high, wide = (
            max(last - first + 1 for first, last in zip(axis.lows, axis.highs, strict=True))
            for axis in (self.rows, self.cols)
        )
        return high, wide

    @property
    def bounded(self) -> bool:
        """Whether a cell sees a part of a large input."""
        return all(map(math.isfinite, self.size))

    def halo(self, align: int) -> int | None:
        """Return the context of a tile that makes it exact, a multiple of `align`; None where none does.

        Args:
            align: tiles begin and end on multiples of it, in pixels.
        """
        if not self.bounded:
            return None
        return math.ceil(max(self.rows.reach(align), self.cols.reach(align)) / align) * align


PIXELS = Field(Axis((0,), (0,), 1), Axis((0,), (0,), 1))
"""What a pixel of the input sees: itself."""


def everything(field: Field) -> Field:
    """Return the field of cells that see the whole input, with the strides of a field."""
    rows, cols = (Axis((-math.inf,), (math.inf,), axis.jump) for axis in (field.rows, field.cols))
    return Field(rows, cols)


def joined(first: Field, second: Field) -> Field:
    """Return the field of cells that see what the cells of two layers see."""
    return Field(first.rows.joined(second.rows), first.cols.joined(second.cols))


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
            return _slid(field, tuple(args[1].shape[2:]), args[3], args[4], args[5])
        if name.startswith(("max_pool2d", "avg_pool2d")):
            kernel, rest = args[1], list(args[2:])
            stride = rest[0] if rest and rest[0] else kernel
            padding = rest[1] if len(rest) > 1 else 0
            dilated = name.startswith("max_pool2d") and len(rest) > 2
            return _slid(field, kernel, stride, padding, rest[2] if dilated else 1)
        if name.startswith("constant_pad_nd"):
            left, _, top = [*args[1], 0, 0, 0][:3]
            return Field(field.rows.shifted(top), field.cols.shifted(left))
        if name.startswith(ENLARGED):
            pairs = zip(made.shape[2:], given[0].shape[2:], strict=True)
            (down, odd), (right, broken) = (divmod(new, old) for new, old in pairs)
            if odd or broken:
                raise ValueError("the receptive field behind an enlargement by a broken number is not known")
            return Field(field.rows.enlarged(down), field.cols.enlarged(right))
        over = {dim % given[0].ndim for dim in args[1]} if name.startswith("mean.dim") and args[1] else set()
        if name.startswith((*POOLED, *MIXED)) or (given[0].ndim == 4 and over >= {2, 3}):
            return everything(field)
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


def _slid(field: Field, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Field:
    """Return the field behind a convolution or pool; numbers are of each axis, or one for both."""
    rows, cols = zip(_two(kernel), _two(stride), _two(padding), _two(dilation), strict=True)
    return Field(field.rows.slid(*rows), field.cols.slid(*cols))


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

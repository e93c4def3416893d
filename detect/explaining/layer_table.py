"""The layers of a network: what each makes, sees, weighs and computes, as a table."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from detect.explaining.field_formula import Field, fields_of

TOTAL = "total"
"""The name of the last row."""


@dataclass(frozen=True)
class LayerRow:
    """A layer that computes something by itself.

    Attributes:
        layer: its name in the network.
        kind: of it.
        channels, height, width: of what it makes of the tile; of a list, one number of the last.
        stride: pixels from one of its cells to the next, along rows; None where that is not known.
        field: pixels that a cell sees along rows; None where it sees all.
        parameters: number of its weights.
        multiply_adds: that it computes on the tile.
        learns: whether its weights learned in the training; None where that is not known, or it has none.
    """

    layer: str
    kind: str
    channels: int | None
    height: int | None
    width: int | None
    stride: float | None
    field: float | None
    parameters: int
    multiply_adds: int
    learns: bool | None


def layer_rows(net: nn.Module, pixels: Tensor, frozen: Collection[str] | None, align: int = 64) -> list[LayerRow]:
    """Return a row for each layer that runs, in the order in which they do, and the totals.

    Args:
        net: maps (1, bands, H, W) to a map.
        pixels: (1, bands, H, W), for which multiply-adds are counted.
        frozen: names of the layers whose weights did not learn; None where that is not known.
        align: a side in pixels of an image on which the network can be run.
    """
    sizes: dict[str, tuple[str, tuple[int, ...]]] = {}
    leaves = {name: layer for name, layer in net.named_modules() if name and _computes(layer)}

    def note(name: str, layer: nn.Module, made: object) -> None:
        sizes.setdefault(name, (type(layer).__name__, tuple(made.shape) if isinstance(made, Tensor) else ()))

    hooks = [
        layer.register_forward_hook(lambda module, given, made, name=name: note(name, module, made))
        for name, layer in leaves.items()
    ]
    counter = FlopCounterMode(display=False)
    try:
        with torch.no_grad(), counter:
            net(pixels)
    finally:
        for hook in hooks:
            hook.remove()
    seen = _fields(net, pixels, align)
    flops = _by_layer(counter, type(net).__name__)
    rows = [
        _row(name, kind, shape, seen.get(name), leaves[name], flops.get(name, 0), frozen)
        for name, (kind, shape) in sizes.items()
    ]
    parameters = sum(each.numel() for each in net.parameters())
    total = int(sum(counter.get_flop_counts()["Global"].values())) // 2
    learning = None if frozen is None else bool([row for row in rows if row.learns])
    return [*rows, LayerRow(TOTAL, type(net).__name__, None, None, None, None, None, parameters, total, learning)]


def _computes(layer: nn.Module) -> bool:
    """Return whether a layer does something itself: it has weights of its own, or no layers in it and is no identity.

    Some have both: timm's normalisation holds its activation.
    """
    return next(layer.parameters(recurse=False), None) is not None or not (
        isinstance(layer, nn.Identity) or any(layer.children())
    )


def _fields(net: nn.Module, pixels: Tensor, align: int) -> dict[str, Field]:
    """Return the fields of the layers; none of a network that the formula cannot follow."""
    try:
        return fields_of(net, pixels.shape[1], align)[0]
    except ValueError:
        return {}


def _by_layer(counter: FlopCounterMode, root: str) -> dict[str, int]:
    counts = counter.get_flop_counts()
    return {name.removeprefix(f"{root}."): int(sum(counts[name].values())) for name in counts}


def _row(
    name: str,
    kind: str,
    shape: tuple[int, ...],
    field: Field | None,
    layer: nn.Module,
    flops: int,
    frozen: Collection[str] | None,
) -> LayerRow:
    parameters = sum(each.numel() for each in layer.parameters(recurse=False))
    channels, height, width = shape[1:] if len(shape) == 4 else (None, None, None)
    return LayerRow(
        layer=name,
        kind=kind,
        channels=channels,
        height=height,
        width=width,
        stride=None if field is None else field.rows.jump,
        field=None if field is None or not field.bounded else field.size[0],
        parameters=parameters,
        multiply_adds=flops // 2,
        learns=None if frozen is None or not parameters else name not in frozen,
    )


def table_cells(rows: list[LayerRow]) -> tuple[list[str], list[list[str]]]:
    """Return the columns' names, and the cells as text, empty where a thing is not known."""
    names = [field.name for field in fields(LayerRow)]
    return names, [["" if value is None else _cell(value) for value in asdict(row).values()] for row in rows]


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "learns" if value else "frozen"
    return f"{value:g}" if isinstance(value, float) and value < 1e6 else str(value)


def table_text(rows: list[LayerRow]) -> str:
    """Return the table as text in columns, numbers to the right."""
    names, cells = table_cells(rows)
    lines = [names, *cells]
    widths = [max(len(line[i]) for line in lines) for i in range(len(names))]
    left = {0, 1, len(names) - 1}
    made = [
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join(made) + "\n"

"""A network as one of torch's exported programs, for batches and tiles of any size."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from detect.inference.exports.export_card import INPUT_NAME, RECORD_NAME
from detect.inference.exports.fixed_padding import with_fixed_padding
from detect.nets.card import ModelCard
from detect.nets.heads.specs import WholeHead

EXAMPLE_CELLS = (4, 5)
"""Multiples of the alignment that the example tile has along each axis: others than 1, and not alike."""

MOST_CELLS = 1 << 14
"""Most multiples of the alignment that a side of a tile may have."""

SOURCES = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node")
"""What torch notes of a program's steps: where in which file of this machine they come from."""


def exported_program(net: nn.Module, card: ModelCard) -> Any:
    """Return the network as a program of torch, with any number of tiles of any size on the alignment.

    Raises:
        RuntimeError: torch cannot make one that takes any size.
    """
    height, width = (card.align * cells for cells in EXAMPLE_CELLS)
    example = torch.zeros((2, len(card.bands), height, width), dtype=getattr(torch, card.dtype))
    batch = torch.export.Dim("batch", min=1, max=1 << 16)
    sides = [card.align * torch.export.Dim(name, min=1, max=MOST_CELLS) for name in ("rows", "cols")]
    fixed = net if isinstance(card.head, WholeHead) else with_fixed_padding(net)  # squares have one size
    try:
        with quiet():
            return torch.export.export(
                _Named(fixed).eval(), (example,), dynamic_shapes={INPUT_NAME: {0: batch, 2: sides[0], 3: sides[1]}}
            )
    except Exception as error:  # torch raises many kinds
        raise RuntimeError(f"torch cannot export this network for tiles of any size: {error}") from error


class _Named(nn.Module):
    """A network whose argument has the name that the exported input has."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map raw pixels (B, bands, H, W) to (B, K, h, w)."""
        made: torch.Tensor = self.net(pixels)
        return made


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what torch's exporters tell of their progress and of their own code out of the log."""
    noisy = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "torch.utils.cpp_extension", "nncf")]
    levels = [each.level for each in noisy]
    for each in noisy:
        each.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for each, level in zip(noisy, levels, strict=True):
            each.setLevel(level)


def forget_sources(program: Any) -> None:
    """Remove from a program what names files of this machine, in place."""
    for module in program.graph_module.modules():
        for node in getattr(getattr(module, "graph", None), "nodes", ()):
            for name in SOURCES:
                node.meta.pop(name, None)


def save_program(program: Any, record: str, path: Path) -> None:
    """Write a program with its record to a file of any name."""
    forget_sources(program)
    with path.open("wb") as file, quiet():
        torch.export.save(program, file, extra_files={RECORD_NAME: record})


class ProgramRun:
    """Runs a written program, in torch on the CPU."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file, quiet():
            self._module = torch.export.load(file).module()

    def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        """Map raw pixels (B, bands, H, W) to (B, K, h, w)."""
        with torch.inference_mode():
            return np.asarray(self._module(torch.from_numpy(pixels)), np.float32)

"""What windows of an image look like: their light, their texture, and what the network's backbone sees in them."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from detect.imagery.reading import SceneReader
from detect.inference.meeting.sample_windows import SampleGrid
from detect.nets.facts.looks import Looks
from detect.nets.facts.window_looks import MOST_CONTENT, OCTAVES

SHIFT_GRID = SampleGrid(side=128, number=12)
"""Windows of an image that are measured, at the most: a hundredth of the pixels of a photograph."""

PIXELS_A_WINDOW, LEAST_WINDOWS = 1 << 19, 2
"""Pixels of an image for each of which a window is measured, two at least.

A window takes about as long as a seventh of these on two cores. Changed photographs are told by two as well as by
twelve; with twelve, fewer photographs that were not changed are called unlike.
"""

LEAST_VALID = 0.5
"""Share of a window's pixels that must be valid for it to be measured."""

LEAST_DETAIL = 1 / 512
"""Detail, in parts of the training images' range, below which there is none but that of rounding."""

PROJECTION_SEED = 0x5EED
"""Of the signs by which many features become `MOST_CONTENT`: the same for every model."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What n windows look like: `light` (n, bands + 1), `texture` (n, `OCTAVES`) and `content` (n, d)."""

    light: NDArray[np.float64]
    texture: NDArray[np.float64]
    content: NDArray[np.float64]

    @classmethod
    def joined(cls, parts: Iterable["Measured"]) -> "Measured":
        """Return the windows of several one after the other."""
        return cls(
            *(np.concatenate(each) for each in zip(*((p.light, p.texture, p.content) for p in parts), strict=True))
        )

    @property
    def seen(self) -> NDArray[np.float64]:
        """Texture and content (n, `OCTAVES` + d) side by side."""
        return np.concatenate([self.texture, self.content], axis=1)


class WindowMeter:
    """Measures windows.

    Args:
        net: with a `backbone` and a normalisation. What it sees is measured on the CPU, whatever runs it: a GPU's
            arithmetic differs from run to run, and its memory is the tiles'.
        looks: of the training images, whose range of values is the unit of light.
        align: on whose multiples the sides of what the network sees must be.
    """

    def __init__(self, net: nn.Module, looks: Looks, align: int) -> None:
        self.net = net if net.get_buffer("offset").device.type == "cpu" else deepcopy(net).cpu()
        self.align = align
        low = np.array([band.low for band in looks.bands])
        extent = np.array([band.range if band.range > 0 else 1.0 for band in looks.bands])
        self._low, self._extent = low[:, None, None], extent[:, None, None]

    def __call__(self, reader: SceneReader) -> Measured | None:
        """Measure windows of an image, whose places follow from its shape alone; None where none is valid enough.

        Raises:
            SceneError: the file is damaged, or holds infinite pixels.
        """
        height, width = reader.scene.shape
        number = int(np.clip(height * width // PIXELS_A_WINDOW, LEAST_WINDOWS, SHIFT_GRID.number))
        windows = replace(SHIFT_GRID, number=number).windows((height, width), self.align)
        read = [reader.read_valid(window) for window in windows]
        kept = [(pixels, valid) for pixels, valid in read if valid.mean() >= LEAST_VALID]
        return self._measured(kept) if kept else None

    @property
    def content_width(self) -> int:
        """The number of numbers by which the content of a window is described."""
        bands = len(self._low)
        return self._content(np.zeros((1, bands, self.align, self.align), np.float32)).shape[1]

    def window(self, pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> Measured | None:
        """Measure a window: pixels (bands, H, W), of which (H, W) are valid; None where too few are."""
        return self._measured([(pixels, valid)]) if valid.mean() >= LEAST_VALID else None

    def _measured(self, windows: Sequence[tuple[NDArray[np.generic], NDArray[np.bool_]]]) -> Measured:
        seen = [self._seen(pixels, valid) for pixels, valid in windows]
        content = self._content(np.stack([pixels for pixels, _ in windows]))
        return Measured(np.stack([light for light, _ in seen]), np.stack([texture for _, texture in seen]), content)

    def _seen(
        self, pixels: NDArray[np.generic], valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the light and the texture of a window."""
        scaled = np.clip((pixels.astype(np.float64) - self._low) / self._extent, -1e6, 1e6)
        grey = scaled.mean(axis=0)
        contrast = np.log2(grey[valid].std() + LEAST_DETAIL)
        return np.append(scaled[:, valid].mean(axis=1), contrast), _texture(grey, valid)

    def _content(self, pixels: NDArray[np.generic]) -> NDArray[np.float64]:
        """Return the backbone's features of windows (n, bands, H, W), averaged, of length 1, many of them as sums."""
        net = self.net
        offset, scale = net.get_buffer("offset"), net.get_buffer("scale")
        batch = torch.from_numpy(np.ascontiguousarray(pixels, np.float32)).to(offset.device, offset.dtype)
        with torch.inference_mode():
            found = net.get_submodule("backbone")((batch - offset) / scale)
            deepest = found if isinstance(found, torch.Tensor) else found[-1]
            pooled = np.nan_to_num(deepest.float().mean(dim=(2, 3)).cpu().numpy().astype(np.float64))
        unit = pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)
        number = unit.shape[1]
        return unit if number <= MOST_CONTENT else unit @ _signs(number).T / np.sqrt(MOST_CONTENT)


def _signs(number: int) -> NDArray[np.float64]:
    """Return a matrix (`MOST_CONTENT`, number) of signs, the same on every machine: distances stay about the same.

    Achlioptas, Database-friendly random projections, 2003; of the generator's bits, which no version changes.
    """
    bits = np.random.PCG64(PROJECTION_SEED).random_raw(MOST_CONTENT * number)
    return np.where(bits & 1 << 40, 1.0, -1.0).reshape(MOST_CONTENT, number)


def _texture(grey: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the logarithms (`OCTAVES`,) of the ratio of detail at each octave to that at the next coarser one.

    A gain changes none of them; a blur lowers those of the finest octaves.
    """
    details = []
    for _ in range(OCTAVES + 1):
        details.append(_detail(grey, valid))
        grey, valid = _halved(grey), _halved(valid.astype(np.float64)) == 1
    return -np.diff(np.log2(details))


def _detail(grey: NDArray[np.float64], valid: NDArray[np.bool_]) -> float:
    """Return the root mean square of the differences of neighbouring valid pixels, and `LEAST_DETAIL`."""
    down, across = np.diff(grey, axis=0)[valid[1:] & valid[:-1]], np.diff(grey, axis=1)[valid[:, 1:] & valid[:, :-1]]
    squares = np.concatenate([down, across]) ** 2
    return float(np.sqrt((squares.mean() if len(squares) else 0.0) + LEAST_DETAIL**2))


def _halved(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the means of blocks of two by two; an odd last row or column is left out, but for a single one."""
    height, width = (side - side % 2 if side > 1 else 1 for side in values.shape)
    rows = values[:height:2] if height == 1 else (values[:height:2] + values[1:height:2]) / 2
    return rows[:, :width:2] if width == 1 else (rows[:, :width:2] + rows[:, 1:width:2]) / 2

"""What windows of the training scenes look like, as it is kept on a model's card."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from detect.imagery.reading import SceneReader
from detect.imagery.resampling import axis_filter, resample
from detect.imagery.scenes import Scene
from detect.imagery.windows import Window
from detect.inference.meeting.sample_windows import SampleGrid
from detect.inference.shift.measuring import SHIFT_GRID, Measured, WindowMeter
from detect.nets.facts.window_looks import CHANGES, MOST_PIECES, WindowLooks

T = TypeVar("T")

WINDOWS, FEWEST, MOST = 256, 4, 48
"""Windows of all images together, about, and the fewest and the most of one."""

ENOUGH_IMAGES = 8
"""Images from which on each is a piece; of fewer each quarter is one."""

MOST_CHANGED = 48
"""Windows that are changed to see what changes do."""

GAINS = {"darker": 0.6, "brighter": 1.5}
"""Of windows whose light is changed."""

BLURS = {"softened": 1.0, "blurred": 2.5}
"""Standard deviations in pixels."""

LEAST_OBJECTS = 10
"""Objects from which on their sizes are kept."""


@dataclass(frozen=True, eq=False)
class KnownScene:
    """An image that was learned from.

    Attributes:
        scene: at the network's resolution.
        image: its name, which parts of one have in common.
        sizes: (n,) sides of its objects in resampled pixels; None of points.
    """

    scene: Scene
    image: str
    sizes: NDArray[np.float64] | None


@dataclass(frozen=True, eq=False)
class _Window:
    """A window that was measured; of some the surroundings as wide again (bands, 2 H, 2 W): whether all are valid."""

    measured: Measured
    around: NDArray[np.generic] | None
    whole: bool
    quarter: int


def gather(
    scenes: Sequence[KnownScene], read: Callable[[Scene], SceneReader], meter: WindowMeter
) -> WindowLooks | None:
    """Return what windows of training scenes look like; None of a single image, which does not tell how others differ.

    Args:
        scenes: the images; of more than the card has room for, some, spread evenly over them.
        read: makes the reader of one, a context manager.
        meter: measures windows.
    """
    chosen = _evenly(scenes, MOST_PIECES)
    number = int(np.clip(WINDOWS // max(1, len(chosen)), FEWEST, MOST))
    looked_around = -(-MOST_CHANGED // max(1, len(chosen)))
    images = [_windows_of(each.scene, number, looked_around, read, meter) for each in chosen]
    pieces = [
        (number, [each for each in windows if len(chosen) >= ENOUGH_IMAGES or each.quarter == quarter])
        for number, windows in enumerate(images)
        for quarter in range(1 if len(chosen) >= ENOUGH_IMAGES else 4)
    ]
    kept = [(number, windows) for number, windows in pieces if windows]
    names = [each.image for each in chosen]
    if len({names[number] for number, _ in kept}) < 2:
        return None
    every = [each for _, windows in kept for each in windows]
    measured = Measured.joined(each.measured for each in every)
    lengths = [len(windows) for _, windows in kept]
    piece, image = (
        np.repeat(np.arange(len(kept)), lengths),
        np.repeat([names.index(names[number]) for number, _ in kept], lengths),
    )
    looked = [each for each in every if each.around is not None]
    changed = _evenly([each for each in looked if each.whole] or looked, MOST_CHANGED)
    if not changed:
        return None
    changes = {name: _difference(changed, name, meter) for name in CHANGES}
    seen = (measured.light, measured.texture, measured.content)
    return WindowLooks.of(piece.tolist(), image.tolist(), *seen, changes, _sizes(scenes))


def _windows_of(
    scene: Scene, number: int, looked_around: int, read: Callable[[Scene], SceneReader], meter: WindowMeter
) -> list[_Window]:
    """Return windows of an image, the surroundings of some of them too."""
    windows = _evenly(SampleGrid(SHIFT_GRID.side, number).windows(scene.shape, meter.align), number)
    wide, found = {id(each) for each in _evenly(windows, looked_around)}, []
    with read(scene) as reader:
        for window in windows:
            measured = meter.window(*reader.read_valid(window))
            if measured is None:
                continue
            around, valid = reader.read_valid(_around(window)) if id(window) in wide else (None, None)
            whole = valid is not None and bool(valid.all())
            below = 2 * window.row + window.height > scene.shape[0]
            right = 2 * window.col + window.width > scene.shape[1]
            found.append(_Window(measured, None if around is None else np.array(around), whole, 2 * below + right))
    return found


def _around(window: Window) -> Window:
    height, width = window.height, window.width
    return Window(window.row - height // 2, window.col - width // 2, 2 * height, 2 * width)


def _evenly(items: Sequence[T], most: int) -> list[T]:
    """Return some of many items, spread evenly over them."""
    if len(items) <= most:
        return list(items)
    return [items[int(place)] for place in (np.arange(most) + 0.5) * len(items) / most]


def _difference(windows: Sequence[_Window], change: str, meter: WindowMeter) -> NDArray[np.float64]:
    """Return how texture and content of windows differ where they are changed, on average."""
    found = []
    for each in windows:
        assert each.around is not None
        pixels = changed(each.around, change)
        measured = meter.window(pixels, np.ones(pixels.shape[1:], np.bool_))
        assert measured is not None
        found.append((measured.seen - each.measured.seen)[0])
    return np.mean(found, axis=0)


def changed(around: NDArray[np.generic], change: str) -> NDArray[np.generic]:
    """Return the window (bands, H, W) in the middle of its surroundings (bands, 2 H, 2 W), changed as of `CHANGES`."""
    height, width = (side // 2 for side in around.shape[1:])
    middle = around[:, height // 2 : height // 2 + height, width // 2 : width // 2 + width]
    match change:
        case "darker" | "brighter":
            return _like(middle.astype(np.float64) * GAINS[change], around.dtype)
        case "softened" | "blurred":
            sigma = (0, BLURS[change], BLURS[change])
            return _like(gaussian_filter(middle.astype(np.float64), sigma, mode="mirror"), around.dtype)
        case "smaller":
            return _resized(around, (height, width))
        case "larger":
            quarter = middle[:, height // 4 : height - height // 4, width // 4 : width - width // 4]
            return _resized(quarter, (height, width))
    raise ValueError(f"change must be one of {', '.join(CHANGES)}, got {change}")


def _like(values: NDArray[np.float64], dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    """Return numbers as pixels of a type, within its bounds."""
    if dtype.kind == "f":
        return values.astype(dtype)
    bounds = np.iinfo(str(dtype))
    return np.clip(np.rint(values), bounds.min, bounds.max).astype(dtype)


def _resized(pixels: NDArray[np.generic], shape: tuple[int, int]) -> NDArray[np.generic]:
    rows, cols = (axis_filter(0, to, side, to) for to, side in zip(shape, pixels.shape[1:], strict=True))
    return resample(pixels, rows, cols)[0]


def _sizes(scenes: Sequence[KnownScene]) -> tuple[float, float, float] | None:
    """Return the 5th, 50th and 95th percentile of the objects' sizes; None of points, or of few objects."""
    sizes = [each.sizes for each in scenes]
    if any(each is None for each in sizes):
        return None
    every = np.concatenate([each for each in sizes if each is not None])
    if len(every) < LEAST_OBJECTS:
        return None
    low, middle, high = np.percentile(every, (5, 50, 95)).round(2).tolist()
    return low, middle, high

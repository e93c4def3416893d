"""What windows of the training scenes look like, as it is kept on a model's card."""

from collections.abc import Callable, Iterable, Sequence
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
from detect.nets.facts.window_looks import CHANGES, MOST_SCENES, WindowLooks

T = TypeVar("T")

WINDOWS, FEWEST, MOST = 256, 4, 24
"""Windows of all scenes together, about, and the fewest and the most of one."""

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
        group: of images that belong together; its own name where there is none.
        sizes: (n,) sides of its objects in resampled pixels; None of points.
    """

    scene: Scene
    group: str
    sizes: NDArray[np.float64] | None


@dataclass(frozen=True, eq=False)
class _Window:
    """A window that was measured, and its surroundings as wide again: (bands, 2 H, 2 W)."""

    measured: Measured
    around: NDArray[np.generic]
    quarter: int


def gather(
    scenes: Sequence[KnownScene], read: Callable[[Scene], SceneReader], meter: WindowMeter
) -> WindowLooks | None:
    """Return what windows of training scenes look like; None where hardly any of them is valid.

    Images of a group are one scene. Of a single scene its four quarters are told apart, so that it is judged by itself.

    Args:
        scenes: the images.
        read: makes the reader of one, a context manager.
        meter: measures windows.
    """
    groups: dict[str, list[KnownScene]] = {}
    for each in scenes:
        groups.setdefault(each.group, []).append(each)
    names = _evenly(sorted(groups), MOST_SCENES)
    number = int(np.clip(WINDOWS // max(1, len(names)), FEWEST, MOST))
    found = {name: _windows_of(groups[name], number, read, meter) for name in names}
    kept = [windows for windows in found.values() if windows]
    if len(kept) == 1:
        (windows,) = kept
        quarters = ([each for each in windows if each.quarter == quarter] for quarter in range(4))
        kept = [windows for windows in quarters if windows]
    if len(kept) < 2:
        return None
    every = Measured.joined(each.measured for windows in kept for each in windows)
    numbers = np.repeat(np.arange(len(kept)), [len(windows) for windows in kept])
    changed = _evenly([each for windows in kept for each in windows], MOST_CHANGED)
    changes = {name: _difference(changed, name, meter) for name in CHANGES}
    return WindowLooks.of(numbers.tolist(), every.light, every.texture, every.content, changes, _sizes(scenes))


def _windows_of(
    images: Sequence[KnownScene], number: int, read: Callable[[Scene], SceneReader], meter: WindowMeter
) -> list[_Window]:
    chosen = _evenly(images, number)
    grid = SampleGrid(SHIFT_GRID.side, -(-number // len(chosen)))
    return [window for image in chosen for window in _measured(image.scene, grid, read, meter)]


def _measured(
    scene: Scene, grid: SampleGrid, read: Callable[[Scene], SceneReader], meter: WindowMeter
) -> Iterable[_Window]:
    with read(scene) as reader:
        for window in grid.windows(scene.shape, meter.align):
            found = meter.window(*reader.read_valid(window))
            if found is None:
                continue
            height, width = window.height, window.width
            wide = Window(window.row - height // 2, window.col - width // 2, 2 * height, 2 * width)
            below = 2 * window.row + height > scene.shape[0]
            right = 2 * window.col + width > scene.shape[1]
            yield _Window(found, np.array(reader.read_valid(wide)[0]), 2 * below + right)


def _evenly(items: Sequence[T], most: int) -> list[T]:
    """Return some of many items, spread evenly over them."""
    if len(items) <= most:
        return list(items)
    return [items[int(place)] for place in (np.arange(most) + 0.5) * len(items) / most]


def _difference(windows: Sequence[_Window], change: str, meter: WindowMeter) -> NDArray[np.float64]:
    """Return how texture and content of windows differ where they are changed, on average."""
    found = []
    for each in windows:
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

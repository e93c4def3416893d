"""Values of training images: some of their valid pixels, read by windows, within bounds and by a seed."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from detect.imagery.scenes import Scene
from detect.imagery.windows import Window
from detect.samples.pixel_cache import PixelSource

MOST_SCENES = 64
"""Most training images whose pixels are measured."""

WINDOWS, WINDOW_SIDE, STEP = 24, 128, 5
"""Windows of an image, their side in pixels, and the distance of the rows and columns that are taken of one, odd."""

MOST_MEASURED = 1 << 25
"""Most numbers that are gathered of all images and bands together."""

MOST_TRIES = 10
"""How many times as many windows are read where most hold no valid pixel."""

MEASURE_SEED = 0x100C5
"""Makes the draws independent of others with the same seed."""


def scene_values(scenes: Sequence[Scene], source: PixelSource, seed: int) -> NDArray[np.generic]:
    """Return valid pixels (bands, n) of training scenes, about as many of each; of the whole of a small one.

    Args:
        scenes: the training scenes, of which `MOST_SCENES` are drawn where there are more.
        source: reads their pixels.
        seed: of the draws.

    Raises:
        ValueError: no valid pixel was found in any of them.
    """
    rng = default_rng((seed, MEASURE_SEED))
    chosen = [scenes[i] for i in sorted(rng.permutation(len(scenes))[:MOST_SCENES].tolist())]
    parts = _values_of_each(chosen, source, rng)
    found = np.concatenate(parts, axis=1)
    if not found.size:
        raise ValueError(
            f"no valid pixel was found in {len(chosen)} training images, such as {chosen[0].path}: all is masked or "
            "has no data"
        )
    return found


def values_by_scene(scenes: Sequence[Scene], source: PixelSource, seed: int) -> list[NDArray[np.generic]]:
    """Return valid pixels (bands, n) of every training scene, n = 0 where none was found.

    Args:
        scenes: the training scenes.
        source: reads their pixels.
        seed: of the draws.
    """
    return _values_of_each(scenes, source, default_rng((seed, MEASURE_SEED)))


def _values_of_each(chosen: Sequence[Scene], source: PixelSource, rng: Generator) -> list[NDArray[np.generic]]:
    """Return valid pixels (bands, n) of scenes, `MOST_MEASURED` numbers of all where a window of each is no more."""
    per_window = len(source.bands) * (WINDOW_SIDE // STEP) ** 2
    number = max(1, min(WINDOWS, MOST_MEASURED // (per_window * len(chosen))))
    return [_values_of(scene, source, number, rng) for scene in chosen]


def _values_of(scene: Scene, source: PixelSource, number: int, rng: Generator) -> NDArray[np.generic]:
    """Return valid pixels (bands, n) of a scene, n = 0 where none was found."""
    parts: list[NDArray[np.generic]] = []
    with source.open(scene, source.bands) as reader:
        for window in _windows(scene.shape, number, rng):
            pixels, valid = reader.read_valid(window)
            part = pixels[:, ::STEP, ::STEP][:, valid[::STEP, ::STEP]]
            if part.size:
                parts.append(np.array(part))
            if len(parts) >= number:
                break
    return np.concatenate(parts, axis=1) if parts else np.empty((len(source.bands), 0), scene.dtype)


def _windows(shape: tuple[int, int], number: int, rng: Generator) -> list[Window]:
    """Return the windows to read, in the order of trying: the tiles of a small scene, or places drawn."""
    rows, cols = (range(0, side, WINDOW_SIDE) for side in shape)
    if len(rows) * len(cols) <= number:
        return [Window(row, col, WINDOW_SIDE, WINDOW_SIDE).within(shape) for row in rows for col in cols]
    height, width = (min(side, WINDOW_SIDE) for side in shape)
    corners = rng.integers(0, (shape[0] - height + 1, shape[1] - width + 1), size=(number * MOST_TRIES, 2))
    return [Window(row, col, height, width) for row, col in corners.tolist()]


def patch_values(
    patches: Sequence[Path], read: Callable[[Path], tuple[NDArray[np.generic], NDArray[np.bool_]]], seed: int
) -> NDArray[np.generic]:
    """Return valid pixels (bands, n) of bare patches, of which some are drawn where there are many.

    Args:
        patches: their files.
        read: returns the pixels (bands, side, side) of one, and which of them (side, side) are valid.
        seed: of the draws.
    """
    rng = default_rng((seed, MEASURE_SEED))
    number = MOST_SCENES * WINDOWS
    parts = []
    for i in sorted(rng.permutation(len(patches))[:number].tolist()):
        pixels, valid = read(patches[i])
        step = STEP if min(pixels.shape[1:]) >= 8 * STEP else 1
        parts.append(pixels[:, ::step, ::step][:, valid[::step, ::step]])
    return np.concatenate(parts, axis=1)

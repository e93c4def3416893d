"""Tilings, images and scenes that the laws share."""

from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from detect.imagery.scenes import Scene
from detect.imagery.windows import Tiling


@st.composite
def tilings(draw: st.DrawFn) -> Tiling:
    stride = draw(st.integers(1, 7))
    shape = draw(st.tuples(st.integers(1, 60), st.integers(1, 60)))
    sides = st.integers(1, 6).map(lambda cells: cells * stride)
    return Tiling(shape, draw(sides | st.tuples(sides, sides)), stride * draw(st.integers(0, 4)), stride)


def memory_scene(image: np.ndarray) -> Scene:
    return Scene(Path("memory"), image.shape[1:], str(image.dtype), len(image))


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def assert_same_map(found: np.ndarray, wanted: np.ndarray, share: float = 1e-4) -> None:
    """Law 3's bound: 1e-4 of the map's spread."""
    spread = np.ptp(wanted)
    assert found.shape == wanted.shape and np.isfinite(wanted).all() and spread > 1e-3
    assert np.abs(found - wanted).max() <= share * spread

"""The files of bare patches, read once and kept in memory as far as there is room."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import get_worker_info

from detect.imagery.description.arranging import arranged
from detect.imagery.description.remarks import tell
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import SceneReader
from detect.imagery.validity.filling import Fill
from detect.imagery.wafers.drawn.drawing import drawn_by, keeps_truncated
from detect.nets.machine.processors import usable_cores
from detect.nets.net_spec import NetSpec

READ_AT_ONCE = 64
"""Files that are read ahead of those that are kept."""


class PatchFiles:
    """Reads bare patches, a file each, all of one size and dtype; lists of defects are drawn as the spec says.

    The first that are read are kept in memory, as the network sees them, and are read once: before there are processes
    that make samples, which share them where these are forked, or in each of these, which keeps its part of the bytes.

    Args:
        spec: bands, dtype, resolution and patch size that every patch must have.
        offset: what pixels that are not valid are read as, by band: what the network's normalisation makes 0 of.
        cache: most bytes of pixels that are kept; 0 keeps none, where each is read once anyhow.

    Attributes:
        resident: bytes of pixels that are kept.
    """

    def __init__(self, spec: NetSpec, offset: Sequence[float] = (), cache: int = 0) -> None:
        self.spec = spec
        self.resident = 0
        self._cache = cache
        self._divided = False
        self._truncated = keeps_truncated()
        self._fill: Fill = tuple(zip(spec.bands, offset, strict=False))
        self._pixels: dict[Path, NDArray[np.generic]] = {}
        self._enlarged: dict[Path, int] = {}

    def read(self, path: Path) -> NDArray[np.generic]:
        """Return a file's pixels (bands, side, side) in its dtype; see `read_valid`."""
        if path in self._pixels:
            return self._pixels[path]
        pixels = self.read_valid(path)[0]
        self._keep(path, pixels)
        return pixels

    def preload(self, paths: Sequence[Path]) -> None:
        """Read files, as many as are kept, by all cores."""
        missing = [path for path in dict.fromkeys(paths) if path not in self._pixels]
        with ThreadPoolExecutor(usable_cores()) as pool:
            for start in range(0, len(missing), READ_AT_ONCE):
                part = missing[start : start + READ_AT_ONCE]
                for path, (pixels, _) in zip(part, pool.map(self.read_valid, part), strict=True):
                    if not self._keep(path, pixels):
                        return

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for a process that is spawned, which reads the files itself."""
        return {**vars(self), "_pixels": {}, "resident": 0}

    def _keep(self, path: Path, pixels: NDArray[np.generic]) -> bool:
        """Keep a file's pixels if there is room, and return whether there is.

        Processes that make samples of the two sides, training and validation, each have their part of what is left.
        """
        worker = get_worker_info()
        if worker is not None and not self._divided:
            self._divided = True
            self._cache = self.resident + (self._cache - self.resident) // (2 * worker.num_workers)
        if self.resident + pixels.nbytes > self._cache:
            return False
        self._pixels[path] = pixels
        self.resident += pixels.nbytes
        return True

    def enlarged(self, path: Path) -> int:
        """Return how many resampled pixels a pixel of a file is along a side, rounded; 1 where it is reduced."""
        if path not in self._enlarged:
            self.read(path)
        return self._enlarged[path]

    def read_valid(self, path: Path) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Return a file's pixels (bands, side, side) in its dtype, and which of them (side, side) are valid.

        Raises:
            ValueError: a size or dtype other than the spec's.
        """
        with drawn_by(self.spec.drawing, self._truncated):
            opened = open_scene(path)
        self._enlarged[path] = max(1, round(self.spec.head.typical_size / max(opened.shape)))
        scene = arranged(self.spec.resampled(opened), self.spec.learned_bands)
        side = (self.spec.head.typical_size,) * 2
        if (scene.shape, scene.dtype) != (side, self.spec.dtype):
            raise ValueError(
                f"{path}: {scene.dtype} of {scene.shape}, others are {self.spec.dtype}, {side}; convert it"
            )
        with SceneReader(replace(scene, fill=self._fill), self.spec.bands) as reader:
            return reader.read_valid(scene.window)


def tell_truncated(paths: Sequence[Path]) -> None:
    """Log which lists of defects are read as far as they go, and how far; nothing where such are refused."""
    if keeps_truncated():
        tell({str(path): open_scene(path).remarks for path in paths})

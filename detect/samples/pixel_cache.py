"""Pixels for training: windows of scenes, with compressed photographs decoded once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.imagery.reading import SceneReader, read_window
from detect.imagery.resampling import Zoom
from detect.imagery.scenes import Scene, open_scene
from detect.imagery.scratch import release, scratch_array
from detect.imagery.windows import Window, reflect

RANDOM_ACCESS = (".tif", ".tiff", ".vrt")
"""Formats whose windows can be read without decoding the whole image."""


class PixelSource:
    """Reads windows of scenes repeatedly.

    A JPEG or PNG has to be decoded from its start for any window, so it is decoded once and kept, resampled if the
    scene is: in memory up to `budget` bytes in all, then in memory-mapped files without a name. Rasters are read
    by window.

    Args:
        bands: band numbers from 1.
        budget: bytes of decoded images to keep in memory.
        folder: for the files; None takes the system's folder of temporary files.

    Attributes:
        resident: bytes of decoded images that are in memory.
    """

    def __init__(self, bands: Sequence[int], budget: int, folder: Path | None = None) -> None:
        self.bands = tuple(bands)
        self.budget = budget
        self.folder = folder
        self.resident = 0
        self._images: dict[tuple[Path, Zoom | None], NDArray[np.generic]] = {}

    def read(self, scene: Scene, window: Window) -> NDArray[np.generic]:
        """Read a window, mirrored outside the scene: (bands, height, width) in the scene's dtype."""
        if scene.masked or scene.path.suffix.lower() in RANDOM_ACCESS:
            return read_window(scene, window, self.bands)
        image = self._image(scene)
        if window.inside(scene.shape):
            inner = window.shifted(*scene.origin)
            return np.array(image[:, inner.row : inner.row_stop, inner.col : inner.col_stop])
        rows = scene.origin[0] + reflect(window.row, window.row_stop, scene.shape[0])
        cols = scene.origin[1] + reflect(window.col, window.col_stop, scene.shape[1])
        return np.asarray(image[:, rows[:, None], cols[None, :]])

    def read_valid(self, scene: Scene, window: Window) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Read a window as `read` does, and which of its pixels (height, width) are valid, mirrored alike."""
        if not scene.masked:
            return self.read(scene, window), np.broadcast_to(np.True_, (window.height, window.width))
        with SceneReader(scene, self.bands) as reader:
            return reader.read_valid(window)

    def open(self, scene: Scene, bands: Sequence[int]) -> SceneReader:
        """Make a reader of a scene, a context manager; a photograph is decoded once.

        Args:
            scene: the scene.
            bands: band numbers from 1, those of this source.
        """
        if scene.masked or scene.path.suffix.lower() in RANDOM_ACCESS:
            return SceneReader(scene, bands)
        inner = scene.window.shifted(*scene.origin)
        pixels = self._image(scene)[:, inner.row : inner.row_stop, inner.col : inner.col_stop]
        return SceneReader(scene, bands, pixels)

    def preload(self, scenes: Sequence[Scene]) -> None:
        """Read every photograph now, so that a damaged one is reported before training starts."""
        for scene in scenes:
            if not (scene.masked or scene.path.suffix.lower() in RANDOM_ACCESS):
                self._image(scene)

    def _image(self, scene: Scene) -> NDArray[np.generic]:
        """Return the decoded pixels (bands, H, W) of a scene's whole image."""
        key = scene.path, scene.zoom
        if key not in self._images:
            whole = replace(open_scene(scene.path), bands=scene.bands, picked=scene.picked)
            if scene.zoom is not None:
                whole = replace(whole, shape=scene.zoom.shape, zoom=scene.zoom)
            pixels = read_window(whole, whole.window, self.bands)
            if self.resident + pixels.nbytes > self.budget:
                pixels = self._spill(pixels, scene.path)
            else:
                self.resident += pixels.nbytes
            self._images[key] = pixels
        return self._images[key]

    def _spill(self, pixels: NDArray[np.generic], path: Path) -> NDArray[np.generic]:
        """Write pixels to a temporary file and return them memory-mapped.

        Raises:
            NoRoomError: the folder has no room for them.
        """
        spilled = scratch_array(pixels.shape, pixels.dtype, self.folder, f"the decoded {path.name}")
        spilled[:] = pixels
        release(spilled)
        spilled.flags.writeable = False
        return spilled

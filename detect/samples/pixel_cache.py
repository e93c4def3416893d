"""Pixels for training: windows of scenes, with compressed photographs decoded once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import SceneReader
from detect.imagery.resampling import Zoom
from detect.imagery.scenes import Scene
from detect.imagery.scratch import release, scratch_array
from detect.imagery.validity.filling import Fill, filled
from detect.imagery.wafers.drawn.drawing import drawn_by
from detect.imagery.windows import Window, reflect
from detect.samples.feeding.shared_arrays import SharedArray
from detect.samples.varying.interleaved import interleaved, planes_of

Kind = TypeVar("Kind", bound=np.generic)

DRAWN_WHOLE = 1 << 22
"""Most pixels of a drawn wafer that is kept as a photograph is; of a larger one windows are drawn as they are read."""

RANDOM_ACCESS = (".tif", ".tiff", ".vrt")
"""Formats whose windows can be read without decoding the whole image."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """The pixels (bands, H, W) of a photograph, side by side, and which of them (H, W) are valid; None for all."""

    pixels: NDArray[np.generic]
    valid: NDArray[np.bool_] | None

    @property
    def nbytes(self) -> int:
        """Bytes of both."""
        return self.pixels.nbytes + (0 if self.valid is None else self.valid.nbytes)

    def part(self, rows: Any, cols: Any) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Return a copy of the pixels of some rows and columns, and which of them are valid."""
        pixels = np.array(self.pixels[:, rows, cols])
        if self.valid is None:
            return pixels, np.ones(pixels.shape[1:], bool)
        return pixels, np.array(self.valid[rows, cols])

    def taken(self, rows: NDArray[np.intp], cols: NDArray[np.intp]) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Return the pixels of rows (h,) and columns (w,), which may occur again, and which of them are valid."""
        first = int(rows.min()), int(cols.min())
        pixels, valid = self.part(slice(first[0], int(rows.max()) + 1), slice(first[1], int(cols.max()) + 1))
        rows, cols = rows - first[0], cols - first[1]
        return pixels.take(rows, axis=1).take(cols, axis=2), valid.take(rows, axis=0).take(cols, axis=1)


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
        resident: bytes of decoded images, and of which of their pixels are valid, that are in memory.
        fill: what pixels that are not valid are read as.
    """

    def __init__(self, bands: Sequence[int], budget: int, folder: Path | None = None) -> None:
        self.bands = tuple(bands)
        self.budget = budget
        self.folder = folder
        self.resident = 0
        self.fill: Fill = ()
        self._images: dict[tuple[Path, Zoom | None], Decoded] = {}
        self._shared: dict[tuple[Path, Zoom | None], list[Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for a process that is spawned, which shares the decoded images."""
        for key, decoded in self._images.items():
            if key not in self._shared:
                arrays = (interleaved(decoded.pixels), decoded.valid)
                self._shared[key] = [None if each is None else SharedArray(each, self.folder) for each in arrays]
        return {**vars(self), "_images": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        for key, (pixels, valid) in self._shared.items():
            self._images[key] = Decoded(planes_of(pixels.array), None if valid is None else valid.array)

    def fill_with(self, values: Sequence[float]) -> None:
        """Set what pixels that are not valid are read as from now on, in each of the source's bands."""
        self.fill = tuple(zip(self.bands, map(float, values), strict=True))
        for key in [key for key, decoded in self._images.items() if decoded.valid is not None]:
            self._shared.pop(key, None)
            dropped = self._images.pop(key)
            self.resident -= 0 if isinstance(dropped.pixels, np.memmap) else dropped.nbytes

    def filled(self, pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.generic]:
        """Return pixels (bands, H, W) with those that are not valid (H, W) as they are read."""
        return filled(pixels, valid, self.bands, self.fill)

    def read(self, scene: Scene, window: Window) -> NDArray[np.generic]:
        """Read a window, mirrored outside the scene: (bands, height, width) in the scene's dtype."""
        return self.read_valid(scene, window)[0]

    def read_valid(self, scene: Scene, window: Window) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Read a window as `read` does, and which of its pixels (height, width) are valid, mirrored as they are."""
        if _read_in_parts(scene):
            with SceneReader(replace(scene, fill=self.fill), self.bands) as reader:
                return reader.read_valid(window)
        decoded = self._image(scene)
        if window.inside(scene.shape):
            inner = window.shifted(*scene.origin)
            return decoded.part(slice(inner.row, inner.row_stop), slice(inner.col, inner.col_stop))
        rows = scene.origin[0] + reflect(window.row, window.row_stop, scene.shape[0])
        cols = scene.origin[1] + reflect(window.col, window.col_stop, scene.shape[1])
        return decoded.taken(rows, cols)

    def open(self, scene: Scene, bands: Sequence[int]) -> SceneReader:
        """Make a reader of a scene, a context manager; a photograph is decoded once.

        Args:
            scene: the scene.
            bands: band numbers from 1, those of this source.
        """
        if _read_in_parts(scene):
            return SceneReader(replace(scene, fill=self.fill), bands)
        inner = scene.window.shifted(*scene.origin)
        rows, cols = slice(inner.row, inner.row_stop), slice(inner.col, inner.col_stop)
        decoded = self._image(scene)
        valid = None if decoded.valid is None else decoded.valid[rows, cols]
        return SceneReader(scene, bands, decoded.pixels[:, rows, cols], valid)

    def preload(self, scenes: Sequence[Scene]) -> None:
        """Read every photograph now, so that a damaged one is reported before training starts."""
        for scene in scenes:
            if not _read_in_parts(scene):
                self._image(scene)

    def _image(self, scene: Scene) -> "Decoded":
        """Return the decoded pixels of a scene's whole image."""
        key = scene.path, scene.zoom
        if key not in self._images:
            with drawn_by(scene.drawing, scene.truncated):
                opened = open_scene(scene.path)
            whole = replace(opened, bands=scene.bands, picked=scene.picked, fill=self.fill)
            if scene.zoom is not None:
                whole = replace(whole, shape=scene.zoom.shape, zoom=scene.zoom)
            image = np.empty((*whole.shape, len(self.bands)), whole.dtype)
            with SceneReader(whole, self.bands) as reader:
                _, marked = reader.read_valid(whole.window, planes_of(image))
            valid = None if marked.all() else np.array(marked)
            decoded = Decoded(planes_of(image), valid)
            if self.resident + decoded.nbytes > self.budget:
                spilled = None if valid is None else self._spill(valid, scene.path)
                decoded = Decoded(planes_of(self._spill(image, scene.path)), spilled)
            else:
                self.resident += decoded.nbytes
            self._images[key] = decoded
        return self._images[key]

    def _spill(self, pixels: NDArray[Kind], path: Path) -> NDArray[Kind]:
        """Write pixels to a temporary file and return them memory-mapped.

        Raises:
            NoRoomError: the folder has no room for them.
        """
        spilled = scratch_array(pixels.shape, pixels.dtype, self.folder, f"the decoded {path.name}")
        spilled[:] = pixels
        release(spilled)
        spilled.flags.writeable = False
        return spilled


def _read_in_parts(scene: Scene) -> bool:
    """Return whether windows are read from a scene's file, or drawn, each time."""
    if scene.drawing is not None:
        return scene.shape[0] * scene.shape[1] > DRAWN_WHOLE
    return scene.path.suffix.lower() in RANDOM_ACCESS

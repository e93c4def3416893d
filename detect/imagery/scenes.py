"""Scenes: source images of any size and rectangles of them, without their pixels."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from detect.imagery.description.band_names import display_numbers
from detect.imagery.description.remarks import Remark
from detect.imagery.description.shown import ShownImage
from detect.imagery.gdal.drivers import SceneError
from detect.imagery.mosaics import MosaicRule
from detect.imagery.resampling import Zoom
from detect.imagery.validity.declared import ALL_VALID, Validity
from detect.imagery.validity.filling import Fill
from detect.imagery.wafers.drawn.drawing import Drawing
from detect.imagery.windows import Window


@dataclass(frozen=True)
class Layout:
    """What a file was when it was described, so that another one in its place is noticed.

    Attributes:
        driver: GDAL's name of its format.
        shape: (height, width) in pixels.
        dtypes: numpy names of the bands' types.
    """

    driver: str
    shape: tuple[int, int]
    dtypes: tuple[str, ...]


@dataclass(frozen=True)
class Scene:
    """One source image, or a rectangle of one, in the file's pixels or resampled; it holds no pixels.

    The file's pixels are those that a viewer shows, in its rows and columns, whichever way they are stored.

    Attributes:
        path: the image file.
        shape: (height, width) in the scene's own pixels.
        dtype: numpy name of the pixels' type.
        bands: number of bands, of the file or as they were picked from it.
        transform: affine coefficients (a, b, c, d, e, f) from the file's pixels to map coordinates, None without a
            georeference.
        crs: coordinate reference system as WKT, None without one.
        nodata: the value of pixels without data, None without one.
        origin: (row, col) of the scene's top left pixel in the file, or in the resampled image where there is a `zoom`.
        block_pixels: pixels that are decoded to read any one of them: a tile or strip of a TIFF, all of a JPEG or PNG.
        zoom: how the file is resampled; None reads the file's own pixels.
        layout: of the file; None for pixels that are in no file.
        orientation: how the stored pixels were turned to be shown, 1 to 8 as in EXIF; 1 is as they are stored.
        band_names: what each band is called, in lower case, empty where that is not known; () where nothing is.
        picked: the file's number of each band; () where the file's bands are those of the scene.
        remarks: what is told of the image.
        rule: which VRTs are opened.
        validity: where the file says which pixels are valid.
        drawing: how it is drawn, of a list of a wafer's defects; None of an image with pixels.
        truncated: whether its list of defects is read as far as it goes where it is cut off or has wrong counts.
        fill: what the others are read as, by the numbers of bands that are asked for; a network's scenes have its own.
    """

    path: Path
    shape: tuple[int, int]
    dtype: str
    bands: int
    transform: tuple[float, ...] | None = None
    crs: str | None = None
    nodata: float | None = None
    origin: tuple[int, int] = (0, 0)
    block_pixels: int = 0
    zoom: Zoom | None = None
    layout: Layout | None = None
    orientation: int = 1
    band_names: tuple[str, ...] = ()
    picked: tuple[int, ...] = ()
    remarks: tuple[Remark, ...] = field(default=(), compare=False)
    rule: MosaicRule = field(default=MosaicRule(), compare=False)
    validity: Validity = ALL_VALID
    drawing: Drawing | None = None
    truncated: bool = field(default=False, compare=False)
    fill: Fill = field(default=(), compare=False)

    @property
    def masked(self) -> bool:
        """Whether any pixel may not be valid: the file says so of some, or they may be NaN."""
        return self.drawing is not None or self.validity.declared or np.dtype(self.dtype).kind == "f"

    @property
    def windowed(self) -> bool:
        """Whether a part can be read alone: what is decoded for one pixel is at most a quarter of the scene."""
        return 0 < 4 * self.block_pixels <= self.file_pixels

    @property
    def factor_xy(self) -> tuple[float, float]:
        """Pixels of the scene per pixel of the file, along x and along y."""
        return (1.0, 1.0) if self.zoom is None else self.zoom.factor_xy

    @property
    def file_pixels(self) -> int:
        """Number of the file's pixels that the scene covers."""
        x, y = self.factor_xy
        return max(1, round(self.shape[0] / y * self.shape[1] / x))

    @property
    def window(self) -> Window:
        """The whole scene as a window."""
        return Window(0, 0, *self.shape)

    @property
    def shown_bands(self) -> tuple[int, ...]:
        """The bands to show: red, green and blue where they are named, else the first three, or the one there is."""
        return display_numbers(self.band_names or ("",) * self.bands)

    def file_bands(self, bands: Sequence[int]) -> list[int]:
        """Return the file's numbers of some of the scene's bands."""
        return [self.picked[band - 1] for band in bands] if self.picked else list(bands)

    @property
    def trusted(self) -> bool:
        """Whether GDAL may go wherever the file leads it."""
        return self.layout is not None and self.rule.trusts(self.layout.driver)


def layout_of(source: ShownImage) -> Layout:
    """Return the layout of an open image."""
    return Layout(source.driver, (source.height, source.width), tuple(map(str, source.dtypes)))


def view(scene: Scene, window: Window) -> Scene:
    """Return a rectangle of a scene as a scene of its own, mirrored at its own edges.

    Raises:
        ValueError: `window` reaches beyond the scene.
    """
    if not window.inside(scene.shape):
        raise ValueError(f"{scene.path}: {window} reaches beyond the scene of {scene.shape} (height, width)")
    origin = (scene.origin[0] + window.row, scene.origin[1] + window.col)
    return replace(scene, shape=(window.height, window.width), origin=origin)


def original(scene: Scene) -> Scene:
    """Return the same rectangle in the file's own pixels; edges between two of them are rounded to the nearest."""
    if scene.zoom is None:
        return scene
    source, (x, y) = scene.zoom.source, scene.factor_xy
    top, left = round(scene.origin[0] / y), round(scene.origin[1] / x)
    height = max(1, round((scene.origin[0] + scene.shape[0]) / y) - top)
    width = max(1, round((scene.origin[1] + scene.shape[1]) / x) - left)
    return replace(scene, shape=(height, width), origin=(source.row + top, source.col + left), zoom=None)


def check_bands(path: Path, number: int, bands: Sequence[int]) -> None:
    """Check that an image has the bands that are to be read.

    Args:
        path: the image, for the message.
        number: of its bands.
        bands: band numbers from 1.

    Raises:
        SceneError: the image lacks one of them, or `bands` is empty.
    """
    if not bands or min(bands) < 1:
        raise SceneError(f"{path}: bands are numbered from 1 to {number}, asked for {list(bands)}")
    if max(bands) > number:
        raise SceneError(
            f"{path}: band {max(bands)} is asked for, the image has {number}; "
            "use a model for images of this kind, or convert the image"
        )


def display_bands(number: int) -> tuple[int, ...]:
    """Return the bands to show of an image of `number` bands: 1, 2, 3 (red, green, blue), or 1 (grey) of fewer."""
    return (1, 2, 3) if number >= 3 else (1,)

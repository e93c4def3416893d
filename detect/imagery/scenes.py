"""Scenes: source images of any size, described and opened through rasterio (only this room imports it)."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from detect.imagery.claims import check_claim, check_scene_size
from detect.imagery.description.band_names import band_names, display_numbers
from detect.imagery.description.pages import contents_of
from detect.imagery.description.palettes import check_colours
from detect.imagery.description.placing import place_of
from detect.imagery.description.remarks import Remark
from detect.imagery.description.shown import ShownImage
from detect.imagery.drivers import (
    MOSAIC,
    MOSAIC_SUFFIX,
    WAFER,
    SceneError,
    driver_of,
    georeference_lies_beside,
    image_errors,
    no_georeference_needed,
    open_with,
)
from detect.imagery.mosaics import MosaicRule, current_rule, mosaic_bytes, plain_mosaic
from detect.imagery.remote.on_hand import on_hand
from detect.imagery.remote.stand_ins import gdal_access
from detect.imagery.resampling import Zoom
from detect.imagery.validity.declared import ALL_VALID, Validity, declared_validity
from detect.imagery.validity.filling import Fill
from detect.imagery.wafers.drawn.drawing import Drawing, current_drawing, keeps_truncated
from detect.imagery.wafers.drawn.drawn_wafer import wafer_raster
from detect.imagery.wafers.errors import CUT, MISCOUNTED
from detect.imagery.wafers.notches import NOT_SAID
from detect.imagery.windows import Window

AS_SHOWN = "as viewers show them (EXIF orientation, palettes, transparency)"
"""How images are read, for the records of runs; an earlier version, which says nothing, read them as stored."""

WHOLE_IMAGE_DRIVERS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
"""GDAL's names of formats that are decoded from the top, whichever part is read."""

BLOCK_CACHE_BYTES = 64 << 20
"""Most bytes of decoded blocks that GDAL keeps (its own default is a twentieth of the machine's memory)."""

_options = threading.local()
"""What each thread's `gdal_options` are now."""


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


def open_dataset(path: Path, mode: str = "r", **profile: Any) -> Any:
    """Open a rasterio dataset of this program's own, without the warning that it has no georeference."""
    with no_georeference_needed():
        return rasterio.open(path, mode, **profile)


def open_image(path: Path, rule: MosaicRule, driver: str | None = None) -> ShownImage:
    """Open an image of others as a viewer shows it: by the driver of what it is, and nothing that it names.

    Args:
        path: the image.
        rule: which VRTs are opened.
        driver: what `driver_of` says of it, where it was asked already; a file that is another one now is an error.

    Raises:
        SceneError: no file, not an image, or a VRT that the rule refuses.
    """
    driver = driver or driver_of(path)
    target = path if driver != MOSAIC or rule.trusts(driver) else plain_mosaic(path, rule)
    return ShownImage(path, open_with(target, driver))


def bytes_of(path: Path, driver: str, rule: MosaicRule) -> int | None:
    """Return the bytes in which an image's pixels are: its own, or those of a VRT's files; None of a trusted VRT."""
    if rule.trusts(driver):
        return None
    return mosaic_bytes(path, rule) if driver == MOSAIC else path.stat().st_size


@contextmanager
def gdal_options(beside: bool = False, trusted: bool = False, path: Path | None = None) -> Iterator[None]:
    """Set GDAL to make a damaged JPEG or PNG an error, write no side-car files and bound its cache, in a block.

    A block inside of another one with the same options costs nothing: of many small images it is worth a block. What
    is closed around a trusted image stays closed for it.

    Args:
        beside: whether files beside an image may be opened, for its georeference. Its pixels come from the file alone:
            overviews and masks beside it can be of any of GDAL's formats.
        trusted: whether GDAL may go wherever an image, a trusted VRT, leads it.
        path: the file that is read; where it stands for an object of a store, GDAL may reach that one.
    """
    reached = gdal_access(path)
    asked = (beside, trusted, reached)
    before, _options.now = getattr(_options, "now", None), asked
    try:
        if before == asked and rasterio.env.hasenv():
            yield
            return
        closed = {
            "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE" if beside else "EMPTY_DIR",
            "GDAL_VRT_ENABLE_PYTHON": "NO",
            "GDAL_VRT_ENABLE_RAWRASTERBAND": "NO",
            **(reached or {"CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none"}),
        }
        with rasterio.Env(
            GDAL_ERROR_ON_LIBJPEG_WARNING=True,
            GDAL_PNG_WHOLE_IMAGE_OPTIM=False,
            GDAL_PAM_ENABLED=False,
            GDAL_CACHEMAX=BLOCK_CACHE_BYTES,
            **({} if trusted else closed),
        ):
            yield
    finally:
        _options.now = before


def described_together(paths: Sequence[Path]) -> AbstractContextManager[None]:
    """Return a block in which images are described for less, as GDAL's options are set once for all of them.

    Where one of them may be a trusted VRT, to which other files must stay open, they are set for each.
    """
    return nullcontext() if any(path.suffix.lower() == MOSAIC_SUFFIX for path in paths) else gdal_options()


def open_scene(path: Path) -> Scene:
    """Read the description of an image file, without its pixels.

    Raises:
        SceneError: the file is missing, empty, not an image, claims more pixels than it can hold, or has colours of
            another space than red, green and blue. It begins with `passed over` where there is something that is no
            file with content.
    """
    with on_hand(path, whole=False) as local:
        scene = _described(local)
    return scene if local is path else replace(scene, path=path)


def _described(path: Path) -> Scene:
    """Return the description of an image file on this machine."""
    rule, driver = current_rule(), driver_of(path)
    if driver == WAFER:
        return _drawn_scene(path, current_drawing(), keeps_truncated())
    beside = georeference_lies_beside(path) and driver != MOSAIC
    with (
        image_errors(path, "not a readable image"),
        gdal_options(beside=beside, trusted=rule.trusts(driver), path=path),
        closing(open_image(path, rule, driver)) as source,
    ):
        check_claim(path, source.shape, driver, bytes_of(path, driver, rule))
        contents = contents_of(path, source.stored)
        check_colours(path, source.stored, contents.photometric)
        validity, rpc = _alone(path, rule, driver) if beside else _within(path, source)
        place = place_of(path, source.stored, rpc)
        return Scene(
            path=path,
            shape=(source.height, source.width),
            dtype=str(source.dtypes[0]),
            bands=source.count,
            transform=place.transform,
            crs=place.crs.to_wkt() if place.crs else None,
            nodata=source.nodata,
            block_pixels=_block_pixels(source),
            layout=layout_of(source),
            orientation=source.turn.orientation,
            band_names=band_names(source),
            remarks=(*_remarks(source), *contents.remarks, *place.remarks),
            rule=rule,
            validity=validity,
        )


def _drawn_scene(path: Path, drawing: Drawing | None, keep: bool) -> Scene:
    """Return the description of a list of a wafer's defects as the image that is drawn of it: one band of bytes.

    Raises:
        SceneError: it is not known how it is drawn, or the list cannot be read.
    """
    if drawing is None:
        raise SceneError(
            f"{path}: a list of a wafer's defects, and how it is drawn as an image is not known here: this needs a "
            "model that was trained on such lists (data.wafers), or a run of one"
        )
    check_scene_size(path, (drawing.side, drawing.side))
    with image_errors(path, "not a readable list of defects"):
        _, told = wafer_raster(path, drawing, keep)
    return Scene(
        path,
        (drawing.side, drawing.side),
        "uint8",
        1,
        block_pixels=1,
        layout=Layout(WAFER, (drawing.side, drawing.side), ("uint8",)),
        band_names=("",),
        remarks=_remarks_on_list(told),
        drawing=drawing,
        truncated=keep,
    )


def _remarks_on_list(told: Sequence[str]) -> tuple[Remark, ...]:
    """Return what is told of how a list of defects was read, each kind once."""
    details: dict[str, list[str]] = {}
    for kind, _, detail in (each.partition(": ") for each in told):
        details.setdefault(kind, []).append(detail)
    warning = (CUT, MISCOUNTED, NOT_SAID)
    return tuple(Remark(kind, "; ".join(each), warns=kind in warning) for kind, each in details.items())


def _alone(path: Path, rule: MosaicRule, driver: str) -> tuple[Validity, bool]:
    """Return what `_within` does of an image with files beside it: opened once more without them, as it is read."""
    with gdal_options(trusted=rule.trusts(driver), path=path), closing(open_image(path, rule, driver)) as source:
        return _within(path, source)


def _within(path: Path, source: ShownImage) -> tuple[Validity, bool]:
    """Return what an image that was opened alone says of its valid pixels, and whether it has camera models (RPC)."""
    return declared_validity(source, path), bool(source.tags(ns="RPC"))


def _remarks(source: ShownImage) -> tuple[Remark, ...]:
    """Return what is told of an image."""
    turn = source.turn.orientation
    turned = "turned as their EXIF orientation says, as viewers show them"
    return (Remark(turned, f"orientation {turn}"),) if turn > 1 else ()


def layout_of(source: ShownImage) -> Layout:
    """Return the layout of an open image."""
    return Layout(source.driver, (source.height, source.width), tuple(map(str, source.dtypes)))


def _block_pixels(source: ShownImage) -> int:
    """Count the pixels that are decoded to read any one."""
    height, width = source.shape if source.driver in WHOLE_IMAGE_DRIVERS else source.block_shapes[0]
    return int(height * width)


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

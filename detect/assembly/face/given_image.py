"""What the Python face takes for an image: a path, or pixels; checked, and made a source that an engine reads."""

import io
import logging
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.description.remarks import tell
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import SceneReader
from detect.imagery.resampling import resample
from detect.imagery.scenes import Scene
from detect.imagery.validity.declared import ALL_VALID, Validity, with_data
from detect.imagery.validity.filling import filled
from detect.imagery.wafers.drawn.drawing import drawn_by
from detect.inference.engine import Engine
from detect.inference.tiles import Source

logger = logging.getLogger(__name__)

ImageLike = str | Path | NDArray[Any]
"""A file, or pixels (height, width, bands)."""

NO_IMAGES = (bytes, bytearray, memoryview, io.IOBase, Mapping)
"""What can be iterated over and is not several images."""


def is_number(value: object) -> bool:
    """Return whether something is a number, and no truth value."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_several(given: object) -> bool:
    """Return whether something holds images: no path or pixels, nor another package's array or table."""
    if isinstance(given, (str, np.ndarray, *NO_IMAGES)) or hasattr(type(given), "__dlpack__"):
        return False
    return isinstance(given, Iterable) and getattr(given, "ndim", 1) == 1


def check_kind(given: object, where: str = "") -> None:
    """Check that something is a path or pixels.

    Raises:
        TypeError: it is neither.
        ValueError: an empty path.
    """
    if isinstance(given, str) and not given:
        raise ValueError("count takes the path of an image, got an empty one: ''")
    if isinstance(given, str | Path | np.ndarray):
        return
    kind = type(given)
    package = kind.__module__.partition(".")[0]
    if given is None or is_number(given):
        what = str(given)
    elif any(f"{base.__module__}.{base.__name__}" == "PIL.Image.Image" for base in kind.__mro__):
        what = "a PIL image"
    else:
        what = kind.__name__ if package == "builtins" else f"a {package} {kind.__name__}"
    way_out = ""
    if hasattr(kind, "__array__") or hasattr(kind, "__array_interface__"):
        way_out = "; np.asarray(image) makes an array of it"
    raise TypeError(
        f"count takes a path, an array (height, width, bands), or a list of them, got {what}{where}{way_out}"
    )


def _check_shape(shape: tuple[int, ...], bands: tuple[int, ...]) -> None:
    """Check that pixels are (height, width, bands) and have the bands, numbered from 1, that a model looks at.

    Bands come first in some arrays: that is an error where the first axis has the model's bands, or one more (alpha),
    and the last has another number.

    Raises:
        ValueError: another number of axes, no pixels, too few bands, or bands in the first axis.
    """
    if len(shape) == 4:
        raise ValueError(f"pixels of shape {shape} are a stack: pass list(pixels)")
    if len(shape) not in (2, 3) or 0 in shape:
        raise ValueError(f"pixels must be of shape (height, width, bands), got {shape}")
    needed, number = max(bands), shape[2] if len(shape) == 3 else 1
    usual = (needed, needed + 1)
    if len(shape) == 3 and shape[0] in usual and number not in usual:
        if_last = f"; if they are, pass pixels[..., :{needed}]" if number > needed else ""
        raise ValueError(
            f"pixels of shape {shape} look like (bands, height, width); the bands must be the last axis: "
            f"np.moveaxis(pixels, 0, -1){if_last}"
        )
    if number < needed:
        raise ValueError(
            f"the model looks at bands {', '.join(map(str, bands))}, the pixels of shape {shape} have {number}; "
            "the bands are the last axis, np.moveaxis(pixels, 0, -1) moves them there from the first"
        )


def file_source(path: str | Path, engine: Engine) -> Source:
    """Return the source of an image file, as the model asks for, and log what is to be said of it."""
    with drawn_by(engine.spec.drawing):
        scene = engine.prepared(open_scene(Path(path).expanduser()))
    tell({str(path): scene.remarks})
    return Source(str(path), scene)


def array_source(pixels: NDArray[Any], engine: Engine) -> Source:
    """Return the source of pixels (height, width, bands) or (height, width), resampled as the model asks for.

    Raises:
        ValueError: pixels of another shape.
    """
    bands = engine.spec.bands
    _check_shape(pixels.shape, bands)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    chosen = [band - 1 for band in bands]
    shown = None if np.ma.getmask(pixels) is np.ma.nomask else ~np.ma.getmaskarray(pixels)[..., chosen].any(axis=2)
    pixels = np.ma.getdata(pixels)
    _warn_of_transparency(pixels, bands)
    dtype = pixels.dtype.newbyteorder("=")
    validity = ALL_VALID if shown is None else Validity(mask=True)
    prepared = engine.prepared(Scene(Path("array"), pixels.shape[:2], str(dtype), pixels.shape[2], validity=validity))
    pixels_read: NDArray[Any] = np.ascontiguousarray(np.moveaxis(pixels[..., chosen], -1, 0), dtype)
    if shown is not None:
        pixels_read[:, ~shown] = 0
    valid = with_data(pixels_read, range(len(bands)), ())
    if shown is not None:
        valid = np.asarray(shown & (True if valid is None else valid), np.bool_)

    def reader(scene: Scene, bands: Sequence[int]) -> SceneReader:
        read, shown = pixels_read, valid
        if scene.zoom is not None:
            read, shown = resample(read, *scene.zoom.filters(scene.window), shown)
        if shown is not None:
            read = filled(read, shown, bands, scene.fill)
        return SceneReader(scene, bands, read, shown)

    return Source("array", prepared, reader)


def _warn_of_transparency(pixels: NDArray[Any], bands: Sequence[int]) -> None:
    """Warn of an array with what looks like a band of transparency after the model's bands, which masks nothing."""
    last = pixels[..., -1]
    if pixels.shape[2] != max(bands) + 1 or pixels.shape[2] not in (2, 4) or pixels.dtype.kind != "u":
        return
    if last.min() == 0 and last.max() == np.iinfo(last.dtype).max:
        logger.warning(
            "the array's band %d, which the model does not look at, may be transparency: what is under it is counted "
            "too; pass the path of the file, or np.ma.masked_array with its mask",
            pixels.shape[2],
        )

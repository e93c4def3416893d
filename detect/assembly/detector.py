"""The Python face: a model that counts what is in an image, as `detect.predict` does."""

import io
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from detect.assembly.fields.run_choices import adaptations, rescaling
from detect.assembly.gate import checked_data, inference_defaults
from detect.assembly.machine.run_memory import with_memory
from detect.assembly.ready_engine import make_engine
from detect.assembly.settings.inference_settings import InferenceSettings
from detect.imagery.description.remarks import tell
from detect.imagery.reading import SceneReader
from detect.imagery.resampling import resample
from detect.imagery.scenes import Scene, open_scene, original
from detect.imagery.validity.declared import ALL_VALID, Validity, with_data
from detect.imagery.validity.filling import filled
from detect.imagery.wafers.drawn.drawing import drawn_by
from detect.inference.engine import Engine
from detect.inference.run import decoded, map_scene
from detect.inference.runtimes.torch_runtime import pick_device
from detect.inference.scene_result import SceneResult
from detect.inference.tiles import Source
from detect.labels.detections import Detections
from detect.nets.card import ModelCard
from detect.nets.modelfile import Net, load_model

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

    from detect.assembly.explaining.explanation import Explanation

logger = logging.getLogger(__name__)

ImageLike = str | Path | NDArray[Any]
"""A file, or pixels (height, width, bands)."""

Adapt = str | Sequence[str]
"""What is met of new images: a word, or several."""

NO_IMAGES = (bytes, bytearray, memoryview, io.IOBase, Mapping)
"""What can be iterated over and is not several images."""


@dataclass(frozen=True, eq=False)
class CountedImage:
    """What was found in an image.

    Attributes:
        name: the file's path; `array` for pixels.
        scene: the image, at the model's resolution.
        card: the model's.
        result: detections and map.
    """

    name: str
    scene: Scene
    card: ModelCard
    result: SceneResult

    @property
    def detections(self) -> Detections:
        """The objects, in pixels of the image."""
        return self.result.detections

    @property
    def counts(self) -> dict[str, int]:
        """The number of objects of each class."""
        return self.detections.counts()

    @property
    def total(self) -> int:
        """The number of objects."""
        return len(self.detections)

    @property
    def expected(self) -> float | None:
        """The number of objects by the sum of the probabilities of all that may be one; None where scores are none."""
        every = self.result.candidates
        return None if every is None or self.card.calibration is None else float(every.score.sum())

    @property
    def unknown(self) -> bool | None:
        """Whether the image as a whole is of none of the classes; None where the model does not tell."""
        return self.result.unknown

    @property
    def unlike_in(self) -> str:
        """In what the image is unlike those that the model learned from (light, blur, scale, content), else empty."""
        return self.result.unlike.words

    @property
    def unlike(self) -> float | None:
        """How far the image is from those that the model learned from: from 0.95 on one in twenty of them is so far.

        None where the model does not know.
        """
        return self.result.unlike.share

    @property
    def heatmap(self) -> NDArray[np.float32]:
        """The probability of every class in each cell of the map: (classes, h, w) in [0, 1]."""
        return self.result.heatmap

    def table(self) -> "pd.DataFrame":
        """Return the objects as a table: `x y w h score label` in pixels of the image, `w` and `h` NaN for points."""
        import pandas as pd

        found = self.detections
        names = pd.Series(found.names, dtype=str)
        sizes = np.full((len(found), 2), np.nan) if found.wh is None else found.wh
        columns = {"x": found.xy[:, 0], "y": found.xy[:, 1], "w": sizes[:, 0], "h": sizes[:, 1]}
        return pd.DataFrame({**columns, "score": found.score, "label": names})

    def draw(self) -> "Image":
        """Draw the objects on the image, reduced to a picture for the eye."""
        from detect.reporting.pictures.captions import with_legend
        from detect.reporting.pictures.colours import to_display
        from detect.reporting.pictures.overlays import overlay

        assert self.result.preview is not None
        pixels = to_display(self.result.preview, nodata=self.scene.nodata)
        scale = pixels.shape[1] / original(self.scene).shape[1]
        radius = self.card.head.typical_size / 2 / self.scene.factor_xy[0]
        return with_legend(overlay(pixels, self.detections, scale, radius), self.detections)

    def _repr_html_(self) -> str:
        """Return the counts and the picture, as notebooks show them."""
        from detect.reporting.page.figures import data_address

        rows = "".join(f"<tr><td>{escape(name)}</td><td>{number:,}</td></tr>" for name, number in self.counts.items())
        unlike = f"<p>unlike what the model learned from: {escape(self.unlike_in)}</p>" if self.unlike_in else ""
        picture = f'<img src="{data_address(self.draw())}" style="max-width:100%">'
        return f"<p>{escape(self.name)}: {self.total:,} objects</p>{unlike}<table>{rows}</table>{picture}"

    def __repr__(self) -> str:
        counts = ", ".join(f"{number} {name}" for name, number in self.counts.items())
        return f"<{self.name}: {self.total} objects ({counts})>"


class Detector:
    """A model that counts what is in images: the engine of `detect.predict`, with the same numbers.

    Args:
        net: the network.
        card: its card.
        settings: how it is run.
    """

    def __init__(self, net: Net, card: ModelCard, settings: InferenceSettings) -> None:
        self.net = net
        self.card = card
        self.settings = settings
        self._engines: dict[tuple[tuple[str, Any], ...], Engine] = {}

    @classmethod
    def load(
        cls, path: str | Path, device: str = "auto", runtime: str = "auto", scratch: str | Path | None = None
    ) -> "Detector":
        """Read a model file.

        Unlike the commands, it leaves the process's allocator alone, which other code of a notebook shares. Where torch
        runs on a Linux CPU, `detect.assembly.command.keep_freed_memory()` makes it faster, and the process then keeps
        whatever memory it frees; OpenVINO gains nothing.

        Args:
            path: the `model.safetensors` that `detect.train` wrote.
            device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
            runtime: `auto`, `torch` or `openvino`.
            scratch: folder for maps too large for memory; None takes the system's folder of temporary files.

        Raises:
            ModelFileError: missing, or not a model file.
            ValueError: an unknown runtime, a device that is not there, or one that the runtime does not run on.
        """
        defaults = inference_defaults()
        chosen = {**defaults["runtime"], "device": str(device), "runtime": str(runtime)}
        chosen["scratch"] = None if scratch is None else str(scratch)
        try:
            settings = checked_data({**defaults, "runtime": chosen}, InferenceSettings)
            picked = pick_device(settings.runtime.device)
        except ValueError as error:
            raise ValueError(re.sub(r"\bruntime\.(runtime|device)\b", r"\1", str(error))) from error
        if runtime == "openvino" and picked.type != "cpu":
            raise ValueError(f"runtime=openvino runs on the CPU, got device={device}, which is {picked} here")
        return cls(*load_model(Path(path).expanduser()), with_memory(settings))

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The names of what the model finds."""
        return self.card.classes

    @overload
    def count(  # type: ignore[overload-overlap]
        self,
        image: ImageLike,
        *,
        threshold: float | None = None,
        tta: str = "none",
        adapt: Adapt | None = None,
        rescale: float | str | None = None,
    ) -> CountedImage: ...

    @overload
    def count(
        self,
        image: Iterable[ImageLike],
        *,
        threshold: float | None = None,
        tta: str = "none",
        adapt: Adapt | None = None,
        rescale: float | str | None = None,
    ) -> Iterator[CountedImage]: ...

    def count(
        self,
        image: ImageLike | Iterable[ImageLike],
        *,
        threshold: float | None = None,
        tta: str = "none",
        adapt: Adapt | None = None,
        rescale: float | str | None = None,
    ) -> CountedImage | Iterator[CountedImage]:
        """Find the objects of an image, or of each of several.

        Args:
            image: a path, pixels (height, width, bands) in the model's dtype, or several of these. A VRT may show image
                files below its own folder. Pixels are not there where one of the model's bands is masked (`numpy.ma`)
                or NaN; a band of transparency, which an array does not name, masks nothing: a warning says so.
            threshold: least score of a detection, in [0, 1]; None takes the model's.
            tta: `none`, `flips` or `d4`: look at every tile in 1, 4 or 8 orientations; `scales`, `flips+scales` or
                `d4+scales`: in other sizes of the image too.
            adapt: `light`, `batchnorm` or a list of them, to meet images unlike those of the training; None or `none`
                does not.
            rescale: a number of times the model's scale at which images are read, or `auto` to choose that of each;
                None or `none` reads them at the model's.

        Returns:
            What was found; of several images an iterator, so that one is in memory at a time.

        Raises:
            SceneError: a file that is no readable image, or pixels of another kind than the model's.
            TypeError: neither a path, nor pixels, nor several of these.
            ValueError: pixels of another shape, an empty path, a threshold out of bounds, an unknown `tta`, `adapt`
                or `rescale`, or a model that finds nothing in images.
        """
        if not _is_several(image):
            _check_kind(image)
        for each in image if isinstance(image, list | tuple) else ():
            _check_kind(each, " among several")
        engine = self._engine(threshold, tta, adapt, rescale)
        if isinstance(image, str | Path | np.ndarray):
            return self._counted(image, engine)
        return (self._counted(each, engine) for each in image)

    def explain(
        self,
        image: ImageLike,
        *,
        window: Sequence[int] | None = None,
        detection: int | None = None,
        name: str | None = None,
        methods: Sequence[str] = ("saliency", "gradcam"),
    ) -> "Explanation":
        """Show why an object is found: how much each pixel about it counts, as `detect.explain` does.

        It needs the package captum (`pip install 'detect[explain]'`).

        Args:
            image: a path, or pixels (height, width, bands) in the model's dtype.
            window: (row, col, height, width) in pixels of the image, in which alone objects are looked for; None counts
                the whole image.
            detection: number of the object, from 1, the highest score first; None takes the first.
            name: of the class whose score is explained, or `objectness`; None takes that of the object.
            methods: of `saliency`, `smoothgrad`, `integrated_gradients`, `gradcam`, `guided_gradcam`, `occlusion`.

        Raises:
            SceneError, TypeError: as of `count`.
            ValueError: no such window, object, class or method, or captum is not there.
        """
        from detect.assembly.explaining.explanation import explanation, numbered
        from detect.explaining.guided import readable

        _check_kind(image)
        engine = self._engine(None, "none")
        source = _file(image, engine) if isinstance(image, str | Path) else _array(image, engine)
        net = readable(self.net).to("cpu")
        place = numbered(source, engine, net, self.card, window, 1 if detection is None else detection)
        return explanation(net, self.card, place, name, methods)

    def _engine(
        self, threshold: float | None, tta: str, adapt: Adapt | None = None, rescale: float | str | None = None
    ) -> Engine:
        if threshold is not None and not (_is_number(threshold) and 0 <= threshold <= 1):
            raise ValueError(f"threshold must be a number in [0, 1], got {threshold!r}")
        asked: dict[str, Any] = {"tta": tta}
        if adapt is not None:
            asked["adapt"] = adaptations([adapt] if isinstance(adapt, str) else [*adapt])
        if rescale is not None:
            asked["rescale"] = rescaling(rescale)
            if asked["rescale"] == "survey":
                raise ValueError("rescale=survey is of a run over many images; take auto, or a number")
        known = tuple(asked.items())
        if known not in self._engines:
            settings = replace(self.settings, **asked)
            self._engines[known] = make_engine(settings, self.net, self.card, self.card.threshold)
        engine = self._engines[known]
        return engine if threshold is None else replace(engine, threshold=float(threshold))

    def _counted(self, image: ImageLike, engine: Engine) -> CountedImage:
        _check_kind(image, " among several")
        source = _file(image, engine) if isinstance(image, str | Path) else _array(image, engine)
        item = map_scene(source, engine)
        return CountedImage(source.name, item.source.scene, self.card, decoded(item, engine))


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_several(given: object) -> bool:
    """Return whether something holds images: no path or pixels, nor another package's array or table."""
    if isinstance(given, (str, np.ndarray, *NO_IMAGES)) or hasattr(type(given), "__dlpack__"):
        return False
    return isinstance(given, Iterable) and getattr(given, "ndim", 1) == 1


def _check_kind(given: object, where: str = "") -> None:
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
    if given is None or _is_number(given):
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


def _file(path: str | Path, engine: Engine) -> Source:
    with drawn_by(engine.spec.drawing):
        scene = engine.prepared(open_scene(Path(path).expanduser()))
    tell({str(path): scene.remarks})
    return Source(str(path), scene)


def _array(pixels: NDArray[Any], engine: Engine) -> Source:
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

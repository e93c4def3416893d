"""The Python face: a model that counts what is in an image, as `detect.predict` does."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from detect.assembly.ready_engine import make_engine
from detect.assembly.settings import InferenceSettings, checked_data, inference_defaults
from detect.imagery.reading import SceneReader
from detect.imagery.resampling import resample
from detect.imagery.scenes import Scene, open_scene, original
from detect.inference.engine import Engine, SceneResult
from detect.inference.run import decoded, map_scene
from detect.inference.tiles import Source
from detect.labels.detections import Detections
from detect.nets.card import ModelCard
from detect.nets.modelfile import Net, load_model

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

ImageLike = str | Path | NDArray[Any]
"""A file, or pixels (height, width, bands)."""

MAX_BANDS_FIRST = 16
"""Length of the first axis up to which, and of the last beyond which, pixels are taken for (bands, height, width)."""


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
    def counts(self) -> Mapping[str, int]:
        """The number of objects of each class."""
        return self.detections.counts()

    @property
    def total(self) -> int:
        """The number of objects."""
        return len(self.detections)

    @property
    def heatmap(self) -> NDArray[np.float32]:
        """The probability of every class in each cell of the map: (classes, h, w) in [0, 1]."""
        return self.result.heatmap

    def table(self) -> "pd.DataFrame":
        """Return the objects as a table: `x y w h score label` in pixels of the image, `w` and `h` NaN for points."""
        import pandas as pd

        found = self.detections
        sizes = np.full((len(found), 2), np.nan) if found.wh is None else found.wh
        columns = {"x": found.xy[:, 0], "y": found.xy[:, 1], "w": sizes[:, 0], "h": sizes[:, 1]}
        return pd.DataFrame({**columns, "score": found.score, "label": found.names})

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
        picture = f'<img src="{data_address(self.draw())}" style="max-width:100%">'
        return f"<p>{escape(self.name)}: {self.total:,} objects</p><table>{rows}</table>{picture}"

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
        self._engines: dict[str, Engine] = {}

    @classmethod
    def load(cls, path: str | Path, device: str = "auto", runtime: str = "auto") -> "Detector":
        """Read a model file.

        Args:
            path: the `model.safetensors` that `detect.train` wrote.
            device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
            runtime: `auto`, `torch` or `openvino`.

        Raises:
            ModelFileError: missing, or not a model file.
            ValueError: an unknown runtime.
        """
        defaults = inference_defaults()
        chosen = {**defaults["runtime"], "device": device, "runtime": runtime}
        settings = checked_data({**defaults, "runtime": chosen}, InferenceSettings)
        return cls(*load_model(Path(path).expanduser()), settings)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The names of what the model finds."""
        return self.card.classes

    @overload
    def count(  # type: ignore[overload-overlap]
        self, image: ImageLike, *, threshold: float | None = None, tta: str = "none"
    ) -> CountedImage: ...

    @overload
    def count(
        self, image: Iterable[ImageLike], *, threshold: float | None = None, tta: str = "none"
    ) -> Iterator[CountedImage]: ...

    def count(
        self, image: ImageLike | Iterable[ImageLike], *, threshold: float | None = None, tta: str = "none"
    ) -> CountedImage | Iterator[CountedImage]:
        """Find the objects of an image, or of each of several.

        Args:
            image: a path, pixels (height, width, bands) in the model's dtype, or several of these.
            threshold: least score of a detection, in [0, 1]; None takes the model's.
            tta: `none`, `flips` or `d4`: look at every tile in 1, 4 or 8 orientations.

        Returns:
            What was found; of several images an iterator, so that one is in memory at a time.

        Raises:
            SceneError: a file that is no readable image, or pixels of another kind than the model's.
            ValueError: pixels of another shape, a threshold out of bounds, an unknown `tta`, or a model that finds
                nothing in images.
        """
        engine = self._engine(threshold, tta)
        if isinstance(image, str | Path | np.ndarray):
            return self._counted(image, engine)
        return (self._counted(each, engine) for each in image)

    def _engine(self, threshold: float | None, tta: str) -> Engine:
        if threshold is not None and not 0 <= threshold <= 1:
            raise ValueError(f"threshold must be a number in [0, 1], got {threshold}")
        if tta not in self._engines:
            settings = replace(self.settings, tta=tta)  # type: ignore[arg-type]
            self._engines[tta] = make_engine(settings, self.net, self.card, self.card.threshold)
        engine = self._engines[tta]
        return engine if threshold is None else replace(engine, threshold=threshold)

    def _counted(self, image: ImageLike, engine: Engine) -> CountedImage:
        source = _file(image, engine) if isinstance(image, str | Path) else _array(image, engine)
        return CountedImage(source.name, source.scene, self.card, decoded(map_scene(source, engine), engine))


def _file(path: str | Path, engine: Engine) -> Source:
    return Source(str(path), engine.prepared(open_scene(Path(path).expanduser())))


def _array(pixels: NDArray[Any], engine: Engine) -> Source:
    """Return the source of pixels (height, width, bands), resampled as the model asks for.

    Raises:
        ValueError: another number of axes, no pixels, or too few bands.
    """
    bands = engine.spec.bands
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or not pixels.size:
        raise ValueError(f"pixels must be of shape (height, width, bands), got {pixels.shape}")
    if pixels.shape[0] <= MAX_BANDS_FIRST < pixels.shape[2]:
        raise ValueError(
            f"pixels of shape {pixels.shape} look like (bands, height, width); the bands are the last axis here: "
            "np.moveaxis(pixels, 0, -1)"
        )
    if pixels.shape[2] < max(bands):
        raise ValueError(
            f"the model looks at bands {', '.join(map(str, bands))}, the pixels of shape {pixels.shape} (height, "
            f"width, bands) have {pixels.shape[2]}; the bands are the last axis"
        )
    scene = Scene(Path("array"), pixels.shape[:2], str(pixels.dtype), pixels.shape[2])
    prepared = engine.prepared(scene)
    held: NDArray[Any] = np.ascontiguousarray(np.moveaxis(pixels[..., [band - 1 for band in bands]], -1, 0))
    if prepared.zoom is not None:
        held = resample(held, *prepared.zoom.filters(prepared.window))
    return Source("array", prepared, lambda scene, bands: SceneReader(scene, bands, held))

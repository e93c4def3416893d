"""The Python face: a model that counts what is in an image, as `detect.predict` does."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from detect.assembly.engine.ready_engine import make_engine
from detect.assembly.face.counted_image import CountedImage
from detect.assembly.face.given_image import ImageLike, array_source, check_kind, file_source, is_number, is_several
from detect.assembly.fields.run_choices import adaptations, rescaling
from detect.assembly.gate import checked_data, inference_defaults
from detect.assembly.machine.run_memory import with_memory
from detect.assembly.settings.inference_settings import InferenceSettings
from detect.inference.engine import Engine
from detect.inference.run import decoded, map_scene
from detect.inference.runtimes.torch_runtime import pick_device
from detect.nets.card import ModelCard
from detect.nets.modelfile import Net, load_model

if TYPE_CHECKING:
    from detect.assembly.explaining.explanation import Explanation

Adapt = str | Sequence[str]
"""What is met of new images: a word, or several."""


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
        if not is_several(image):
            check_kind(image)
        for each in image if isinstance(image, list | tuple) else ():
            check_kind(each, " among several")
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

        check_kind(image)
        engine = self._engine(None, "none")
        source = file_source(image, engine) if isinstance(image, str | Path) else array_source(image, engine)
        net = readable(self.net).to("cpu")
        place = numbered(source, engine, net, self.card, window, 1 if detection is None else detection)
        return explanation(net, self.card, place, name, methods)

    def _engine(
        self, threshold: float | None, tta: str, adapt: Adapt | None = None, rescale: float | str | None = None
    ) -> Engine:
        if threshold is not None and not (is_number(threshold) and 0 <= threshold <= 1):
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
        check_kind(image, " among several")
        source = file_source(image, engine) if isinstance(image, str | Path) else array_source(image, engine)
        item = map_scene(source, engine)
        return CountedImage(source.name, item.source.scene, self.card, decoded(item, engine))

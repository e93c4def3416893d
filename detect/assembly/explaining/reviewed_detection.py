"""Grad-CAM of a detection under review, by the model that made the run."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from detect.assembly.explaining.asking_network import Asked, ask, on_device
from detect.assembly.explaining.explaining_run import explain_engine
from detect.assembly.explaining.place_choice import Place
from detect.explaining.aims import OBJECTNESS, Found
from detect.explaining.attribution import gradcam
from detect.explaining.explained_pictures import clear_picture, png
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.remote.model_copies import digest
from detect.imagery.windows import Window
from detect.inference.engine import Engine
from detect.inference.runtimes.torch_runtime import pick_device
from detect.inference.tiles import Source
from detect.labels.detections import Detections
from detect.labels.json_files import read_json_object
from detect.nets.card import ModelCard
from detect.nets.heads.specs import WholeHead
from detect.nets.modelfile import Net, load_model
from detect.reporting.output.layout import PredictionPaths
from detect.reviewing.grad_cam import GradCam, Score
from detect.reviewing.review_objects import ReviewObject

logger = logging.getLogger(__name__)

AUTO = "auto"
"""Of the devices, the one that a network is run on by default."""


@dataclass(frozen=True, eq=False)
class RunModel:
    """The model that made a run, ready to be asked.

    Attributes:
        digest: SHA-256 that the run has of its file; None of a run that has none.
        net: readable, on its device.
        card: its card.
        engine: reads images as the run did.
        notes: in what the run was another than the network by itself.
    """

    digest: str | None
    net: Net
    card: ModelCard
    engine: Engine
    notes: str


class DetectionExplainer:
    """Explains detections of a run; its model is read when it is first asked, and stays in memory.

    Args:
        folder: the output folder of `detect.predict`.
        model: the model's file; None takes the path that the run had.
    """

    def __init__(self, folder: Path, model: Path | None) -> None:
        self.folder = folder
        self.model = model
        self._read: RunModel | None = None

    def __call__(self, image: Path, found: ReviewObject, score: Score) -> GradCam:
        """Return where the network saw what speaks for an object.

        Args:
            image: the file.
            found: the object, as the run found it.
            score: what is explained: that there is an object, or its class.

        Raises:
            ValueError: captum is not there, or the model is not that of the run; the message says the way out.
            SceneError: the image cannot be read.
        """
        if find_spec("captum") is None:
            raise ValueError("Grad-CAM needs the package captum: pip install 'detect[explain]'")
        model = self._model()
        source = model.engine.met(Source(image.name, model.engine.prepared(open_scene(image))))
        asked = ask(model.net, model.card, found_place(source, found, model.card), None, None, 0)
        return _drawn(asked, found, score, model.notes)

    def _model(self) -> RunModel:
        """Return the run's model, read where it is not yet, or where the folder has another run now."""
        settings = _own_settings(self.folder)
        wanted = settings.get("model") if isinstance(settings.get("model"), str) else None
        if self._read is None or self._read.digest != wanted:
            path = self._path()
            check_same(path, wanted)
            net, card = load_model(path)
            logger.info("review: %s explains detections", path)
            engine = explain_engine(net, card, AUTO, met_as(settings))
            self._read = RunModel(wanted, on_device(net, pick_device(AUTO)), card, engine, _notes(settings))
        return self._read

    def _path(self) -> Path:
        """Return where the model's file is.

        Raises:
            ValueError: nobody says so.
        """
        if self.model is not None:
            return self.model
        facts = PredictionPaths(self.folder).run_facts
        model = read_json_object(facts, self.folder).get("model") if facts.exists() else None
        path = model.get("path") if isinstance(model, dict) else None
        if not isinstance(path, str):
            way_out = "start detect.review again with model=FILE"
            raise ValueError(f"{facts} does not say which model made this run: {way_out}")  # noqa: TRY004, of a file
        return Path(path)


def check_same(path: Path, wanted: str | None) -> None:
    """Check that a file is the model that made a run.

    Args:
        path: the file.
        wanted: its SHA-256; None where the run has none, and any model is taken.

    Raises:
        ValueError: it is gone, or another one.
    """
    way_out = "start detect.review again with model=FILE, the one that made this run"
    if not path.is_file():
        raise ValueError(f"the model of this run is gone: {path.absolute()}; {way_out}")
    if wanted is not None and digest(path) != wanted:
        raise ValueError(f"{path} is not the model that made this run, or was changed since; {way_out}")


def _own_settings(folder: Path) -> Mapping[str, Any]:
    """Return what the results of a run depend on; nothing where that is not kept."""
    path = PredictionPaths(folder).settings
    return read_json_object(path, folder) if path.exists() else {}


def met_as(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings by which a run met its images, of which a network by itself knows."""
    rescale = settings.get("rescale_factor", settings.get("rescale"))
    met: dict[str, Any] = {} if rescale is None else {"rescale": rescale}
    if "light" in _adapted(settings):
        met |= {"adapt": ["light"], "adapt_share": settings.get("adapt_share")}
    return met


def _adapted(settings: Mapping[str, Any]) -> set[str]:
    """Return to what of each image a run adapted; nothing where its settings, a file, have no list of names."""
    adapt = settings.get("adapt")
    return {each for each in adapt if isinstance(each, str)} if isinstance(adapt, list | tuple) else set()


def _notes(settings: Mapping[str, Any]) -> str:
    """Return in what a run was another than the network by itself, as sentences that begin with a space."""
    notes = ""
    if settings.get("tta", "none") != "none":
        notes += " The run looked at several views of the image, and this is of the image as it is."
    if _adapted(settings) - {"light"}:
        notes += " The run adapted the network to each image, and this is of the network as it was trained."
    return notes


def found_place(source: Source, found: ReviewObject, card: ModelCard) -> Place:
    """Return the place of an object, on all of the image.

    Args:
        source: the image, at the network's resolution.
        found: the object, in pixels of the file.
        card: of the model.

    Raises:
        ValueError: the model has no such class.
    """
    height, width = source.scene.shape
    words = f"{found.label}, {found.score:.3f}"
    if isinstance(card.head, WholeHead):
        return Place(source, Window(0, 0, height, width), (width / 2, height / 2), words, found.label, None, None)
    boxed = found.w is not None and found.h is not None
    wh = np.array([[found.w, found.h]], np.float64) if boxed else None
    one = Detections.truth(np.array([[found.x, found.y]]), [found.label], card.classes, wh)
    near = one.scaled(*source.scene.factor_xy)
    x, y = (min(float(at), math.nextafter(side, 0)) for at, side in zip(near.xy[0], (width, height), strict=True))
    box = (x, y, x, y) if near.wh is None else tuple(float(each) for each in near.boxes_xyxy[0])
    own = Found(box, (0, 0, width, height), card.classes.index(found.label))  # type: ignore[arg-type]
    every = Window(0, 0, height, width)
    return Place(source, every, (x, y), words, found.label, None, own.box if boxed else None, found=own)


def seen_window(asked: Asked) -> Window:
    """Return the part of an image that a network was shown for an object, with all of the object."""
    tile, place = asked.tile.window, asked.place
    if isinstance(asked.card.head, WholeHead):
        return place.window
    x1, y1, x2, y2 = place.box or (*place.xy, *place.xy)
    top, left = min(tile.row, math.floor(y1)), min(tile.col, math.floor(x1))
    bottom, right = max(tile.row_stop, math.ceil(y2)), max(tile.col_stop, math.ceil(x2))
    return Window(top, left, bottom - top, right - left).within(place.source.scene.shape)


def _drawn(asked: Asked, found: ReviewObject, score: Score, notes: str) -> GradCam:
    """Return Grad-CAM of a place that a network was asked about, as a picture and its place in the file."""
    aim, raw = list(zip(asked.aims, asked.scores, strict=True))[-1 if score == "class" else 0]
    made, window = gradcam(asked.question(aim)), seen_window(asked)
    made = replace(made, values=asked.tile.within(made.values, window))
    x, y = asked.place.source.scene.factor_xy
    place = (window.col / x, window.row / y, window.width / x, window.height / y)
    empty = "" if made.values.any() else " No feature speaks for it, so that nothing is coloured."
    what = aim.name if aim.name == OBJECTNESS else f"class {aim.name}"
    words = f"Grad-CAM of {found.label}, score {found.score:.2f}: where the network saw what speaks for its {what}"
    return GradCam(png(clear_picture(made)), place, f"{words} (raw score {raw:.2f}).{empty}{notes}")

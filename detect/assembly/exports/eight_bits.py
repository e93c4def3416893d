"""Networks of 8 bits: calibrated on training images, and tried on those that validated the model."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.assembly.exports.model_export import runner
from detect.assembly.gate import checked_data, inference_defaults
from detect.assembly.given_labels import read_labels, with_record
from detect.assembly.ready_engine import make_engine
from detect.assembly.settings.export_settings import ExportSettings
from detect.assembly.settings.inference_settings import InferenceSettings
from detect.assembly.sides import sides_of_model
from detect.evaluation.matching import Criterion
from detect.evaluation.radius import recorded_radius
from detect.evaluation.scene_scores import score_scenes
from detect.imagery.reading import SceneReader
from detect.imagery.scenes import open_scene
from detect.imagery.windows import Window
from detect.inference.engine import Engine
from detect.inference.exports.export_card import record_text
from detect.inference.exports.openvino_file import openvino_dtype
from detect.inference.exports.quantised import quantise_onnx, quantise_openvino
from detect.inference.run import count_scene
from detect.labels.annotations import AnnotatedImage
from detect.labels.formats.patch_folder import PatchFolder
from detect.labels.regions import outside
from detect.nets.card import ModelCard
from detect.nets.heads.specs import WholeHead
from detect.nets.modelfile import Net

logger = logging.getLogger("detect.export")

Images = tuple[list[AnnotatedImage], list[AnnotatedImage]]
"""Those that calibrate, and those that validate."""

TILE_SIDE = 512
"""Side in pixels of the tiles that calibrate, before it is rounded up to the alignment."""


def quantise_checked(settings: ExportSettings, net: Net, card: ModelCard, path: Path, images: Images) -> None:
    """Replace an exported file by one of 8 bits, if it finds as much in the validation images.

    Args:
        settings: how many tiles, and how much may be lost.
        net: as the model has it.
        card: of the model.
        path: of the file of float32, which is as good as the network.
        images: of `labelled_images`.

    Raises:
        ValueError: NNCF cannot quantise the network, or the loss of F1 is beyond `max_loss`.
    """
    train, val = images
    dtype = openvino_dtype(card.dtype) if settings.format == "openvino" else card.dtype
    defaults = checked_data(inference_defaults(), InferenceSettings)
    engine = make_engine(defaults, net, card, card.threshold, settings.output.parent)
    tiles = [tile.astype(dtype) for tile in calibration_tiles(train, engine, settings.tiles)]
    before = _f1(val, _running(engine, settings.format, path, dtype), card)
    record = record_text(card, dtype, "int8")
    try:
        (quantise_openvino if settings.format == "openvino" else quantise_onnx)(path, tiles, record)
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    after = _f1(val, _running(engine, settings.format, path, dtype), card)
    logger.info(
        "int8, calibrated on %d tiles of %d images: F1 %.4f on %d validation images, %.4f in float32 (a loss of %.4f)",
        *(len(tiles), len(train), after, len(val), before, before - after),
    )
    if not before - after <= settings.max_loss:
        raise ValueError(
            f"int8 loses {before - after:.4f} of F1, and max_loss={settings.max_loss:g} is allowed; nothing was "
            "written: take precision=float32, more tiles, or a greater max_loss"
        )


def labelled_images(settings: ExportSettings, card: ModelCard) -> Images:
    """Return the images that calibrate, and those that validate.

    Raises:
        ValueError: one of the two are none, or the model finds no objects in images.
    """
    wrong = "precision=int8 is for models that find objects in images; take precision=float32"
    if isinstance(card.head, WholeHead) or not card.head.finds:
        raise ValueError(wrong)
    labels = read_labels(with_record(settings.data, card.training))
    if isinstance(labels, PatchFolder):
        raise ValueError(wrong)  # noqa: TRY004, a wrong setting
    sides = sides_of_model(settings.data.split, labels, card.training)
    train, val = ([image for image in labels.images if sides[image.name] == side] for side in ("train", "val"))
    for side, images in (("train", train), ("val", val)):
        if not images:
            raise ValueError(
                f"precision=int8 needs labelled images that train and others that validate, and there are none of "
                f"{side}: name some in data.split.val=[...], or in a column split of the annotations"
            )
    return train, val


def calibration_tiles(images: Sequence[AnnotatedImage], engine: Engine, number: int) -> list[NDArray[np.generic]]:
    """Return tiles (1, bands, side, side) of images in turn, at places drawn by chance, the same in every run."""
    rng = np.random.default_rng(0)
    align = engine.plan.align or engine.plan.stride
    side = -(-TILE_SIDE // align) * align
    share = [number // len(images) + (i < number % len(images)) for i in range(len(images))]
    tiles = []
    for image, many in zip(images, share, strict=True):
        if not many:
            continue
        scene = engine.prepared(open_scene(image.path))
        with SceneReader(scene, engine.spec.bands) as reader:
            for _ in range(many):
                row, col = (int(rng.integers(0, max(1, length - side + 1))) for length in scene.shape)
                tiles.append(np.array(reader.read(Window(row, col, side, side)))[None])
    return tiles


def _running(engine: Engine, kind: str, path: Path, dtype: str) -> Engine:
    """Return an engine that runs an exported file."""
    run = runner(kind, path)
    return replace(engine, runtime=lambda pixels: run(np.ascontiguousarray(pixels, dtype)))


def _f1(images: Sequence[AnnotatedImage], engine: Engine, card: ModelCard) -> float:
    radius = recorded_radius(card.training)
    criterion = Criterion(card.head.typical_size / 2 if radius is None else radius.file_px, None)
    found = {
        image.name: outside(count_scene(open_scene(image.path), engine).detections, image.ignored) for image in images
    }
    truth = {image.name: outside(image.objects, image.ignored) for image in images}
    return float(score_scenes(found, truth, criterion)["f1"])

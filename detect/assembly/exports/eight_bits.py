"""Networks of 8 bits: calibrated on training images, and tried on those that validated the model."""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.assembly.exports.exported_files import WEIGHTS, runner
from detect.assembly.exports.trials import Trial
from detect.assembly.settings.export_settings import ExportSettings
from detect.inference.exports.export_card import record_text
from detect.inference.exports.openvino_file import openvino_dtype
from detect.inference.exports.parity import Run
from detect.inference.exports.quantised import quantise_onnx, quantise_openvino
from detect.nets.card import ModelCard

logger = logging.getLogger("detect.export")


def quantise_checked(settings: ExportSettings, card: ModelCard, path: Path, trial: Trial) -> None:
    """Replace an exported file by one of 8 bits, if it finds as much in the validation images.

    Biases are corrected first; where too much is lost so, they are left as they are.

    Args:
        settings: how many tiles, and how much may be lost.
        card: of the model.
        path: of the file of float32, which is as good as the network.
        trial: the images that calibrate it, and those that try it.

    Raises:
        ValueError: NNCF cannot quantise the network, or the loss of its score is beyond `max_loss`.
    """
    openvino = settings.format == "openvino"
    dtype = openvino_dtype(card.dtype) if openvino else card.dtype
    tiles = [tile.astype(dtype) for tile in trial.tiles(settings.tiles)]
    before = trial.tried(_running(settings.format, path, dtype))
    if not before > 0:
        logger.warning(
            "%s is 0 in float32 already: these images cannot show what int8 loses; look at data.root and "
            "data.annotations, which are to be those that the model learned from",
            trial.score,
        )
    source, record = _set_aside(path), record_text(card, dtype, "int8")
    losses = []
    for corrected in (True, False):
        try:
            (quantise_openvino if openvino else quantise_onnx)(source, path, tiles, record, corrected=corrected)
        except RuntimeError as error:
            raise ValueError(str(error)) from error
        after = trial.tried(_running(settings.format, path, dtype))
        losses.append(before - after)
        logger.info(
            "int8, calibrated on %d tiles of %d images, biases %s: %s %.4f on %d validation images, %.4f in float32 "
            "(a loss of %.4f)",
            *(len(tiles), len(trial.train), "corrected" if corrected else "as they are"),
            *(trial.score, after, len(trial.val), before, before - after),
        )
        if before - after <= settings.max_loss:
            return
    raise ValueError(
        f"int8 loses {min(losses):.4f} of {trial.score}, and max_loss={settings.max_loss:g} is allowed; nothing was "
        "written: take precision=float32, more tiles, or a greater max_loss"
    )


def _set_aside(path: Path) -> Path:
    """Rename an exported file, and what lies beside it; return its new name."""
    aside = path.with_name(f"float32-{path.name}")
    for each in (path, path.with_suffix(WEIGHTS)):
        if each.exists():
            each.replace(aside.with_suffix(each.suffix))
    return aside


def _running(kind: str, path: Path, dtype: str) -> Run:
    """Return what runs an exported file on images of the model's dtype."""
    run = runner(kind, path)

    def mapped(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        return run(np.ascontiguousarray(pixels, dtype))

    return mapped

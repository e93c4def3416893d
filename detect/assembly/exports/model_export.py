"""A trained model written for other programs, after it was compared with itself in torch."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from detect.assembly.exports.exported_files import exported_files, runner
from detect.assembly.settings.export_settings import ExportSettings
from detect.imagery.files import replace_file
from detect.nets.header import read_card

if TYPE_CHECKING:
    from detect.inference.exports.parity import Parity
    from detect.nets.card import ModelCard
    from detect.nets.modelfile import Net

logger = logging.getLogger("detect.export")

PACKAGES = {"onnx": ("onnx", "onnxruntime"), "openvino": ("openvino",), "pt2": ()}
"""What each format is written and run with, beside torch."""


def export_model(settings: ExportSettings) -> None:
    """Write a model's network, or nothing where it would not be the same.

    Raises:
        ValueError: packages are missing, the network cannot be written so, or its maps differ.
        FileExistsError: there is such a file already, and `overwrite` is not set.
    """
    _check_packages(settings)
    files = exported_files(settings)
    card = read_card(settings.model)

    from detect.nets.modelfile import load_model

    net, _ = load_model(settings.model)
    trial = None
    if settings.precision == "int8":
        from detect.assembly.exports.eight_bits import quantise_checked
        from detect.assembly.exports.trials import trial_of

        trial = trial_of(settings, net, card)
    settings.output.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".detect-", dir=settings.output.parent) as folder:
        made = Path(folder) / files[-1].name
        write_checked(settings.format, net, card, made)
        if trial is not None:
            quantise_checked(settings, card, made, trial)
        for file in files:  # OpenVINO's weights before what names them
            with replace_file(file) as part:
                made.with_suffix(file.suffix).replace(part)
    size = sum(file.stat().st_size for file in files)
    logger.info("wrote %s (%.1f MB)", " and ".join(map(str, files)), size / 1e6)


def write_checked(kind: str, net: "Net", card: "ModelCard", path: Path) -> "Parity":
    """Write a network to a file that is not there, and compare its maps with the network's.

    Args:
        kind: `onnx`, `openvino` or `pt2`.
        net: in evaluation mode, on the CPU.
        card: of the model.
        path: with the format's ending.

    Raises:
        ValueError: the network cannot be written so, or its maps differ.
    """
    from detect.inference.exports.parity import check_parity, compared

    with _refusing(kind):
        input_dtype = _write(kind, net, card, path)
        parity = compared(net, runner(kind, path), card, input_dtype)
    logger.info("%s and torch: %s", kind, parity)
    check_parity(parity)
    return parity


@contextmanager
def _refusing(kind: str) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        said = str(error).strip().splitlines() or [repr(error)]
        raise ValueError(f"this network cannot be written as format={kind} ({said[0]}); try another format") from error


def _write(kind: str, net: "Net", card: "ModelCard", path: Path) -> str:
    """Write the network, and return what its input takes, as numpy's name."""
    from detect.inference.exports.export_card import record_text

    dtype = card.dtype
    match kind:
        case "openvino":
            from detect.inference.exports.openvino_file import openvino_dtype, openvino_model, save_openvino

            dtype = openvino_dtype(card.dtype)
            save_openvino(openvino_model(net, card, record_text(card, dtype, "float32")), path)
        case "onnx":
            from detect.inference.exports.onnx_file import onnx_model, save_onnx

            save_onnx(onnx_model(net, card, record_text(card, dtype, "float32")), path)
        case _:
            from detect.inference.exports.program import exported_program, save_program

            save_program(exported_program(net, card), record_text(card, dtype, "float32"), path)
    return dtype


def _check_packages(settings: ExportSettings) -> None:
    """Check that what an export needs is installed.

    Raises:
        ValueError: a package is not there.
    """
    needed = [*PACKAGES[settings.format], *(["nncf"] if settings.precision == "int8" else [])]
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise ValueError(
            f"format={settings.format} precision={settings.precision} needs {', '.join(missing)}: "
            "pip install 'detect[export]'"
        )

"""An exported network in whole numbers of 8 bits, by NNCF: ranges of values are those of tiles that it is shown."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.inference.exports.export_card import INPUT_NAME, RECORD_NAME
from detect.inference.exports.program import quiet

Tiles = Sequence[NDArray[np.generic]]
"""Raw pixels (1, bands, H, W) each, in the dtype of a file's input, all of one size."""


def quantise_onnx(source: Path, path: Path, tiles: Tiles, record: str, *, corrected: bool) -> None:
    """Write the quantised form of an ONNX file.

    Args:
        source: the file.
        path: of what is written.
        tiles: that it is shown.
        record: of the quantised network.
        corrected: whether layers' biases make up for what rounding adds to the mean of each channel. It helps most
            networks; of some, whose layers see few places, it is wrong (of whole images, mostly).

    Raises:
        RuntimeError: NNCF cannot.
    """
    import onnx

    from detect.inference.exports.onnx_file import save_onnx, with_record

    made = _quantised(onnx.load(source), [{INPUT_NAME: tile} for tile in tiles], corrected)
    save_onnx(with_record(made, record), path)


def quantise_openvino(source: Path, path: Path, tiles: Tiles, record: str, *, corrected: bool) -> None:
    """Write the quantised form of OpenVINO's pair of files; arguments and errors as of `quantise_onnx`."""
    from detect.inference.exports.openvino_file import save_openvino
    from detect.inference.runtimes.openvino_runtime import shared_core

    model = _quantised(shared_core().read_model(source, source.with_suffix(".bin")), tiles, corrected)
    model.set_rt_info(record, [RECORD_NAME])
    save_openvino(model, path)


def _quantised(model: Any, samples: Sequence[Any], corrected: bool) -> Any:
    from detect.inference.runtimes.openvino_runtime import import_openvino

    try:
        with quiet():
            import_openvino()  # before NNCF, which sends usage statistics by the same package
            import nncf

            return nncf.quantize(
                model,
                nncf.Dataset(samples),
                target_device=nncf.TargetDevice.CPU,
                subset_size=len(samples),
                advanced_parameters=nncf.AdvancedQuantizationParameters(disable_bias_correction=not corrected),
            )
    except Exception as error:  # NNCF raises many kinds
        raise RuntimeError(f"NNCF cannot quantise this network: {error}") from error

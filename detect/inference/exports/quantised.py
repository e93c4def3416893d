"""An exported network in whole numbers of 8 bits, by NNCF: ranges of values are those of tiles that it is shown."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.inference.exports.export_card import INPUT_NAME, RECORD_NAME
from detect.inference.exports.program import quiet


def quantise_onnx(path: Path, tiles: Sequence[NDArray[np.generic]], record: str) -> None:
    """Replace an ONNX file by its quantised form.

    Args:
        path: of the file.
        tiles: (1, bands, H, W) raw pixels each, in the dtype of its input, all of one size.
        record: of the quantised network.

    Raises:
        RuntimeError: NNCF cannot.
    """
    import onnx

    from detect.inference.exports.onnx_file import save_onnx, with_record

    model = onnx.load(path)
    save_onnx(with_record(_quantised(model, [{INPUT_NAME: tile} for tile in tiles]), record), path)


def quantise_openvino(path: Path, tiles: Sequence[NDArray[np.generic]], record: str) -> None:
    """Replace OpenVINO's pair of files by its quantised form; arguments and errors as of `quantise_onnx`."""
    from detect.inference.exports.openvino_file import save_openvino
    from detect.inference.runtimes.openvino_runtime import shared_core

    source = path.with_name(f"float32-{path.name}")
    for ending in (path.suffix, ".bin"):
        path.with_suffix(ending).replace(source.with_suffix(ending))
    model = _quantised(shared_core().read_model(source, source.with_suffix(".bin")), tiles)
    model.set_rt_info(record, [RECORD_NAME])
    save_openvino(model, path)


def _quantised(model: Any, samples: Sequence[Any]) -> Any:
    from detect.inference.runtimes.openvino_runtime import import_openvino

    try:
        with quiet():
            import_openvino()  # before NNCF, which sends usage statistics by the same package
            import nncf

            return nncf.quantize(
                model, nncf.Dataset(samples), target_device=nncf.TargetDevice.CPU, subset_size=len(samples)
            )
    except Exception as error:  # NNCF raises many kinds
        raise RuntimeError(f"NNCF cannot quantise this network: {error}") from error

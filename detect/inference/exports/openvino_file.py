"""A network as OpenVINO's pair of files, and OpenVINO, which runs it."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from detect.inference.exports.export_card import INPUT_NAME, OUTPUT_NAME, RECORD_NAME
from detect.inference.runtimes.openvino_runtime import NATIVE_DTYPES, converted, import_openvino, shared_core
from detect.nets.card import ModelCard


def openvino_dtype(dtype: str) -> str:
    """Return what a network in OpenVINO takes for images of a dtype: the same, or float32."""
    return dtype if dtype in NATIVE_DTYPES else "float32"


def openvino_model(net: nn.Module, card: ModelCard, record: str) -> Any:
    """Return a network as one of OpenVINO's models with its record.

    Raises:
        RuntimeError: OpenVINO cannot convert it.
    """
    openvino = import_openvino()
    model = converted(net, len(card.bands), card.align, openvino_dtype(card.dtype))
    sides = [openvino.Dimension(card.align, -1)] * 2
    model.reshape(openvino.PartialShape([openvino.Dimension(), len(card.bands), *sides]))
    model.input(0).get_node().set_friendly_name(INPUT_NAME)
    model.input(0).get_tensor().set_names({INPUT_NAME})
    model.output(0).get_tensor().set_names({OUTPUT_NAME})
    model.set_rt_info(record, [RECORD_NAME])
    return model


def save_openvino(model: Any, path: Path) -> None:
    """Write a model as `path`, which ends in .xml, and beside it its weights, whose name ends in .bin."""
    import_openvino().save_model(model, path, compress_to_fp16=False)


class OpenVinoRun:
    """Runs a written model with OpenVINO on the CPU, in float32."""

    def __init__(self, path: Path) -> None:
        core = shared_core()
        model = core.read_model(path, path.with_suffix(".bin"))
        self._compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        """Map raw pixels (B, bands, H, W) to (B, K, h, w)."""
        return np.array(self._compiled([np.ascontiguousarray(pixels)])[0], np.float32)

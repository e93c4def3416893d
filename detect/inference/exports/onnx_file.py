"""A network as an ONNX file, and onnxruntime, which runs it."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from detect.inference.exports.export_card import INPUT_NAME, OUTPUT_NAME, RECORD_NAME
from detect.inference.exports.fixed_padding import with_fixed_padding
from detect.inference.exports.program import EXAMPLE_CELLS, quiet
from detect.nets.card import ModelCard
from detect.nets.heads.specs import WholeHead

OPSET = 17
"""Version of ONNX's operators: old enough for runtimes of 2022 and later."""

PRODUCER = "detect"

RAW_NAME = "raw_pixels"
"""Inside the network: the pixels as numbers with a fraction."""

MOST_BYTES = (2 << 30) - 1
"""Most bytes of an ONNX file: protobuf has no more."""


def onnx_model(net: nn.Module, card: ModelCard, record: str) -> Any:
    """Return a network as an ONNX model with its record, without notes of the code that it was made of.

    It is traced, which torch calls the older way: its other exporter (`dynamo`, which needs onnxscript) took 12 to 40
    times as long for the same networks, with the same maps at the same speed. That the trace holds for tiles of other
    sizes is what `parity` is for.

    Raises:
        RuntimeError: torch cannot write it.
    """
    import onnx

    height, width = (card.align * cells for cells in EXAMPLE_CELLS)
    example = torch.zeros((2, len(card.bands), height, width))
    fixed = net if isinstance(card.head, WholeHead) else with_fixed_padding(net)  # squares have one size
    try:
        with TemporaryDirectory() as folder, quiet(), torch.inference_mode():
            made = Path(folder) / "net.onnx"
            torch.onnx.export(
                fixed,
                (example,),
                made,
                dynamo=False,
                input_names=[RAW_NAME],
                output_names=[OUTPUT_NAME],
                dynamic_axes={
                    RAW_NAME: {0: "batch", 2: "height", 3: "width"},
                    OUTPUT_NAME: {0: "batch", 2: "rows", 3: "cols"},
                },
                opset_version=OPSET,
            )
            model = onnx.load(made)
    except Exception as error:  # torch raises many kinds
        raise RuntimeError(f"torch cannot write this network as ONNX: {error}") from error
    return with_record(_of_pixels(model, card.dtype), record)


def _of_pixels(model: Any, dtype: str) -> Any:
    """Return a model of float32 pixels with a first step that makes them of pixels of a dtype; changed in place."""
    from onnx import TensorProto, helper

    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    model.graph.input[0].name = INPUT_NAME
    model.graph.input[0].type.tensor_type.elem_type = kind
    model.graph.node.insert(0, helper.make_node("Cast", [INPUT_NAME], [RAW_NAME], to=TensorProto.FLOAT))
    return model


def with_record(model: Any, record: str) -> Any:
    """Return an ONNX model with a record, of whose parts only names are kept; it is changed in place."""
    graph = model.graph
    for part in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer, graph, model):
        part.doc_string = ""
        del part.metadata_props[:]
    model.metadata_props.add(key=RECORD_NAME, value=record)
    model.producer_name = PRODUCER
    return model


def save_onnx(model: Any, path: Path) -> None:
    """Write an ONNX model, weights included, to a file of any name.

    Raises:
        ValueError: it is larger than ONNX files can be.
    """
    size = model.ByteSize()
    if size > MOST_BYTES:
        raise ValueError(f"the network takes {size >> 20} MiB, more than one ONNX file can hold; use format=openvino")
    path.write_bytes(model.SerializeToString(deterministic=True))


class OnnxRun:
    """Runs an ONNX file with onnxruntime on the CPU."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(path.read_bytes(), options, ["CPUExecutionProvider"])

    def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        """Map raw pixels (B, bands, H, W) to (B, K, h, w)."""
        return np.asarray(self._session.run([OUTPUT_NAME], {INPUT_NAME: pixels})[0], np.float32)

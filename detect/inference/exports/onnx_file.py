"""A network as an ONNX file, and onnxruntime, which runs it."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.inference.exports.export_card import INPUT_NAME, OUTPUT_NAME, RECORD_NAME
from detect.inference.exports.program import quiet

PRODUCER = "detect"

MOST_BYTES = (2 << 30) - 1
"""Most bytes of an ONNX file: protobuf has no more."""


def onnx_model(program: Any, record: str) -> Any:
    """Return one of torch's programs as an ONNX model with its record, without notes of the code it was made of.

    Raises:
        RuntimeError: torch cannot.
    """
    import torch

    try:
        with quiet():
            made = torch.onnx.export(
                program,
                dynamo=True,
                input_names=[INPUT_NAME],
                output_names=[OUTPUT_NAME],
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # torch raises many kinds
        raise RuntimeError(f"torch cannot write this network as ONNX: {error}") from error
    assert made is not None
    return with_record(made.model_proto, record)


def with_record(model: Any, record: str) -> Any:
    """Return an ONNX model with a record, of whose parts only names are kept; it is changed in place."""
    graph = model.graph
    for part in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer, graph):
        del part.metadata_props[:]
        part.doc_string = ""
    for function in model.functions:
        for part in (*function.node, function):
            del part.metadata_props[:]
            part.doc_string = ""
    del model.metadata_props[:]
    model.metadata_props.add(key=RECORD_NAME, value=record)
    model.producer_name, model.doc_string = PRODUCER, ""
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

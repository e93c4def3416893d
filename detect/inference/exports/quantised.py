"""An exported network in whole numbers of 8 bits, by NNCF: ranges of values are those of tiles that it is shown."""

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.inference.exports.export_card import INPUT_NAME, RECORD_NAME
from detect.inference.exports.program import quiet

FIRST_LAYERS = ("Conv", "Convolution", "GroupConvolution")
"""Kinds of a network's first layer, in the two formats."""

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

    model = onnx.load(source)
    kinds = [(node.name, node.op_type) for node in model.graph.node]
    made = _quantised(model, [{INPUT_NAME: tile} for tile in tiles], _before_layers(kinds), corrected)
    save_onnx(with_record(made, record), path)


def quantise_openvino(source: Path, path: Path, tiles: Tiles, record: str, *, corrected: bool) -> None:
    """Write the quantised form of OpenVINO's pair of files; arguments and errors as of `quantise_onnx`."""
    from detect.inference.exports.openvino_file import save_openvino
    from detect.inference.runtimes.openvino_runtime import shared_core

    model = shared_core().read_model(source, source.with_suffix(".bin"))
    kinds = [(step.get_friendly_name(), step.get_type_name()) for step in model.get_ordered_ops()]
    made = _quantised(model, tiles, _before_layers(kinds), corrected)
    made.set_rt_info(record, [RECORD_NAME])
    save_openvino(made, path)


def _before_layers(kinds: Sequence[tuple[str, str]]) -> list[str]:
    """Return the names of steps, of (name, kind) in order, before the first layer: pixels are not rounded there.

    NNCF takes the arithmetic of shapes, of networks that cut images into squares, for one of pixels, and would round
    these to 256 values between the least and the greatest of all bands.
    """
    return [name for name, _ in takewhile(lambda step: step[1] not in FIRST_LAYERS, kinds)]


def _quantised(model: Any, samples: Sequence[Any], kept: Sequence[str], corrected: bool) -> Any:
    from detect.inference.runtimes.openvino_runtime import import_openvino

    try:
        with quiet():
            import_openvino()  # before NNCF, which sends usage statistics by the same package
            import nncf
        with quiet():  # once more, as its import makes it tell of its progress
            return nncf.quantize(
                model,
                nncf.Dataset(samples),
                target_device=nncf.TargetDevice.CPU,
                subset_size=len(samples),
                ignored_scope=nncf.IgnoredScope(names=list(kept), validate=False),
                advanced_parameters=nncf.AdvancedQuantizationParameters(disable_bias_correction=not corrected),
            )
    except Exception as error:  # NNCF raises many kinds
        raise RuntimeError(f"NNCF cannot quantise this network: {error}") from error

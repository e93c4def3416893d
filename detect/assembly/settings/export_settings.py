"""Settings of `detect.export`."""

from dataclasses import dataclass
from typing import Literal

from detect.assembly.fields.file_paths import FilePath
from detect.assembly.fields.numbers import OneOrMore, Share
from detect.assembly.settings.label_settings import LabelledSettings


@dataclass(frozen=True)
class ExportSettings:
    """Settings of `detect.export`: `conf/export.yaml`."""

    model: FilePath
    format: Literal["onnx", "openvino", "pt2"]
    output: FilePath
    precision: Literal["float32", "int8"]
    max_loss: Share
    tiles: OneOrMore
    data: LabelledSettings
    overwrite: bool

    def __post_init__(self) -> None:
        ending = {"onnx": ".onnx", "openvino": ".xml", "pt2": ".pt2"}[self.format]
        if self.output.suffix != ending:
            raise ValueError(f"output={self.output} must end in {ending}, as files of format={self.format} do")
        if self.precision == "int8" and self.format == "pt2":
            raise ValueError("precision=int8 is for format=onnx and format=openvino; leave it out, or take one of them")
        if self.precision == "int8" and self.data.root is None:
            raise ValueError("precision=int8 is calibrated and tried on labelled images; give data.root=DIR too")
        if self.precision != "int8" and self.data.root is not None:
            raise ValueError("data.root is for precision=int8; leave it out")

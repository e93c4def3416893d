"""Settings of the commands that score: `detect.evaluate` and `detect.folds`."""

from dataclasses import dataclass
from typing import Literal

from detect.assembly.fields.file_paths import FilePath, OptionalPath
from detect.assembly.fields.numbers import AutoPositive, IoU, OneOrMore
from detect.assembly.fields.words import Names
from detect.assembly.settings.inference_settings import InferenceSettings
from detect.assembly.settings.label_settings import LabelledSettings


@dataclass(frozen=True)
class EvaluateSettings(InferenceSettings):
    """Settings of `detect.evaluate`: `conf/evaluate.yaml`."""

    predictions: OptionalPath
    annotations: OptionalPath
    model: OptionalPath
    data: LabelledSettings
    split: Literal["train", "val", "test", "all"]
    output: FilePath
    radius: AutoPositive
    iou: IoU | None
    batch_size: OneOrMore
    unknown: Names

    def __post_init__(self) -> None:
        if self.unknown and self.model is None:
            raise ValueError("unknown is for model=FILE on patches or whole images; leave it out")
        if (self.predictions is None) == (self.model is None):
            raise ValueError("give either predictions=DIR annotations=FILE, or model=FILE data.root=DIR")
        if self.predictions is not None and self.annotations is None:
            raise ValueError("annotations must be given: annotations=FILE")
        if self.model is not None and self.data.root is None:
            raise ValueError("data.root must be given: data.root=DIR")


@dataclass(frozen=True)
class FoldsSettings:
    """Settings of `detect.folds`: `conf/folds.yaml`."""

    runs: FilePath
    output: FilePath
    split: Literal["auto", "test", "val"]

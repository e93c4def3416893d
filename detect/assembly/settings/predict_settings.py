"""Settings of `detect.predict`."""

from dataclasses import dataclass
from typing import Literal

from detect.assembly.fields.file_paths import OptionalPath, PathOrAddress
from detect.assembly.fields.numbers import AutoPositive
from detect.assembly.fields.run_choices import SURVEY, Threshold
from detect.assembly.fields.words import Names
from detect.assembly.settings.inference_settings import InferenceSettings
from detect.assembly.settings.label_settings import Mosaics, Truncated
from detect.assembly.settings.launcher_settings import LauncherSettings
from detect.reporting.output.products import check_products


@dataclass(frozen=True)
class PredictSettings(InferenceSettings):
    """Settings of `detect.predict`: `conf/predict.yaml`."""

    launcher: LauncherSettings
    model: PathOrAddress
    images: PathOrAddress
    output: PathOrAddress
    vrt: Mosaics
    truncated: Truncated
    threshold: Threshold
    write: Names
    heatmaps: Literal["uint8", "float32"]
    within: OptionalPath
    within_layer: str | None
    overlap: Literal["auto", "merge", "keep"]
    overlap_radius_m: AutoPositive
    overwrite: bool

    def __post_init__(self) -> None:
        check_products(self.write)
        if self.launcher.kind == "ray" and self.runtime.devices not in (1, "auto"):
            raise ValueError(
                f"runtime.devices={self.runtime.devices} are of one machine, and launcher=ray takes the devices of a "
                "cluster (launcher.workers); leave one of them out"
            )
        if self.within is None and self.within_layer is not None:
            raise ValueError("within_layer names a layer of the file that within=FILE names; give within too")
        if self.within is not None and self.threshold == SURVEY:
            raise ValueError(
                "threshold=survey is told by whole images and does not go with within=FILE; run it without within "
                "first, and give the threshold that it tells"
            )

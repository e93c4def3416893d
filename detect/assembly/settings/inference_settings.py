"""Settings of what runs a network, and how it is run over scenes."""

from dataclasses import dataclass
from typing import Literal

from detect.assembly.fields.byte_sizes import AutoByteSize
from detect.assembly.fields.file_paths import OptionalPath
from detect.assembly.fields.numbers import AutoOneOrMore, AutoWholePixels, Factors, WholeShare
from detect.assembly.fields.run_choices import Adaptations, Devices, Halo, Rescale
from detect.assembly.fields.words import Precision, Text


@dataclass(frozen=True)
class RuntimeSettings:
    """What runs a network: `conf/runtime`."""

    runtime: Literal["auto", "torch", "openvino"]
    device: Text
    devices: Devices
    precision: Precision
    compile: bool
    scratch: OptionalPath


@dataclass(frozen=True)
class InferenceSettings:
    """How a network is run over scenes."""

    runtime: RuntimeSettings
    tile: AutoWholePixels
    halo: Halo
    max_memory: AutoByteSize
    workers: AutoOneOrMore
    tta: Literal["none", "flips", "d4", "scales", "flips+scales", "d4+scales"]
    tta_combine: Literal["mean", "vote"]
    tta_scales: Factors
    adapt: Adaptations
    adapt_share: WholeShare
    rescale: Rescale

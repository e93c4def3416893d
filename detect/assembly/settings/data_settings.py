"""Settings of how a training run draws from labelled data."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainValidator

from detect.assembly.fields.byte_sizes import byte_size
from detect.assembly.fields.file_paths import FilePaths
from detect.assembly.fields.numbers import (
    AutoPixels,
    AutoPositive,
    InnerShare,
    IoU,
    OneOrMore,
    PartShare,
    Positive,
    Scale,
    Share,
)
from detect.assembly.fields.words import BandList
from detect.assembly.settings.label_settings import LabelledSettings, SplitSettings
from detect.imagery.wafers.drawn.drawing import Drawing
from detect.samples.epochs import Loading
from detect.samples.values.normalisation import Given, Rule, read_rule


@dataclass(frozen=True)
class SamplingSettings:
    """What an epoch shows."""

    samples: OneOrMore
    crop: OneOrMore
    empty_fraction: PartShare
    negative_fraction: Share
    balance: Share
    reach: AutoPixels
    exclusion: AutoPixels


@dataclass(frozen=True)
class MiningSettings:
    """When the network looks for its own false alarms, and from which score on."""

    at: tuple[InnerShare, ...]
    score: InnerShare


@dataclass(frozen=True)
class MatchingSettings:
    """When a detection and an object are one, and how the threshold is chosen."""

    radius: AutoPositive
    iou: IoU | None
    select: Literal["f1", "count"]


def _loading(group: Any) -> Any:
    """Return the settings of loading with their size, such as `4GiB`, in bytes, and None for `workers=auto`."""
    if not isinstance(group, dict):
        return group
    try:
        sizes = {"cache": byte_size(group["cache"])} if "cache" in group else {}
    except ValueError as error:
        raise ValueError(f"data.loading.cache {error}") from None
    auto = {"workers": None} if group.get("workers") == "auto" else {}
    return {**group, **sizes, **auto}


@dataclass(frozen=True)
class DataSettings(LabelledSettings):
    """Labelled data and how a training run draws from it: `conf/data/images.yaml`."""

    root: FilePaths
    split: SplitSettings
    normalisation: Annotated[Rule | Given, PlainValidator(read_rule)]
    bands: BandList
    scale: Scale
    gsd: Positive | None
    wafers: Drawing
    sampling: SamplingSettings
    mining: MiningSettings
    matching: MatchingSettings
    loading: Annotated[Loading, BeforeValidator(_loading)]

"""Typed settings: the one gate through which a composed configuration becomes frozen dataclasses.

The dataclasses have the shape of the groups in `conf/`, which holds every default; here stands none.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal, TypeVar

import yaml
from omegaconf import DictConfig, OmegaConf
from pydantic import BeforeValidator, TypeAdapter, ValidationError

from detect.assembly.command import conf_folder
from detect.assembly.fields import (
    AutoPixels,
    AutoWholePixels,
    Batches,
    ByteSize,
    Devices,
    FilePath,
    Halo,
    IgnoredRegions,
    InnerShare,
    IoU,
    Names,
    NotNegative,
    OneOrMore,
    OptionalPath,
    PartShare,
    Positive,
    Precision,
    Scale,
    Seed,
    Share,
    Steps,
    Text,
    ZeroOrMore,
    byte_size,
    sentence,
)
from detect.assembly.heads.choice import NetSettings
from detect.assembly.renamed import unknown_setting
from detect.learning.hyperparameters import Mix, RateSpan, Schedule
from detect.samples.epochs import Loading
from detect.samples.pasting.paste_settings import GroundSettings, PasteSettings

T = TypeVar("T")


@dataclass(frozen=True)
class RuntimeSettings:
    """What runs a network: `conf/runtime`."""

    runtime: Literal["auto", "torch", "openvino"]
    device: Text
    precision: Precision
    compile: bool


@dataclass(frozen=True)
class InferenceSettings:
    """How a network is run over scenes."""

    runtime: RuntimeSettings
    tile: AutoWholePixels
    halo: Halo
    max_memory: ByteSize
    tta: Literal["none", "flips", "d4"]
    tta_combine: Literal["mean", "vote"]


@dataclass(frozen=True)
class PredictSettings(InferenceSettings):
    """Settings of `detect.predict`: `conf/predict.yaml`."""

    model: FilePath
    images: FilePath
    output: FilePath
    threshold: Share | None
    overwrite: bool


@dataclass(frozen=True)
class LabelSettings:
    """Which labels are no objects."""

    negative: Names
    ignored: Names
    ignored_regions: IgnoredRegions


@dataclass(frozen=True)
class NamedSides:
    """Which images or groups are named for a side, and the fold that is tested."""

    val: Names
    test: Names
    fold: Annotated[str | None, BeforeValidator(lambda value: None if value is None else str(value))]


@dataclass(frozen=True)
class SplitSettings(NamedSides):
    """Which images train, validate and are held back."""

    val_fraction: InnerShare
    val_from: Literal["images", "parts"]
    fold_seed: Seed
    copies: Literal["error", "warn"]
    guard: ZeroOrMore


@dataclass(frozen=True)
class LabelledSettings:
    """What is labelled: `conf/data/labelled.yaml`."""

    root: OptionalPath
    annotations: OptionalPath
    labels: LabelSettings
    split: NamedSides


@dataclass(frozen=True)
class SamplingSettings:
    """What an epoch shows."""

    samples: OneOrMore
    crop: OneOrMore
    empty_fraction: PartShare
    background_fraction: PartShare
    near_fraction: Share
    negative_fraction: Share
    balance: Share
    jitter: AutoPixels
    exclusion: AutoPixels


@dataclass(frozen=True)
class MiningSettings:
    """When the network looks for its own false alarms, and from which score on."""

    at: tuple[InnerShare, ...]
    score: InnerShare


@dataclass(frozen=True)
class MatchingSettings:
    """When a detection and an object are one, and how the threshold is chosen."""

    radius: Positive
    iou: IoU | None
    select: Literal["f1", "count"]


@dataclass(frozen=True)
class DataSettings(LabelledSettings):
    """Labelled data and how a training run draws from it: `conf/data/images.yaml`."""

    root: FilePath
    split: SplitSettings
    bands: tuple[OneOrMore, ...] | None
    scale: Scale
    gsd: Positive | None
    sampling: SamplingSettings
    mining: MiningSettings
    matching: MatchingSettings
    loading: Annotated[Loading, BeforeValidator(lambda value: _with_bytes(value, "cache"))]


@dataclass(frozen=True)
class AugmentSettings:
    """How training samples are varied: `conf/augment`."""

    transforms: dict[str, dict[str, Any] | None]
    superimpose: PasteSettings
    background: GroundSettings
    mixup: Mix
    cutmix: Mix


@dataclass(frozen=True)
class TrainerSettings:
    """Lightning's Trainer by its own names (None: Lightning's default), and what goes on beside it: `conf/trainer`."""

    max_epochs: OneOrMore
    accelerator: Text
    devices: Devices
    strategy: Text
    num_nodes: OneOrMore
    precision: Text
    gradient_clip_val: NotNegative | None
    gradient_clip_algorithm: Literal["norm", "value"] | None
    accumulate_grad_batches: OneOrMore
    min_epochs: OneOrMore | None
    max_steps: Steps
    min_steps: OneOrMore | None
    max_time: str | None
    limit_train_batches: Batches | None
    limit_val_batches: Batches | None
    deterministic: Any
    benchmark: bool | None
    detect_anomaly: bool
    profiler: str | None
    sync_batchnorm: bool
    use_distributed_sampler: bool
    patience: OneOrMore
    ema: InnerShare | None
    logger: Literal["csv", "tensorboard"]
    test: bool
    overfit: ZeroOrMore


@dataclass(frozen=True)
class LearningSettings:
    """Settings of every command that draws training samples."""

    data: DataSettings
    augment: AugmentSettings
    finetune: Schedule
    trainer: TrainerSettings
    runtime: RuntimeSettings
    net: NetSettings
    seed: Seed
    output: FilePath
    overwrite: bool
    config: dict[str, Any]
    """The composed configuration as it was given, for `config.yaml`."""

    def __post_init__(self) -> None:
        self.net.check_sampling(self.data.sampling)


@dataclass(frozen=True)
class TrainSettings(LearningSettings):
    """Settings of `detect.train`: `conf/train.yaml`."""

    resume: bool


@dataclass(frozen=True)
class FindLrSettings(TrainSettings):
    """Settings of `detect.find_lr`: `conf/find_lr.yaml`."""

    span: RateSpan


@dataclass(frozen=True)
class PreviewSettings(LearningSettings):
    """Settings of `detect.preview`: `conf/preview.yaml`."""

    samples: OneOrMore


@dataclass(frozen=True)
class EvaluateSettings(InferenceSettings):
    """Settings of `detect.evaluate`: `conf/evaluate.yaml`."""

    predictions: OptionalPath
    annotations: OptionalPath
    model: OptionalPath
    data: LabelledSettings
    split: Literal["train", "val", "test", "all"]
    output: FilePath
    radius: Positive
    iou: IoU | None
    batch_size: OneOrMore

    def __post_init__(self) -> None:
        if (self.predictions is None) == (self.model is None):
            raise ValueError("give either predictions=DIR annotations=FILE, or model=FILE data.root=DIR")
        if self.predictions is not None and self.annotations is None:
            raise ValueError("annotations must be given: annotations=FILE")
        if self.predictions is not None and self.data.labels.ignored:
            raise ValueError("data.labels.ignored goes with model=FILE data.root=DIR, not with predictions=")
        if self.model is not None and self.data.root is None:
            raise ValueError("data.root must be given: data.root=DIR")


@dataclass(frozen=True)
class ReportSettings:
    """Settings of `detect.report`: `conf/report.yaml`."""

    predictions: FilePath
    scores: OptionalPath
    embed_limit: ZeroOrMore


@dataclass(frozen=True)
class FoldsSettings:
    """Settings of `detect.folds`: `conf/folds.yaml`."""

    runs: FilePath
    output: FilePath
    split: Literal["auto", "test", "val"]


SETTINGS: dict[str, type] = {
    "train": TrainSettings,
    "predict": PredictSettings,
    "evaluate": EvaluateSettings,
    "report": ReportSettings,
    "preview": PreviewSettings,
    "find_lr": FindLrSettings,
    "folds": FoldsSettings,
}
"""The settings of each command, by its name and that of its root configuration."""


class SettingsError(ValueError):
    """Settings of the wrong kind or out of bounds: each by its full name, with what it must be and what it is."""


def checked(cfg: DictConfig, kind: type[T]) -> T:
    """Return the composed configuration as typed settings.

    Raises:
        SettingsError: a setting is of the wrong kind, out of bounds or unknown.
        omegaconf.errors.MissingMandatoryValue: a setting that must be given is not.
    """
    data: Any = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    return checked_data(data, kind)


def checked_data(data: Mapping[str, Any], kind: type[T]) -> T:
    """Return plain values as typed settings.

    Raises:
        SettingsError: a setting is of the wrong kind, out of bounds or unknown.
    """
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    whole = {**data, "config": data} if "config" in names else data
    try:
        made = TypeAdapter(kind).validate_json(json.dumps(whole), strict=True)
    except ValidationError as error:
        raise SettingsError("\n".join(dict.fromkeys(sentence(each, whole) for each in error.errors()))) from None
    unknown = list(_unknown(data, made))
    if unknown:
        known = list(_names(made))
        raise SettingsError("\n".join(unknown_setting(name, known) for name in unknown))
    return made


def inference_defaults() -> dict[str, Any]:
    """Read how a network is run over scenes by default: `conf/inference` and `conf/runtime`."""
    conf = conf_folder()
    runtime = yaml.safe_load((conf / "runtime" / "auto.yaml").read_text(encoding="utf-8"))
    return {"runtime": runtime, **yaml.safe_load((conf / "inference" / "default.yaml").read_text(encoding="utf-8"))}


def default_embed_limit() -> int:
    """Read how many images a report embeds by default: `conf/report.yaml`."""
    return int(yaml.safe_load((conf_folder() / "report.yaml").read_text(encoding="utf-8"))["embed_limit"])


def _unknown(data: Mapping[Any, Any], made: Any, name: str = "") -> Iterator[str]:
    """Yield the names of given settings that no field takes."""
    for key, value in data.items():
        if not hasattr(made, str(key)):
            yield f"{name}{key}"
        elif isinstance(value, dict) and is_dataclass(getattr(made, key)):
            yield from _unknown(value, getattr(made, key), f"{name}{key}.")


def _names(made: Any, name: str = "") -> Iterator[str]:
    """Yield the full names of the fields of nested settings."""
    for field in fields(made):
        value = getattr(made, field.name)
        if is_dataclass(value):
            yield from _names(value, f"{name}{field.name}.")
        else:
            yield f"{name}{field.name}"


def _with_bytes(group: Any, key: str) -> Any:
    """Return a group of settings whose size, such as `4GiB`, is a number of bytes."""
    if not isinstance(group, dict) or key not in group:
        return group
    try:
        return {**group, key: byte_size(group[key])}
    except ValueError as error:
        raise ValueError(f"data.loading.{key} {error}") from None

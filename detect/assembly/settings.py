"""Typed settings of every command, in the shape of the groups in `conf/`; every default stands there, none here."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainValidator

from detect.assembly.fields import (
    SURVEY,
    Adaptations,
    AutoByteSize,
    AutoOneOrMore,
    AutoPixels,
    AutoPositive,
    AutoWholePixels,
    BandList,
    Batches,
    ByteSize,
    ClassThresholds,
    ClusterAddress,
    Devices,
    Factors,
    FilePath,
    FilePaths,
    Halo,
    IgnoredRegions,
    InnerShare,
    IoU,
    Names,
    NotNegative,
    OneOrMore,
    OptionalPath,
    OptionalPaths,
    PartShare,
    PathOrAddress,
    PathOrAuto,
    Port,
    Positive,
    Precision,
    Renamings,
    Rescale,
    Scale,
    Seed,
    Share,
    Steps,
    Text,
    Threshold,
    WholeShare,
    ZeroOrMore,
    byte_size,
)
from detect.assembly.heads.choice import NetSettings
from detect.explaining.method_names import check_methods
from detect.imagery.wafers.drawn.drawing import Drawing
from detect.imagery.wafers.notches import AS_GIVEN
from detect.learning.hyperparameters import Mix, RateSpan, Schedule
from detect.reporting.lots.zones import LotSettings, Zones
from detect.reporting.output.products import check_products
from detect.samples.epochs import Loading
from detect.samples.pasting.paste_settings import GroundSettings, PasteSettings
from detect.samples.values.exchange import ExchangeSettings
from detect.samples.values.normalisation import Given, Rule, read_rule
from detect.samples.whole.patterns import PatternSettings

Mosaics = Literal["below", "trusted"]
Truncated = Literal["refuse", "keep"]
"""Which VRTs are opened: those of images below the images' folder, or all."""


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


@dataclass(frozen=True)
class LocalLauncher:
    """Settings of `launcher=local`: `conf/launcher/local.yaml`."""

    kind: Literal["local"]
    price_per_hour: Positive | None


@dataclass(frozen=True)
class RayLauncher:
    """Settings of `launcher=ray`: `conf/launcher/ray.yaml`."""

    kind: Literal["ray"]
    address: ClusterAddress
    workers: AutoOneOrMore
    devices_per_task: OneOrMore
    price_per_hour: Positive | None


LauncherSettings = Annotated[LocalLauncher | RayLauncher, Field(discriminator="kind")]
"""Settings of `launcher`, by its `kind`."""


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


@dataclass(frozen=True)
class LabelSettings:
    """What labels are called, and which are no objects."""

    names: Renamings
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
    val_from: Literal["auto", "images", "parts"]
    folds: OneOrMore
    fold_epochs: WholeShare
    fold_seed: Seed
    copies: Literal["error", "warn"]
    guard: ZeroOrMore


@dataclass(frozen=True)
class LabelledSettings:
    """What is labelled: `conf/data/labelled.yaml`."""

    root: OptionalPaths
    annotations: OptionalPaths
    vrt: Mosaics
    group_column: Text | None
    truncated: Truncated
    labels: LabelSettings
    split: NamedSides


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


@dataclass(frozen=True)
class AugmentSettings:
    """How training samples are varied: `conf/augment`."""

    transforms: dict[str, dict[str, Any] | None]
    exchange: ExchangeSettings
    superimpose: PasteSettings
    background: GroundSettings
    patterns: PatternSettings
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
    logger: Literal["csv", "tensorboard", "mlflow", "wandb"]
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
    init: OptionalPath
    output: FilePath
    overwrite: bool
    config: dict[str, Any]
    """The composed configuration as it was given, for `config.yaml`."""

    def __post_init__(self) -> None:
        self.net.check_sampling(self.data.sampling)
        if self.data.wafers.notch != AS_GIVEN and self.net.kind != "whole":
            raise ValueError(
                f"data.wafers.notch={self.data.wafers.notch} is for net=whole: where objects are found and labelled, "
                "their places are those of the list; leave it out, augment=wafer shows a network every turn"
            )
        if self.init is not None and not self.finetune.pretrained:
            raise ValueError("finetune=scratch begins with new weights, and init=MODEL with a model's; leave one out")


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
class ZoneSettings:
    """How wafers are parted, and what their defects are: `zones` of `conf/report.yaml`."""

    rings: tuple[InnerShare, ...]
    sectors: OneOrMore
    exclusion_mm: float
    diameter_mm: Positive | None
    values: tuple[float, float] | None
    notch: str | None
    truncated: Truncated | None

    def __post_init__(self) -> None:
        self.lots()

    def lots(self) -> LotSettings:
        """Return what the report for lots is made by."""
        zones = Zones(self.rings, self.sectors, self.exclusion_mm)
        keep = None if self.truncated is None else self.truncated == "keep"
        return LotSettings(zones, self.diameter_mm, self.values, self.notch, keep)


@dataclass(frozen=True)
class ReportSettings:
    """Settings of `detect.report`: `conf/report.yaml`."""

    predictions: FilePath
    scores: OptionalPath
    threshold: ClassThresholds
    model: OptionalPath
    embed_limit: ZeroOrMore
    lots: PathOrAuto
    zones: ZoneSettings

    def __post_init__(self) -> None:
        if self.model is not None and self.threshold is None:
            raise ValueError("model is for counting at another threshold; give threshold too, or leave model out")
        if self.scores is not None and self.threshold is not None:
            raise ValueError(
                "scores are of the counts that there are; write them at the new threshold first (threshold=...), "
                "evaluate these (detect.evaluate), and give scores then"
            )


@dataclass(frozen=True)
class ReviewSettings:
    """Settings of `detect.review`: `conf/review.yaml`."""

    predictions: FilePath
    model: OptionalPath
    port: Port
    browser: bool
    memory: ByteSize
    classes: Names


@dataclass(frozen=True)
class SurveySettings:
    """Settings of `detect.survey`: `conf/survey.yaml`."""

    predictions: FilePath
    windows: AutoOneOrMore
    side: AutoWholePixels
    classes: Names
    within: OptionalPath
    within_layer: str | None
    known: Names
    rank: Literal["uncertain"] | None
    floor: Share | None
    seed: Seed | None
    export: Literal["label_studio", "cvat"] | None
    context: AutoWholePixels
    address: str
    corrections: OptionalPath
    reviewed: Literal["tagged", "all"] | None
    new_classes: Names
    overrule: bool

    def __post_init__(self) -> None:
        if self.rank is not None and (self.export is not None or self.corrections is not None):
            raise ValueError(
                "rank lists windows that are not drawn by chance; leave it out to exchange drawn ones with a labelling "
                "team (export, corrections)"
            )
        if self.address and not self.address.endswith(("/", "=", "%2F", "%2f")):
            raise ValueError(f"address={self.address}: names of pictures are put behind it, so it must end with / or =")
        if self.corrections is None and (self.reviewed is not None or self.overrule):
            raise ValueError("reviewed and overrule say how corrections=FILE is taken; give corrections too")
        if self.side == 0:
            raise ValueError("side must be auto or 1 pixel or more, got 0")
        if self.within is None and self.within_layer is not None:
            raise ValueError("within_layer names a layer of the file that within=FILE names; give within too")


@dataclass(frozen=True)
class ConvertSettings:
    """Settings of `detect.convert`: `conf/convert.yaml`."""

    source: FilePath
    target: OptionalPath
    format: Text | None
    root: OptionalPath
    summary: OptionalPath
    sheet: OptionalPath
    samples: OneOrMore
    truncated: Truncated
    overwrite: bool


@dataclass(frozen=True)
class FoldsSettings:
    """Settings of `detect.folds`: `conf/folds.yaml`."""

    runs: FilePath
    output: FilePath
    split: Literal["auto", "test", "val"]


def _window(value: Any) -> tuple[int, int, int, int] | None:
    """Return the four numbers of a window."""
    if value is None:
        return None
    numbers = value if isinstance(value, list) and all(type(each) is int for each in value) else []
    if len(numbers) != 4 or min(numbers[:2]) < 0 or min(numbers[2:]) < 1:
        raise ValueError(
            f"must be [row,col,height,width] in whole pixels, such as [0,0,384,384], got {str(value).replace(' ', '')}"
        )
    row, col, height, width = numbers
    return row, col, height, width


@dataclass(frozen=True)
class ExplainedData:
    """In which images patches are looked for that excite a channel: `data` of `conf/explain.yaml`."""

    root: OptionalPath
    windows: OneOrMore


@dataclass(frozen=True)
class ExplainSettings:
    """Settings of `detect.explain`: `conf/explain.yaml`."""

    model: FilePath
    image: FilePath
    output: FilePath
    window: Annotated[tuple[int, int, int, int] | None, PlainValidator(_window)]
    predictions: OptionalPath
    detection: OneOrMore
    class_: Annotated[Text | None, Field(alias="class")]
    side: OneOrMore
    methods: Names
    sanity: bool
    layer: Text | None
    channel: Text | None
    data: ExplainedData
    seed: Seed
    device: Text
    overwrite: bool

    def __post_init__(self) -> None:
        check_methods(self.methods)
        if self.window is not None and self.predictions is not None:
            raise ValueError(
                "window looks for objects in a part of the image, and predictions has those of all; leave one out"
            )
        place, _, number = (self.channel or "x:0").rpartition(":")
        if not place or not number.isdecimal():
            raise ValueError(f"channel must be LAYER:NUMBER, such as neck.layer_blocks.0:7, got {self.channel}")
        for name, given in self._unused():
            raise ValueError(
                f"{name}={given} is for other methods than methods=[{','.join(self.methods)}]; leave it out"
            )

    def _unused(self) -> Iterator[tuple[str, object]]:
        """Yield the settings that none of the methods looks at, and their values."""
        patches = "features" in self.methods and self.data.root is not None
        if self.data.root is not None and not patches:
            yield "data.root", self.data.root
        if self.channel is not None and not patches and "maximise" not in self.methods:
            yield "channel", self.channel


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


SETTINGS: dict[str, type] = {
    "train": TrainSettings,
    "predict": PredictSettings,
    "evaluate": EvaluateSettings,
    "report": ReportSettings,
    "review": ReviewSettings,
    "survey": SurveySettings,
    "preview": PreviewSettings,
    "find_lr": FindLrSettings,
    "folds": FoldsSettings,
    "convert": ConvertSettings,
    "explain": ExplainSettings,
    "export": ExportSettings,
}
"""The settings of each command, by its name and that of its root configuration."""

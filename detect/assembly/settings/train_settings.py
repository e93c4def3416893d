"""Settings of the commands that draw training samples."""

from dataclasses import dataclass
from typing import Any, Literal

from detect.assembly.fields.file_paths import FilePath, OptionalPath
from detect.assembly.fields.numbers import Batches, InnerShare, NotNegative, OneOrMore, Seed, Steps, ZeroOrMore
from detect.assembly.fields.run_choices import Devices
from detect.assembly.fields.words import Text
from detect.assembly.heads.choice import NetSettings
from detect.assembly.settings.data_settings import DataSettings
from detect.assembly.settings.inference_settings import RuntimeSettings
from detect.imagery.wafers.notches import AS_GIVEN
from detect.learning.hyperparameters import Mix, RateSpan, Schedule
from detect.samples.pasting.paste_settings import GroundSettings, PasteSettings
from detect.samples.values.exchange import ExchangeSettings
from detect.samples.whole.patterns import PatternSettings


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

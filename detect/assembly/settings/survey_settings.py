"""Settings of the commands by which a person looks: `detect.review` and `detect.survey`."""

from dataclasses import dataclass
from typing import Literal

from detect.assembly.fields.byte_sizes import ByteSize
from detect.assembly.fields.file_paths import FilePath, OptionalPath
from detect.assembly.fields.numbers import AutoOneOrMore, AutoWholePixels, Port, Seed, Share
from detect.assembly.fields.words import Names


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

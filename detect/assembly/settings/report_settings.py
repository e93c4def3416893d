"""Settings of `detect.report`."""

from dataclasses import dataclass

from detect.assembly.fields.file_paths import FilePath, OptionalPath, PathOrAuto
from detect.assembly.fields.numbers import InnerShare, OneOrMore, Positive, ZeroOrMore
from detect.assembly.fields.run_choices import ClassThresholds
from detect.assembly.settings.label_settings import Truncated
from detect.reporting.lots.zones import LotSettings, Zones


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

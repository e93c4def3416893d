"""Settings of what is labelled, what labels are called, and which images train, validate and are held back."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator

from detect.assembly.fields.file_paths import IgnoredRegions, OptionalPaths
from detect.assembly.fields.numbers import InnerShare, OneOrMore, Seed, WholeShare, ZeroOrMore
from detect.assembly.fields.words import Names, Renamings, Text

Mosaics = Literal["below", "trusted"]
"""Which VRTs are opened: those of images below the images' folder, or all."""

Truncated = Literal["refuse", "keep"]
"""Whether a file that ends too early is refused, or what is there kept."""


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

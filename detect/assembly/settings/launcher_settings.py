"""Settings of where a run's work is done, one class a kind."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from detect.assembly.fields.numbers import AutoOneOrMore, OneOrMore, Positive
from detect.assembly.fields.words import ClusterAddress


@dataclass(frozen=True)
class LocalLauncher:
    """Settings of `launcher=local`: `conf/launcher/local.yaml`."""

    kind: Literal["local"]
    silent_minutes: Positive | None
    price_per_hour: Positive | None


@dataclass(frozen=True)
class RayLauncher:
    """Settings of `launcher=ray`: `conf/launcher/ray.yaml`."""

    kind: Literal["ray"]
    address: ClusterAddress
    workers: AutoOneOrMore
    devices_per_task: OneOrMore
    silent_minutes: Positive | None
    price_per_hour: Positive | None


LauncherSettings = Annotated[LocalLauncher | RayLauncher, Field(discriminator="kind")]
"""Settings of `launcher`, by its `kind`."""

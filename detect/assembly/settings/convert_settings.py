"""Settings of `detect.convert`."""

from dataclasses import dataclass

from detect.assembly.fields.file_paths import FilePath, OptionalPath
from detect.assembly.fields.numbers import OneOrMore
from detect.assembly.fields.words import Text
from detect.assembly.settings.label_settings import Truncated


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

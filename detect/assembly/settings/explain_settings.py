"""Settings of `detect.explain`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, PlainValidator

from detect.assembly.fields.file_paths import FilePath, OptionalPath
from detect.assembly.fields.numbers import OneOrMore, Seed
from detect.assembly.fields.words import Names, Text
from detect.explaining.method_names import check_methods


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

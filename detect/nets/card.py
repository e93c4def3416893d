"""The card of a model: all that prediction needs beside the weights."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, assert_never

from detect.imagery.description.arranging import Bands
from detect.imagery.description.band_names import plain_band_name
from detect.imagery.resolution import Resolution, squared
from detect.imagery.scenes import Scene
from detect.imagery.wafers.drawn.drawing import Drawing, drawing_of
from detect.nets.bounds import (
    DTYPES,
    GREATEST,
    HIGHEST_BAND,
    LEAST_SCALE,
    MOST_BANDS,
    MOST_CELLS,
    MOST_CLASSES,
    MOST_PIXELS,
    MOST_STAGES,
    MOST_STRIDE,
    check_backbone_name,
    check_mapping,
    check_name,
    check_number,
    check_record,
    check_whole,
    shown,
)
from detect.nets.facts.looks import Looks
from detect.nets.facts.probabilities import Calibration
from detect.nets.facts.window_looks import WindowLooks
from detect.nets.first_format import OLD_FORMAT, from_first_format
from detect.nets.heads.specs import HEADS, GridHead, Head, PatchHead, WholeHead

FORMAT, THIRD_FORMAT, SECOND_FORMAT = "detect/4", "detect/3", "detect/2"
"""Version of the header that is written; the one before, whose looks lack the spread of values and those of windows;
and the one before that, which says nothing of what training images look like. Readers refuse unknown ones."""

LONGEST = 12 << 20
"""Most characters of a header: what is made of them takes some hundred megabytes at most."""


class ModelFileError(ValueError):
    """A file that is not a model of this program, with the reason."""


@dataclass(frozen=True)
class BackboneSpec:
    """The name and the shape of a backbone.

    Attributes:
        name: timm's name of the network, `torchvision/alexnet`, `torchvision/googlenet`, or `lenet5`.
        stride: input pixels per feature cell: 4, 8, 16 or 32; 1, 2 or 4 of `lenet5`.
        stages: number of the network's feature stages to keep; those that would go beyond the stride are dilated
            instead (timm's `output_stride`). None keeps the stages up to the deepest one that has the stride by
            itself: fast, with a small receptive field.
        bands: number of input bands.

    Raises:
        ValueError: a number out of its bounds, or a name that is a path or an address.
    """

    name: str
    stride: int
    stages: int | None = None
    bands: int = 3

    def __post_init__(self) -> None:
        check_backbone_name(self.name)
        check_whole("net.stride", self.stride, 1, MOST_STRIDE)
        check_whole("bands of a backbone", self.bands, 1, MOST_BANDS)
        if self.stages is not None:
            check_whole("net.stages", self.stages, 1, MOST_STAGES)


@dataclass(frozen=True)
class NetSpec:
    """What a network is built from, and the images that it takes.

    Attributes:
        head: the form of its outputs.
        backbone: the network's name, stride, depth and number of bands.
        classes: names of the things to find, without the background.
        bands: band numbers, from 1, of the images.
        dtype: numpy name of the training images' pixels.
        resolution: the size to which images are resampled.
        band_names: what the bands are called in the training images, empty where that is not known; () of a model made
            before names were kept.
        drawing: how the training images were drawn, of lists of wafers' defects; None of images with pixels.

    Raises:
        ValueError: no class, one named twice, other pixels than images have, another number of bands than the
            backbone's, or a patch of too many cells.
    """

    head: Head
    backbone: BackboneSpec
    classes: tuple[str, ...]
    bands: tuple[int, ...]
    dtype: str
    resolution: Resolution
    band_names: tuple[str, ...] = field(default=(), kw_only=True)
    drawing: Drawing | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not self.classes:
            raise ValueError("a network needs one class or more, got none")
        self._check_classes()
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {shown(self.dtype)}")
        check_whole("the number of bands", len(self.bands), 0, MOST_BANDS)
        for band in self.bands:
            check_whole("each of the bands", band, 1, HIGHEST_BAND)
        if len(self.bands) != self.backbone.bands:
            raise ValueError(f"bands {list(self.bands)} do not go with a backbone of {self.backbone.bands} bands")
        if len(self.band_names) not in (0, len(self.bands)):
            raise ValueError(f"band_names {shown(self.band_names)} are not one for each of {list(self.bands)}")
        for name in self.band_names:
            if not isinstance(name, str) or name != plain_band_name(name):
                raise ValueError(f"{shown(name)} is no name of a band")
        if isinstance(self.head, PatchHead):
            check_whole("net.patch_size in cells", self.head.patch_size // self.stride, 0, MOST_CELLS)

    def _check_classes(self) -> None:
        check_whole("the number of classes", len(self.classes), 1, MOST_CLASSES)
        for name in self.classes:
            check_name("class", name)
        twice = [name for name, number in Counter(self.outputs).items() if number > 1]
        if twice:
            raise ValueError(f"the class {shown(twice[0])} occurs twice, or is the background too; rename one")

    @property
    def learned_bands(self) -> Bands:
        """The bands with their names."""
        return Bands(self.bands, self.band_names)

    @property
    def stride(self) -> int:
        """Resampled pixels per cell of the map."""
        return self.head.cell(self.backbone.stride)

    @property
    def align(self) -> int:
        """Resampled pixels on whose multiples a tile must begin and end."""
        return self.head.alignment(self.stride)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the network's classes, the background first."""
        return self.head.outputs(self.classes)

    def resampled(self, scene: Scene) -> Scene:
        """Return a scene at the size at which the network sees it.

        Raises:
            SceneError, ValueError: as of `Resolution.resampled` and `squared`.
        """
        match self.head:
            case WholeHead(side=side):
                return squared(scene, side)
            case PatchHead() | GridHead():
                return self.resolution.resampled(scene)
            case _:
                assert_never(self.head)

    @property
    def cell_offset(self) -> float:
        """Position in resampled pixels, along both axes, of what cell 0 of the map describes."""
        return self.head.cell_offset(self.stride)


@dataclass(frozen=True)
class ModelCard(NetSpec):
    """What prediction needs beside the weights; the header of a model file.

    Attributes:
        offset, scale: normalisation (x - offset) / scale, a number a band.
        halo: context in resampled pixels that makes tiles exact; None where no halo can (an unbounded receptive field).
        halo_auto: a smaller context that was measured to be enough, None where it was not measured.
        halo_error: greatest error of the logits of tiles with `halo_auto`, as a part of the largest logit.
        threshold: least score of a detection, in [0, 1].
        separation: greatest IoU of two boxes of a class, or least distance of two points in resampled pixels.
        calibration: what makes probabilities of a network's scores (`Calibration`), of which the threshold is one then;
            None where scores are as the network gives them.
        training: the record of how it was made and validated.
        looks: what the training images look like in the model's bands; None of models that do not know.
        window_looks: what windows of the training scenes look like, each by itself; None of models that do not know.

    Raises:
        ValueError: a normalisation or looks of other bands, or a halo, threshold or separation out of bounds.
    """

    offset: tuple[float, ...]
    scale: tuple[float, ...]
    halo: int | None
    halo_auto: int | None
    halo_error: float | None
    threshold: float
    separation: float
    calibration: Mapping[str, float] | None
    training: Mapping[str, Any]
    looks: Looks | None = None
    window_looks: WindowLooks | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not len(self.offset) == len(self.scale) or len(self.scale) not in (0, len(self.bands)):
            raise ValueError(
                f"offset and scale need a number for each of {len(self.bands)} bands, got {len(self.offset)} and "
                f"{len(self.scale)}"
            )
        if self.looks is not None and len(self.looks.bands) != len(self.bands):
            raise ValueError(f"looks are of {len(self.looks.bands)} bands, the model of {len(self.bands)}")
        if self.window_looks is not None and (
            self.looks is None or len(self.window_looks.light[0]) != len(self.bands) + 1
        ):
            raise ValueError(f"looks of windows are not of the model's {len(self.bands)} bands, or there are no others")
        for value in self.offset:
            check_number("offset", value, -GREATEST, GREATEST)
        for value in self.scale:
            check_number("scale", value, LEAST_SCALE, GREATEST)
        for name in ("halo", "halo_auto"):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name), 0, MOST_PIXELS)
        check_number("threshold", self.threshold, 0, 1)
        check_number("separation", self.separation, 0, 1 if self.head.boxes else MOST_PIXELS)
        self._check_notes()

    def _check_notes(self) -> None:
        """Check what is told and not computed with."""
        if not isinstance(self.halo_error, float | int | None):
            raise TypeError(f"halo_error must be a number, got {shown(self.halo_error)}")
        if self.calibration is not None:
            check_mapping("calibration", self.calibration)
            for name, value in self.calibration.items():
                check_number(f"calibration.{name}", value, -GREATEST, GREATEST)
            Calibration.from_record(self.calibration)
        check_record(self.training)

    @property
    def radius(self) -> float:
        """Least distance of two points in resampled pixels; 0 where boxes are found."""
        return 0.0 if self.head.boxes else self.separation

    @property
    def nms_iou(self) -> float | None:
        """Greatest IoU of two boxes of a class; None where points are found."""
        return self.separation if self.head.boxes else None

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """Read a header.

        Raises:
            ModelFileError: a header of an unknown format or head, or a damaged one.
        """
        if len(text) > LONGEST:
            raise ModelFileError(f"the header is of {len(text):,} characters, of {LONGEST:,} at most")
        try:
            data = json.loads(text)
            version = data.pop("format", None)
            if version == OLD_FORMAT:
                data = from_first_format(data)
            elif version not in (FORMAT, THIRD_FORMAT, SECOND_FORMAT):
                known = f"{FORMAT}, {THIRD_FORMAT}, {SECOND_FORMAT} or {OLD_FORMAT}"
                raise ValueError(f"the header is of format {shown(version)!r}, not of {known}")
            later = {"looks": (FORMAT, THIRD_FORMAT), "window_looks": (FORMAT,)}
            for entry, formats in later.items():
                if entry in data and version not in formats:
                    raise ValueError(f"an entry in a header of {version} that it does not have: {entry}")
            return cls._from_data(data)
        except (TypeError, KeyError, AttributeError, ValueError, RecursionError) as error:
            raise ModelFileError(f"the header cannot be read ({error})") from error

    @classmethod
    def _from_data(cls, data: dict[str, Any]) -> "ModelCard":
        unknown = sorted(set(data) - {entry.name for entry in fields(cls)})
        if unknown:
            raise ValueError(f"unknown entries in the header: {', '.join(map(shown, unknown[:5]))}")
        data.setdefault("band_names", [])
        for name in ("classes", "bands", "band_names", "offset", "scale"):
            if not isinstance(data[name], list):
                raise TypeError(f"{name} must be a list, got {shown(data[name])}")
        windows = data.get("window_looks")
        made = {
            "head": _head(data.pop("head")),
            "backbone": BackboneSpec(**data.pop("backbone")),
            "resolution": Resolution(**data.pop("resolution")),
            "drawing": drawing_of(data.get("drawing")),
            "looks": None if data.get("looks") is None else Looks.from_data(data["looks"]),
            "window_looks": None if windows is None else WindowLooks.from_data(windows),
        }
        lists = {key: tuple(value) for key, value in data.items() if isinstance(value, list)}
        return cls(**{**data, **lists, **made})

    def to_json(self) -> str:
        """Return the header as text."""
        data = asdict(self)
        data["head"] = {"name": self.head.name, **data["head"]}
        if not data["head"].get("known", 1):  # as versions write it that keep no features
            del data["head"]["known"]
        if self.drawing is None:  # as versions write it that draw no wafers
            del data["drawing"]
        else:
            data["drawing"] = self.drawing.record()
        return json.dumps({"format": FORMAT, **data}, sort_keys=True)


def _head(data: dict[str, Any]) -> Head:
    name = data.pop("name")
    if name not in HEADS:
        raise ValueError(f"unknown head {shown(name)}; this version knows {', '.join(HEADS)}")
    return HEADS[name](**data)

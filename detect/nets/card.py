"""The card of a model: all that prediction needs beside the weights."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from detect.imagery.resolution import Resolution
from detect.nets.heads.specs import HEADS, Head

FORMAT = "detect/2"
"""Version of the header that is written; readers refuse unknown ones."""

OLD_FORMAT = "detect/1"
"""Version before heads had entries of their own; it is read and no longer written."""


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
        ValueError: less than one stage or band.
    """

    name: str
    stride: int
    stages: int | None = None
    bands: int = 3

    def __post_init__(self) -> None:
        if self.stages is not None and self.stages < 1:
            raise ValueError(f"net.stages must be 1 or more, or null, got {self.stages}")
        if self.bands < 1:
            raise ValueError(f"a backbone needs 1 band or more, got {self.bands}")


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

    Raises:
        ValueError: no class, or another number of bands than the backbone's.
    """

    head: Head
    backbone: BackboneSpec
    classes: tuple[str, ...]
    bands: tuple[int, ...]
    dtype: str
    resolution: Resolution

    def __post_init__(self) -> None:
        if not self.classes:
            raise ValueError("a network needs one class or more, got none")
        if len(self.bands) != self.backbone.bands:
            raise ValueError(f"bands {list(self.bands)} do not go with a backbone of {self.backbone.bands} bands")

    @property
    def stride(self) -> int:
        """Resampled pixels per cell of the map."""
        return self.backbone.stride

    @property
    def align(self) -> int:
        """Resampled pixels on whose multiples a tile must begin and end."""
        return self.head.alignment(self.stride)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the network's classes, the background first."""
        return self.head.outputs(self.classes)

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
        calibration: parameters that turn scores into probabilities, None where there are none.
        training: the record of how it was made and validated.

    Raises:
        ValueError: a normalisation of other bands, or a halo, threshold or separation out of bounds.
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

    def __post_init__(self) -> None:
        super().__post_init__()
        if not len(self.offset) == len(self.scale) or len(self.scale) not in (0, len(self.bands)):
            raise ValueError(f"offset and scale need a number for each of {len(self.bands)} bands, got {self.scale}")
        for name in ("halo", "halo_auto"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"{name} must be 0 or more pixels, got {value}")
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold must be in [0, 1], got {self.threshold}")
        if not self.separation >= 0:
            raise ValueError(f"separation must be 0 or more, got {self.separation}")

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
        try:
            data = json.loads(text)
            version = data.pop("format", None)
            if version == OLD_FORMAT:
                data = _from_first_format(data)
            elif version != FORMAT:
                raise ModelFileError(f"the header is of format {version!r}, not of {FORMAT} or {OLD_FORMAT}")
            return cls._from_data(data)
        except ModelFileError:
            raise
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise ModelFileError(f"the header cannot be read ({error})") from error

    @classmethod
    def _from_data(cls, data: dict[str, Any]) -> "ModelCard":
        unknown = set(data) - {entry.name for entry in fields(cls)}
        if unknown:
            raise ModelFileError(f"unknown entries in the header: {sorted(unknown)}")
        made = {
            "head": _head(data.pop("head")),
            "backbone": BackboneSpec(**data.pop("backbone")),
            "resolution": Resolution(**data.pop("resolution")),
        }
        lists = {key: tuple(value) for key, value in data.items() if isinstance(value, list)}
        return cls(**{**data, **lists, **made})

    def to_json(self) -> str:
        """Return the header as text."""
        data = asdict(self)
        data["head"] = {"name": self.head.name, **data["head"]}
        return json.dumps({"format": FORMAT, **data}, sort_keys=True)


def _head(data: dict[str, Any]) -> Head:
    name = data.pop("name")
    if name not in HEADS:
        raise ModelFileError(f"unknown head {name!r}; this version knows {', '.join(HEADS)}")
    return HEADS[name](**data)


def _from_first_format(data: dict[str, Any]) -> dict[str, Any]:
    """Return the entries of a header of `detect/1` as today's.

    Raises:
        ModelFileError: an unknown kind of network, or a grid head without its shape.
    """
    later = sorted({"head", "resolution", "separation"} & set(data))
    if later:
        raise ModelFileError(f"entries in a header of {OLD_FORMAT} that it does not have: {later}")
    kind, size, grid = data.pop("kind"), data.pop("patch_size"), data.pop("grid", None)
    background, radius, nms_iou = data.pop("background"), data.pop("radius", 0.0), data.pop("nms_iou", None)
    if kind == "patch" and grid is None:
        head = {"name": "patch", "patch_size": size, "background": background}
    elif kind == "grid" and grid is not None:
        head = {"name": "grid", **grid, "typical_size": size}
    else:
        raise ModelFileError(f"unknown kind of network {kind!r}, expected patch, or grid with its head")
    optional: dict[str, Any] = {
        "halo_auto": None,
        "halo_error": None,
        "calibration": None,
        "training": {},
        "threshold": 0.5,
    }
    resolution = {"scale": data.pop("image_scale", 1.0), "gsd": data.pop("gsd", None)}
    separation = radius if nms_iou is None else nms_iou
    return {**optional, **data, "head": head, "resolution": resolution, "separation": separation}

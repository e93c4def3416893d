"""The card of a model: all that prediction needs to know beside the weights."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from detect.imagery.resolution import Resolution


@dataclass(frozen=True)
class BackboneSpec:
    """What names a backbone.

    Attributes:
        name: timm's name of the network, `torchvision/alexnet`, `torchvision/googlenet`, or `lenet5`.
        stride: input pixels per feature cell: 4, 8, 16 or 32; 1, 2 or 4 of `lenet5`.
        stages: number of the network's feature stages to keep; those that would go beyond the stride are dilated
            instead (timm's `output_stride`). None keeps the stages up to the deepest one that has the stride by
            itself: fast, with a small receptive field.
        bands: number of input bands.
    """

    name: str = "tf_efficientnet_lite0"
    stride: int = 16
    stages: int | None = None
    bands: int = 3

    def __post_init__(self) -> None:
        if self.stages is not None and self.stages < 1:
            raise ValueError(f"net.stages must be 1 or more, or null, got {self.stages}")
        if self.bands < 1:
            raise ValueError(f"a backbone needs 1 band or more, got {self.bands}")


@dataclass(frozen=True)
class GridSpec:
    """What shapes a grid head.

    Attributes:
        deepest: stride of the pyramid's coarsest level; it decides the context and the alignment of tiles.
        width: channels of the pyramid and the head.
        slots: objects that a cell can hold.
        object_size: side in pixels that a size of 0 stands for; None for points.
    """

    deepest: int
    width: int = 96
    slots: int = 1
    object_size: float | None = None

    def __post_init__(self) -> None:
        if self.deepest < 1:
            raise ValueError(f"net.deepest must be 1 or more, got {self.deepest}")
        if self.slots < 1:
            raise ValueError(f"net.slots must be 1 or more, got {self.slots}")
        if self.width < 8:
            raise ValueError(f"net.width must be 8 or more, got {self.width}")
        if self.object_size is not None and not self.object_size > 0:
            raise ValueError(f"the objects' size must be positive, got {self.object_size}")


FORMAT = "detect/1"
"""Version of the header; a reader refuses what it does not know."""


class ModelFileError(ValueError):
    """A file that is not a model of this program, with the reason."""


@dataclass(frozen=True)
class ModelCard:
    """What prediction needs to know beside the weights; the header of a model file.

    Attributes:
        kind: family of the network: `patch` or `grid`.
        backbone: the network's name, stride, depth and number of bands.
        classes: names of the things to find, without the background.
        background: the background's name (a patch classifier's first output), None for a classifier of patches alone,
            and for a grid head, which has none.
        bands: band numbers, from 1, of the images.
        dtype: numpy name of the training images' pixels.
        offset, scale: normalisation (x - offset) / scale, a number a band.
        patch_size: side in pixels of a patch; of a grid head's typical object. This and the other lengths are in
            pixels of what the network sees.
        halo: context in pixels that makes tiles exact; None where no halo can (an unbounded receptive field).
        halo_auto: a smaller context that was measured to be enough, None where it was not measured.
        halo_error: how far the logits of tiles with `halo_auto` were from exact, as a part of the largest logit.
        threshold: least score of a detection, in [0, 1].
        radius: no two detections are closer than this, in pixels; of a grid head, no two points.
        nms_iou: no two boxes of a class that a grid head finds overlap by more than this IoU.
        grid: what shapes a grid head, None for a patch classifier.
        calibration: parameters that turn scores into probabilities, None where there are none.
        training: how it was made and validated, for the record.
        image_scale: images are resampled by this factor before the network sees them.
        gsd: or from their own metres per pixel to these; None goes by `image_scale`.

    Raises:
        ValueError: `image_scale` or `gsd` is no resolution.
    """

    kind: str
    backbone: BackboneSpec
    classes: tuple[str, ...]
    background: str | None
    bands: tuple[int, ...]
    dtype: str
    offset: tuple[float, ...]
    scale: tuple[float, ...]
    patch_size: int
    halo: int | None
    threshold: float = 0.5
    radius: float = 0.0
    halo_auto: int | None = None
    halo_error: float | None = None
    calibration: Mapping[str, float] | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    grid: GridSpec | None = None
    nms_iou: float | None = None
    image_scale: float = 1.0
    gsd: float | None = None

    def __post_init__(self) -> None:
        Resolution(self.image_scale, self.gsd)

    @property
    def resolution(self) -> Resolution:
        """At what size the network sees images."""
        return Resolution(self.image_scale, self.gsd)

    @property
    def finds(self) -> bool:
        """Whether the model finds objects in images; a classifier of patches without a background cannot."""
        return self.kind == "grid" or self.background is not None

    @property
    def boxes(self) -> bool:
        """Whether it finds boxes; else points."""
        return self.grid is not None and self.grid.object_size is not None

    @property
    def align(self) -> int:
        """Pixels: a tile must begin and end on multiples of it, so that all strided layers fall as in the image."""
        return self.backbone.stride if self.grid is None else self.grid.deepest

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the network's classes, the background first."""
        return ((self.background,) if self.background is not None else ()) + self.classes

    @property
    def cell_offset(self) -> float:
        """Pixel position, along both axes, of what cell 0 of the map stands for."""
        stride = self.backbone.stride
        if self.grid is not None:
            return stride / 2
        return self.patch_size // stride % 2 * stride / 2

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """Read a header.

        Raises:
            ModelFileError: it is no header of this format.
        """
        try:
            data = json.loads(text)
            if data.pop("format", None) != FORMAT:
                raise ModelFileError(f"the header is not of format {FORMAT}")
            unknown = set(data) - {entry.name for entry in fields(cls)}
            if unknown:
                raise ModelFileError(f"unknown entries in the header: {sorted(unknown)}")
            data["backbone"] = BackboneSpec(**data["backbone"])
            data["grid"] = GridSpec(**data["grid"]) if data.get("grid") else None
            lists = {key: tuple(value) for key, value in data.items() if isinstance(value, list)}
            return cls(**{**data, **lists})
        except (TypeError, KeyError, AttributeError, json.JSONDecodeError) as error:
            raise ModelFileError(f"the header cannot be read ({error})") from error

    def to_json(self) -> str:
        """Write the header."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)

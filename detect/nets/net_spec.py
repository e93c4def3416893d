"""What a network is built from: its backbone, its head, its classes and the images that it takes."""

from collections import Counter
from dataclasses import dataclass, field
from typing import assert_never

from detect.imagery.description.arranging import Bands
from detect.imagery.description.band_names import plain_band_name
from detect.imagery.resolution import Resolution, squared
from detect.imagery.scenes import Scene
from detect.imagery.wafers.drawn.drawing import Drawing
from detect.nets.bounds import (
    DTYPES,
    HIGHEST_BAND,
    MOST_BANDS,
    MOST_CELLS,
    MOST_CLASSES,
    MOST_STAGES,
    MOST_STRIDE,
    check_backbone_name,
    check_name,
    check_whole,
    shown,
)
from detect.nets.heads.specs import GridHead, Head, PatchHead, WholeHead


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

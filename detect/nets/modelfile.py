"""`model.safetensors`: weights and everything that prediction needs, in one file that runs no code."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from detect.imagery.files import replace_file
from detect.imagery.resolution import Resolution
from detect.nets.backbones import BackboneSpec, build_backbone, build_pyramid
from detect.nets.grid import GridDetector, GridSpec
from detect.nets.patch import PatchClassifier

Net = PatchClassifier | GridDetector
"""Both families take raw pixels (B, bands, H, W) to a map (B, K, H / stride, W / stride)."""

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


def build_net(card: ModelCard, weights: str = "none", dropout: float = 0.0, drop_path: float = 0.0) -> Net:
    """Build the network that a card describes, with pretrained backbone weights if asked for.

    Args:
        card: the network's family, backbone and classes.
        weights: as of `fill`.
        dropout: share of the head's features dropped while training.
        drop_path: share of the backbone's residual branches dropped while training.
    """
    net: Net
    if card.kind == "grid" and card.grid is not None:
        pyramid = build_pyramid(card.backbone, card.grid.deepest, weights, drop_path)
        net = GridDetector(pyramid, card.grid, len(card.classes), dropout)
    elif card.kind == "patch" and card.grid is None:
        backbone = build_backbone(card.backbone, weights, drop_path)
        net = PatchClassifier(backbone, len(card.outputs), card.patch_size, dropout)
    else:
        raise ModelFileError(f"unknown kind of network {card.kind!r}, expected patch, or grid with its head")
    if card.scale:
        net.set_normalisation(card.offset, card.scale)
    return net


def save_model(path: Path, net: nn.Module, card: ModelCard) -> None:
    """Write weights and card, whole or not at all."""
    state = {name: value.detach().cpu().contiguous() for name, value in net.state_dict().items()}
    bad = [name for name, value in state.items() if value.is_floating_point() and not bool(torch.isfinite(value).all())]
    if bad:
        raise ModelFileError(
            f"{path}: the weights are not finite (such as {bad[0]}); training diverged, lower the rate"
        )
    with replace_file(path) as part:
        part.write_bytes(save(state, metadata={"detect": card.to_json()}))


def load_model(path: Path) -> tuple[Net, ModelCard]:
    """Read a model file.

    Returns:
        The network, in evaluation mode on the CPU, and its card.

    Raises:
        ModelFileError: missing, not a safetensors file, of another program or version, or with tensors that do not fit.
    """
    if not path.is_file():
        raise ModelFileError(f"{path}: no such model file; it is the model.safetensors that detect.train writes")
    try:
        with safe_open(path, framework="pt") as source:
            header = (source.metadata() or {}).get("detect")
            state: dict[str, Tensor] = {name: source.get_tensor(name) for name in source.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelFileError(
            f"{path}: not a model file ({error}); it is the model.safetensors that detect.train writes"
        ) from error
    if header is None:
        raise ModelFileError(
            f"{path}: a safetensors file without the header of detect.train; weights go to net.weights="
        )
    try:
        card = ModelCard.from_json(header)
        net = build_net(card)
        net.load_state_dict(state)
    except (ValueError, RuntimeError) as error:
        raise ModelFileError(f"{path}: {error}") from error
    return net.eval(), card

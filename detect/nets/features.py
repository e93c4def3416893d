"""Features at several strides of any network of timm, of torchvision where timm has none, or of our own."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import timm
import torch
from timm.layers import DropPath
from timm.models import FeatureInfo
from torch import Tensor, nn

from detect.nets.lenet import lenet5
from detect.nets.padding import maps_fit, pad_evenly

FEATURE_LAYERS: dict[str, tuple[tuple[str, int, int], ...]] = {
    "lenet5": (("c1", 6, 1), ("c3", 16, 2), ("f6", 84, 4)),
    "torchvision/alexnet": (
        ("features.1", 64, 4),
        ("features.4", 192, 8),
        ("features.11", 256, 16),
        ("features.12", 256, 32),
    ),
    "torchvision/googlenet": (
        ("conv1", 64, 2),
        ("conv3", 192, 4),
        ("inception3b", 480, 8),
        ("inception4e", 832, 16),
        ("inception5b", 1024, 32),
    ),
}
"""Networks that are not timm's: the layer, channels and stride of each of their features."""


class FeatureNet(nn.Module):
    """A network of `FEATURE_LAYERS`, cut after the deepest feature wanted; used as timm's feature extractors are.

    Args:
        name: the network, a key of `FEATURE_LAYERS`.
        bands: number of input bands.
        indices: which of its features, in ascending order; None for all.

    Attributes:
        model: the layers, under the names that they have in the whole network.
        feature_info: timm's record of the features.
    """

    def __init__(self, name: str, bands: int, indices: Sequence[int] | None) -> None:
        from torchvision.models.feature_extraction import create_feature_extractor

        super().__init__()
        entries = [
            {"module": module, "num_chs": width, "reduction": stride} for module, width, stride in FEATURE_LAYERS[name]
        ]
        wanted = tuple(range(len(entries))) if indices is None else tuple(indices)
        self.feature_info = FeatureInfo(entries, wanted)
        nodes = {module: str(place) for place, module in enumerate(self.feature_info.module_name())}
        with torch.device("meta"):  # most of AlexNet's weights are in the layers that are cut off
            model = create_feature_extractor(_whole(name, bands), nodes)
        self.model: nn.Module = model.to_empty(device=torch.get_default_device())
        for layer in self.model.modules():
            if isinstance(layer, nn.Conv2d | nn.BatchNorm2d):
                layer.reset_parameters()

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Map pixels (B, bands, H, W) to the features wanted, the finest first."""
        found = self.model(pixels)
        return [found[str(place)] for place in range(len(found))]


@dataclass(frozen=True)
class BackboneInfo:
    """Facts of a network before it is made.

    Attributes:
        strides: input pixels per cell of each of its features, the finest first.
        even: whether its convolutions and pools need another padding (`pad_evenly`) for maps that fit.
    """

    strides: tuple[int, ...]
    even: bool


@lru_cache(maxsize=64)
def backbone_info(name: str) -> BackboneInfo:
    """Return the strides of a network, made without computing anything.

    Raises:
        ValueError: an unknown network, or one whose maps cannot be made to fit the image.
    """
    _check_known(name)
    try:
        with torch.device("meta"):
            body = _create(name, 3, None, {}).eval()
    except TypeError as error:
        raise ValueError(f"timm has no features of net.backbone={name} ({error}); choose another network") from error
    strides = tuple(body.feature_info.reduction())
    try:
        if maps_fit(body, strides):
            return BackboneInfo(strides, even=False)
    except (AssertionError, RuntimeError):  # for images of one size only, which `receptive_halo` refuses
        return BackboneInfo(strides, even=False)
    pad_evenly(body)
    try:
        fits = maps_fit(body, strides)
    except RuntimeError:  # branches of a block that are no longer of one size
        fits = False
    if not fits:
        raise ValueError(
            f"the maps of net.backbone={name} are not the image's size over {list(strides)}, nor are they with even "
            "padding, so cells are not over their pixels; choose another network (for inception_v3, inception_v4)"
        )
    return BackboneInfo(strides, even=True)


def make_body(
    name: str, bands: int, indices: Sequence[int], drop_path: float = 0.0, output_stride: int | None = None
) -> Any:
    """Make a network's layers up to the deepest of the features wanted, with new weights.

    Args:
        name: timm's name of the network, or one of `FEATURE_LAYERS`.
        bands: number of input bands.
        indices: which of the `backbone_info`'s features, in ascending order.
        drop_path: share of residual branches dropped while training, in [0, 1): stochastic depth (Huang et al. 2016),
            rising with the depth as in timm.
        output_stride: layers of a greater stride are dilated instead; None dilates none.

    Returns:
        A module that maps (B, bands, H, W) to a list of features; its `model` has the weights under the network's own
        names, its `feature_info` their channels and strides.

    Raises:
        ValueError: the network has no such form.
    """
    info = backbone_info(name)
    options: dict[str, Any] = {}
    if drop_path:
        _check_drop_path(name, drop_path)
        options["drop_path_rate"] = drop_path
    if output_stride is not None:
        options["output_stride"] = output_stride
    try:
        body = _create(name, bands, indices, options)
    except (NotImplementedError, TypeError, AssertionError) as error:
        raise ValueError(f"{name} has no dilated form ({error!r}); use net.stages=null") from error
    if info.even:
        pad_evenly(body)
    return body


def _check_known(name: str) -> None:
    if name in FEATURE_LAYERS or timm.is_model(name):
        return
    near = [*(other for other in FEATURE_LAYERS if name in other), *timm.list_models(f"*{name[:6]}*")[:8]]
    raise ValueError(
        f"net.backbone={name} is not a network of timm; near: {', '.join(near) or 'see timm.list_models()'}; "
        f"also {', '.join(FEATURE_LAYERS)}"
    )


def _check_drop_path(name: str, rate: float) -> None:
    """Check that a network has stochastic depth.

    Raises:
        ValueError: a rate that is no share, or a network that would refuse or ignore it.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"net.drop_path must be in [0, 1), got {rate}")
    try:
        with torch.device("meta"):
            whole = _create(name, 3, None, {"drop_path_rate": rate})
    except TypeError:
        whole = nn.Identity()
    if not any(isinstance(layer, DropPath) and layer.drop_prob for layer in whole.modules()):
        raise ValueError(f"{name} has no stochastic depth; set net.drop_path=0 (net.dropout works with every network)")


def _create(name: str, bands: int, indices: Sequence[int] | None, options: dict[str, Any]) -> Any:
    if name in FEATURE_LAYERS:
        if options:
            raise TypeError(f"{name} takes no {', '.join(options)}")
        return FeatureNet(name, bands, indices)
    chosen: dict[str, Any] = {} if indices is None else {"out_indices": tuple(indices)}
    return timm.create_model(name, features_only=True, feature_cls="getter", in_chans=bands, **chosen, **options)


def _whole(name: str, bands: int) -> nn.Module:
    """Make a network of `FEATURE_LAYERS` with new weights, without auxiliary heads."""
    if name == "lenet5":
        return lenet5(bands)
    from torchvision.models import get_model

    options = {"aux_logits": False, "init_weights": False} if name == "torchvision/googlenet" else {}
    net: nn.Module = get_model(name.removeprefix("torchvision/"), weights=None, **options)
    place, first = next((place, layer) for place, layer in net.named_modules() if isinstance(layer, nn.Conv2d))
    form: dict[str, Any] = {name: getattr(first, name) for name in ("kernel_size", "stride", "padding")}
    net.set_submodule(place, nn.Conv2d(bands, first.out_channels, bias=first.bias is not None, **form))
    return net

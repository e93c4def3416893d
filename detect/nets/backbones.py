"""Backbones: any network of `features` as a feature extractor of one chosen stride, or of several."""

from typing import Any, TypeVar

from timm.models import adapt_input_conv
from torch import Tensor, nn

from detect.nets.features import backbone_info, make_body
from detect.nets.net_spec import BackboneSpec
from detect.nets.tensors import check_numbers
from detect.nets.weights import WeightsError, normalisation, pretrained_state

LITE_OFFSET, LITE_SCALE = 127.0, 128.0
"""EfficientNet-Lite was trained on (x - 127) / 128."""


class Backbone(nn.Module):
    """A network cut at one feature map.

    Args:
        spec: the network and its stride.
        drop_path: share of residual branches dropped while training.

    Attributes:
        channels: C of the features.
        stride: input pixels per cell.
        offset, scale: (bands,) each; the network takes pixels normalised as (x - offset) / scale.

    Raises:
        ValueError: an unknown network, or one without features at that stride, or without stochastic depth.
    """

    def __init__(self, spec: BackboneSpec, drop_path: float = 0.0) -> None:
        super().__init__()
        self.body: Any = _cut(spec, drop_path)
        self.channels = int(self.body.feature_info.channels()[-1])
        self.stride = int(self.body.feature_info.reduction()[-1])
        self.offset: tuple[float, ...] = (LITE_OFFSET,) * spec.bands
        self.scale: tuple[float, ...] = (LITE_SCALE,) * spec.bands

    def forward(self, pixels: Tensor) -> Tensor:
        """Map normalised pixels (B, bands, H, W) to features (B, channels, H / stride, W / stride)."""
        return self.body(pixels)[-1]


class Pyramid(nn.Module):
    """A network's features at every stride from the finest wanted to the deepest.

    Args:
        spec: the network; its stride is the finest.
        deepest: stride of the coarsest features, a power of two times the finest.
        drop_path: share of residual branches dropped while training.

    Attributes:
        channels: of each level, the finest first.
        strides: input pixels per cell of each level.
        offset, scale: as of a `Backbone`.

    Raises:
        ValueError: an unknown network, or one without features at one of the strides, or without stochastic depth.
    """

    def __init__(self, spec: BackboneSpec, deepest: int, drop_path: float = 0.0) -> None:
        super().__init__()
        strides = backbone_info(spec.name).strides
        wanted = [spec.stride << level for level in range(max(1, (deepest // spec.stride).bit_length()))]
        missing = sorted({*wanted, deepest} - set(strides))
        if missing or wanted[-1] != deepest:
            raise ValueError(
                f"{spec.name} has features at strides {sorted(set(strides))}; net.stride={spec.stride} to "
                f"net.deepest={deepest} needs {sorted({*wanted, deepest})}"
            )
        indices = tuple(len(strides) - 1 - strides[::-1].index(stride) for stride in wanted)
        self.body: Any = make_body(spec.name, spec.bands, indices, drop_path)
        self.channels: tuple[int, ...] = tuple(self.body.feature_info.channels())
        self.strides = tuple(wanted)
        self.offset: tuple[float, ...] = (LITE_OFFSET,) * spec.bands
        self.scale: tuple[float, ...] = (LITE_SCALE,) * spec.bands

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Map normalised pixels (B, bands, H, W) to features (B, channels, H / stride, W / stride) of each level."""
        return list(self.body(pixels))


def _cut(spec: BackboneSpec, drop_path: float) -> Any:
    strides = backbone_info(spec.name).strides
    if spec.stride not in strides:
        raise ValueError(f"{spec.name} has features at strides {sorted(set(strides))}, not at net.stride={spec.stride}")
    shallowest = len(strides) - strides[::-1].index(spec.stride)
    stages = spec.stages or shallowest
    if not shallowest <= stages <= len(strides):
        raise ValueError(
            f"net.stages of {spec.name} at stride {spec.stride} must be in [{shallowest}, {len(strides)}], got {stages}"
        )
    dilated = spec.stride if stages > shallowest else None
    body = make_body(spec.name, spec.bands, (stages - 1,), drop_path, dilated)
    if body.feature_info.reduction()[-1] != spec.stride:
        raise ValueError(f"timm cannot cut {spec.name} at net.stride={spec.stride}; choose another stride or network")
    return body


Features = TypeVar("Features", Backbone, Pyramid)


def build_backbone(spec: BackboneSpec, weights: str = "none", drop_path: float = 0.0) -> Backbone:
    """Build a backbone, with pretrained weights as of `load_pretrained`.

    Raises:
        WeightsError: the weights are missing or do not fit.
        ValueError: an unknown network, or one without features at that stride, or without stochastic depth.
    """
    return load_pretrained(Backbone(spec, drop_path), spec, weights)


def build_pyramid(spec: BackboneSpec, deepest: int, weights: str = "none", drop_path: float = 0.0) -> Pyramid:
    """Build a pyramid, with pretrained weights as of `load_pretrained`.

    Raises:
        WeightsError: the weights are missing or do not fit.
        ValueError: an unknown network, or one without features at one of the strides, or without stochastic depth.
    """
    return load_pretrained(Pyramid(spec, deepest, drop_path), spec, weights)


def load_pretrained(backbone: Features, spec: BackboneSpec, weights: str) -> Features:
    """Load pretrained weights into a backbone or pyramid, and return it.

    The normalisation is set to that of the weights: their mean and std (times 255) for the hub and
    for files, (x - 127) / 128 for the bundled ones and for none. For other than three bands the first convolution is
    adapted as timm does it (summed for one band, repeated and rescaled for more).

    Args:
        backbone: changed in place.
        spec: which network.
        weights: `bundled`, `hub`, `none`, or a file of a state dict of the whole network.

    Raises:
        WeightsError: the weights are missing or do not fit.
    """
    if weights == "none":
        return backbone
    state = pretrained_state(spec.name, weights)
    wanted: dict[str, Tensor] = backbone.body.model.state_dict()
    fitted = {name: _for_first(state[name], tuple(wanted[name].shape)) for name in wanted if name in state}
    missing = sorted(set(wanted) - set(fitted))
    if missing:
        raise WeightsError(f"the weights {weights} lack {len(missing)} tensors of {spec.name}, such as {missing[0]}")
    wrong = [name for name, value in fitted.items() if value.shape != wanted[name].shape]
    if wrong:
        raise WeightsError(f"the weights {weights} do not fit {spec.name}: {wrong[0]} has another shape")
    try:
        for tensor, value in wanted.items():
            given = fitted[tensor]
            if given.is_floating_point() != value.is_floating_point():
                raise ValueError(f"{tensor} is of kind {given.dtype}, not of {value.dtype}")
            check_numbers(tensor, value.copy_(given))
    except (ValueError, RuntimeError) as error:
        raise WeightsError(f"the weights {weights} cannot be used: {error}") from error
    backbone.offset, backbone.scale = normalisation_of(spec, weights)
    return backbone


def normalisation_of(spec: BackboneSpec, weights: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return offset and scale of each band, of pixels in [0, 255], that a backbone has with some weights."""
    if weights in ("none", "bundled"):
        return (LITE_OFFSET,) * spec.bands, (LITE_SCALE,) * spec.bands
    mean, std = normalisation(spec.name)
    return _for_bands(mean, spec.bands), _for_bands(std, spec.bands)


def _for_first(value: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return the weights of a first convolution of three bands for as many as it has here; any other as they are."""
    if tuple(value.shape) == shape or value.ndim != 4 or tuple(value.shape) != (*shape[:1], 3, *shape[2:]):
        return value
    adapted: Tensor = adapt_input_conv(shape[1], value)
    return adapted


def _for_bands(values: tuple[float, ...], bands: int) -> tuple[float, ...]:
    mean = sum(values) / len(values)
    return tuple(255.0 * value for value in values) if bands == len(values) else (255.0 * mean,) * bands


def stage_layers(backbone: Backbone | Pyramid) -> list[tuple[int, list[nn.Module]]]:
    """Return the layers of each stage of a backbone, from the input on: its stride and its modules.

    A stage ends with the last features of a stride; what comes after the deepest belongs to it. Modules are as large
    as possible without reaching into another stage, and have every parameter once in all.

    Args:
        backbone: the features; one without `feature_info` is a single stage.
    """
    body = backbone.body if hasattr(backbone, "body") else None
    if body is None or not hasattr(body, "model"):
        return [(backbone.strides[-1] if isinstance(backbone, Pyramid) else backbone.stride, [backbone])]
    modules = list(body.model.named_modules())
    ends: dict[int, int] = {}
    for entry in body.feature_info.info[: max(body.feature_info.out_indices) + 1]:
        last = str(entry["module"])
        places = [i for i, (name, _) in enumerate(modules) if name == last or name.startswith(f"{last}.")]
        ends[int(entry["reduction"])] = max(places, default=len(modules) - 1)  # timm may name a stage that it cut off
    strides = sorted(ends)
    ends[strides[-1]] = len(modules) - 1
    stages: list[tuple[int, list[nn.Module]]] = []
    start = 0
    for stride in strides:
        span = {id(module) for _, module in modules[start : ends[stride] + 1]}
        within = [module for _, module in modules[start : ends[stride] + 1] if _inside(module, span)]
        nested = {id(child) for module in within for child in module.modules() if child is not module}
        stages.append((stride, [module for module in within if id(module) not in nested]))
        start = ends[stride] + 1
    return stages


def _inside(module: nn.Module, span: set[int]) -> bool:
    return all(id(each) in span for each in module.modules())


def parameters_of(module: nn.Module) -> tuple[int, int]:
    """Count the trainable and all parameters of a module."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in module.parameters()]
    return sum(n for n, trainable in sizes if trainable), sum(n for n, _ in sizes)

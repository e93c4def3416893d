"""The receptive field of any network, read off by where a NaN spreads."""

import torch
from torch import nn

REACH_LIMIT = 2048
"""Pixels on either side beyond which a field counts as unbounded."""


def receptive_halo(net: nn.Module, stride: int, bands: int) -> int:
    """Measure the context that a tile needs so that its core is exact: the theoretical receptive field, per side.

    Half of a strip is filled with NaN, which every layer passes on to whatever it feeds (also through weights of
    zero), so the reach is that of the architecture and holds for any weights. The strip is laid along both axes and
    in both directions, and the largest reach counts.

    Args:
        net: maps (1, bands, H, W) to (1, K, H / stride, W / stride).
        stride: input pixels per output cell.
        bands: number of input bands.

    Returns:
        Pixels, a multiple of `stride`.

    Raises:
        ValueError: the field is unbounded (global pooling as in squeeze-and-excitation, or attention), so that no
            halo makes tiles exact.
    """
    training = net.training
    device = next(net.parameters()).device
    net.eval()
    try:
        reach = max(_reach(net, stride, bands, axis, flip, device) for axis in (2, 3) for flip in (False, True))
    except (AssertionError, RuntimeError) as error:
        raise ValueError(f"the network takes images of one size only ({error}), so it cannot run on tiles") from error
    finally:
        net.train(training)
    return reach


def _reach(net: nn.Module, stride: int, bands: int, axis: int, flip: bool, device: torch.device) -> int:
    half = 256
    while half <= REACH_LIMIT:
        half = -(-half // stride) * stride
        size = [1, bands, 2 * stride, 2 * stride]
        size[axis] = 2 * half
        strip = torch.zeros(size, device=device)
        strip.narrow(axis, 0 if flip else half, half).fill_(float("nan"))
        with torch.inference_mode():
            touched = net(strip).isnan().any(dim=1)[0].any(dim=3 - axis).cpu()
        clean = half // stride
        far = (touched[clean:] if flip else touched[:clean].flip(0)).nonzero()
        spread = int(far.max()) + 1 if len(far) else 0
        if spread < clean - 1:
            return spread * stride
        half *= 2
    raise ValueError(
        f"the receptive field reaches over {REACH_LIMIT} pixels (global pooling, attention), so tiles cannot be exact; "
        "choose a network without it, such as tf_efficientnet_lite0, resnet50 or convnext_tiny"
    )

"""The receptive field of any network: the theoretical one from where a NaN spreads, the effective one measured."""

from collections.abc import Sequence

import torch
from torch import nn

MAX_REACH = 2048
"""Greatest reach in pixels on either side; a field that reaches farther counts as unbounded."""


def receptive_halo(net: nn.Module, stride: int, bands: int, align: int | None = None) -> int:
    """Measure the context that a tile needs so that its core is exact: the theoretical receptive field, per side.

    Half of a strip is filled with NaN, which every layer passes on to whatever it feeds (also through weights of
    zero), so the reach is that of the architecture, for any weights. The strip runs along both axes in both
    directions, and the largest reach counts.

    Args:
        net: maps (1, bands, H, W) to (1, K, H / stride, W / stride).
        stride: input pixels per output cell.
        bands: number of input bands.
        align: tiles begin on multiples of it, in pixels; the stride by default.

    Returns:
        Pixels, a multiple of `align`.

    Raises:
        ValueError: the field is unbounded (global pooling as in squeeze-and-excitation, or attention), so that no
            halo makes tiles exact.
    """
    training = net.training
    net.eval()
    try:
        step = align or stride
        reach = max(_reach(net, stride, step, bands, axis, flip) for axis in (2, 3) for flip in (False, True))
    except (AssertionError, RuntimeError) as error:
        raise ValueError(f"the network takes images of one size only ({error}), so it cannot run on tiles") from error
    finally:
        net.train(training)
    return -(-reach // step) * step


def _reach(net: nn.Module, stride: int, step: int, bands: int, axis: int, flip: bool) -> int:
    device = next(net.parameters()).device
    half = 256
    while half <= MAX_REACH:
        half = -(-half // step) * step
        size = [1, bands, 2 * step, 2 * step]
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
        f"the receptive field reaches over {MAX_REACH} pixels (global pooling as in squeeze-and-excitation, "
        "attention), so tiles cannot be exact; choose a network without it, such as tf_efficientnet_lite0 for an "
        "efficientnet, mobilenetv2_100 for a mobilenetv3, resnet50 or convnext_tiny"
    )


def effective_halo(
    net: nn.Module,
    tiles: Sequence[torch.Tensor],
    exact: int,
    stride: int,
    tolerance: float = 1e-3,
    align: int | None = None,
) -> tuple[int, float]:
    """Measure the least context that keeps the logits of a tile's core within a tolerance of the exact ones.

    The exact logits are those with the theoretical field as halo; the error is the largest difference over all tiles
    as a part of the largest exact logit. It falls with the halo, so the least is found by bisection
    (Luo et al. 2016, "Understanding the effective receptive field", for why it is smaller).

    Args:
        net: maps (1, bands, H, W) to (1, K, H / stride, W / stride).
        tiles: (bands, S, S) pixels each, S a multiple of the stride, of the images that the net is for.
        exact: the theoretical halo in pixels.
        stride: input pixels per output cell.
        tolerance: the greatest error.
        align: tiles begin on multiples of it, in pixels; the stride by default.

    Returns:
        The halo in pixels, a multiple of `align` and at most `exact`, and its error.

    Raises:
        ValueError: no tiles, or tiles with no core within the exact halo.
    """
    step = align or stride
    if not tiles or min(min(tile.shape[1:]) for tile in tiles) < 2 * exact + step:
        raise ValueError(f"tiles must be {2 * exact + step} pixels or more for a halo of {exact}")
    device = next(net.parameters()).device

    def logits(halo: int) -> list[torch.Tensor]:
        drop, inner = exact - halo, halo // stride
        cut = [tile[None, :, drop : tile.shape[1] - drop, drop : tile.shape[2] - drop] for tile in tiles]
        with torch.inference_mode():
            maps = [net(tile.to(device)).float().cpu() for tile in cut]
        return [each[..., inner : each.shape[-2] - inner, inner : each.shape[-1] - inner] for each in maps]

    wanted = logits(exact)
    largest = max(float(each.abs().max()) for each in wanted)

    def error(halo: int) -> float:
        found = logits(halo)
        return max(float((a - b).abs().max()) for a, b in zip(found, wanted, strict=True)) / max(largest, 1e-12)

    low, high, reached = -1, exact // step, 0.0
    while high - low > 1:
        middle = (low + high) // 2
        measured = error(middle * step)
        if measured <= tolerance:
            high, reached = middle, measured
        else:
            low = middle
    return high * step, reached

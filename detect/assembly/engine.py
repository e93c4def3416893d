"""From the settings of a run to a model that is ready to run, each decision logged."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from detect.assembly.settings import parse_bytes
from detect.imagery.resolution import Resolution
from detect.inference.decoding.decoder import decoder_of
from detect.inference.engine import Engine
from detect.inference.plan import layer_bytes, make_plan
from detect.inference.runtimes.openvino_runtime import OpenVinoRuntime, compile_cache
from detect.inference.runtimes.torch_runtime import TorchRuntime, pick_device
from detect.inference.views import Views, check_views
from detect.nets.card import ModelCard
from detect.nets.modelfile import Net

logger = logging.getLogger(__name__)

TILES_WAITING = 5
"""Batches of tiles that exist at once beside the network's layers: read, waiting, and at the network."""


def whole_number(value: Any, name: str) -> int | None:
    """Read a number of pixels, None for `auto`.

    Raises:
        ValueError: it is neither.
    """
    if value in ("auto", None):
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} must be auto or a number of pixels, got {value}")
    return value


def memory(text: Any) -> int:
    """Read `max_memory`.

    Raises:
        ValueError: it is no size.
    """
    try:
        return parse_bytes(text)
    except ValueError as error:
        raise ValueError(f"max_memory: {error}") from error


def chosen_halo(halo: Any, card: ModelCard) -> int:
    """Choose the context of a tile in pixels: `auto`, `exact` or a number.

    Raises:
        ValueError: not a multiple of the stride, or a model whose tiles cannot be stitched.
    """
    if card.halo is None:
        raise ValueError(
            "the model's receptive field is unbounded, so that its tiles cannot be stitched; train another backbone"
        )
    if halo == "exact":
        return card.halo
    if isinstance(halo, str) and halo != "auto":
        raise ValueError(f"halo must be auto, exact or a number of pixels, got {halo}")
    pixels = whole_number(halo, "halo")
    if pixels is None:
        return card.halo if card.halo_auto is None else card.halo_auto
    if pixels % card.align:
        raise ValueError(f"halo must be a multiple of {card.align}, on which tiles begin, got {pixels}")
    enough = card.halo if card.halo_auto is None else card.halo_auto
    if pixels < enough:
        logger.warning("halo=%d is less than the model needs (%d): counts depend on the tiles", pixels, enough)
    return pixels


def make_runtime(cfg: DictConfig, net: Net, card: ModelCard) -> TorchRuntime | OpenVinoRuntime:
    """Make what runs the network; `auto` takes OpenVINO on a CPU, torch elsewhere, and torch where OpenVINO fails.

    Raises:
        ValueError: unknown name, or a device, a precision or a package that is not there.
    """
    name, device = cfg.runtime.runtime, pick_device(cfg.runtime.device)
    if name not in ("auto", "torch", "openvino"):
        raise ValueError(f"runtime must be auto, torch or openvino, got {name}")
    on_cpu = device.type == "cpu"
    if name == "openvino" and not on_cpu:
        raise ValueError(f"runtime=openvino runs on the CPU, got runtime.device={device}")
    if name == "openvino" or (
        name == "auto" and on_cpu and str(cfg.runtime.precision) != "16" and not cfg.runtime.compile
    ):
        try:
            return OpenVinoRuntime(
                net, len(card.bands), card.align, card.dtype, str(cfg.runtime.precision), compile_cache()
            )
        except ImportError as error:
            if name == "openvino":
                raise ValueError(f"runtime=openvino needs the package openvino ({error}); pip install it") from error
            logger.info("OpenVINO is not installed: torch runs the network, two to four times as slowly")
        except (ValueError, RuntimeError) as error:
            if name == "openvino":
                raise ValueError(f"OpenVINO cannot run this network ({error}); use runtime=torch") from error
            logger.warning("OpenVINO cannot run this network (%s): torch runs it", str(error).splitlines()[0])
    return TorchRuntime(net, device, str(cfg.runtime.precision), bool(cfg.runtime.compile))


def make_engine(cfg: DictConfig, net: Net, card: ModelCard, folder: Path | None = None) -> Engine:
    """Make a model ready to run: runtime, views, halo, and a plan for the memory.

    Args:
        cfg: `runtime`, `tile`, `halo`, `max_memory`, `tta` and `tta_combine`.
        net: the network.
        card: its card.
        folder: where maps too large for memory lie.
    """
    if not card.finds:
        raise ValueError(
            "this model tells patches apart and has no background class: it cannot find objects in an image"
        )
    stride, on_corner = card.backbone.stride, card.cell_offset == 0
    halo = chosen_halo(cfg.halo, card)
    if cfg.tta != "none" and on_corner:
        halo += stride
    tile, budget = whole_number(cfg.tile, "tile"), memory(cfg.max_memory)
    check_views(cfg.tta, cfg.tta_combine)
    runtime = make_runtime(cfg, net, card)
    waiting = TILES_WAITING * len(card.bands) * np.dtype(card.dtype).itemsize
    shapes = 2 if cfg.tta == "d4" else 1
    per_pixel = shapes * runtime.spare * layer_bytes(net, len(card.bands)) + waiting
    plan = make_plan(budget, per_pixel, halo, stride, tile, folder, card.align)
    if isinstance(runtime, OpenVinoRuntime):
        runtime.kept_pixels = shapes * plan.area
        logger.info("OpenVINO's float32 logits differ from torch's by %.1e of the largest", runtime.difference)
    views = Views(runtime, decoder_of(card), cfg.tta, cfg.tta_combine, on_corner)
    logger.info(
        "%s on %s in %s bits, tiles of up to %.1f megapixels with a halo of %d pixels%s, threshold %.3f, %s",
        runtime.name,
        runtime.device,
        runtime.precision,
        plan.area / 1e6,
        plan.halo,
        "" if cfg.tta == "none" else f", views {cfg.tta} ({cfg.tta_combine})",
        card.threshold,
        f"radius {card.radius:g}" if card.nms_iou is None else f"NMS at IoU {card.nms_iou:g}",
    )
    if card.resolution != Resolution():
        how = f"by a factor of {card.image_scale:g}" if card.gsd is None else f"to {card.gsd:g} metres a pixel"
        logger.info("images are resampled %s, as the model was trained; places are told in the files' pixels", how)
    return Engine(card, views, plan)

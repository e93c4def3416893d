"""From settings to a model that is ready to run, each decision logged."""

import logging
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import assert_never

import numpy as np

from detect.assembly.engine.image_meeting import make_meeting
from detect.assembly.engine.network_runtime import NetworkRuntime, check_one_device, make_runtime, runtime_settings
from detect.assembly.machine.run_memory import with_memory
from detect.assembly.settings.inference_settings import InferenceSettings
from detect.imagery.resolution import Resolution
from detect.inference.decoding.decoder import decoder_of
from detect.inference.engine import Engine
from detect.inference.meeting.scale_choice import FACTORS, SCALE_GRID
from detect.inference.meeting.scale_views import ScaleViews
from detect.inference.plan import Plan, layer_bytes, make_plan, map_bytes
from detect.inference.runtimes.openvino_runtime import OpenVinoRuntime
from detect.inference.shift.judging import ShiftJudge
from detect.inference.shift.measuring import WindowMeter
from detect.inference.views import VIEWS, Views, check_views, turns_and_scales
from detect.nets.card import ModelCard
from detect.nets.heads.specs import GridHead, PatchHead, WholeHead
from detect.nets.machine.device_memory import naming_memory
from detect.nets.machine.processors import usable_cores
from detect.nets.modelfile import Net

logger = logging.getLogger(__name__)

TILES_WAITING = 5
"""Batches of tiles that exist at once beside the network's layers: read, waiting, and at the network."""

MEASURED_SIDE = 256
"""Side in pixels, or a little more, of the tile by which the memory of layers is measured."""


PYRAMID_PIXELS = int(sum((factor * SCALE_GRID.side) ** 2 for factor in FACTORS))
"""Pixels of a window of the sample in all scales, each of which a network is compiled for."""


def chosen_halo(halo: int | str, card: ModelCard) -> int:
    """Return the context of a tile in pixels: `auto`, `exact` or a number.

    Raises:
        ValueError: not a multiple of the stride, or a model whose tiles cannot be stitched.
    """
    if card.halo is None:
        raise ValueError(
            "the model's receptive field is unbounded, so that its tiles cannot be stitched; train another backbone"
        )
    enough = card.halo if card.halo_auto is None else card.halo_auto
    if halo == "exact":
        return card.halo
    if isinstance(halo, str):
        return enough
    if halo % card.align:
        raise ValueError(f"halo must be a multiple of {card.align}, on which tiles begin, got {halo}")
    if halo < enough:
        logger.warning("halo=%d is less than the model needs (%d): counts depend on the tiles", halo, enough)
    return halo


def make_engine(
    settings: InferenceSettings, net: Net, card: ModelCard, threshold: float, folder: Path | None = None
) -> Engine:
    """Make a model ready to run: runtime, views, halo, and a plan for the memory.

    Args:
        settings: runtime, tile, halo, memory and views.
        net: the network.
        card: its card.
        threshold: least score of a detection, in [0, 1].
        folder: for maps that are too large for memory, unless `runtime.scratch` names another.

    Raises:
        ValueError: a model that finds nothing in images, or settings that do not go with it or this machine.
    """
    if not card.head.finds:
        raise ValueError(
            "this model classifies patches and has no background class: it cannot find objects in an image"
        )
    check_sizes(settings, card)
    check_one_device(settings.runtime)
    settings = with_memory(settings)
    turns, in_scales = turns_and_scales(settings.tta)
    check_views(turns, settings.tta_combine)
    halo = chosen_halo(settings.halo, card) + (card.stride if turns != "none" and _on_corner(card) else 0)
    fed = replace(card, dtype="float32") if "light" in settings.adapt else card
    running = deepcopy(net) if "batchnorm" in settings.adapt else net
    runtime = make_runtime(runtime_settings(settings), running, fed)
    per_pixel = mapping_bytes(settings, running, fed, runtime)
    meeting = make_meeting(settings, running, card, runtime, per_pixel)
    plan = _plan(settings, card, halo, per_pixel, folder)
    if isinstance(runtime, OpenVinoRuntime):
        runtime.kept_pixels = _shapes(settings) * plan.area + (0 if settings.rescale == 1 else PYRAMID_PIXELS)
    _log_engine(settings, card, runtime, plan, threshold)
    engine = replace(Engine.of(card, runtime, plan), threshold=threshold, meeting=meeting)
    engine = _with_judge(engine, net, card)
    if in_scales:
        engine = replace(engine, scale_views=make_scale_views(settings.tta_scales, card))
    if turns == "none":
        return engine
    return replace(engine, runtime=Views(runtime, decoder_of(card), turns, settings.tta_combine, _on_corner(card)))


def _on_corner(card: ModelCard) -> bool:
    """Return whether a cell of the map describes a corner of itself, which turns move by a cell."""
    return card.cell_offset == 0


def _shapes(settings: InferenceSettings) -> int:
    """Return the number of shapes of tiles that a network is run on: of every size, and lying and standing."""
    turns, in_scales = turns_and_scales(settings.tta)
    return (1 + len(settings.tta_scales) if in_scales else 1) * (2 if turns == "d4" else 1)


def mapping_bytes(settings: InferenceSettings, net: Net, card: ModelCard, runtime: NetworkRuntime) -> float:
    """Return the memory that mapping takes per pixel of a tile: layers, tiles that wait, and maps.

    Args:
        settings: with the views, each of which has a map.
        net: whose layers are measured.
        card: its card, with the type of pixels that it is fed.
        runtime: of the network.

    Raises:
        ValueError: the device has no memory for a small tile.
    """
    bands, (turns, _) = len(card.bands), turns_and_scales(settings.tta)
    with naming_memory("the device has no memory for a small tile: free some of it, or set runtime.device=cpu"):
        layers = layer_bytes(net, bands, -(-MEASURED_SIDE // card.align) * card.align)
    waiting = TILES_WAITING * bands * np.dtype(card.dtype).itemsize
    maps = map_bytes(decoder_of(card).channels, card.stride, len(VIEWS[turns]))
    return _shapes(settings) * runtime.memory_factor * layers + waiting + maps


def _plan(settings: InferenceSettings, card: ModelCard, halo: int, per_pixel: float, folder: Path | None) -> Plan:
    """Return the plan of tiles, with the number of threads that read and that write."""
    assert settings.max_memory is not None
    scratch = settings.runtime.scratch or folder
    plan = make_plan(settings.max_memory, per_pixel, halo, card.stride, settings.tile, scratch, card.align)
    return replace(plan, workers=settings.workers or usable_cores())


def _log_engine(
    settings: InferenceSettings,
    card: ModelCard,
    runtime: NetworkRuntime,
    plan: Plan,
    threshold: float,
) -> None:
    """Log what runs the network, on what tiles, what counts as found, and at which resolution."""
    if isinstance(runtime, OpenVinoRuntime):
        logger.info("OpenVINO's float32 logits differ from torch's by %.1e of the largest", runtime.difference)
    logger.info(
        "%s on %s in %s bits, tiles of up to %.1f megapixels with a halo of %d pixels%s, threshold %.3f, %s; "
        "%d threads read images, and as many write results",
        runtime.name,
        runtime.device,
        runtime.precision,
        plan.area / 1e6,
        plan.halo,
        "" if settings.tta == "none" else f", views {settings.tta} ({settings.tta_combine})",
        threshold,
        separation_text(card),
        plan.workers,
    )
    if card.resolution != Resolution():
        gsd, scale = card.resolution.gsd, card.resolution.scale
        how = f"by a factor of {scale:g}" if gsd is None else f"to {gsd:g} metres a pixel"
        logger.info("images are resampled %s, as the model was trained; places are in pixels of the files", how)


def _with_judge(engine: Engine, net: Net, card: ModelCard) -> Engine:
    """Return an engine that judges how unlike the training scenes an image is, where the model knows those.

    Args:
        engine: that finds objects.
        net: as it was trained.
        card: its card.

    Raises:
        ValueError: a header that does not go with the network.
    """
    if card.looks is None or card.window_looks is None:
        return engine
    meter, width = WindowMeter(net, card.looks, card.align), len(card.window_looks.content[0])
    if meter.content_width != width:
        raise ValueError(
            f"the model's header is damaged: windows of training scenes are described by {width} numbers, and its "
            f"network gives {meter.content_width}; train it anew"
        )
    return replace(engine, meter=meter, judge=ShiftJudge(card.window_looks))


def check_sizes(settings: InferenceSettings, card: ModelCard) -> None:
    """Check that images are not asked for in other sizes, or parts, of a model that sees each as a whole.

    Raises:
        ValueError: they are.
    """
    match card.head:
        case PatchHead() | GridHead():
            return
        case WholeHead(side=side):
            given = [f"tta={settings.tta}"] if turns_and_scales(settings.tta)[1] else []
            given += [f"rescale={settings.rescale}"] if settings.rescale != 1 else []
            given += ["adapt=batchnorm"] if "batchnorm" in settings.adapt else []
            if given:
                raise ValueError(
                    f"{' and '.join(given)}: this model sees every image as a whole, as a square of {side} pixels; "
                    "leave that out"
                )
        case _:
            assert_never(card.head)


def make_scale_views(factors: Sequence[float], card: ModelCard) -> ScaleViews:
    """Make what puts several sizes of an image together: points are one within a cell of the smallest of them."""
    reach = max(card.radius, card.stride / min(1.0, *factors))
    return ScaleViews(tuple(factors), reach, card.separation)


def separation_text(card: ModelCard) -> str:
    """Return how far apart a model's detections are, in words."""
    return f"NMS at IoU {card.separation:g}" if card.head.boxes else f"radius {card.separation:g}"

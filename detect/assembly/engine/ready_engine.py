"""From settings to a model that is ready to run, each decision logged."""

import logging
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import assert_never

import numpy as np

from detect.assembly.machine.run_memory import with_memory
from detect.assembly.settings.inference_settings import InferenceSettings, RuntimeSettings
from detect.imagery.resolution import Resolution
from detect.inference.decoding.decoder import decoder_of
from detect.inference.engine import Engine
from detect.inference.meeting.batch_norms import NORM_GRID, BatchNorms
from detect.inference.meeting.met_images import Meeting
from detect.inference.meeting.scale_choice import FACTORS, SCALE_GRID, ScaleChoice
from detect.inference.meeting.scale_views import ScaleViews
from detect.inference.plan import NETWORK_SHARE, layer_bytes, make_plan, map_bytes
from detect.inference.runtimes.openvino_runtime import OpenVinoRuntime, compile_cache
from detect.inference.runtimes.torch_runtime import TorchRuntime, pick_device
from detect.inference.shift.judging import ShiftJudge
from detect.inference.shift.measuring import WindowMeter
from detect.inference.stitching import Runtime
from detect.inference.views import VIEWS, Views, check_views, turns_and_scales
from detect.nets.card import ModelCard
from detect.nets.facts.probabilities import network_threshold
from detect.nets.heads.specs import GridHead, PatchHead, WholeHead
from detect.nets.machine.device_memory import naming_memory
from detect.nets.machine.processors import usable_cores
from detect.nets.modelfile import Net

logger = logging.getLogger(__name__)

TILES_WAITING = 5
"""Batches of tiles that exist at once beside the network's layers: read, waiting, and at the network."""

MEASURED_SIDE = 256
"""Side in pixels, or a little more, of the tile by which the memory of layers is measured."""

SAMPLE_PIXELS = max(NORM_GRID.number * NORM_GRID.side**2, int((max(FACTORS) * SCALE_GRID.side) ** 2))
"""Most pixels of an image's sample that a network maps at once."""

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


def check_one_device(settings: RuntimeSettings) -> None:
    """Check that one process is to run a network.

    Raises:
        ValueError: several devices are asked for where one is taken.
    """
    if settings.devices not in (1, "auto"):
        raise ValueError(
            f"runtime.devices={settings.devices}: several processes are of detect.predict alone; leave it out here "
            "(trainer.devices is for training)"
        )


def check_runtime(settings: RuntimeSettings) -> None:
    """Check that a network could be run so on this machine, long before there is one to run.

    Raises:
        ValueError: a device, a precision or a package that is not there.
    """
    check_one_device(settings)
    device = pick_device(settings.device)
    if settings.runtime == "openvino":
        if device.type != "cpu":
            raise ValueError(f"runtime=openvino runs on the CPU, got runtime.device={device}")
        if find_spec("openvino") is None:
            raise ValueError("runtime=openvino needs the package openvino; pip install it, or use runtime=torch")


def make_runtime(settings: RuntimeSettings, net: Net, card: ModelCard) -> TorchRuntime | OpenVinoRuntime:
    """Make what runs the network; `auto` takes OpenVINO on a CPU, torch elsewhere, and torch where OpenVINO fails.

    Raises:
        ValueError: a device, a precision or a package that is not there.
    """
    name, device = settings.runtime, pick_device(settings.device)
    on_cpu = device.type == "cpu"
    if name == "openvino" and not on_cpu:
        raise ValueError(f"runtime=openvino runs on the CPU, got runtime.device={device}")
    if name == "openvino" or (name == "auto" and on_cpu and settings.precision != "16" and not settings.compile):
        try:
            return OpenVinoRuntime(net, len(card.bands), card.align, card.dtype, settings.precision, compile_cache())
        except ImportError as error:
            if name == "openvino":
                raise ValueError(f"runtime=openvino needs the package openvino ({error}); pip install it") from error
            logger.info("OpenVINO is not installed: torch runs the network, two to four times as slowly")
        except (ValueError, RuntimeError) as error:
            if name == "openvino":
                raise ValueError(f"OpenVINO cannot run this network ({error}); use runtime=torch") from error
            logger.warning("torch runs the network instead of OpenVINO: %s", str(error).splitlines()[0])
    return TorchRuntime(net, device, settings.precision, settings.compile)


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
    on_corner = card.cell_offset == 0
    halo = chosen_halo(settings.halo, card)
    if turns != "none" and on_corner:
        halo += card.stride
    fed = replace(card, dtype="float32") if "light" in settings.adapt else card
    as_trained = net
    if "batchnorm" in settings.adapt:
        net = deepcopy(net)
    runtime = make_runtime(runtime_settings(settings), net, fed)
    waiting = TILES_WAITING * len(card.bands) * np.dtype(fed.dtype).itemsize
    sizes = 1 + len(settings.tta_scales) if in_scales else 1
    shapes = sizes * (2 if turns == "d4" else 1)
    maps = map_bytes(decoder_of(card).channels, card.stride, len(VIEWS[turns]))
    with naming_memory("the device has no memory for a small tile: free some of it, or set runtime.device=cpu"):
        layers = layer_bytes(net, len(card.bands), -(-MEASURED_SIDE // card.align) * card.align)
    per_pixel = shapes * runtime.memory_factor * layers + waiting + maps
    meeting = make_meeting(settings, net, card, runtime, per_pixel)
    scratch = settings.runtime.scratch or folder
    assert settings.max_memory is not None
    workers = settings.workers or usable_cores()
    plan = make_plan(settings.max_memory, per_pixel, halo, card.stride, settings.tile, scratch, card.align)
    plan = replace(plan, workers=workers)
    if isinstance(runtime, OpenVinoRuntime):
        runtime.kept_pixels = shapes * plan.area + (0 if settings.rescale == 1 else PYRAMID_PIXELS)
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
        workers,
    )
    if card.resolution != Resolution():
        gsd, scale = card.resolution.gsd, card.resolution.scale
        how = f"by a factor of {scale:g}" if gsd is None else f"to {gsd:g} metres a pixel"
        logger.info("images are resampled %s, as the model was trained; places are in pixels of the files", how)
    engine = replace(Engine.of(card, runtime, plan), threshold=threshold, meeting=meeting)
    if card.looks is not None and card.window_looks is not None:
        meter, width = WindowMeter(as_trained, card.looks, card.align), len(card.window_looks.content[0])
        if meter.content_width != width:
            raise ValueError(
                f"the model's header is damaged: windows of training scenes are described by {width} numbers, and its "
                f"network gives {meter.content_width}; train it anew"
            )
        engine = replace(engine, meter=meter, judge=ShiftJudge(card.window_looks))
    if in_scales:
        engine = replace(engine, scale_views=make_scale_views(settings.tta_scales, card))
    if turns == "none":
        return engine
    return replace(engine, runtime=Views(runtime, decoder_of(card), turns, settings.tta_combine, on_corner))


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


def runtime_settings(settings: InferenceSettings) -> RuntimeSettings:
    """Return what runs the network: torch where its statistics are set anew for every image, as OpenVINO's are fixed.

    Raises:
        ValueError: OpenVINO was asked for.
    """
    if "batchnorm" not in settings.adapt:
        return settings.runtime
    if settings.runtime.runtime == "openvino":
        raise ValueError(
            "runtime=openvino cannot change a network for every image: adapt=batchnorm needs runtime=torch"
        )
    return replace(settings.runtime, runtime="torch")


def make_meeting(
    settings: InferenceSettings, net: Net, card: ModelCard, runtime: Runtime, bytes_per_pixel: float
) -> Meeting | None:
    """Make what meets each image before its first tile; None where all are looked at alike.

    Args:
        settings: with what is brought to what, and how far.
        net: the network that runs, on its device; with `adapt=batchnorm` one that no other run uses.
        card: its card.
        runtime: of the network.
        bytes_per_pixel: that mapping takes per pixel.

    Raises:
        ValueError: a model or a memory that does not allow it.
    """
    looks = card.looks if "light" in settings.adapt else None
    if "light" in settings.adapt and looks is None:
        raise ValueError(
            "adapt=light: this model does not know what its training images look like, as those of earlier versions; "
            "train it again, or leave light out"
        )
    norms = BatchNorms(net, settings.adapt_share) if "batchnorm" in settings.adapt else None
    chosen = isinstance(settings.rescale, str)
    own = network_threshold(card.calibration, card.threshold)
    scale = ScaleChoice(card, runtime, decoder_of(card), card.separation, own) if chosen else None
    for option, needs in (("adapt=batchnorm", norms), (f"rescale={settings.rescale}", scale)):
        needed = int(SAMPLE_PIXELS * bytes_per_pixel / NETWORK_SHARE)
        if needs is not None and settings.max_memory is not None and needed > settings.max_memory:
            raise ValueError(
                f"max_memory={settings.max_memory.text} is too small for {option}, which maps a megapixel at once; "
                f"set {-(-needed >> 20)}MiB or more"
            )
    if not settings.adapt and settings.rescale == 1:
        return None
    shares = f" (adapt_share={settings.adapt_share:g})" if settings.adapt else ""
    names = ", ".join([*settings.adapt, f"rescale={settings.rescale}"])
    logger.info("every image is met before its first tile: %s%s", names, shares)
    return Meeting(settings.adapt_share, looks, norms, scale or float(settings.rescale))


def separation_text(card: ModelCard) -> str:
    """Return how far apart a model's detections are, in words."""
    return f"NMS at IoU {card.separation:g}" if card.head.boxes else f"radius {card.separation:g}"

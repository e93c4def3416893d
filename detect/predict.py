"""Predict: `python -m detect.predict model=FILE images=DIR_OR_FILE_OR_GLOB output=DIR ...`."""

import logging
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import timm
import torch
from omegaconf import DictConfig

from detect import __version__, setup
from detect.imagery import SceneError, list_images, open_scene
from detect.inference import Failure, TorchRuntime, pick_device, predict_images
from detect.launch import DONE, SOME_FAILED, clear, command, output_folder
from detect.nets import ModelCard, load_model
from detect.reporting.folder import PredictionFolder
from detect.reporting.progress import ImageProgress

logger = logging.getLogger("detect.predict")


WRITTEN = ("counts.csv", "detections.csv", "failures.csv", "run.json", "report.html", "scores.json")


def run(cfg: DictConfig) -> int:
    """Count what is in images and write tables, pictures and a report; see `conf/predict.yaml`."""
    net, card = load_model(Path(str(cfg.model)))
    if cfg.threshold is not None:
        if not 0 <= cfg.threshold <= 1:
            raise ValueError(f"threshold must be in [0, 1], got {cfg.threshold}")
        card = replace(card, threshold=float(cfg.threshold))
    tile = setup.tile_side(cfg.tile, card)
    images = list_images(Path(str(cfg.images)).expanduser())
    folder = prepared(cfg)
    device = pick_device(cfg.runtime.device)
    logger.info(
        "%d images on %s, tiles of %d pixels with a halo of %s, threshold %.3f, radius %g",
        len(images), device, tile, card.halo, card.threshold, card.radius,
    )  # fmt: skip
    sink = PredictionFolder(folder, card)
    started = time.monotonic()
    facts = {
        "version": __version__,
        "versions": {"torch": torch.__version__, "timm": timm.__version__},
        "model": {"path": str(cfg.model), **model_facts(card)},
        "settings": {"images": str(cfg.images), "device": str(device), "tile": tile, "halo": card.halo},
    }
    notes = list(card.training.get("notes", ()))
    failures: list[Failure] = []
    pixels = 0
    try:
        with ImageProgress(len(images), total_pixels([path for _, path in images])) as progress:
            pixels, failures = predict_images(images, card, TorchRuntime(net, device), sink, progress, tile=tile)
    except BaseException:
        left = len(images) - len(sink.found) - len(sink.failures)
        notes.append(f"the run was broken off: {left} of {len(images)} images were not looked at")
        sink.finish({**facts, "notes": notes})
        raise
    report = sink.finish({**facts, "notes": notes, **speed(pixels, time.monotonic() - started)})
    counted = sum(len(found) for found in sink.found.values())
    logger.info("%d objects in %d images, %d failed; report: %s", counted, len(sink.found), len(failures), report)
    return SOME_FAILED if failures else DONE


def prepared(cfg: DictConfig) -> Path:
    """Make the output folder; with `overwrite` what an earlier run left in it is removed first.

    Raises:
        ValueError: it lies among the images, so that the next run would count its pictures.
    """
    path, images = Path(str(cfg.output)), Path(str(cfg.images)).expanduser()
    if images.is_dir() and images.resolve() in (path.resolve(), *path.resolve().parents):
        raise ValueError(
            f"output={path} lies inside images={images}; name a folder outside, or its pictures are counted"
        )
    folder = output_folder(
        path, results=("run.json", "heatmaps"), allowed=cfg.overwrite,
        way_out="overwrite=true replaces it, or name another folder",
    )  # fmt: skip
    clear(folder, ("heatmaps", "overlays"), WRITTEN)
    return folder


def total_pixels(paths: Sequence[Path]) -> int:
    """Add up the pixels of the images that can be opened."""
    total = 0
    for path in paths:
        try:
            height, width = open_scene(path).shape
        except SceneError:
            continue
        total += height * width
    return total


def model_facts(card: ModelCard) -> dict[str, Any]:
    """Give the entries of a card that a reader of the report wants."""
    facts = asdict(card)
    return {name: facts[name] for name in ("kind", "backbone", "classes", "patch_size", "threshold", "radius", "bands")}


def speed(pixels: int, seconds: float) -> dict[str, Any]:
    """Give pixels, seconds, megapixels per second and the process's peak memory in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 10 if sys.platform != "darwin" else 1 << 20)
    rate = pixels / 1e6 / seconds if seconds > 0 else None
    return {
        "pixels": pixels, "seconds": round(seconds, 2),
        "megapixels_per_second": None if rate is None else round(rate, 3), "peak_memory_mib": round(peak),
    }  # fmt: skip


main = command("predict")(run)

if __name__ == "__main__":
    main()

"""Predict: `python -m detect.predict model=FILE images=DIR_OR_FILE_OR_GLOB output=DIR ...`."""

import hashlib
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

from detect import __version__
from detect.assembly.command import DONE, SOME_FAILED, command
from detect.assembly.engine import make_engine
from detect.assembly.folders import clear, output_folder
from detect.imagery.listing import list_images
from detect.inference.engine import Engine
from detect.inference.run import predict_images
from detect.nets.card import ModelCard
from detect.nets.modelfile import load_model
from detect.reporting.output import layout
from detect.reporting.output.journal import keep_settings, lock_folder
from detect.reporting.output.prediction_folder import PredictionFolder
from detect.reporting.progress import ImageProgress

logger = logging.getLogger("detect.predict")


def run(cfg: DictConfig) -> int:
    """Count what is in images and write tables, pictures and a report; see `conf/predict.yaml`."""
    model = Path(str(cfg.model))
    net, card = load_model(model)
    if cfg.threshold is not None:
        if not isinstance(cfg.threshold, int | float) or not 0 <= cfg.threshold <= 1:
            raise ValueError(f"threshold must be a number in [0, 1], got {cfg.threshold}")
        card = replace(card, threshold=float(cfg.threshold))
    images = list_images(Path(str(cfg.images)).expanduser())
    folder = output(cfg)
    with lock_folder(folder):
        paths = layout.PredictionPaths(folder)
        engine = make_engine(cfg, net, card, paths.state)
        settings = result_settings(cfg, engine)
        if cfg.overwrite:
            clear(paths.state, (layout.THUMBNAILS,), layout.STATE_FILES)
            clear(folder, layout.PICTURE_FOLDERS, layout.RESULT_FILES)
        goes_on = keep_settings(folder, {"model": digest(model), **settings})
        sink = PredictionFolder(folder, card, images)
        if goes_on:
            logger.info("going on in %s, where %d of %d images are done", folder, len(sink.found), len(images))
        facts = {
            "version": __version__,
            "versions": {"torch": torch.__version__, "timm": timm.__version__},
            "model": {"path": str(cfg.model), **model_facts(card)},
            "settings": {"images": str(cfg.images), **settings, "max_memory": str(cfg.max_memory)},
        }
        return count(images, engine, sink, facts, "without overwrite=true the" if cfg.overwrite else "the")


def count(
    images: Sequence[tuple[str, Path]], engine: Engine, sink: PredictionFolder, facts: dict[str, Any], way: str
) -> int:
    """Run the engine over the images and write what is found; broken off, the tables of what is done are written."""
    notes = list(engine.card.training.get("notes", ()))
    started = time.monotonic()
    try:
        with ImageProgress() as progress:
            pixels, failures = predict_images(images, engine, sink, progress)
    except (KeyboardInterrupt, OSError, RuntimeError):
        left = len(images) - len(sink.found) - len(sink.failures)
        notes.append(f"the run was broken off: {left} of {len(images)} images were not looked at")
        sink.finish({**facts, "notes": notes})
        logger.info("%d of %d images are done; %s same command goes on", len(sink.found), len(images), way)
        raise
    report = sink.finish({**facts, "notes": notes}, lambda: speed(pixels, time.monotonic() - started))
    counted = sum(len(record.detections) for record in sink.found.values())
    logger.info("%d objects in %d images, %d failed; report: %s", counted, len(sink.found), len(failures), report)
    return SOME_FAILED if failures else DONE


def output(cfg: DictConfig) -> Path:
    """Make the output folder.

    Raises:
        ValueError: it lies among the images, so that the next run would count its pictures.
        FileExistsError: it holds results that no run remembers, and `overwrite` is not set.
    """
    path, images = Path(str(cfg.output)), Path(str(cfg.images)).expanduser()
    if images.is_dir() and images.resolve() in (path.resolve(), *path.resolve().parents):
        raise ValueError(
            f"output={path} lies inside images={images}; name a folder outside, or its pictures are counted"
        )
    if (path / "model.safetensors").exists():
        raise FileExistsError(f"output={path} is the folder of a trained model; name another one")
    remembered = layout.PredictionPaths(path).settings.exists()
    return output_folder(
        path,
        results=(layout.RUN_FACTS, layout.HEATMAPS),
        allowed=cfg.overwrite or remembered,
        way_out="overwrite=true replaces it, or name another folder",
    )


def result_settings(cfg: DictConfig, engine: Engine) -> dict[str, Any]:
    """Give what the results depend on beside the model.

    Memory and tiles are not among it with an exact halo; with a smaller one the last digits of the logits hang on them.
    """
    runtime: Any = getattr(engine.runtime, "runtime", engine.runtime)
    exact = engine.card.halo is not None and engine.plan.halo >= engine.card.halo
    combine = {} if cfg.tta == "none" else {"tta_combine": str(cfg.tta_combine)}
    tiles = {} if exact else {"tile_pixels": engine.plan.area}
    return {
        **combine,
        **tiles,
        "threshold": engine.card.threshold,
        "halo": engine.plan.halo,
        "tta": str(cfg.tta),
        "runtime": runtime.name,
        "precision": runtime.precision,
        "device": runtime.device.type,
        "version": __version__,
    }


def digest(path: Path) -> str:
    """Give the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_facts(card: ModelCard) -> dict[str, Any]:
    """Give the entries of a card that a reader of the report wants."""
    facts = asdict(card)
    names = ("kind", "backbone", "classes", "patch_size", "threshold", "radius", "nms_iou", "bands")
    return {name: facts[name] for name in (*names, "image_scale", "gsd")}


def speed(pixels: int, seconds: float) -> dict[str, Any]:
    """Give seconds, megapixels per second and the process's peak memory in MiB."""
    rate = pixels / 1e6 / seconds if pixels and seconds > 0 else None
    return {
        "seconds": round(seconds, 2),
        "megapixels_per_second": None if rate is None else round(rate, 3),
        "peak_memory_mib": peak_memory_mib(),
    }


def peak_memory_mib() -> int:
    """Give the most memory that the process has held, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return int(lines["VmHWM"].split()[0]) >> 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (20 if sys.platform == "darwin" else 10)


main = command("predict")(run)

if __name__ == "__main__":
    main()

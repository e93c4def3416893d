"""A run of predictions: its folder, what its results depend on, and the loop over the images."""

import hashlib
import logging
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detect import __version__
from detect.assembly.command import DONE, SOME_FAILED
from detect.assembly.folders import TrainingPaths, output_folder
from detect.assembly.gate import default_embed_limit
from detect.assembly.machine.run_memory import EARLIER
from detect.assembly.runs.run_threshold import notes_on_views, told_threshold
from detect.assembly.runs.survey_scale import scale_settings
from detect.assembly.settings.inference_settings import InferenceSettings
from detect.assembly.settings.predict_settings import PredictSettings
from detect.imagery.description.shown import AS_SHOWN
from detect.imagery.remote.model_copies import file_of
from detect.nets.heads.specs import WholeHead
from detect.nets.machine.peak_memory import peak_memory_mib
from detect.reporting.bill import Bill
from detect.reporting.output import layout
from detect.reporting.output.layout import PredictionPaths
from detect.reporting.progress import ImageProgress

if TYPE_CHECKING:
    from detect.inference.devices.crew import Crew
    from detect.inference.engine import Engine
    from detect.nets.card import ModelCard
    from detect.reporting.output.prediction_folder import PredictionFolder
    from detect.reporting.publishing.mirror import Mirror

logger = logging.getLogger(__name__)

MOST_TOLD = 5
"""Most classes whose numbers the last line tells, and most files that a note names."""


def prediction_folder(settings: PredictSettings) -> PredictionPaths:
    """Make the output folder.

    Raises:
        ValueError: it lies among the images, so that the next run would count its pictures.
        FileExistsError: it holds results that no run remembers, and `overwrite` is not set.
    """
    path, images = settings.output, settings.images
    full = Path(os.path.realpath(path))
    if images.is_dir() and images.resolve() in (full, *full.parents):
        raise ValueError(
            f"output={path} lies inside images={images}; name a folder outside, or its pictures are counted"
        )
    if TrainingPaths(path).model.exists():
        raise FileExistsError(f"output={path} is the folder of a trained model; name another one")
    paths = PredictionPaths(path)
    output_folder(
        path,
        results=(paths.run_facts, path / layout.HEATMAPS),
        allowed=settings.overwrite or paths.settings.exists(),
        way_out="overwrite=true replaces it, or name another folder",
    )
    return paths


def check_tables(paths: PredictionPaths, settings: PredictSettings, images: Sequence[str]) -> None:
    """Check that the files that a run replaces are as an earlier one wrote them, and that formats can have the names.

    Args:
        paths: of the output folder.
        settings: with what is written, and whether the folder is overwritten.
        images: the images' names.

    Raises:
        FileExistsError: a person changed one, or made one of a format, and `overwrite` is not set.
        ValueError: something else than a file has the name of one, or two images would share a file of a format.
    """
    from detect.reporting.output.products import format_files, result_files
    from detect.reporting.output.written import WrittenFiles

    way_out = ", or overwrite=true replaces it with all the rest"
    written, replace = WrittenFiles(paths.folder), settings.overwrite
    formats = format_files(settings.write, images)
    places = {name.split("/")[0] for name in formats}
    earlier = [name for name in written.names() if name.split("/")[0] in places]
    written.check(result_files(settings.write), way_out, replace=replace)
    written.check(dict.fromkeys([*formats, *earlier]), way_out, replace=replace, adopt=False)


def start_afresh(paths: PredictionPaths, images: Sequence[tuple[str, Path]], mirror: "Mirror | None" = None) -> None:
    """Remove what an earlier run wrote into its output folder, and an evaluation of it; anything else in it stays.

    So does what a person reviewed, and which windows were drawn for that.

    Pictures are removed of the images that the earlier run's journal names, and of those of this run.

    Args:
        paths: of the output folder.
        images: (name, path) of this run.
        mirror: of the folder's address, where the same is removed; None of a folder on this machine.
    """
    from detect.imagery.files import check_inside, remove_written
    from detect.inference.strips.shelf import clear_shelf
    from detect.labels.writing.format_table import FORMATS
    from detect.reporting.classes.class_folder import clear_classes
    from detect.reporting.lots.lot_folder import clear_lots
    from detect.reporting.output.journal import recorded_sources
    from detect.reporting.output.products import is_of_format
    from detect.reporting.output.written import WrittenFiles
    from detect.reporting.pictures.scene_errors import clear_scenes

    clear_scenes(paths.errors)
    clear_classes(paths.folder)
    clear_lots(paths.folder)
    clear_shelf(paths.strips)
    names = {name for name, _ in images}
    try:
        names |= recorded_sources(paths.folder).keys()
    except (OSError, ValueError) as error:
        logger.warning("only the pictures of this run's images are removed: %s", error)
    for name in filter(layout.inside_name, names):
        for picture, folder in zip(paths.pictures(name), paths.picture_folders, strict=True):
            check_inside(picture.parent, paths.folder)
            remove_written(picture, folder)
    written = WrittenFiles(paths.folder)
    written.remove(name for name in written.names() if any(is_of_format(name, each) for each in FORMATS))
    left = [folder.name for folder in paths.picture_folders if folder.exists()]
    if left:
        logger.info("%s: files that no run wrote stay", ", ".join(left))
    written.keep(layout.PERSONS_FILES)
    state = (paths.state / name for name in layout.STATE_FILES if name != layout.WRITTEN)
    for file in (*(paths.folder / name for name in layout.RESULT_FILES), *state):
        file.unlink(missing_ok=True)
    if mirror is not None:
        mirror.start_afresh(names)


def result_settings(settings: InferenceSettings, engine: "Engine", card: "ModelCard") -> dict[str, Any]:
    """Return what the results depend on beside the model.

    Memory and tiles are not among it with an exact halo; with a smaller one the last digits of the logits depend on
    them.
    """
    from detect.inference.views import SCALES

    runtime: Any = getattr(engine.runtime, "runtime", engine.runtime)
    exact = card.halo is not None and engine.plan.halo >= card.halo
    combine: dict[str, Any] = {} if settings.tta == "none" else {"tta_combine": settings.tta_combine}
    if settings.tta.endswith(SCALES):
        combine["tta_scales"] = list(settings.tta_scales)
    adapt = {"adapt": list(settings.adapt), "adapt_share": settings.adapt_share} if settings.adapt else {}
    tiles = {} if exact else {"tile_pixels": engine.plan.area}
    keeps = isinstance(settings, PredictSettings) and settings.truncated == "keep"
    kept = {"truncated": "keep"} if keeps else {}
    return {
        **combine,
        **adapt,
        **scale_settings(settings, engine),
        **tiles,
        **kept,
        "threshold": told_threshold(engine, card),
        "halo": engine.plan.halo,
        "tta": settings.tta,
        "runtime": runtime.name,
        "precision": runtime.precision,
        "device": runtime.device.type,
        "pixels": AS_SHOWN,
        "version": __version__,
    }


def remembered(settings: InferenceSettings) -> dict[str, Any]:
    """Return what a run that goes on takes over, if it is not told otherwise, and no result depends on by itself."""
    assert settings.max_memory is not None
    return {EARLIER: settings.max_memory.text}


def run_facts(
    settings: PredictSettings,
    engine: "Engine",
    card: "ModelCard",
    results: Mapping[str, Any],
    passed_over: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """Return what `run.json` says of versions, model, settings and files that are not looked at (by the reason)."""
    import timm
    import torch

    from detect.reporting.output.products import PRODUCTS

    return {
        "version": __version__,
        "versions": {"torch": torch.__version__, "timm": timm.__version__},
        "model": {"path": str(settings.model), **model_facts(card, told_threshold(engine, card))},
        "settings": {
            "images": str(settings.images),
            **results,
            **remembered(settings),
            "write": [name for name in PRODUCTS if name in settings.write],
            **({"heatmaps": settings.heatmaps} if layout.HEATMAPS in settings.write else {}),
        },
        "notes": [*card.training.get("notes", ()), *notes_on_views(settings), *_notes_on_passed(passed_over)],
        "passed_over": {reason: list(names) for reason, names in passed_over.items()},
    }


def _notes_on_passed(passed_over: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a sentence for each reason for which files are not looked at."""
    sentences = []
    for reason, names in passed_over.items():
        more = f" and {len(names) - MOST_TOLD} more" if len(names) > MOST_TOLD else ""
        sentences.append(f"files passed over: {len(names):,} ({reason}): {', '.join(names[:MOST_TOLD])}{more}")
    return sentences


def predict_folder(
    images: Sequence[tuple[str, Path]],
    engine: "Engine",
    sink: "PredictionFolder",
    facts: dict[str, Any],
    overwrite: bool,
    crew: "Crew | None" = None,
    price_per_hour: float | None = None,
) -> int:
    """Count what is in images and write what is found; broken off, the tables of what is done are written.

    Args:
        images: (name, path).
        engine: the model.
        sink: the output folder.
        facts: for `run.json`.
        overwrite: whether the run started afresh, which the same command would do again.
        crew: the processes that count the images; None where this one does.
        price_per_hour: of each of them; None tells no cost.

    Returns:
        The exit code.
    """
    from detect.inference.failures import MAX_PREVIEW_SIDE
    from detect.inference.run import predict_images

    started = time.monotonic()
    facts = {**facts, "notes": list(facts["notes"])}
    bill = Bill(price_per_hour, (lambda: time.monotonic() - started) if crew is None else crew.hiring.seconds)
    try:
        with ImageProgress(bill.text) as progress:
            side = MAX_PREVIEW_SIDE if sink.previewed else None
            pixels, failures = predict_images(images, engine, sink, progress, side, facts["notes"].append, crew)
    except (KeyboardInterrupt, OSError, RuntimeError, MemoryError):
        left = len(images) - len(sink.found) - len(sink.failures)
        note = f"the run was broken off: {left} of {len(images)} images were not looked at"
        try:
            if crew is not None:
                sink.remove_parts()  # of processes that were ended while they wrote
            sink.finish({**facts, **bill.facts(), "notes": [*facts["notes"], note]}, default_embed_limit())
        except (OSError, ValueError) as error:
            logger.warning("the tables of what is done could not be written: %s", error)
        way = "without overwrite=true the" if overwrite else "the"
        logger.info("%d of %d images are done; %s same command goes on", len(sink.found), len(images), way)
        raise
    if crew is not None and crew.hiring.lost():
        sink.remove_parts()
    measured = partial(_measured, pixels, started, crew, bill)
    report = sink.finish(facts, default_embed_limit(), measured)
    log_unlike({name: record.unlike_in for name, record in sink.found.items() if record.unlike_in})
    for remark in sink.ground.areas_remarks:
        logger.info("%s", remark)
    counted = total_text([record.detections.counts() for record in sink.found.values()], counted_things(facts))
    where = "report" if report != sink.folder else "written to"
    different = "" if sink.ground.seen is None else f"; {sink.ground.seen.sentence()}"
    done = f"{counted}{expected_text(sink)} in {len(sink.found)} images, {len(failures)} failed{different}"
    logger.info("%s; %s: %s", done, where, report)
    return SOME_FAILED if failures else DONE


def _measured(pixels: int, started: float, crew: "Crew | None", bill: Bill) -> dict[str, Any]:
    """Return the speed since a time of `time.monotonic`, the memory and the cost of a run."""
    if crew is not None and any(crew.peaks.values()):
        logger.info("most memory held by each worker: %s MiB", ", ".join(map(str, crew.peaks.values())))
    return {**speed(pixels, time.monotonic() - started, crew), **bill.facts()}


def expected_text(sink: "PredictionFolder") -> str:
    """Return the number of objects that is expected by probabilities in words; empty where no image has one.

    It is a sum over images: what several of them show is in it as often, which is said where that is looked for.
    """
    found = sink.found
    numbers = [record.expected for record in found.values() if record.expected is not None]
    some = f" (of {len(numbers)} of the images)" if len(numbers) < len(found) else ""
    again = "" if sink.ground.seen is None else " with repeats"
    return f", {sum(numbers):.1f} expected by their probabilities{some}{again}," if numbers else ""


def log_unlike(unlike: Mapping[str, str]) -> None:
    """Log which images are unlike those that the model learned from, and in what; nothing of none."""
    if unlike:
        named = "; ".join(f"{name}: {reason}" for name, reason in list(unlike.items())[:MOST_TOLD])
        more = f" and {len(unlike) - MOST_TOLD} more" if len(unlike) > MOST_TOLD else ""
        logger.warning(
            "%d images are unlike those that the model learned from: %s%s; look at them before believing their counts "
            "(`unlike` and `unlike_in` in %s)",
            len(unlike),
            named,
            more,
            layout.COUNTS,
        )


def digest(path: Path) -> str:
    """Return the SHA-256 of a model's file, here or at an address."""
    with file_of(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_facts(card: "ModelCard", threshold: float | Mapping[str, float]) -> dict[str, Any]:
    """Return what a reader of the report wants to know of a model.

    Args:
        card: the model's.
        threshold: least score of a detection in this run, or one a class.
    """
    from detect.assembly.runs.recorded_labels import LABELS, TRAINING_IMAGES, label_facts
    from detect.evaluation.seen import TrainingImages

    return {
        "kind": card.head.name,
        "backbone": asdict(card.backbone),
        "classes": card.classes,
        "patch_size": card.head.typical_size,
        "threshold": threshold,
        "radius": card.radius,
        "nms_iou": card.nms_iou,
        "bands": card.bands,
        "band_names": card.band_names,
        "image_scale": card.resolution.scale,
        "gsd": card.resolution.gsd,
        "wafers": None if card.drawing is None else card.drawing.record(),
        "matching": card.training.get("matching"),
        LABELS: label_facts(card.training),
        TRAINING_IMAGES: TrainingImages.from_record(card.training).to_record(),
    }


def speed(pixels: int, seconds: float, crew: "Crew | None" = None) -> dict[str, Any]:
    """Return seconds, megapixels per second and the peak memory in MiB, a crew's with it."""
    rate = pixels / 1e6 / seconds if pixels and seconds > 0 else None
    own = peak_memory_mib()
    return {
        "seconds": round(seconds, 2),
        "megapixels_per_second": None if rate is None else round(rate, 3),
        "peak_memory_mib": own if own is None or crew is None else own + sum(crew.peaks.values()),
    }


def counted_things(run: Mapping[str, Any]) -> str:
    """Return what a run counts, by the facts of `run.json`: patterns of whole images, or objects in them."""
    return "patterns" if run["model"].get("kind") == WholeHead.name else "objects"


def total_text(counts: Sequence[Mapping[str, int]], of: str = "objects") -> str:
    """Return the number of objects in words; of several classes also of each, so that the sum hides none.

    Args:
        counts: of each image, by class.
        of: what is counted; patterns of whole images.
    """
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    if len(total) < 2:
        return f"{total.total()} {of}"
    found = [f"{number} {name}" for name, number in total.most_common() if number]
    missing = [name for name, number in total.items() if not number]
    more = [f"{len(found) - MOST_TOLD} more classes"] if len(found) > MOST_TOLD else []
    none = [f"no {name}" for name in missing[:MOST_TOLD]]
    more_none = [f"none of {len(missing) - MOST_TOLD} more"] if len(missing) > MOST_TOLD else []
    return f"{total.total()} {of} ({', '.join([*found[:MOST_TOLD], *more, *none, *more_none])})"

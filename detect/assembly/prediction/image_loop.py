"""The loop of a run of predictions over its images, and how long it took."""

import logging
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detect.assembly.command import DONE, SOME_FAILED
from detect.assembly.gate import default_embed_limit
from detect.assembly.prediction.told_counts import counted_things, expected_text, log_unlike, total_text
from detect.nets.machine.peak_memory import peak_memory_mib
from detect.reporting.bill import Bill
from detect.reporting.progress import ImageProgress

if TYPE_CHECKING:
    from detect.inference.devices.crew import Crew
    from detect.inference.engine import Engine
    from detect.reporting.output.prediction_folder import PredictionFolder

logger = logging.getLogger(__name__)


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


def speed(pixels: int, seconds: float, crew: "Crew | None" = None) -> dict[str, Any]:
    """Return seconds, megapixels per second and the peak memory in MiB, a crew's with it."""
    rate = pixels / 1e6 / seconds if pixels and seconds > 0 else None
    own = peak_memory_mib()
    return {
        "seconds": round(seconds, 2),
        "megapixels_per_second": None if rate is None else round(rate, 3),
        "peak_memory_mib": own if own is None or crew is None else own + sum(crew.peaks.values()),
    }

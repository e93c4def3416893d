"""Another threshold for a run that is done: counts, tables, formats and pages anew, without the network."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.assembly.fields.run_choices import SURVEY
from detect.assembly.prediction.ground_settings import areas_of_images
from detect.assembly.prediction.run_threshold import class_thresholds
from detect.assembly.prediction.told_counts import counted_things, total_text
from detect.assembly.recount.redrawing import redraw_overlays
from detect.assembly.settings.report_settings import ReportSettings
from detect.assembly.surveys.surveying import estimate_again
from detect.imagery.ground.polygons import Areas, read_areas
from detect.imagery.remote.model_copies import digest
from detect.labels.json_files import read_json_object
from detect.nets.card import ModelCard
from detect.nets.facts.probabilities import candidate_floor
from detect.nets.header import read_card
from detect.reporting.lots.lot_folder import clear_lots
from detect.reporting.output.ground_survey import GroundSurvey
from detect.reporting.output.journal import read_records
from detect.reporting.output.layout import OVERLAYS, PredictionPaths
from detect.reporting.output.layout import SURVEY as ESTIMATE
from detect.reporting.output.products import format_files, result_files
from detect.reporting.output.records import Record
from detect.reporting.output.written import WrittenFiles
from detect.reporting.pictures.scene_errors import clear_scenes
from detect.reporting.recount.candidate_records import cut_record, read_candidate_records
from detect.reporting.recount.own_facts import AGAIN, OwnFacts, read_own_facts
from detect.reporting.recount.recounted_folder import RecountedFolder, written_products

logger = logging.getLogger("detect.report")


def recount(settings: ReportSettings, folder: Path) -> Path:
    """Write the counts, tables, formats and pages of a run for another threshold.

    Args:
        settings: of the command, with a threshold.
        folder: the predictions folder, locked.

    Returns:
        The path of the report, or of the folder where there is none.

    Raises:
        FileNotFoundError: the model, or the areas in which was counted, are not where they were.
        FileExistsError: a person changed a file that is written again.
        ValueError: candidates were not kept, or not down to the threshold, or it is of a class that there is not.
    """
    own = read_own_facts(folder)
    card = _card(settings, folder, own)
    before = own_thresholds(own, card.classes)
    thresholds = asked_thresholds(settings, card.classes, before)
    records = _records(folder)
    WrittenFiles(folder).check(
        [*result_files(written_products(folder)), *format_files(written_products(folder), list(records)), ESTIMATE],
        ", so that it is not replaced",
    )
    back = bool((thresholds == before).all())
    if not back or own.run["settings"].get("threshold") == SURVEY:
        records = _cut(folder, records, card, thresholds)
    sink = RecountedFolder(folder, card, records, GroundSurvey(_areas(own, list(records)), own.overlap, own.radius_m))
    if OVERLAYS in sink.wanted:
        redraw_overlays(sink, card)
    now, then = (dict(zip(card.classes, each.tolist(), strict=True)) for each in (thresholds, before))
    facts = own.run if back else told_again(own.run, now, then)
    _drop_scores(sink.paths)
    clear_lots(folder)
    page = sink.finish(facts, settings.embed_limit)
    counted = total_text([record.detections.counts() for record in sink.found.values()], counted_things(facts))
    logger.info("threshold=%s: %s in %d images, without the network", shown(thresholds, card), counted, len(records))
    if not back:
        logger.info("threshold=%s brings the run's own counts back", shown(before, card, exact=True))
    _estimate(folder)
    return page


def asked_thresholds(settings: ReportSettings, classes: Sequence[str], own: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the threshold (K,) of each class; one that is not named keeps the run's own (K,).

    Raises:
        ValueError: one is of a class that the run does not have.
    """
    given = settings.threshold
    if not isinstance(given, Mapping):
        return np.full(len(classes), given, np.float64)
    return np.array(class_thresholds(given, dict(zip(classes, own.tolist(), strict=True))), np.float64)


def own_thresholds(own: OwnFacts, classes: Sequence[str]) -> NDArray[np.float64]:
    """Return the threshold (K,) that a run had for each class.

    Raises:
        ValueError: it is not recorded.
    """
    told = own.run["model"].get("threshold")
    each = [told.get(name) for name in classes] if isinstance(told, Mapping) else [told] * len(classes)
    if not all(isinstance(one, int | float) and not isinstance(one, bool) and 0 <= one <= 1 for one in each):
        raise ValueError(f"the run's own threshold is not recorded; {AGAIN}")
    return np.array(each, np.float64)


def told_again(run: Mapping[str, Any], now: Mapping[str, float], then: Mapping[str, float]) -> dict[str, Any]:
    """Return what a run says of itself at another threshold.

    Args:
        run: what it said at its own.
        now: of each class.
        then: of each class, the run's own.
    """
    value: Any = dict(now) if len({*now.values()}) > 1 else next(iter(now.values()))
    sentence = (
        f"counted again at a threshold of {_words(now)} from the candidates that the run kept, without the network; "
        f"the run's own was {_words(then)}, and how unlike images are is told as it was measured then"
    )
    return {
        **run,
        "model": {**run["model"], "threshold": value},
        "settings": {**run["settings"], "threshold": value},
        "notes": [*run.get("notes", ()), sentence],
    }


def _words(thresholds: Mapping[str, float]) -> str:
    """Return thresholds of classes in words: one number where all have it."""
    if len({*thresholds.values()}) == 1:
        return f"{next(iter(thresholds.values())):.4g}"
    return ", ".join(f"{name} {value:.4g}" for name, value in thresholds.items())


def shown(thresholds: NDArray[np.float64], card: ModelCard, *, exact: bool = False) -> str:
    """Return the thresholds as the setting is written, in six digits or exactly."""
    texts = [repr(each) if exact else f"{each:g}" for each in thresholds.tolist()]
    if len({*texts}) == 1:
        return texts[0]
    return "{" + ", ".join(f"{name}: {text}" for name, text in zip(card.classes, texts, strict=True)) + "}"


def _card(settings: ReportSettings, folder: Path, own: OwnFacts) -> ModelCard:
    """Read the card of the model that counted.

    Raises:
        FileNotFoundError: it is not where it was.
        ValueError: another model is there.
    """
    path = Path(str(own.run["model"].get("path"))) if settings.model is None else settings.model
    if not path.is_file():
        raise FileNotFoundError(
            f"model={path}: the model of the run is not there; name it by model=FILE where it is now"
        )
    if read_json_object(PredictionPaths(folder).settings, folder).get("model") != digest(path):
        raise ValueError(f"model={path} is not the model that counted; name that one by model=FILE")
    return read_card(path)


def _records(folder: Path) -> dict[str, Record]:
    """Read the records of the images that the tables are of.

    Raises:
        ValueError: one is missing.
    """
    sources = read_json_object(PredictionPaths(folder).run_facts, folder).get("sources")
    if not isinstance(sources, Mapping):
        where = PredictionPaths(folder).run_facts
        raise ValueError(f"{where} does not say which images were counted; {AGAIN}")  # noqa: TRY004, of a file
    records = read_records(folder)
    lost = [name for name in sources if name not in records]
    if lost:
        raise ValueError(f"predictions={folder}: nothing is recorded of {lost[0]}; {AGAIN}")
    return {name: records[name] for name in sources}


def _cut(
    folder: Path, records: Mapping[str, Record], card: ModelCard, thresholds: NDArray[np.float64]
) -> dict[str, Record]:
    """Return the records of images at other thresholds.

    Raises:
        ValueError: candidates of an image were not kept, or not down to a threshold.
    """
    floor = candidate_floor(card.calibration)
    if thresholds.min() < floor:
        raise ValueError(
            f"threshold={thresholds.min():g}: candidates were kept from a score of {floor:.4g} on, and not "
            f"what is below; give {floor:.4g} or more"
        )
    kept = ((name, each) for name, each in read_candidate_records(folder, records) if _of_same(each, records[name]))
    cut = {name: cut_record(each, thresholds) for name, each in kept}
    lost = [name for name in records if name not in cut]
    if lost:
        why = "has too many candidates, which are not kept" if records[lost[0]].crowded else "has no candidates kept"
        raise ValueError(f"predictions={folder}: {lost[0]} {why}, so that no other threshold can be counted; {AGAIN}")
    return {name: cut[name] for name in records}


def _of_same(one: Record, other: Record) -> bool:
    """Return whether two records are of the same file, with the same files beside it."""
    return all(getattr(one, fact) == getattr(other, fact) for fact in ("path", "size", "mtime_ns", "beside"))


def _areas(own: OwnFacts, images: list[str]) -> Areas | None:
    """Read the areas in which was counted.

    Raises:
        FileNotFoundError: their file is gone.
        ValueError: it has others now.
    """
    if own.within is None:
        return None
    path = Path(own.within)
    if not path.exists():
        raise FileNotFoundError(f"{path}: the polygons in which was counted are not there; put the file back")
    areas = read_areas(path, own.within_layer)
    areas = areas_of_images(areas, images) if areas.crs is None else areas
    if areas.digest != own.digest:
        raise ValueError(f"{path}: its polygons are not those in which was counted; put those back, or {AGAIN}")
    return areas


def _drop_scores(paths: PredictionPaths) -> None:
    """Remove scores of other counts, and their pictures: with other counts they would say what is not so."""
    if paths.scores.exists():
        paths.scores.unlink()
        clear_scenes(paths.errors)
        logger.info("scores.json was of other counts and is removed: python -m detect.evaluate writes it anew")


def _estimate(folder: Path) -> None:
    """Estimate anew by the windows that a person reviewed; where that cannot be, the counts stand without an estimate.

    The windows are drawn by candidates, which no threshold changes.
    """
    try:
        estimate_again(folder)
    except (OSError, ValueError) as error:
        logger.warning("the counts are anew, and survey.json is still of the earlier ones: %s", error)

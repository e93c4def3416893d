"""Predict: `python -m detect.predict model=FILE images=DIR_OR_FILE_OR_GLOB output=DIR ...`."""

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from detect.assembly.command import command

if TYPE_CHECKING:
    from detect.assembly.settings.predict_settings import PredictSettings
    from detect.reporting.publishing.mirror import Mirror

logger = logging.getLogger("detect.predict")


def run(settings: "PredictSettings") -> int:
    """Count what is in images and write tables, pictures, formats and a report; see `conf/predict.yaml`."""
    from detect.assembly.prediction.published import published

    with published(settings) as (here, mirror):
        return _count(here, mirror)


def _count(settings: "PredictSettings", mirror: "Mirror | None") -> int:
    """Count into an output folder on this machine, which may be the mirror of one at an address."""
    from detect.assembly.folders import written_by_runs
    from detect.assembly.prediction.ground_settings import ground_survey, survey_settings
    from detect.assembly.prediction.run_output import check_tables, prediction_folder
    from detect.imagery.finding.listing import find_images
    from detect.nets.header import read_card
    from detect.reporting.tables import check_classes

    card = read_card(settings.model)
    check_classes(card.classes)
    listing = find_images(settings.images, written_by_runs)
    images = listing.images
    survey = ground_survey(settings, images)
    paths = prediction_folder(settings)

    from detect.assembly.engine.ready_engine import make_engine
    from detect.assembly.machine.run_workers import workers_of
    from detect.assembly.prediction.image_loop import predict_folder
    from detect.assembly.prediction.run_output import start_afresh
    from detect.assembly.prediction.run_record import remembered, result_settings, run_facts
    from detect.assembly.prediction.run_threshold import (
        log_by_class,
        output_sink,
        run_threshold,
        threshold_settings,
        thresholds_by_class,
        told_at_end,
    )
    from detect.assembly.prediction.survey_scale import with_survey_scale
    from detect.imagery.remote.model_copies import digest
    from detect.nets.modelfile import load_model
    from detect.reporting.output.journal import keep_settings, lock_folder
    from detect.reporting.output.layout import CANDIDATES

    net, _ = load_model(settings.model)
    model = digest(settings.model)
    threshold, by_class = run_threshold(settings, card), thresholds_by_class(settings, card)
    with lock_folder(paths.folder), workers_of(settings) as workers:
        check_tables(paths, settings, [name for name, _ in images])
        settings = workers.with_memory(settings, None if settings.overwrite else paths.settings)
        one = workers.settings_of_one(settings)
        engine = make_engine(one, net, card, threshold, paths.state)
        engine = replace(engine, undecided=told_at_end(settings), by_class=by_class)
        log_by_class(engine, card)
        engine = engine.with_candidates() if CANDIDATES in settings.write else engine
        engine = with_survey_scale(settings, engine, [path for _, path in images])
        results = {**result_settings(settings, engine, card), **threshold_settings(settings), **survey_settings(survey)}
        if settings.overwrite:
            start_afresh(paths, images, mirror)
        results_of = {"model": model, **results}
        resumed = keep_settings(paths.folder, results_of, remembered(settings))
        sink = output_sink(settings, engine, card, images, survey, mirror)
        if resumed:
            logger.info("going on in %s, where %d of %d images are done", paths.folder, len(sink.found), len(images))
        if sink.without_pictures:
            logger.info("%d images are looked at again for pictures that are not there", sink.without_pictures)
        facts = run_facts(settings, engine, card, results, listing.passed_over)
        crew = workers.crew(one, engine, sink, paths.state, model)
        price = settings.launcher.price_per_hour
        return predict_folder(images, engine, sink, facts, settings.overwrite, crew, price)


main = command("predict")(run)

if __name__ == "__main__":
    main()

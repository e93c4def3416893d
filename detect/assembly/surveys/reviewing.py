"""A review: the session on a predictions folder, its photographs, and the page, put together."""

import logging
import os
import sys
from contextlib import closing, suppress
from functools import cache, partial
from pathlib import Path

from detect.assembly.gate import checked_data, report_defaults
from detect.assembly.given_paths import existing
from detect.assembly.settings.report_settings import ReportSettings
from detect.assembly.settings.survey_settings import ReviewSettings
from detect.assembly.surveys.surveying import estimator, write_corrected
from detect.imagery.mosaics import MosaicRule, mosaics_by
from detect.labels.corrections import corrections_bytes
from detect.reporting.output.journal import lock_folder
from detect.reporting.output.layout import PredictionPaths
from detect.reporting.survey.person_columns import read_survey
from detect.reviewing.acts_file import REVIEW
from detect.reviewing.grad_cam import Explainer, GradCam, Score
from detect.reviewing.listening import listen, serve
from detect.reviewing.opening import Opener, opener
from detect.reviewing.review_objects import ReviewObject
from detect.reviewing.server import ReviewServer
from detect.reviewing.session import ReviewSession
from detect.reviewing.tiles.opened import OpenImages

logger = logging.getLogger("detect.review")


def review(settings: ReviewSettings) -> None:
    """Show the page of a predictions folder until the process is told to stop, then write what was corrected.

    Raises:
        FileExistsError: a person changed a file that is written anew, or the survey is of other detections.
        FileNotFoundError: there is no such folder, or no run in it.
        OSError: the port is in use.
        ValueError: a file in the folder is damaged.
    """
    folder = existing(settings.predictions, "predictions", "folder")
    session = _session(settings, folder)
    if not session.images:
        raise ValueError(f"predictions={folder}: the run counted no image, so there is nothing to look at")
    files = [(image.path, _thumbnail(folder, image.name)) for image in session.images]
    opened = OpenImages(files, settings.memory, PredictionPaths(folder).state)
    before, told = corrections_bytes(session.corrections), session.estimate()
    left = told is not None and told != read_survey(folder)  # of a review that was killed
    with (
        closing(listen(settings.port)) as port,
        closing(opened),
        opener(folder / REVIEW) as browser,
        mosaics_by(MosaicRule(_above(files))),
    ):
        _log(session)
        anew = partial(recounted, settings, folder)
        explain = explainer(folder, settings.model)
        server = ReviewServer(session, opened, folder.resolve().name, anew, browser.shown, explain)
        with suppress(KeyboardInterrupt):
            serve(server.app(), port, lambda address: _tell(address, browser if settings.browser else None))
    counted_anew = server.session is not session
    if left or counted_anew or corrections_bytes(server.session.corrections) != before:
        write_corrected(folder)


def _session(settings: ReviewSettings, folder: Path) -> ReviewSession:
    return ReviewSession(folder, estimator(folder), settings.classes)


def explainer(folder: Path, model: Path | None) -> Explainer:
    """Return what explains detections of a run; the network is read when it is first asked.

    Args:
        folder: the output folder of `detect.predict`.
        model: the file of the model that made the run; None takes the path that the run had.
    """

    @cache
    def made() -> Explainer:
        from detect.assembly.explaining.reviewed_detection import DetectionExplainer

        return DetectionExplainer(folder, model)

    def explain(image: Path, found: ReviewObject, score: Score) -> GradCam:
        return made()(image, found, score)

    return explain


def recounted(settings: ReviewSettings, folder: Path, threshold: float) -> ReviewSession:
    """Write counts, tables and pages anew by another threshold, as `detect.report` does, and return the session on it.

    Raises:
        OSError: a file is missing, or was changed by a person.
        ValueError: candidates were not kept, or not down to the threshold, or a run is writing there.
    """
    from detect.assembly.recount.recounting import recount

    with lock_folder(folder):
        asked = {**report_defaults(), "predictions": str(folder), "threshold": threshold}
        recount(checked_data(asked, ReportSettings), folder)
    return _session(settings, folder)


def _thumbnail(folder: Path, name: str) -> Path | None:
    """Return the small picture that a run made of an image, if it is there and no link out of the folder."""
    path = PredictionPaths(folder).thumbnail(name)
    return path if path.is_file() and path.resolve().is_relative_to(folder.resolve()) else None


def _above(files: list[tuple[Path, Path | None]]) -> Path:
    """Return the folder that all images lie below: mosaics among them may show files of it."""
    return Path(os.path.commonpath([path.absolute().parent for path, _ in files]))


def _log(session: ReviewSession) -> None:
    """Log what is reviewed, and photographs that are not as they were counted."""
    changed = [image.name for image in session.images if _changed(session, image.name)]
    if changed:
        logger.warning(
            "review: %d photographs were changed, or are gone, since they were counted, first %s; the page says so of "
            "each",
            *(len(changed), changed[0]),
        )
    drawn = session.windows
    if drawn:
        done = sum(task.reviewed for task in drawn)
        logger.info("review: %d of %d windows that were drawn are reviewed", done, len(drawn))
    else:
        logger.info(
            "review: no windows are drawn, so any photograph may be corrected; detect.survey draws some, and with "
            "those the total is estimated"
        )


def _changed(session: ReviewSession, image: str) -> bool:
    """Return whether a photograph is not as it was when it was counted."""
    try:
        return bool(session.changed(image))
    except ValueError:
        return True


def _tell(address: str, browser: Opener | None) -> None:
    """Log the page's address, and open it where that is wanted and there is a screen."""
    logger.info("review: %s", address)
    logger.info("it is for this machine alone and holds a secret; Ctrl-C ends it, and nothing is lost")
    screen = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if browser is not None and screen:
        browser.open(address)

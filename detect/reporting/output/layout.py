"""Layout: the names and paths of everything in an output folder of `detect.predict`."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath

COUNTS = "counts.csv"
DETECTIONS = "detections.csv"
FAILURES = "failures.csv"
AREAS = "areas.csv"
RUN_FACTS = "run.json"
SCORES = "scores.json"
REPORT = "report.html"

HEATMAPS = "heatmaps"
OVERLAYS = "overlays"
THUMBNAILS = "thumbnails"
CANDIDATES = "candidates"

SURVEY = "survey.json"
"""What the windows that a person reviewed tell of the totals."""

DESIGN, SURVEY_PLAN, KNOWN = "survey/design.csv", "survey/settings.json", "survey/known.csv"
"""The windows that a survey drew, how it drew them, and windows that were reviewed before and are not drawn."""

RANKED = "ranked.csv"
"""The windows that would teach most, for labelling; not drawn by chance, so that nothing can be estimated from them."""

CORRECTIONS = "corrections.csv"
"""The windows that a person reviewed, and what is in them."""

ACTS = "review/acts.jsonl"
"""All that a person did in a review, of which the corrections are made."""

ERRORS = "errors"
"""Folder of pictures of what was missed and of false alarms, beside the scores."""

CLASSES = "classes"
"""Folder of the tables, the pictures and the page of a classifier that was judged, beside the scores."""

BY_CLASS = "classes.csv"
"""The table in it with a row a class."""

LOTS = "lots"
"""Folder of the tables and the gallery of the wafers of lots."""

STATE = ".run"
"""Folder, inside an output folder, of what a later run needs to continue."""


SETTINGS = "settings.json"
JOURNAL = "journal.jsonl"
CANDIDATE_RECORDS = "candidates.jsonl"
OWN_FACTS = "facts.json"
STRIPS = "strips"
"""Folder in it of what is found of strips of large rasters, until they are joined."""

LOCK = "lock"
WRITTEN, WRITTEN_LOCK = "written.json", "written.lock"

RESULT_FILES = (COUNTS, DETECTIONS, FAILURES, AREAS, RUN_FACTS, REPORT, SCORES, SURVEY, RANKED)
"""The files of an output folder that a run replaces, or removes as they were of other counts."""


PERSONS_FILES = (CORRECTIONS, DESIGN, SURVEY_PLAN, KNOWN)
"""The files of an output folder that hold a person's work: a run that starts afresh leaves them."""

PICTURE_FOLDERS = (HEATMAPS, OVERLAYS)
"""The folders of an output folder that hold a file per image."""


STATE_FILES = (SETTINGS, JOURNAL, CANDIDATE_RECORDS, OWN_FACTS, WRITTEN)
"""The files of the state folder that a run which starts afresh removes, in this order; the locks stay."""


@dataclass(frozen=True)
class PredictionPaths:
    """The paths inside one output folder; image names are paths relative to the images folder, such as `a/b.jpg`.

    Attributes:
        folder: the output folder.
    """

    folder: Path

    @property
    def counts(self) -> Path:
        """The counts of every image and class."""
        return self.folder / COUNTS

    @property
    def detections(self) -> Path:
        """The detections, a row each."""
        return self.folder / DETECTIONS

    @property
    def failures(self) -> Path:
        """The images that failed, with their errors."""
        return self.folder / FAILURES

    @property
    def areas(self) -> Path:
        """The counts of every area, where a run counts in areas."""
        return self.folder / AREAS

    @property
    def run_facts(self) -> Path:
        """Versions, model, settings, notes, speed and sources of the run."""
        return self.folder / RUN_FACTS

    @cached_property
    def scores(self) -> Path:
        """The scores that `detect.evaluate` wrote for these predictions, where it was asked to write them here."""
        return self.folder / SCORES

    @property
    def errors(self) -> Path:
        """The folder of the pictures that `detect.evaluate` drew, where it was asked to draw them here."""
        return self.folder / ERRORS

    @property
    def survey(self) -> Path:
        """What the windows that a person reviewed tell, as `detect.survey` wrote it."""
        return self.folder / SURVEY

    @property
    def design(self) -> Path:
        """The windows that a survey drew."""
        return self.folder / DESIGN

    @property
    def survey_plan(self) -> Path:
        """How a survey drew them."""
        return self.folder / SURVEY_PLAN

    @property
    def known(self) -> Path:
        """The windows that had been reviewed before, and what is in them."""
        return self.folder / KNOWN

    @property
    def corrections(self) -> Path:
        """The windows that a person reviewed, and what is in them."""
        return self.folder / CORRECTIONS

    @property
    def acts(self) -> Path:
        """All that a person did in a review."""
        return self.folder / ACTS

    @property
    def report(self) -> Path:
        """The report page."""
        return self.folder / REPORT

    @property
    def state(self) -> Path:
        """The folder of what a later run needs to continue."""
        return self.folder / STATE

    @property
    def settings(self) -> Path:
        """The settings that the results depend on."""
        return self.state / SETTINGS

    @property
    def journal(self) -> Path:
        """The records of the images that are done."""
        return self.state / JOURNAL

    @property
    def candidate_records(self) -> Path:
        """The records of the images with all that may be an object in them."""
        return self.state / CANDIDATE_RECORDS

    @property
    def own_facts(self) -> Path:
        """What a run said of itself at its own threshold, to be said again at another."""
        return self.state / OWN_FACTS

    @property
    def written(self) -> Path:
        """The hashes of the files that runs wrote."""
        return self.state / WRITTEN

    @property
    def written_lock(self) -> Path:
        """The file that a process locks while it changes those hashes and the files that they are of."""
        return self.state / WRITTEN_LOCK

    @cached_property
    def strips(self) -> Path:
        """The folder of what is found of strips of large rasters."""
        return self.state / STRIPS

    @property
    def lock(self) -> Path:
        """The file that the running process locks."""
        return self.state / LOCK

    @cached_property
    def picture_folders(self) -> tuple[Path, ...]:
        """The folders that hold a file per image: heatmaps, overlays, thumbnails and candidates."""
        return (*(self.folder / name for name in PICTURE_FOLDERS), self.state / THUMBNAILS, self.folder / CANDIDATES)

    def pictures(self, image: str) -> tuple[Path, Path, Path, Path]:
        """Return the paths of an image's heatmap, overlay and thumbnail, and of its candidates."""
        return self.heatmap(image), self.overlay(image), self.thumbnail(image), self.candidates(image)

    def heatmap(self, image: str) -> Path:
        """Return the path of an image's heatmap: `heatmaps/a/b.jpg.tif` for `a/b.jpg`."""
        return self.folder / f"{HEATMAPS}/{image}.tif"

    def overlay(self, image: str) -> Path:
        """Return the path of an image with its detections drawn on it: `overlays/a/b.jpg.jpg` for `a/b.jpg`."""
        return self.folder / overlay_address(image)

    def candidates(self, image: str) -> Path:
        """Return the path of the table of what may be an object in an image: `candidates/a/b.jpg.csv` for `a/b.jpg`."""
        return self.folder / f"{CANDIDATES}/{image}.csv"

    def thumbnail(self, image: str) -> Path:
        """Return the path of an image's small picture, with which the report need not read the image again."""
        return self.folder / f"{STATE}/{THUMBNAILS}/{image}.jpg"


def inside_name(image: str) -> bool:
    """Return whether an image's name is a path below a folder: not absolute, without `..` and NUL."""
    path = PurePath(image)
    return not path.anchor and ".." not in path.parts and "\0" not in image


def overlay_address(image: str) -> str:
    """Return the address of an image's overlay relative to the output folder, with forward slashes, not quoted."""
    return f"{OVERLAYS}/{image}.jpg"

"""What a run said of itself at its own threshold, and of the ground in which it counted, kept to be said again."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detect.labels.json_files import read_json_object
from detect.reporting.output.ground_survey import GroundSurvey
from detect.reporting.output.layout import PredictionPaths

AGAIN = "count the images again with detect.predict (overwrite=true), with candidates among write="
"""The way out where something is not kept."""

OVERLAPS = ("auto", "merge", "keep")


@dataclass(frozen=True)
class OwnFacts:
    """What a run said of itself.

    Attributes:
        run: what its `run.json` says of versions, model, settings and speed, before the numbers of images are added.
        within: the file of polygons in which it counted; None of whole images.
        within_layer: the file's layer, where it was named.
        digest: of the polygons.
        overlap, radius_m: how objects are told that several photographs show.
    """

    run: Mapping[str, Any]
    within: str | None
    within_layer: str | None
    digest: str | None
    overlap: str
    radius_m: float | None

    @classmethod
    def of(cls, run: Mapping[str, Any], survey: GroundSurvey) -> "OwnFacts":
        """Return those of a run that ends."""
        areas = survey.areas
        if areas is None:
            return cls(run, None, None, None, survey.overlap, survey.radius_m)
        return cls(run, str(areas.path.absolute()), areas.layer, areas.digest, survey.overlap, survey.radius_m)

    def to_record(self) -> dict[str, Any]:
        """Return it as plain values."""
        return dict(vars(self))


def read_own_facts(folder: Path) -> OwnFacts:
    """Read what a run of a predictions folder said of itself.

    Raises:
        FileNotFoundError: the run did not end, or was one of an earlier version.
        ValueError: the file is damaged.
    """
    path = PredictionPaths(folder).own_facts
    try:
        data = read_json_object(path, folder)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"predictions={folder}: the run did not end, or was made by an earlier version; {AGAIN}"
        ) from error
    run, names, radius = data.get("run"), ("within", "within_layer", "digest"), data.get("radius_m")
    texts = [data.get(name) for name in names]
    good = isinstance(run, Mapping) and all(isinstance(run.get(part), Mapping) for part in ("model", "settings"))
    good = good and all(each is None or isinstance(each, str) for each in texts) and data.get("overlap") in OVERLAPS
    number = isinstance(radius, int | float) and not isinstance(radius, bool) and radius > 0
    if not good or not (radius is None or number) or (texts[0] is None) != (texts[2] is None):
        raise ValueError(f"{path} is damaged; {AGAIN}")
    return OwnFacts(run, *texts, data["overlap"], radius)

"""Objects that several photographs of a run show: found on the ground, numbered, and counted once."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.sightings import Sightings, TooManyPairsError, objects_seen
from detect.imagery.ground.footprints import Footprint, ground_outlines, shared_ground
from detect.imagery.ground.geodesy import GeodesyError
from detect.nets.net_spec import NetSpec
from detect.reporting.output.ground_survey import GroundSurvey
from detect.reporting.output.records import Record

logger = logging.getLogger(__name__)

LEAST_SHARED = 0.01
"""Share of the ground that is shown again from which on objects are looked for that are seen again."""


@dataclass(frozen=True, eq=False)
class SeenAgain:
    """The objects of a run whose images show the same ground.

    Attributes:
        objects: (N,) number of the object, from 1, of each detection, by image; by their first sightings.
        unique: number of objects that an image is the first to show, by image.
        per_class: number of objects by class: that of the sighting with the highest score.
        shared: share of the ground that is shown again.
        radius_m: least and greatest distance within which two detections are one.
        unplaced: images without a place on the ground, whose objects are nobody else's.
    """

    objects: Mapping[str, NDArray[np.int64]]
    unique: Mapping[str, int]
    per_class: Mapping[str, int]
    shared: float
    radius_m: tuple[float, float]
    unplaced: Sequence[str]

    @property
    def total(self) -> int:
        """Number of different objects."""
        return sum(self.unique.values())

    @property
    def counted(self) -> int:
        """Number of detections."""
        return sum(map(len, self.objects.values()))

    def sentence(self) -> str:
        """Return what a reader must know, in words."""
        low, high = self.radius_m
        near = f"{high:.3g} m" if f"{low:.3g}" == f"{high:.3g}" else f"{low:.3g} to {high:.3g} m"
        lost = f"; {len(self.unplaced)} images have no place on the ground" if self.unplaced else ""
        again, images = self.counted - self.total, len(self.objects)
        return (
            f"{self.total:,} objects are different on the ground: of the {self.counted:,} counted in {images:,} images "
            f"{again:,} are one that an earlier image shows too (within {near}); "
            f"{100 * self.shared:.0f} % of the ground is shown more than once{lost}"
        )

    def facts(self) -> dict[str, Any]:
        """Return it for `run.json`."""
        return {
            "counted": self.counted,
            "unique": self.total,
            "unique_per_class": dict(self.per_class),
            "shared_ground": round(self.shared, 4),
            "radius_m": [round(each, 4) for each in self.radius_m],
            "images_without_a_place": len(self.unplaced),
        }


def seen_again(records: Mapping[str, Record], survey: GroundSurvey, spec: NetSpec, reach_px: float) -> SeenAgain | None:
    """Find the objects that several images show.

    Args:
        records: the images of a run that are done, in their order.
        survey: how they are looked for.
        spec: of the model.
        reach_px: pixels, as the model reads images, within which two detections are one where no metres are given.

    Returns:
        None where they are not looked for: as the survey says, because no ground is shown twice, or, where nobody asked
        for it, because too many are near each other.

    Raises:
        TooManyPairsError: so many are, and they are to be merged.
    """
    if survey.overlap == "keep" or len(records) < 2:
        return None
    prints = {name: record.footprint for name, record in records.items() if record.footprint is not None}
    outlines = ground_outlines(prints)
    shared = shared_ground(list(outlines.values()))
    if len(outlines) < 2 or (survey.overlap == "auto" and shared <= LEAST_SHARED):
        return None
    placed = {name: prints[name] for name in outlines}
    reach = {name: survey.radius_m or reach_m(print_, spec, reach_px) for name, print_ in placed.items()}
    try:
        numbers = objects_seen(_sightings(records, placed, reach))
    except TooManyPairsError as error:
        if survey.overlap == "merge":
            raise
        logger.warning("objects that several images show are not told apart: %s", error)
        return None
    return _counted(
        records, numbers, shared, (min(reach.values()), max(reach.values())), sorted({*records} - {*placed})
    )


def reach_m(footprint: Footprint, spec: NetSpec, reach_px: float) -> float:
    """Return the metres of a number of pixels as the model reads an image."""
    gsd = spec.resolution.gsd
    return reach_px * (footprint.pixel_m / spec.resolution.scale if gsd is None else gsd)


def _sightings(records: Mapping[str, Record], placed: Mapping[str, Footprint], reach: Mapping[str, float]) -> Sightings:
    """Return the detections of all images with their places in metres; those of different worlds are far apart."""
    worlds: dict[str, int] = {}
    at, image, label, within = [], [], [], []
    for number, (name, record) in enumerate(records.items()):
        found = record.detections
        places = np.full((len(found), 4), np.nan)
        if name in placed and len(found):
            world = worlds.setdefault(placed[name].world or "", len(worlds))
            try:
                places[:, :3] = placed[name].metres(found.xy)
                places[:, 3] = world * 1e9
            except GeodesyError as error:
                logger.warning("%s: its objects have no place on the ground (%s)", name, error)
        at.append(places)
        image.append(np.full(len(found), number, np.int64))
        label.append(found.label)
        within.append(np.full(len(found), reach.get(name, 0.0)))
    return Sightings(np.concatenate(at), np.concatenate(image), np.concatenate(label), np.concatenate(within))


def _counted(
    records: Mapping[str, Record],
    numbers: NDArray[np.int64],
    shared: float,
    radius_m: tuple[float, float],
    unplaced: Sequence[str],
) -> SeenAgain:
    """Count the objects by image and class."""
    stops = np.cumsum([len(record.detections) for record in records.values()])[:-1]
    objects = dict(zip(records, np.split(numbers + 1, stops), strict=True))
    _, first = np.unique(numbers, return_index=True)
    firsts = np.bincount(np.searchsorted(stops, first, side="right"), minlength=len(records)).tolist()
    score = np.concatenate([record.detections.score for record in records.values()])
    names = np.array([name for record in records.values() for name in record.detections.names], object)
    best = np.lexsort((np.arange(len(score)), -score, numbers))
    _, place = np.unique(numbers[best], return_index=True)
    classes = next(iter(records.values())).detections.classes
    of_class = names[best][place].tolist() if len(numbers) else []
    return SeenAgain(
        objects,
        dict(zip(records, firsts, strict=True)),
        {name: of_class.count(name) for name in classes},
        shared,
        radius_m,
        unplaced,
    )

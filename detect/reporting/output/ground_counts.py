"""The counts of a run on the ground, when all its images are done: by area, and of different objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from detect.imagery.ground.polygons import Areas
from detect.nets.card import ModelCard
from detect.reporting.output.area_table import area_table, tell_areas
from detect.reporting.output.ground_survey import GroundSurvey
from detect.reporting.output.layout import AREAS
from detect.reporting.output.records import Record
from detect.reporting.output.repeats import SeenAgain, seen_again
from detect.reporting.output.seen_ground import shown_once
from detect.reporting.tables import UNIQUE, table_bytes

AREAS_FACT = "areas"
"""What the areas are called in `run.json`."""

MOST_ZONES = 100
"""Most zones that are named there."""


@dataclass(frozen=True, eq=False)
class GroundCounts:
    """What a run counted on the ground.

    Attributes:
        survey: what of the ground is counted.
        records: the images that are done.
        card: of the model.
    """

    survey: GroundSurvey
    records: Mapping[str, Record]
    card: ModelCard

    @cached_property
    def seen(self) -> SeenAgain | None:
        """The objects that several images show; None where they are not looked for."""
        head = self.card.head
        reach_px = head.typical_size / 2 if head.boxes else self.card.radius
        return seen_again(self.records, self.survey, self.card, reach_px)

    @property
    def columns(self) -> dict[str, dict[str, str]]:
        """The column of counts.csv of the objects that each image is the first to show, where they are looked for."""
        return {} if self.seen is None else {UNIQUE: {name: str(number) for name, number in self.seen.unique.items()}}

    @property
    def objects(self) -> Mapping[str, NDArray[Any]] | None:
        """The object of each detection, by image; None where they are not looked for."""
        return None if self.seen is None else self.seen.objects

    def files(self) -> dict[str, bytes]:
        """Return `areas.csv` by its name; nothing where there are no areas."""
        areas = self.survey.areas
        if areas is None:
            return {}
        once = {} if self.seen is None or areas.crs is None else shown_once(areas, self.records)
        return {AREAS: table_bytes(area_table(areas, self.records, self.card.classes, self.seen, once))}

    @cached_property
    def areas_remarks(self) -> list[str]:
        """What a reader must know of areas and images that do not meet, as sentences."""
        return [] if self.survey.areas is None else tell_areas(self.survey.areas, self.records)

    @property
    def remarks(self) -> list[str]:
        """The same, and what to know of objects that several images show."""
        return self.areas_remarks if self.seen is None else [*self.areas_remarks, self.seen.sentence()]

    def facts(self) -> dict[str, Any]:
        """Return what `run.json` says of it beside the notes."""
        areas = self.survey.areas
        within = {} if areas is None else {AREAS_FACT: _areas_facts(areas)}
        return within if self.seen is None else {**within, "overlap": self.seen.facts()}


def _areas_facts(areas: Areas) -> dict[str, Any]:
    """Return what `run.json` says of the areas."""
    return {
        "file": str(areas.path),
        "number": len(areas.areas),
        "cut_out": [zone.name for zone in areas.zones[:MOST_ZONES]],
        "pixels": areas.crs is None,
    }

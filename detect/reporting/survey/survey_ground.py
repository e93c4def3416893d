"""`SurveyGround`: the part of the images that a survey is of: all of them, or what is in polygons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.survey.partition import SurveyWindows
from detect.imagery.ground.geodesy import GeodesyError
from detect.imagery.ground.inside import places_inside
from detect.imagery.ground.polygons import Areas
from detect.imagery.ground.projecting import outlines_on
from detect.imagery.ground.valid_outline import CELLS, outline_of_text
from detect.labels.detections import Detections
from detect.reporting.output.records import Record


@dataclass(frozen=True, eq=False)
class SurveyGround:
    """The part of each image that a survey is of.

    Attributes:
        names: of the polygons; none where whole images are surveyed.
        outlines: (polygon, its outline in file pixels) of those that meet an image, by its name; None for whole images.
        shown: a generous outline of what of an image has data, by its name; an image that is not named has data all
            over.
    """

    names: tuple[str, ...]
    outlines: Mapping[str, list[tuple[int, Any]]] | None
    shown: Mapping[str, Any]

    def inside(self, found: Mapping[str, Detections]) -> dict[str, Detections]:
        """Return the objects of images that are in any polygon."""
        if self.outlines is None:
            return dict(found)
        return {name: each[_any(self._members(name, each))] for name, each in found.items()}

    def of_polygon(self, number: int, found: Mapping[str, Detections]) -> dict[str, Detections]:
        """Return the objects of images that are in a polygon; one on a common edge is in the first alone."""
        assert self.outlines is not None
        kept = {}
        for name, each in found.items():
            numbers = [other for other, _ in self.outlines[name]]
            if number in numbers:
                kept[name] = each[self._members(name, each)[numbers.index(number)]]
        return kept

    def _members(self, name: str, objects: Detections) -> list[NDArray[np.intp]]:
        assert self.outlines is not None
        return places_inside([outline for _, outline in self.outlines[name]], objects.xy)

    def pixels(self, windows: SurveyWindows) -> NDArray[np.float64]:
        """Return how many pixels (N,) of each window the survey is of; 0 for windows that hold nothing of it."""
        import shapely

        area = windows.pixels.astype(np.float64)
        for name in windows.images:
            part = self._part(name)
            if part is None:
                continue
            places = np.flatnonzero(windows.of_image(name))
            row, col, height, width = windows.bounds[places].T
            boxes = shapely.box(col, row, col + width, row + height)
            area[places] = shapely.area(shapely.intersection(boxes, part))
        return area

    def meets(self, number: int, windows: SurveyWindows) -> NDArray[np.bool_]:
        """Mark the windows (N,) that a polygon meets."""
        import shapely

        assert self.outlines is not None
        met = np.zeros(len(windows), bool)
        for name, outlines in self.outlines.items():
            outline = dict(outlines).get(number)
            if outline is not None:
                places = np.flatnonzero(windows.of_image(name))
                row, col, height, width = windows.bounds[places].T
                met[places] = shapely.intersects(shapely.box(col, row, col + width, row + height), outline)
        return met

    def _part(self, name: str) -> Any:
        """Return the outline of what of an image is surveyed; None for all of it."""
        import shapely

        shown = self.shown.get(name)
        if self.outlines is None:
            return shown
        every = shapely.union_all([outline for _, outline in self.outlines[name]])
        return every if shown is None else shapely.intersection(every, shown)


def _any(members: list[NDArray[np.intp]]) -> NDArray[np.intp]:
    return np.unique(np.concatenate([np.empty(0, np.intp), *members]))


def survey_ground(records: Mapping[str, Record], areas: Areas | None) -> SurveyGround:
    """Return the part of each image that is surveyed.

    What has data is known in coarse cells (`valid_outline`); a cell is added around it, so that no window that may hold
    something is left out.

    Args:
        records: of the images.
        areas: the polygons; None for whole images.

    Raises:
        ValueError: the polygons are on a map, and an image has no place on it.
    """
    shown = {}
    for name, record in records.items():
        if record.shown is not None:
            cell = -(-max(record.shape) // CELLS)
            shown[name] = outline_of_text(record.shown).buffer(cell, join_style="mitre")
    if areas is None:
        return SurveyGround((), None, shown)
    outlines = {}
    for name, record in records.items():
        try:
            outlines[name] = list(outlines_on(areas, name, record.placement, record.shape))
        except GeodesyError as error:
            raise ValueError(f"{name}: {error}") from error
    return SurveyGround(tuple(each.name for each in areas.areas), outlines, shown)

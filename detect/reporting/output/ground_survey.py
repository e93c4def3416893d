"""What of the ground a run counts: the areas in which, and objects once where several photographs show them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from detect.imagery.ground.geodesy import SQUARE_METRES_PER_HECTARE, GeodesyError, Placement, placement_of
from detect.imagery.ground.inside import on_image, places_inside, valid_shares
from detect.imagery.ground.polygons import Areas
from detect.imagery.ground.projecting import outlines_on, square_metres
from detect.imagery.ground.valid_outline import outline_text, shown_outline
from detect.imagery.scenes import Scene, original
from detect.imagery.validity.gathered import ValidPixels
from detect.imagery.validity.surveyed import Surveyed
from detect.imagery.windows import Window
from detect.labels.detections import Detections
from detect.reporting.output.area_parts import AreaPart


@dataclass(frozen=True, eq=False)
class GroundSurvey:
    """What of the ground is counted.

    Attributes:
        areas: the polygons in which is counted; None for whole images.
        overlap: `merge` looks for objects that several photographs show, `auto` where their ground overlaps, `keep`
            never.
        radius_m: metres on the ground within which two detections are one; None by the model and the resolution.
    """

    areas: Areas | None
    overlap: Literal["auto", "merge", "keep"]
    radius_m: float | None


WHOLE_IMAGES = GroundSurvey(None, "keep", None)
"""All that images show, each by itself."""


@dataclass(frozen=True, eq=False)
class Inside:
    """What of an image is counted.

    Attributes:
        detections: those that are.
        outside: number of those that are not.
        parts: the image's parts of areas.
        outlines: of these in the file's pixels, shapely polygons.
        part: of the image that is in any area, and how much of that has data; None where there are no areas.
        shown: what of the image has data, as `valid_outline.outline_text` writes it; None for all of it.
        rows: positions of the counted ones among all, ascending.
    """

    detections: Detections
    outside: int
    parts: tuple[AreaPart, ...]
    outlines: tuple[Any, ...]
    part: Surveyed | None
    shown: str | None
    rows: NDArray[np.intp]


def inside_areas(areas: Areas | None, name: str, scene: Scene, found: Detections, valid: ValidPixels | None) -> Inside:
    """Return what of an image is counted: the detections whose centre lies in an area.

    Args:
        areas: the polygons; None for all of the image.
        name: of the image.
        scene: the image, as the model reads it.
        found: all of its detections, in pixels of the file.
        valid: the scene's pixels that have data; None where all have.

    Raises:
        ValueError: the areas are on a map, and the image has no place on it.
    """
    shown = None if valid is None else _shown(scene, valid)
    if areas is None:
        return Inside(found, 0, (), (), None, shown, np.arange(len(found)))
    import shapely

    whole = original(scene)
    placement = placement_of(whole)
    try:
        met = outlines_on(areas, name, placement, whole.shape)
    except GeodesyError as error:
        raise ValueError(f"{scene.path}: {error}") from error
    outlines = [outline for _, outline in met]
    members = places_inside(outlines, found.xy)
    kept = np.unique(np.concatenate([np.empty(0, np.intp), *members]))
    on = on_image(outlines, whole.shape)
    on.append(shapely.union_all(on) if on else shapely.Polygon())
    shares = np.ones(len(on)) if valid is None else valid_shares(_scaled(on, scene), scene.shape, _reader(valid))
    rows = [*(np.searchsorted(kept, each) for each in members), np.arange(len(kept))]
    numbers = [*(number for number, _ in met), len(areas.areas)]
    *parts, every = (_part(*each, placement) for each in zip(numbers, rows, on, shares.tolist(), strict=True))
    lost = len(found) - len(kept)
    return Inside(found[kept], lost, tuple(parts), tuple(outlines), _surveyed(every), shown, kept)


def _reader(valid: ValidPixels) -> Callable[[Window], NDArray[np.bool_]]:
    """Return what reads which pixels (height, width) of a window of a scene have data."""
    return lambda window: valid.cells(window, 1, 0)


def _shown(scene: Scene, valid: ValidPixels) -> str | None:
    """Return what of an image has data, in pixels of its file, as text; None for all of it."""
    if valid.number == scene.shape[0] * scene.shape[1]:
        return None
    return outline_text(_scaled([shown_outline(scene.shape, _reader(valid))], scene, back=True)[0])


def _surveyed(every: AreaPart) -> Surveyed:
    """Return how much of an image was looked at, of the part that is in any area."""
    hectares = None if every.surveyed_m2 is None else every.surveyed_m2 / SQUARE_METRES_PER_HECTARE
    return Surveyed(round(every.pixels), min(round(every.pixels), round(every.surveyed_pixels)), hectares)


def _part(number: int, rows: NDArray[np.int64], part: Any, share: float, placement: Placement | None) -> AreaPart:
    """Return the part of an area that is on an image, of which a share has data."""
    metres = square_metres(part, placement)
    return AreaPart(number, rows, part.area, part.area * share, None if metres is None else metres * share)


def _scaled(outlines: Sequence[Any], scene: Scene, back: bool = False) -> list[Any]:
    """Return outlines in the file's pixels in those of the scene, or back."""
    import shapely

    factors = np.array(scene.factor_xy) ** (-1 if back else 1)
    return [shapely.transform(outline, lambda xy: xy * factors) for outline in outlines]

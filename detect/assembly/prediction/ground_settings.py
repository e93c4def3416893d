"""The areas in which a run counts, read and compared with its images before it begins."""

import logging
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from detect.assembly.settings.predict_settings import PredictSettings
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.ground.polygons import Areas, read_areas
from detect.imagery.scenes import SceneError
from detect.labels.image_names import match_names
from detect.reporting.output.ground_survey import GroundSurvey

logger = logging.getLogger(__name__)

MOST_TOLD = 5
"""Most images that a line of the log names."""


def ground_survey(settings: PredictSettings, images: Sequence[tuple[str, Path]]) -> GroundSurvey:
    """Return what of the ground a run counts: its areas, and whether photographs are compared.

    Args:
        settings: of the run.
        images: (name, path).

    Raises:
        FileNotFoundError: there is no file of areas.
        ValueError: it cannot be read; its polygons are on a map, and no image is; or they are of images that are not
            among these.
    """
    if settings.overlap == "merge":
        _check_places(images)
    return GroundSurvey(_areas(settings, images), settings.overlap, settings.overlap_radius_m)


def _check_places(images: Sequence[tuple[str, Path]]) -> None:
    """Check that two images can be compared on the ground."""
    placed = list(islice((path for _, path in images if _on_a_map(path)), 2))
    if len(placed) < 2:
        raise ValueError(
            f"overlap=merge compares places on the ground, and {len(placed)} of {len(images)} images have a "
            "georeference with a coordinate system; give them one (GeoTIFF, or a world file and .aux.xml), or set "
            "overlap=keep"
        )


def survey_settings(survey: GroundSurvey) -> dict[str, Any]:
    """Return what of it the results of an image depend on; objects are compared anew at the end of every run."""
    return {} if survey.areas is None else {"within": survey.areas.digest}


def _areas(settings: PredictSettings, images: Sequence[tuple[str, Path]]) -> Areas | None:
    if settings.within is None:
        return None
    if not settings.within.exists():
        raise FileNotFoundError(f"within={settings.within}: no such file of polygons")
    areas = read_areas(settings.within, settings.within_layer)
    if areas.crs is None:
        areas = areas_of_images(areas, [name for name, _ in images])
    elif not any(_on_a_map(path) for _, path in images):
        raise ValueError(
            f"within={settings.within}: its polygons are on a map, and none of {len(images)} images has a georeference "
            "with a coordinate system; give them one, or draw the polygons in pixels (a column `image`, no CRS)"
        )
    cut = f", {len(areas.zones)} zones are cut out" if areas.zones else ""
    where = "pixels" if areas.crs is None else f"the coordinates of {_short(areas.crs)}"
    logger.info("counting in %d areas of %s%s; they are in %s", len(areas.areas), settings.within, cut, where)
    return areas


def areas_of_images(areas: Areas, images: Sequence[str]) -> Areas:
    """Return polygons in pixels with the names that their images have in this run."""
    named = sorted({each.image for each in (*areas.areas, *areas.zones) if each.image is not None})
    pairs = match_names(named, images)
    if named and not pairs:
        raise ValueError(f"{areas.path}: its polygons are of images that are not among these, such as {named[0]!r}")
    left = [name for name in named if name not in pairs]
    if left:
        shown = ", ".join(left[:MOST_TOLD])
        logger.warning("%s: polygons of %d images that are not among these: %s", areas.path, len(left), shown)
    shared = sum(each.image is None for each in (*areas.areas, *areas.zones) if each.outline is not None)
    if shared:
        logger.info("%s: %d polygons in pixels name no image and hold for every one", areas.path, shared)
    return areas.of_images(pairs)


def _on_a_map(path: Path) -> bool:
    try:
        return open_scene(path).crs is not None
    except SceneError:
        return False


def _short(crs: str) -> str:
    """Return the name of a coordinate system."""
    from detect.imagery.ground.geodesy import read_crs

    return str(read_crs(crs).name)

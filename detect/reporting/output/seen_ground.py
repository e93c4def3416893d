"""How much of each area's ground is left when what several images show counts once."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from detect.imagery.ground.footprints import ground_planes, outline_in
from detect.imagery.ground.inside import on_image
from detect.imagery.ground.polygons import Areas
from detect.imagery.ground.projecting import outlines_on
from detect.reporting.output.records import Record


def shown_once(areas: Areas, records: Mapping[str, Record]) -> dict[int, float]:
    """Return, by an area's position, the share of the ground that images show of it that is left of what counts once.

    Args:
        areas: on a map.
        records: the images of a run that are done.

    Returns:
        Numbers in (0, 1]; areas that no two images show are left out.
    """
    import shapely

    prints = {name: record.footprint for name, record in records.items() if record.footprint and record.areas}
    shown: dict[tuple[int, str], list[Any]] = defaultdict(list)
    for name, plane in ground_planes(prints).items():
        place, shape = prints[name].placement, prints[name].shape
        met = outlines_on(areas, name, place, shape)
        parts = on_image([outline for _, outline in met], shape)
        for (number, _), part in zip(met, parts, strict=True):
            made = outline_in(plane, prints[name], part)
            if made is not None:
                shown[number, plane.world].append(made)
    several = {key: each for key, each in shown.items() if len(each) > 1}
    sums: dict[int, list[float]] = {number: [0.0, 0.0] for number, _ in several}
    for (number, _), each in shown.items():
        if number in sums:
            sums[number][0] += float(shapely.union_all(each).area)
            sums[number][1] += float(sum(part.area for part in each))
    return {number: once / whole for number, (once, whole) in sums.items() if whole > 0}

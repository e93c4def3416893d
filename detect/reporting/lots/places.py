"""Where the defects of a wafer are: of its list of defects, of a die map's failing pixels, or of what a run found."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import SceneReader
from detect.imagery.wafers.notches import AS_GIVEN, turned
from detect.imagery.wafers.wafer_files import read_parts
from detect.imagery.windows import Window
from detect.labels.detections import Detections
from detect.reporting.lots.zones import Disc, ZoneCounts, Zones, count_zones, empty_zones

MAP_SIDE = 96
"""Squares along the map of a wafer's defects in the gallery."""

ROWS_AT_ONCE_PIXELS = 1 << 22
"""Pixels of a die map that are read at once, at about."""


@dataclass(frozen=True, eq=False)
class ListedWafer:
    """A wafer of a list of defects: what it is called, where its orientation mark is, and its defects by zone.

    `map` has the defects in `MAP_SIDE` x `MAP_SIDE` squares over the wafer, the highest first.
    """

    lot: str
    name: str
    mark: str
    zones: ZoneCounts
    map: NDArray[np.int64]


def zones_of_list(path: Path, zones: Zones, keep: bool, notch: str = AS_GIVEN) -> list[ListedWafer]:
    """Count the defects of each wafer of a list in zones, a part of the list at a time.

    Args:
        path: the list.
        zones: how wafers are parted.
        keep: as of `read_wafers`: whether a list that is cut off, or has other counts than it says, is read as it is.
        notch: the side to which the wafers are turned by their notch or flat, where it is said at which that lies.

    Raises:
        ValueError: the list cannot be read (`WaferError`), or the edge that is left out is as wide as a wafer.
        OSError: the file cannot be read.
    """
    found: dict[tuple[str, str, str], ZoneCounts] = {}
    maps: dict[tuple[str, str, str], NDArray[np.int64]] = {}
    for part in read_parts(path, keep):
        disc, key = Disc(part.diameter_mm / 2, 1.0), (part.lot, part.name, part.mark or "")
        xy_mm = turned(part.xy_mm, part.mark, notch)
        counted = count_zones(xy_mm, disc, zones)
        known = found.get(key)
        add_places(maps.setdefault(key, np.zeros((MAP_SIDE, MAP_SIDE), np.int64)), xy_mm, disc)
        found[key] = counted if known is None else with_more(known, counted)
    return [ListedWafer(*called, each, maps[called]) for called, each in found.items()]


def add_places(counts: NDArray[np.int64], xy: NDArray[np.float64], disc: Disc) -> None:
    """Add places to the numbers in equal squares over a wafer; those beyond its square are left out."""
    side = len(counts)
    cells = np.floor((np.stack([-xy[:, 1], xy[:, 0]], axis=1) / disc.radius + 1) / 2 * side).astype(np.int64)
    inside = ((cells >= 0) & (cells < side)).all(axis=1)
    np.add.at(counts, tuple(cells[inside].T), 1)


def with_more(one: ZoneCounts, more: ZoneCounts) -> ZoneCounts:
    """Return the defects of both, which are of one wafer, with its area."""
    return ZoneCounts(one.numbers + more.numbers, one.outside + more.outside, one.area_cm2)


def zones_of_map(path: Path, values: tuple[float, float], diameter_mm: float | None, zones: Zones) -> ZoneCounts:
    """Count the pixels of a die map that have some values, in the first band, in zones.

    The wafer is the largest circle in the map.

    Args:
        path: of an image with a pixel a die.
        values: least and greatest value of a failing die.
        diameter_mm: of the wafer, None where it is not known.
        zones: how it is parted.

    Raises:
        SceneError: the image cannot be read.
    """
    scene = open_scene(path)
    height, width = scene.shape
    disc = disc_in(scene.shape, diameter_mm)
    total = empty_zones(disc, zones)
    with SceneReader(scene, (1,)) as reader:
        for window in _strips(height, width):
            pixels, valid = reader.read_valid(window)
            failing = (pixels[0] >= values[0]) & (pixels[0] <= values[1]) & valid
            rows, columns = np.nonzero(failing)
            xy = np.stack([columns + 0.5 - width / 2, height / 2 - (rows + window.row + 0.5)], axis=1)
            total = with_more(total, count_zones(xy, disc, zones))
    return total


def _strips(height: int, width: int) -> Iterator[Window]:
    step = max(1, ROWS_AT_ONCE_PIXELS // width)
    for row in range(0, height, step):
        yield Window(row, 0, min(step, height - row), width)


def zones_of_found(found: Detections, shape: tuple[int, int], diameter_mm: float | None, zones: Zones) -> ZoneCounts:
    """Count the middles of what was found in an image of a wafer in zones; the wafer is the largest circle in it.

    Args:
        found: in pixels of the file.
        shape: (height, width) of the image.
        diameter_mm: of the wafer, None where it is not known.
        zones: how it is parted.
    """
    height, width = shape
    xy = np.stack([found.xy[:, 0] - width / 2, height / 2 - found.xy[:, 1]], axis=1)
    return count_zones(xy, disc_in(shape, diameter_mm), zones)


def disc_in(shape: tuple[int, int], diameter_mm: float | None) -> Disc:
    """Return the largest circle in an image, in pixels."""
    radius = min(shape) / 2
    return Disc(radius, None if diameter_mm is None else diameter_mm / (2 * radius))

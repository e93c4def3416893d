"""Regions of images without labels, where nothing is learned or scored."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.labels.annotations import AnnotationError, Annotations
from detect.labels.columns import find_columns, known_columns
from detect.labels.detections import Detections
from detect.labels.dialects import read_foreign_sheet
from detect.labels.entries import Problems, parse_numbers
from detect.labels.image_names import match_names


def read_regions(path: Path) -> dict[str, list[list[float]]]:
    """Read a CSV table of rectangles, `image,xmin,ymin,xmax,ymax` in pixels, as any program writes it; see `columns`.

    Returns:
        The corners of each image's rectangles by its name.

    Raises:
        AnnotationError: no such file, not a CSV table, a column is missing, or a row without an image or a rectangle,
            with its line.
        OSError: the file cannot be read.
    """
    sheet = read_foreign_sheet(path, known_columns, lambda _: None).sheet
    columns = find_columns(path, sheet.header)
    if columns.kind == "points":
        raise AnnotationError(f"{path}: columns xmin, ymin, xmax, ymax are missing; regions are rectangles")
    problems = Problems(path, strict=True)
    regions: dict[str, list[list[float]]] = {}
    names = sheet.column(columns.roles["image"])
    for line, image, *texts in zip(sheet.lines, names, *map(sheet.column, columns.numbers), strict=True):
        place = f"{path} line {line}"
        if not image:
            problems.add(place, "image empty; name the image of the region")
        read = parse_numbers(texts, columns.numbers, place, problems)
        numbers = None if read is None else columns.corners(read)
        if numbers is not None and not (numbers[0] < numbers[2] and numbers[1] < numbers[3]):
            problems.add(place, f"region {','.join(texts)} has no size; it must satisfy xmin < xmax and ymin < ymax")
        elif numbers is not None:
            regions.setdefault(image, []).append(list(numbers))
    problems.stop()
    return regions


def regions_of(
    regions: Mapping[str, Sequence[Sequence[float]]], images: Sequence[str]
) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
    """Find the images that regions belong to, by name or by the end of the path.

    Args:
        regions: corners x1, y1, x2, y2 of each image's rectangles, in pixels, by the image's name.
        images: names of images.

    Returns:
        The rectangles (M, 4) of every image that has some, and the names that match no image.

    Raises:
        AnnotationError: not four numbers, a rectangle without a size, or a name that matches several images.
    """
    corners = {name: _rectangles(name, boxes) for name, boxes in regions.items()}
    pairs = match_names(list(corners), images)
    return {image: corners[name] for name, image in pairs.items()}, [name for name in corners if name not in pairs]


def with_regions(annotations: Annotations, regions: Mapping[str, NDArray[np.float64]]) -> Annotations:
    """Add rectangles (M, 4), by the image's name, to the ignored regions of each image."""
    images = tuple(
        replace(image, ignored=np.concatenate([image.ignored, regions.get(image.name, np.empty((0, 4)))]))
        for image in annotations.images
    )
    return replace(annotations, images=images)


def area_outside(shape: tuple[int, int], regions: NDArray[np.float64]) -> float:
    """Return the area, in pixels, of the part of an image that is in none of the regions.

    Args:
        shape: (height, width) of the image in pixels.
        regions: (M, 4) x1, y1, x2, y2 in pixels; they may overlap and reach beyond the image.
    """
    height, width = shape
    xs = np.unique(np.clip(np.append(regions[:, [0, 2]].ravel(), (0, width)), 0, width))
    ys = np.unique(np.clip(np.append(regions[:, [1, 3]].ravel(), (0, height)), 0, height))
    x, y = (xs[1:] + xs[:-1]) / 2, (ys[1:] + ys[:-1]) / 2
    x1, y1, x2, y2 = (regions[:, i, None] for i in range(4))
    covered = np.einsum("my,mx->yx", ((y1 <= y) & (y < y2)).astype(int), ((x1 <= x) & (x < x2)).astype(int)) > 0
    return float((np.diff(ys)[:, None] * np.diff(xs)[None, :])[~covered].sum())


def _rectangles(name: str, boxes: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Check the rectangles of an image and return them, (M, 4)."""
    try:
        found = np.array([[float(value) for value in box] for box in boxes], np.float64).reshape(len(boxes), 4)
    except (TypeError, ValueError) as error:
        raise AnnotationError(
            f"{name}: regions to ignore are a list of lists of xmin, ymin, xmax, ymax, got {boxes}"
        ) from error
    for box in found.tolist():
        if not (box[0] < box[2] and box[1] < box[3]):
            raise AnnotationError(f"{name}: a region to ignore needs xmin < xmax and ymin < ymax, got {box}")
    return found


def outside(found: Detections, regions: NDArray[np.float64]) -> Detections:
    """Return the objects whose centre is in none of the regions (M, 4) x1, y1, x2, y2."""
    return found[np.flatnonzero(~inside_regions(found.xy, regions))]


def inside_regions(xy: NDArray[np.floating], regions: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the points that are in at least one region: x1 <= x < x2 and y1 <= y < y2.

    Args:
        xy: (N, 2), in pixels.
        regions: (M, 4) x1, y1, x2, y2 in the same pixels.

    Returns:
        (N,) bool; all False without regions.
    """
    x, y = xy[:, 0, None], xy[:, 1, None]
    x1, y1, x2, y2 = regions.T
    return ((x1 <= x) & (x < x2) & (y1 <= y) & (y < y2)).any(axis=1)


def in_pieces(regions: NDArray[np.float64], frame: NDArray[np.float64], side: float) -> NDArray[np.float64]:
    """Return regions of which those that are larger than `side` are cut to a frame, and into equal parts.

    A region that is turned is taken for the box around it, which of a large one would reach far into what is known.

    Args:
        regions: (M, 4) x1, y1, x2, y2 in pixels, which meet the frame.
        frame: (4,) in the same pixels.
        side: greatest width and height of a part.
    """
    large = ((regions[:, 2:] - regions[:, :2]) > side).any(axis=1)
    parts = [regions[~large]]
    for region in regions[large]:
        ends = zip(np.maximum(region[:2], frame[:2]), np.minimum(region[2:], frame[2:]), strict=True)
        xs, ys = (np.linspace(low, high, math.ceil((high - low) / side) + 1) for low, high in ends)
        across, down = len(xs) - 1, len(ys) - 1
        corners = [np.tile(xs[:-1], down), ys[:-1].repeat(across), np.tile(xs[1:], down), ys[1:].repeat(across)]
        parts.append(np.stack(corners, axis=1))
    return np.concatenate(parts)

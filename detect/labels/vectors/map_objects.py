"""The features of a vector layer as objects: points or boxes with a class, and the images that they name."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.finding.endings import SUFFIXES
from detect.imagery.ground.vector_files import VectorLayer
from detect.labels.annotations import AnnotationError
from detect.labels.columns import ALIASES, plain_column
from detect.labels.entries import Problems

CLASS_COLUMNS = (*ALIASES["label"], "name", "taxon", "type", "kind")
"""Columns that hold the class, the first that there is; else the only column of text."""

IMAGE_COLUMNS = (*ALIASES["image"], "location", "source", "raster")
"""Columns that hold the image, where their values are names of images."""

LONE_CLASS = "object"
"""The class of features of a layer without classes."""

_POINT, _POLYGONS, _MULTIPOINT = 0, (3, 6), 4
_KINDS = ("a point", "a line", "a ring", "a polygon", "points", "lines", "polygons", "a collection")
_MOST_CLASSES = 50


@dataclass(frozen=True, eq=False)
class Features:
    """The features of a layer that are objects.

    Attributes:
        layer: that they are of.
        shapes: (N,) shapely points or polygons, in the layer's coordinates.
        number: (N,) the feature that each is of, from 1.
        label: (N,) class names.
        image: (N,) names of images; None where the layer names none.
        split: (N,) sides of the split, empty where there is none.
        group: (N,) names of groups, empty where there is none.
        boxes: whether they are polygons, which become boxes.
    """

    layer: VectorLayer
    shapes: NDArray[np.object_]
    number: NDArray[np.intp]
    label: NDArray[np.object_]
    image: NDArray[np.object_] | None
    split: NDArray[np.object_]
    group: NDArray[np.object_]
    boxes: bool

    def __len__(self) -> int:
        return len(self.shapes)

    def place(self, i: int) -> str:
        """Return file and feature of an object, for messages."""
        return f"{self.layer.path} feature {self.number[i]}"


def features_of(layer: VectorLayer, problems: Problems) -> Features:
    """Return the features of a layer that are objects: points, each of several points, or polygons.

    Args:
        layer: the layer.
        problems: collects features that are left out: lines, and those without a geometry or a class.

    Raises:
        AnnotationError: points and polygons in one layer.
    """
    import shapely

    kinds = shapely.get_type_id(layer.geometries)
    labels = _labels(layer, problems)
    usable = _usable(layer, kinds, labels, problems)
    areas = int((usable & np.isin(kinds, _POLYGONS)).sum())
    points = int(usable.sum()) - areas
    if areas and points:
        raise AnnotationError(
            f"{layer.path}: {points} features are points and {areas} are polygons; keep one kind in the layer"
        )
    parts, origin = shapely.get_parts(layer.geometries[usable], return_index=True)
    if areas:
        parts, origin = layer.geometries[usable], np.arange(areas)
        if (shapely.get_num_geometries(parts) > 1).any():
            problems.tell("features of several polygons are one object each", str(layer.path))
    at = np.flatnonzero(usable)[origin]
    image = _images(layer)
    return Features(
        layer,
        np.asarray(parts, object),
        at + 1,
        labels[at],
        None if image is None else image[at],
        _texts(layer, ALIASES["split"])[at],
        _texts(layer, ALIASES["group"])[at],
        areas > 0,
    )


def _usable(
    layer: VectorLayer, kinds: NDArray[np.integer], labels: NDArray[np.object_], problems: Problems
) -> NDArray[np.bool_]:
    """Return which features are points or polygons with a class; the others are told.

    Args:
        layer: the layer.
        kinds: shapely's number of each feature's kind.
        labels: the class of each, empty where it has none.
        problems: collects what is left out.
    """
    import shapely

    empty = shapely.is_missing(layer.geometries) | shapely.is_empty(layer.geometries)
    drawn = ~empty & np.isin(kinds, (_POINT, _MULTIPOINT, *_POLYGONS))
    for i in np.flatnonzero(~drawn).tolist():
        problems.skip(
            f"{layer.path} feature {i + 1}",
            "has no geometry" if empty[i] else f"is {_KINDS[kinds[i]]}, and points and polygons are read",
        )
    named = labels != ""
    for i in np.flatnonzero(drawn & ~named).tolist():
        problems.skip(f"{layer.path} feature {i + 1}", "has no class")
    return drawn & named


def _labels(layer: VectorLayer, problems: Problems) -> NDArray[np.object_]:
    """Return the class of every feature, empty where it has none."""
    named = _named(layer, CLASS_COLUMNS)
    if named is not None:
        return _as_texts(layer.columns[named])
    images = {_named(layer, (name,)) for name in (*IMAGE_COLUMNS, *ALIASES["split"], *ALIASES["group"])}
    texts = [name for name, values in layer.columns.items() if name not in images and _are_classes(values)]
    if len(texts) == 1:
        problems.tell(f"the class of a feature is its {texts[0]!r}", str(layer.path))
        return _as_texts(layer.columns[texts[0]])
    problems.tell(
        f"no column is called {', '.join(CLASS_COLUMNS[:4])} or the like: every feature is of the class {LONE_CLASS!r}",
        str(layer.path),
    )
    return np.full(len(layer.geometries), LONE_CLASS, object)


def _are_classes(values: NDArray[np.object_]) -> bool:
    """Return whether a column is text that repeats, as classes do and names and notes do not."""
    texts = [value for value in values if isinstance(value, str) and value.strip()]
    return bool(texts) and len(set(texts)) <= min(_MOST_CLASSES, max(1, len(texts) // 2))


def _images(layer: VectorLayer) -> NDArray[np.object_] | None:
    """Return the image that each feature names; None where the layer has no such column."""
    for name in IMAGE_COLUMNS:
        found = _named(layer, (name,))
        if found is None:
            continue
        texts = _as_texts(layer.columns[found])
        endings = {PurePosixPath(text.replace("\\", "/")).suffix.lower() for text in texts.tolist() if text}
        if endings and endings <= set(SUFFIXES):
            return texts
    return None


def _named(layer: VectorLayer, names: Sequence[str]) -> str | None:
    """Return the layer's own name of the first of some columns, in any case; None without one."""
    own = {plain_column(name): name for name in reversed(list(layer.columns))}
    return next((own[name] for name in names if name in own), None)


def _texts(layer: VectorLayer, names: Sequence[str]) -> NDArray[np.object_]:
    """Return the values of the first of some columns as text, empty ones without such a column."""
    found = _named(layer, names)
    return np.full(len(layer.geometries), "", object) if found is None else _as_texts(layer.columns[found])


def _as_texts(values: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return values as text: whole numbers without decimals, nothing for missing ones."""
    texts = np.empty(len(values), object)
    texts[:] = [_text(value) for value in values.tolist()]
    return texts


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip() if isinstance(value, str | int | float) else ""

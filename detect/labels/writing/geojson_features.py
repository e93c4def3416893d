"""GeoJSON (RFC 7946): a point or a polygon an object, in WGS 84, longitude first.

Only objects of images with a georeference are in it. A box becomes the quadrilateral of its corners on the ground, so
that in a rotated raster it is rotated too.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from detect.labels.writing.outgoing import OutImage, OutSet, json_list, write_pieces
from detect.labels.writing.outlines import lonlat_outlines, placed_on_earth, ring

DEGREE_DIGITS = 9
"""Decimals of degrees: a tenth of a millimetre. RFC 7946 finds 6 enough for most; half a pixel of 1 cm needs 8."""


def write_geojson(out: OutSet, path: Path) -> None:
    """Write a collection of features, with image, label, score, and the place in pixels as properties."""
    write_pieces(_pieces(out), path)


def _pieces(out: OutSet) -> Iterator[str]:
    """Yield the file's text, a feature a line."""
    yield '{"type": "FeatureCollection", "features": '
    images = placed_on_earth(out, "geojson")
    yield from json_list(feature for image in images for feature in _features(out, image))
    yield "}\n"


def _features(out: OutSet, image: OutImage) -> Iterator[dict[str, Any]]:
    """Yield the objects of an image; one outside of what the coordinate system covers has no geometry."""
    assert image.placement is not None
    objects = image.objects
    outlines = lonlat_outlines(objects, image.placement).round(DEGREE_DIGITS) + 0.0
    points = objects.wh is None
    shapes = (outlines[:, 0] if points else ring(outlines)[:, None]).tolist()
    known = np.asarray(np.isfinite(outlines).all(axis=(1, 2)))
    for row, properties in enumerate(object_properties(out, image)):
        shape = {"type": "Point" if points else "Polygon", "coordinates": shapes[row]}
        yield {"type": "Feature", "geometry": shape if known[row] else None, "properties": properties}


def object_properties(out: OutSet, image: OutImage) -> Iterator[dict[str, Any]]:
    """Yield what is known of each object of an image beside its place on the ground; pixels are the image file's."""
    objects = image.objects
    for row, label in enumerate(objects.label):
        made: dict[str, Any] = {"image": image.name, "label": out.classes[label]}
        made |= {"score": out.score(image, row)} if out.scored else {}
        made |= dict(zip("xy", out.numbers(objects.xy[row]), strict=True))
        made |= {} if objects.wh is None else dict(zip("wh", out.numbers(objects.wh[row]), strict=True))
        given = {"split": image.split, "group": image.group}
        yield {**made, **{name: value for name, value in given.items() if value}}

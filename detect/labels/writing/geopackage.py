"""GeoPackage: objects of georeferenced images in the coordinate systems of their rasters, a layer each.

A box becomes the quadrilateral of its corners on the map. Written by GDAL through pyogrio, with a fixed time of change,
so that the same objects give the same bytes.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from detect.imagery.ground.geodesy import GeodesyError, read_crs
from detect.labels.writing.geojson_features import object_properties
from detect.labels.writing.outgoing import OutImage, OutSet
from detect.labels.writing.outlines import outlines_xy, placed_images, ring

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

LAYER = "detections"
"""The layer, or how the names of several begin."""

FEATURES_AT_ONCE = 50_000
"""Most objects that are in memory as geometries."""

OPTIONS = {"OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z", "OGR_SQLITE_JOURNAL": "OFF", "OGR_SQLITE_SYNCHRONOUS": "OFF"}
"""GDAL's: no time of writing in the file, and none beside it, as it is put into place when it is whole."""

KINDS = {"image": "str", "label": "str", "score": "float64", "x": "float64", "y": "float64"}
SIZES = {"w": "float64", "h": "float64"}
SETS = {"split": "str", "group": "str"}
"""The columns of a layer with numpy's names of their types: those of all objects, of boxes, of labelled ones."""


def write_gpkg(out: OutSet, path: Path) -> None:
    """Write a GeoPackage: image, label, score, the place in pixels, and a point or polygon an object.

    Where no image has a georeference, one layer without objects is written.
    """
    layers: dict[str, list[OutImage]] = {}
    for image in placed_images(out, "gpkg"):
        assert image.placement is not None and image.placement.crs is not None
        layers.setdefault(image.placement.crs, []).append(image)
    names = _layer_names(list(layers))
    with _gdal_options():
        path.unlink(missing_ok=True)
        for crs, images in layers.items():
            _write_layer(out, images, path, names[crs], crs)
        if not layers:
            _write_layer(out, [], path, LAYER, None)


def _layer_names(systems: Sequence[str]) -> dict[str, str]:
    """Return a layer's name for each coordinate system: of several, with their codes, or else their numbers."""
    if len(systems) == 1:
        return {systems[0]: LAYER}
    names: dict[str, str] = {}
    for number, crs in enumerate(systems, start=1):
        try:
            code = read_crs(crs).to_epsg()
        except GeodesyError:
            code = None
        name = f"{LAYER}_epsg_{code}" if code else f"{LAYER}_{number}"
        names[crs] = name if name not in names.values() else f"{name}_{number}"
    return names


def _write_layer(out: OutSet, images: Sequence[OutImage], path: Path, layer: str, crs: str | None) -> None:
    """Write the objects of images of one coordinate system, a part at a time."""
    import pyogrio

    boxes = any(image.objects.wh is not None for image in images) or not (images or out.points)
    kinds = {**KINDS, **(SIZES if boxes else {}), **({} if out.scored else SETS)}
    rows = _rows(out, images)
    begun = False
    while (part := list(islice(rows, FEATURES_AT_ONCE))) or not begun:
        frame = _frame(part, kinds, crs)
        kind = "Polygon" if boxes else "Point"
        pyogrio.write_dataframe(
            frame, path, driver="GPKG", layer=layer, geometry_type=kind, append=begun, use_arrow=False
        )
        begun = True


def _rows(out: OutSet, images: Sequence[OutImage]) -> Iterator[dict[str, Any]]:
    """Yield the objects of images as rows with their `outline` (1 or 5 corners) on the map."""
    for image in images:
        assert image.placement is not None
        outlines = image.placement.map_xy(outlines_xy(image.objects))
        outlines = outlines if image.objects.wh is None else ring(outlines)
        for properties, outline in zip(object_properties(out, image), outlines, strict=True):
            yield {"score": 1.0, **properties, "outline": outline}


def _frame(rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, str], crs: str | None) -> "GeoDataFrame":
    """Return rows as a table with geometries."""
    import geopandas
    import pandas as pd
    import shapely

    outlines = [row["outline"] for row in rows]
    if not rows:
        shapes: Any = []
    elif len(outlines[0]) == 1:
        shapes = shapely.points(np.concatenate(outlines))
    else:
        shapes = shapely.polygons(np.stack(outlines))
    columns = {name: pd.Series([row.get(name) for row in rows], dtype=object) for name in kinds}
    table = pd.DataFrame(
        {name: column.astype("float64") if kinds[name] != "str" else column for name, column in columns.items()}
    )
    return geopandas.GeoDataFrame(table, geometry=shapes, crs=None if crs is None else read_crs(crs))


@contextmanager
def _gdal_options() -> Iterator[None]:
    """Set GDAL's options for what is written here, and unset them; of the file's temporary name it does not warn.

    Raises:
        OSError: GDAL cannot write.
    """
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError

    told = logging.getLogger("pyogrio")
    level = told.level
    told.setLevel(logging.WARNING)
    pyogrio.set_gdal_config_options(OPTIONS)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*(filename extension|non conformant file extension)", RuntimeWarning)
            warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)
            yield
    except (DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError) as error:
        raise OSError(f"the GeoPackage cannot be written: {error}") from error
    finally:
        pyogrio.set_gdal_config_options(dict.fromkeys(OPTIONS))
        told.setLevel(level)

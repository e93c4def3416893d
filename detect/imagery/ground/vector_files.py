"""Files of points, lines and polygons: GeoPackage, GeoJSON and shapefile, opened by what they are, and nothing beside.

GDAL alone would try some 60 drivers of vectors on a file, and several of those go to the network, or open other files
that a text names. Here GeoJSON is read as JSON, as its old member `crs` may be an address; GeoPackage and shapefile are
opened by GDAL after their first bytes were looked at, and by the one driver that these mean.
"""

import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.files import check_regular, read_regular
from detect.imagery.ground.geodesy import read_crs

MAX_VECTOR_BYTES = 1 << 30
"""Most bytes of a GeoPackage or of a file of a shapefile."""

MAX_GEOJSON_BYTES = 256 << 20
"""Most bytes of a GeoJSON file, which takes some twenty times as much memory while it is read."""

MAX_FEATURES, MAX_VERTICES = 1_000_000, 20_000_000
"""Most features of a layer, and most vertices of all of them."""

WGS84 = "OGC:CRS84"
"""Longitude and latitude in degrees: what GeoJSON is in (RFC 7946)."""

SHAPEFILE_ENDINGS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
"""The files of a shapefile that are read; the first three must be there."""

_CLOSED = {"CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none", "GDAL_HTTP_PROXY": "127.0.0.1:9", "SHAPE_RESTORE_SHX": "NO"}
"""GDAL's options for others' files: no address is opened (port 9 of this machine takes none), no file is written."""


class VectorError(ValueError):
    """A file of vectors that cannot be read, with its path and the reason."""


@dataclass(frozen=True, eq=False)
class VectorLayer:
    """The features of one layer.

    Attributes:
        path: the file.
        crs: coordinate reference system as WKT; None where the file names none, and coordinates are perhaps pixels.
        geometries: (N,) shapely geometries in two dimensions; None for a feature without one.
        columns: (N,) values of each attribute by its name.
    """

    path: Path
    crs: str | None
    geometries: NDArray[np.object_]
    columns: Mapping[str, NDArray[np.object_]]

    def column(self, names: Sequence[str]) -> NDArray[np.object_] | None:
        """Return the first column that has one of the names, in any case; None where there is none of them."""
        by_name = {name.casefold(): values for name, values in self.columns.items()}
        return next((by_name[name] for name in names if name in by_name), None)


def read_vectors(path: Path, layer: str | None) -> VectorLayer:
    """Read a layer of a GeoPackage, GeoJSON or shapefile.

    Args:
        path: the file.
        layer: its name in a GeoPackage; None for the only one with geometries.

    Raises:
        FileNotFoundError: no such file.
        VectorError: another or a damaged file, beyond a bound, several layers of which none is named, or no such layer.
    """
    try:
        head = read_regular(path, MAX_VECTOR_BYTES)[:100]
        if head.startswith(b"SQLite format 3\0"):
            found = _read_geopackage(path, layer)
        elif head[:4] == b"\x00\x00\x27\x0a":
            found = _read_shapefile(path)
        elif head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
            found = _read_geojson(path)
        else:
            raise VectorError(f"{path}: its first bytes are of none of GeoPackage, GeoJSON and shapefile (.shp)")
    except VectorError:
        raise
    except ValueError as error:
        raise VectorError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
    _check_geometries(found)
    return found


def _check_geometries(found: VectorLayer) -> None:
    """Check the number of vertices, and that coordinates are finite numbers."""
    import shapely

    number = int(shapely.get_num_coordinates(found.geometries).sum())
    if number > MAX_VERTICES:
        raise VectorError(f"{found.path}: {number:,} vertices, and {MAX_VERTICES:,} are the most; simplify it first")
    bounds = shapely.bounds(found.geometries)
    filled = np.flatnonzero(shapely.get_num_coordinates(found.geometries) > 0)
    wrong = filled[~np.isfinite(bounds[filled]).all(axis=1)]
    if len(wrong):
        raise VectorError(f"{found.path}: feature {wrong[0] + 1} has coordinates that are no finite numbers; remove it")


def _read_geopackage(path: Path, layer: str | None) -> VectorLayer:
    """Read a layer of a GeoPackage, a table: a view of a file of others could compute without end."""
    names = geopackage_layers(path)
    if layer is None and len(names) != 1:
        raise VectorError(
            f"{path}: {len(names)} layers with geometries"
            + (f" ({', '.join(names[:10])}); name one of them with within_layer=NAME" if names else "")
        )
    chosen = names[0] if layer is None else layer
    if chosen not in names:
        raise VectorError(f"{path}: no layer {chosen!r} with geometries; it has {', '.join(names[:10]) or 'none'}")
    return _read_by_gdal(path, f"GPKG:{path.absolute()}", "GPKG", chosen)


def geopackage_layers(path: Path) -> list[str]:
    """Return the names of the tables of features of a GeoPackage, sorted.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is none, or too large.
    """
    check_regular(path, MAX_VECTOR_BYTES)
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    query = (
        "SELECT c.table_name FROM gpkg_contents c JOIN sqlite_master m ON lower(m.name) = lower(c.table_name) "
        "WHERE c.data_type = 'features' AND m.type = 'table' ORDER BY c.table_name LIMIT 1000"
    )
    try:
        with closing(sqlite3.connect(address, uri=True)) as base:
            base.execute("PRAGMA trusted_schema = OFF")
            return [str(name) for (name,) in base.execute(query)]
    except sqlite3.Error as error:
        raise VectorError(f"{path}: not a GeoPackage ({error})") from error


def _read_shapefile(path: Path) -> VectorLayer:
    """Read a shapefile by its `.shp`; what lies beside it under its name must be files."""
    if path.suffix.lower() != ".shp":
        raise VectorError(f"{path}: a shapefile, whose name must end in .shp")
    for part in shapefile_parts(path):
        check_regular(part, MAX_VECTOR_BYTES)
    missing = [ending for ending in SHAPEFILE_ENDINGS[:3] if not any(_sibling(path, ending))]
    if missing:
        raise VectorError(f"{path}: a shapefile is several files, and {', '.join(missing)} is missing beside it")
    return _read_by_gdal(path, str(path.absolute()), "ESRI Shapefile", None)


def shapefile_parts(path: Path) -> list[Path]:
    """Return the files of a shapefile that are there, by the path of its `.shp`."""
    return [part for ending in SHAPEFILE_ENDINGS for part in _sibling(path, ending)]


def _sibling(path: Path, ending: str) -> list[Path]:
    names = (path.with_suffix(ending), path.with_suffix(ending.upper()))
    return [part for part in dict.fromkeys(names) if part.exists()][:1]


def _read_by_gdal(path: Path, address: str, driver: str, layer: str | None) -> VectorLayer:
    """Read a layer through pyogrio, and check that GDAL took the driver that was meant."""
    import pyogrio
    import shapely
    from pyogrio.errors import DataLayerError, DataSourceError

    pyogrio.set_gdal_config_options(_CLOSED)
    try:
        facts = pyogrio.read_info(address, layer=layer)
        if facts["driver"] != driver:
            raise VectorError(f"{path}: GDAL takes it for {facts['driver']}, it begins as {driver}")
        meta, _, wkb, values = pyogrio.raw.read(address, layer=layer, force_2d=True, max_features=MAX_FEATURES + 1)
    except (DataSourceError, DataLayerError, RuntimeError, UnicodeError) as error:
        raise VectorError(f"{path}: damaged, or not readable as {driver} ({error})") from error
    if wkb is None:
        raise VectorError(f"{path}: its features have no geometries")
    if len(wkb) > MAX_FEATURES:
        raise VectorError(f"{path}: more than {MAX_FEATURES:,} features")
    columns = {str(name): np.asarray(each, object) for name, each in zip(meta["fields"], values, strict=True)}
    try:
        geometries = np.asarray(shapely.from_wkb(wkb), object)
    except shapely.errors.GEOSException as error:
        raise VectorError(f"{path}: a geometry is damaged ({error})") from error
    return VectorLayer(path, None if meta["crs"] is None else read_crs(meta["crs"]).to_wkt(), geometries, columns)


def _read_geojson(path: Path) -> VectorLayer:
    """Read a GeoJSON file (RFC 7946), with the member `crs` of its first version (2008) where it names a CRS."""
    import shapely

    try:
        data = json.loads(read_regular(path, MAX_GEOJSON_BYTES).decode("utf-8-sig"))
        features = _features(data)
        if len(features) > MAX_FEATURES:
            raise VectorError(f"{path}: more than {MAX_FEATURES:,} features")
        geometries = np.empty(len(features), object)
        for number, feature in enumerate(features):
            geometries[number] = _shape(path, number + 1, feature.get("geometry"))
    except RecursionError as error:
        raise VectorError(f"{path}: nested too deep for GeoJSON") from error
    properties: list[dict[str, Any]] = [
        each["properties"] if isinstance(each.get("properties"), dict) else {} for each in features
    ]
    names = list(dict.fromkeys(name for each in properties for name in each))
    columns = {name: _objects([each.get(name) for each in properties]) for name in names}
    flat = np.asarray(shapely.force_2d(geometries), object)
    return VectorLayer(path, _geojson_crs(path, data), flat, columns)


def _objects(values: Sequence[Any]) -> NDArray[np.object_]:
    """Return values as an array of objects, lists among them too."""
    made = np.empty(len(values), np.object_)
    for number, value in enumerate(values):
        made[number] = value
    return made


def _features(data: Any) -> list[dict[str, Any]]:
    """Return the features of a GeoJSON object; a lone geometry is one."""
    kind = data.get("type") if isinstance(data, dict) else None
    if kind == "FeatureCollection" and isinstance(data.get("features"), list):
        wrong = next((i for i, each in enumerate(data["features"], 1) if not isinstance(each, dict)), None)
        if wrong is not None:
            raise ValueError(f"feature {wrong} is no object")
        return list(data["features"])
    if kind == "Feature":
        return [data]
    if isinstance(kind, str) and ("coordinates" in data or "geometries" in data):
        return [{"geometry": data}]
    raise ValueError(f"not GeoJSON: its type is {str(kind)[:40]!r}, not FeatureCollection, Feature or a geometry")


def _shape(path: Path, number: int, geometry: Any) -> Any:
    """Return a shapely geometry of a GeoJSON one."""
    import shapely
    from shapely.geometry import shape

    if geometry is None:
        return None
    try:
        made = shape(geometry)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, shapely.errors.ShapelyError) as error:
        raise VectorError(f"{path}: feature {number} has no geometry that can be read ({error})") from error
    if not all(math.isfinite(value) for value in made.bounds) and not made.is_empty:
        raise VectorError(f"{path}: feature {number} has coordinates that are no finite numbers")
    return made


def _geojson_crs(path: Path, data: Mapping[str, Any]) -> str | None:
    """Return the CRS as WKT: longitude and latitude, or what `crs` names; None for `"crs": null`. No address is opened.

    Raises:
        VectorError: it is an address, or no name that is known.
    """
    if "crs" in data and data["crs"] is None:
        return None
    member = data.get("crs", {"type": "name", "properties": {"name": WGS84}})
    properties = member.get("properties") if isinstance(member, dict) else None
    name = properties.get("name") if isinstance(properties, dict) and member.get("type") == "name" else None
    starts = ("urn:ogc:def:crs:", "epsg:", "ogc:")
    if not isinstance(name, str) or len(name) > 100 or not name.lower().startswith(starts):
        raise VectorError(
            f"{path}: its crs is {str(member)[:100]}, and only a name is read, such as urn:ogc:def:crs:EPSG::25833"
        )
    return str(read_crs(name).to_wkt())

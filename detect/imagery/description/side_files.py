"""What small files beside an image say of its place on the map, read as data: `.aux.xml` of GDAL and Esri, and `.prj`.

Format: GDAL's Persistent Auxiliary Metadata, https://gdal.org/en/stable/drivers/raster/gtiff.html and its data model.
GDAL itself is not asked: such a file may name masks and overviews of any format, and it would write one too. Of it only
the coordinate system, the transform and the ground control points are taken.
"""

import hashlib
import math
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

from detect.imagery.remote.address import Address
from detect.imagery.remote.image_cache import image_cache

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MOST_BYTES = 4 << 20
"""Greatest length of a side file; honest ones have some kilobytes, with a table of attributes some hundred."""

MOST_POINTS = 100_000
"""Most ground control points that are taken."""

_SPELT_OUT = re.compile(r"\s*[A-Za-z_0-9]+\s*\[")
"""The beginning of a coordinate system in WKT; other texts could be the name of a file or an address."""


@dataclass(frozen=True)
class SidePlace:
    """What a side file says.

    Attributes:
        crs: the coordinate system, None where it says none.
        transform: (a, b, c, d, e, f) from pixels to the map, None without one.
        points: ground control points.
    """

    crs: CRS | None = None
    transform: tuple[float, ...] | None = None
    points: tuple[GroundControlPoint, ...] = ()


class SideFileError(ValueError):
    """A side file that cannot be used, with the reason."""


def beside_digest(path: Path) -> str:
    """Return the SHA-256 of the files beside an image that say where it lies on a map; empty where there are none.

    They are the `.aux.xml`, the `.prj`, MapInfo's `.tab` and world files (`.pgw`, `.pngw`, `.wld`).
    """
    if isinstance(path, Address):
        return _stored_digest(path)
    whole, ending = str(path), path.suffix
    kind, stem = ending[1:].lower(), whole[: len(whole) - len(ending)]
    worlds = (f".{kind[:1]}{kind[-1:]}w", f".{kind}w", ".wld")
    endings = (".aux.xml", ".prj", ".tab", *worlds)
    named = [f"{whole}.aux.xml"]
    named += [stem + each for low in endings for each in (low, low.upper())] if path.stem else []
    content, found = hashlib.sha256(), False
    for beside in dict.fromkeys(named):
        try:
            text = _text(beside)
        except SideFileError as error:
            text = str(error).encode("utf-8", "surrogateescape")
        if text is not None:
            name = os.path.basename(beside)  # noqa: PTH119
            content.update(f"{name} {len(text)} ".encode("utf-8", "surrogateescape") + text)
            found = True
    return content.hexdigest() if found else ""


def _stored_digest(image: Address) -> str:
    """Return the same of an image at an address: nothing is fetched where nothing lies beside it but a mask."""
    if image.listed is None or all(name.lower().endswith(".msk") for name, _ in image.listed.beside):
        return ""
    with image_cache().borrowed(image, whole=False) as local:
        return beside_digest(local)


def side_place(path: Path) -> SidePlace | None:
    """Return what the `.aux.xml` beside an image says of its place, None where there is none.

    Raises:
        SideFileError: it is too long, damaged, or its numbers are none.
    """
    whole = str(path)
    for beside in (f"{whole}.aux.xml", f"{whole[: len(whole) - len(path.suffix)]}.aux.xml"):
        text = _text(beside)
        if text is not None:
            return _place(os.path.basename(beside), text)  # noqa: PTH119
    return None


def prj_crs(path: Path) -> CRS | None:
    """Return the coordinate system of the `.prj` beside an image, None where there is none.

    Raises:
        SideFileError: it is too long, or holds no coordinate system.
    """
    for ending in (".prj", ".PRJ"):
        text = _text(str(path.with_suffix(ending)))
        if text is not None:
            return _crs(f"{path.stem}{ending}", text.decode("utf-8", "replace"))
    return None


def _text(place: str) -> bytes | None:
    """Return a file's bytes, None where there is no file."""
    try:
        facts = os.stat(place)  # noqa: PTH116
        if not stat.S_ISREG(facts.st_mode):
            return None
        if facts.st_size > MOST_BYTES:
            raise SideFileError(f"{Path(place).name} is longer than {MOST_BYTES >> 20} MiB")
        return Path(place).read_bytes()
    except SideFileError:
        raise
    except (OSError, ValueError):
        return None


def _place(name: str, text: bytes) -> SidePlace:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        root = fromstring(text, forbid_dtd=True)
    except (ParseError, DefusedXmlException, LookupError, ValueError) as error:
        raise SideFileError(f"{name} is no well-formed XML ({type(error).__name__})") from error
    srs, numbers = root.findtext("SRS"), root.findtext("GeoTransform")
    listed = root.find("GCPList")
    stated = srs if srs or listed is None else listed.findtext("SRS") or listed.get("Projection")
    crs = _crs(name, stated) if stated else None
    try:
        transform = _transform(numbers) if numbers else None
        points = () if listed is None else tuple(_point(each) for each in listed.findall("GCP")[:MOST_POINTS])
    except ValueError as error:
        raise SideFileError(f"{name} holds a place that is no numbers") from error
    return SidePlace(crs, transform, points)


def _transform(text: str) -> tuple[float, ...]:
    """Return the transform of GDAL's six numbers, which are in another order."""
    c, a, b, f, d, e = (_number(each) for each in text.split(","))
    return a, b, c, d, e, f


def _point(element: "Element") -> GroundControlPoint:
    col, row, x, y = (_number(element.get(name, "")) for name in ("Pixel", "Line", "X", "Y"))
    return GroundControlPoint(row, col, x, y)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _crs(name: str, text: str) -> CRS:
    """Return a coordinate system that is spelt out, as Esri or others do, or numbered by EPSG."""
    numbered = re.fullmatch(r"\s*EPSG:(\d{1,7})\s*", text)
    try:
        if numbered:
            return CRS.from_epsg(int(numbered[1]))
        if not _SPELT_OUT.match(text):
            raise ValueError
        return CRS.from_wkt(text, morph_from_esri_dialect=name.lower().endswith(".prj"))
    except Exception as error:  # PROJ's own are of several kinds
        raise SideFileError(f"{name} holds no coordinate system that is known") from error

"""VRTs: texts by which GDAL puts images together, read as data and handed to GDAL as a text of our own.

Format: https://gdal.org/en/stable/drivers/raster/vrt.html. Such a text can name any file, pipe or network address, hold
formulas, and build on further ones. What is kept of it here is a mosaic: rectangles of image files that lie below one
folder, each of a format in `drivers.SIGNATURES`.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, TreeBuilder, tostring
from xml.parsers import expat

from detect.imagery.gdal.drivers import MOSAIC, SceneError, driver_of, open_with

MOST_BYTES = 64 << 20
"""Greatest length of a VRT's text, with those of the VRTs among its sources: some 100,000 sources."""

MOST_ELEMENTS = 1 << 20
"""Most elements of a VRT's text, of which each takes some 90 bytes of memory: an honest source has seven."""

DEEPEST = 3
"""Most VRTs that build on each other, the first one counted."""

SOURCES = ("SimpleSource", "ComplexSource", "AveragedSource", "NoDataFromMaskSource")
"""Elements that copy a rectangle of a file, scaled or by a table of values, and run no formula."""

IGNORED = {
    *("Metadata", "Description", "CategoryNames", "UnitType", "Histograms", "GCPList", "Overview", "OverviewList"),
}
"""Elements without effect on the pixels that are read; some may name other files."""

_RECTANGLE = ("xOff yOff xSize ySize", "")
_TEXT = ("", "")
_SOURCE = "SourceFilename SourceBand SourceProperties SrcRect DstRect NODATA"
_COMPLEX = "ScaleOffset ScaleRatio LUT ColorTableComponent Exponent SrcMin SrcMax DstMin DstMax Clamp UseMaskBand"
_BAND = "NoDataValue HideNoDataValue ColorInterp ColorTable Scale Offset"

ELEMENTS = {
    "VRTDataset": ("rasterXSize rasterYSize", "SRS GeoTransform MaskBand VRTRasterBand BlockXSize BlockYSize"),
    "SRS": ("dataAxisToSRSAxisMapping coordinateEpoch", ""),
    "MaskBand": ("", "VRTRasterBand"),
    "VRTRasterBand": ("dataType band subClass blockXSize blockYSize", f"{_BAND} {' '.join(SOURCES)}"),
    "ColorTable": ("", "Entry"),
    "Entry": ("c1 c2 c3 c4", ""),
    **dict.fromkeys(SOURCES, ("resampling", f"{_SOURCE} {_COMPLEX} MaskValueThreshold RemappedValue")),
    "SourceFilename": ("relativeToVRT relativetoVRT shared", ""),
    "SourceProperties": ("RasterXSize RasterYSize DataType BlockXSize BlockYSize", ""),
    "SrcRect": _RECTANGLE,
    "DstRect": _RECTANGLE,
}
"""Attributes and children of the elements that are kept, by tag; one that is not listed holds a text alone."""

_PLAIN_SRS = re.compile(r"\s*(EPSG:\d+\s*$|[A-Za-z_0-9]+\s*[\[(]|$)")
"""A coordinate system by its number or spelt out, not by the name of a file or an address."""


@dataclass(frozen=True)
class MosaicRule:
    """Which VRTs are opened.

    Attributes:
        below: the folder below which a VRT's sources must lie; None is the VRT's own folder.
        trusted: whether VRTs are handed to GDAL as they are, with all that they name.
    """

    below: Path | None = None
    trusted: bool = False

    def trusts(self, driver: str) -> bool:
        """Return whether a file of a driver is opened with all that it names."""
        return self.trusted and driver == MOSAIC


_rule: ContextVar[MosaicRule] = ContextVar("mosaics", default=MosaicRule())  # noqa: B039, it is frozen


@contextmanager
def mosaics_by(rule: MosaicRule) -> Iterator[None]:
    """Open the images of the block by a rule; every scene keeps the one by which it was opened."""
    token = _rule.set(rule)
    try:
        yield
    finally:
        _rule.reset(token)


def current_rule() -> MosaicRule:
    """Return the rule by which images are opened now."""
    return _rule.get()


def plain_mosaic(path: Path, rule: MosaicRule) -> str:
    """Return the text of a VRT with nothing in it but rectangles of files below a folder, by their full paths.

    Raises:
        SceneError: a source is missing, outside the folder or no image, or the VRT holds something else than sources.
    """
    return _mosaic(path, rule).text


def mosaic_bytes(path: Path, rule: MosaicRule) -> int:
    """Return the bytes of a VRT (`plain_mosaic`) and of the files that it is made of, each counted once."""
    return path.stat().st_size + sum(size for size, _ in _mosaic(path, rule).sources.values())


def _mosaic(path: Path, rule: MosaicRule) -> "_Mosaic":
    """Return a VRT's text and sources, read again when it or one of them has changed."""
    folder = (rule.below or path.resolve().parent).resolve()
    mosaic = _read(path.absolute(), folder, *_signature(path))
    if any(_signature(source) != signature for source, signature in mosaic.sources.items()):
        _read.cache_clear()
        mosaic = _read(path.absolute(), folder, *_signature(path))
    return mosaic


@dataclass(frozen=True, eq=False)
class _Mosaic:
    """The text of a VRT, and the size and time of change of every file that it is made of."""

    text: str
    sources: dict[Path, tuple[int, int]]


@lru_cache(maxsize=64)
def _read(path: Path, folder: Path, size: int, mtime_ns: int) -> _Mosaic:
    reader = _Reader(path, folder, DEEPEST, {}, {})
    return _Mosaic(reader.text(), reader.sources)


def _signature(path: Path) -> tuple[int, int]:
    """Return the size and the time of change of a file; -1 for both where there is none."""
    try:
        facts = path.stat()
    except OSError:
        return -1, -1
    return facts.st_size, facts.st_mtime_ns


@dataclass(frozen=True, eq=False)
class _Reader:
    """Reads one VRT, and those among its sources.

    Attributes:
        path: the VRT.
        folder: below which its sources must lie.
        depth: how many VRTs may build on each other from here on.
        sources: gets the files that it is made of.
        texts: gets the texts of the VRTs among them, by path and depth, so that each is read once.
    """

    path: Path
    folder: Path
    depth: int
    sources: dict[Path, tuple[int, int]]
    texts: dict[tuple[Path, int], str]

    def text(self) -> str:
        """Return the VRT's text, with the texts of its VRTs in it, as one line of XML."""
        if self.path.stat().st_size > MOST_BYTES:
            raise self._refused(f"its text is longer than {MOST_BYTES >> 20} MiB")
        top = self._parsed(self.path.read_bytes())
        if top.tag != "VRTDataset":
            raise self._refused(f"it begins with <{top.tag}>, not with <VRTDataset>")
        kept = self._kept(top)
        longer = self._refused(f"with the VRTs that it builds on it is longer than {MOST_BYTES >> 20} MiB")
        if sum(len(name.text or "") for name in kept.iter("SourceFilename")) > MOST_BYTES:
            raise longer
        text = tostring(kept, encoding="unicode")
        if len(text) > MOST_BYTES:
            raise longer
        return text

    def _refused(self, reason: str) -> SceneError:
        return SceneError(
            f"{self.path}: this VRT is not opened: {reason}; make one with gdalbuildvrt of images below "
            f"{self.folder}, or, if you know who made it, set vrt=trusted (predict) or data.vrt=trusted"
        )

    def _parsed(self, data: bytes) -> Element:
        """Return the tree of an XML text that declares no document type, by which small texts grow large."""
        parser, builder, left = expat.ParserCreate(), TreeBuilder(), iter(range(MOST_ELEMENTS))

        def start(tag: str, attributes: dict[str, str]) -> None:
            if next(left, None) is None:
                raise self._refused(f"it has more than {MOST_ELEMENTS:,} elements")
            builder.start(tag, attributes)

        parser.StartElementHandler, parser.EndElementHandler = start, builder.end
        parser.CharacterDataHandler = builder.data
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        try:
            parser.Parse(data, True)
        except (expat.ExpatError, LookupError, ValueError) as error:
            raise self._refused(f"it is not well-formed XML ({error})") from error
        return builder.close()

    def _refuse_doctype(self, *_: object) -> None:
        raise self._refused("it declares a document type")

    def _kept(self, element: Element) -> Element:
        """Return an element with its known attributes and children; one that is not known is an error."""
        attributes, children = ELEMENTS.get(element.tag, _TEXT)
        unknown = [f"{element.tag} {name}=" for name in element.attrib if name not in attributes.split()]
        unknown += [f"<{child.tag}>" for child in element if child.tag not in {*children.split(), *IGNORED}]
        if element.get("subClass", "VRTSourcedRasterBand") != "VRTSourcedRasterBand":
            unknown.append(f"subClass={element.get('subClass')}")
        if element.tag == "SRS" and not _PLAIN_SRS.match(element.text or ""):
            unknown.append(f"a coordinate system by name ({(element.text or '')[:40]})")
        if unknown:
            raise self._refused(f"it holds {unknown[0]}, which is no plain mosaic of files")
        kept = Element(element.tag, element.attrib)
        kept.text = element.text
        kept.extend([self._kept(child) for child in element if child.tag not in IGNORED])
        if element.tag in SOURCES:
            self._name_source(kept)
        return kept

    def _name_source(self, element: Element) -> None:
        """Replace the name of a source by its full path, or, of a VRT, by its text."""
        names = element.findall("SourceFilename")
        if len(names) != 1:
            raise self._refused("a source must name one file")
        path = self._checked_source(names[0])
        known = path in self.sources
        self.sources[path] = _signature(path)
        band = (element.findtext("SourceBand") or "").strip()
        masked = (element.findtext("UseMaskBand") or "").strip().lower() in ("1", "true", "yes", "on")
        if masked or band.startswith("mask") or element.tag == "NoDataFromMaskSource":
            beside = [path.with_name(path.name + ending) for ending in (".msk", ".MSK")]
            if any(os.path.lexists(each) for each in beside):
                raise self._refused(f"it uses the mask beside {path}, which is not read; put the mask into the file")
        element.remove(names[0])
        named = SubElement(element, "SourceFilename", {"relativeToVRT": "0", "shared": "0"})
        try:
            driver = driver_of(path)
            named.text = self._inner(path) if driver == MOSAIC else str(path)
            if driver != MOSAIC and not known:
                open_with(path, driver).close()
        except SceneError:
            raise
        except Exception as error:
            raise self._refused(f"its source {path} cannot be opened ({error})") from error

    def _inner(self, path: Path) -> str:
        """Return the text of a VRT that is a source."""
        if self.depth == 1:
            raise self._refused(f"more than {DEEPEST} VRTs build on each other")
        key = path, self.depth
        if key not in self.texts:
            self.texts[key] = replace(self, path=path, depth=self.depth - 1).text()
        return self.texts[key]

    def _checked_source(self, element: Element) -> Path:
        """Return the full path of a source, without links; it is below the folder."""
        name = (element.text or "").strip()
        relative = element.get("relativeToVRT") or element.get("relativetoVRT") or "0"
        try:
            given = self.path.resolve().parent / name if relative.strip() == "1" else Path(name)
            path = Path(os.path.realpath(given))
            inside = bool(name) and path.is_relative_to(self.folder)
        except (OSError, ValueError, RuntimeError) as error:  # a loop of links, or a name with a zero in it
            raise self._refused(f"its source {name[:100]!r} is no path ({error})") from error
        if not inside:
            raise self._refused(f"its source {name[:100]!r} is not below {self.folder}")
        if not path.exists():
            raise self._refused(f"its source {name[:100]!r} is missing")
        return path

"""Mosaics beside the images that they are made of, so that nothing is looked at twice."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

from detect.imagery.gdal.drivers import MOSAIC, MOSAIC_SUFFIX, SceneError, driver_of, image_errors, open_with
from detect.imagery.mosaics import MosaicRule, current_rule, plain_mosaic

Size = tuple[float, ...]
"""Width and height in pixels."""

Types = tuple[str, ...]
"""The numpy names of the types of an image's bands."""

_RECTANGLE = ("xOff", "yOff", "xSize", "ySize")

_SLACK_PX = 0.5
"""How far a rectangle may be from the whole of an image that it shows: GDAL writes sums of fractions."""


@dataclass(frozen=True)
class ShownTwice:
    """Images of a listing that others of it show.

    Attributes:
        instead: each image that is passed over, and the mosaic that shows all of it, or, of a mosaic, one of the images
            that show all of the mosaic.
        unclear: mosaics that show parts of images, or other sizes of them, and more that is not listed.
    """

    instead: dict[Path, Path]
    unclear: list[Path]


def shown_twice(paths: Sequence[Path]) -> ShownTwice:
    """Find the images that need not be looked at, as others of the same listing show them.

    A mosaic that shows its images whole, pixel by pixel, stands for them: it is seamless. One that shows parts of them,
    fewer of their bands or other types, or shows them smaller, is passed over, where all that it shows is listed.

    Args:
        paths: of a listing. A VRT that is not opened by the current rule (`mosaics_by`) shows nothing.
    """
    listed = {os.path.realpath(path): path for path in paths}
    shown = {path: _sources(path, listed) for path in paths if path.suffix.lower() == MOSAIC_SUFFIX}
    beside = {vrt: found for vrt, found in shown.items() if any(each in listed for each in found)}
    instead: dict[Path, Path] = {}
    unclear: list[Path] = []
    standing: list[tuple[Path, set[str]]] = []
    for vrt, sources in sorted(beside.items(), key=lambda each: (-len(each[1]), each[0])):
        here = [listed[each] for each in sources if each in listed]
        larger = next((other for other, found in standing if found >= sources.keys()), None)
        if larger is not None:
            instead[vrt] = larger
        elif all(whole for source, whole in sources.items() if source in listed):
            standing.append((vrt, set(sources)))
            instead |= dict.fromkeys(here, vrt)
        elif len(here) == len(sources):
            instead[vrt] = here[0]
        else:
            unclear.append(vrt)
    return ShownTwice(instead, unclear)


def images_shown(paths: Sequence[Path]) -> dict[Path, list[Path]]:
    """Return for every mosaic of a listing the others of the listing that it shows, all of them or parts."""
    listed = {os.path.realpath(path): path for path in paths}
    shown = {path: _sources(path, listed) for path in paths if path.suffix.lower() == MOSAIC_SUFFIX}
    return {vrt: [listed[each] for each in found if each in listed] for vrt, found in shown.items()}


def _sources(path: Path, listed: Mapping[str, Path]) -> dict[str, bool]:
    """Return the files that a VRT shows, those of the VRTs in it too; of the listed ones whether it shows all."""
    rule = current_rule()
    found: dict[str, bool] = {}
    facts: dict[str, tuple[Size, Types]] = {}
    try:
        text = plain_mosaic(path, MosaicRule(rule.below))
        types = _facts(text, MOSAIC, path)[1]
        for each in _pieces(fromstring(text)):
            if each.file in listed and each.file not in facts:
                facts[each.file] = _facts(Path(each.file), driver_of(Path(each.file)), Path(each.file))
            size, own = facts.get(each.file, ((), ()))
            whole = bool(size) and types[: len(own)] == own and each.shows_all(size)
            found[each.file] = found.get(each.file, False) or whole
    except OSError:
        return _trusted_sources(path) if rule.trusts(MOSAIC) else {}
    return found


def _trusted_sources(path: Path) -> dict[str, bool]:
    """Return the files that GDAL would open for a VRT that is more than a mosaic; how it shows them is not known."""
    try:
        with image_errors(path), open_with(path, MOSAIC) as source:
            names = [os.path.realpath(name) for name in source.files]
    except SceneError:
        return {}
    return dict.fromkeys((name for name in names if name != os.path.realpath(path)), False)


@dataclass(frozen=True)
class _Piece:
    """A file, and what of it a VRT shows.

    Attributes:
        file: its full path.
        taken: left, top, width and height in the file; None for all of it.
        size: (width, height) that it has in the VRT.
        inside: whether none of it is beyond the edge of the VRT, or of one between.
    """

    file: str
    taken: tuple[float, ...] | None
    size: Size
    inside: bool

    def shows_all(self, size: Size) -> bool:
        """Return whether the whole of an image of a (width, height) is shown, pixel by pixel."""
        shown = (*(self.taken or (0.0, 0.0, *size)), *self.size)
        return self.inside and all(
            abs(value - wanted) <= _SLACK_PX for value, wanted in zip(shown, (0.0, 0.0, *size, *size), strict=True)
        )


def _pieces(top: Element) -> list[_Piece]:
    """Return what a plain mosaic shows, with what the mosaics in it show."""
    frame = _numbers(top, "rasterXSize", "rasterYSize")
    found: list[_Piece] = []
    for source in top.iter():
        name = source.findtext("SourceFilename")
        if name is None:
            continue
        taken, put = source.find("SrcRect"), source.find("DstRect")
        x, y, width, height = (0.0, 0.0, *frame) if put is None else _numbers(put, *_RECTANGLE)
        inside = min(x, y) >= -_SLACK_PX and x + width <= frame[0] + _SLACK_PX and y + height <= frame[1] + _SLACK_PX
        piece = _Piece(
            "" if name.startswith("<") else os.path.realpath(name),
            None if taken is None else _numbers(taken, *_RECTANGLE),
            (width, height),
            inside,
        )
        if name.startswith("<"):  # the text of a mosaic stands where its name stood
            inner = fromstring(name)
            all_of_it = piece.shows_all(_numbers(inner, "rasterXSize", "rasterYSize"))
            found += [replace(each, inside=each.inside and all_of_it) for each in _pieces(inner)]
        else:
            found.append(piece)
    return found


def _numbers(element: Element, *names: str) -> tuple[float, ...]:
    """Return attributes as numbers; one that is missing or none is not equal to any."""
    values = []
    for name in names:
        try:
            values.append(float(element.get(name, "nan")))
        except ValueError:
            values.append(math.nan)
    return tuple(values)


def _facts(target: Path | str, driver: str, path: Path) -> tuple[Size, Types]:
    """Read the (width, height) of an image and the types of its bands.

    Args:
        target: the file, or the text of a VRT.
        driver: its GDAL driver.
        path: the file, for messages.
    """
    with image_errors(path), open_with(target, driver) as source:
        return (float(source.width), float(source.height)), tuple(map(str, source.dtypes))

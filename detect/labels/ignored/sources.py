"""Where ignored areas come from: tables of rectangles or WKT, vector files, folders of mask images, and settings."""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.ground.geodesy import Placement, placement_of
from detect.imagery.ground.polygons import polygons_of, read_areas
from detect.imagery.ground.projecting import outlines_on
from detect.imagery.ground.squares import squares_of_mask, squares_of_outlines
from detect.imagery.ground.vector_files import VectorError
from detect.imagery.reading import SceneReader
from detect.imagery.windows import Window
from detect.labels.annotations import AnnotatedImage, AnnotationError
from detect.labels.columns import known_columns
from detect.labels.dialects import read_foreign_sheet
from detect.labels.dotted.pictures import pictures_below
from detect.labels.image_names import match_names
from detect.labels.regions import read_regions, regions_of

logger = logging.getLogger(__name__)

WKT_COLUMNS = ("wkt", "geometry", "polygon", "geom")
"""Columns of a table that hold an area as well-known text, in pixels."""

IMAGE_COLUMNS = ("image", "image_path", "filename", "file")
"""Columns of that table that name the image."""

VECTORS = (".geojson", ".json", ".gpkg", ".shp")
"""Endings of files of polygons."""

MASK_WORDS = ("mask_", "_mask", "-mask")
"""What the name of a mask image may have before or after the name of its image."""

MOST_MASK_PIXELS = 1 << 28
"""Most pixels of a mask."""

INEXACT, HALF = (".jpg", ".jpeg", ".jpe", ".jfif"), 128
"""Endings of pictures whose black is near to black only, and from which value on a pixel of theirs is not."""

ALIKE = 0.02
"""Greatest difference of the sides' ratio between a mask and its image."""

Regions = dict[str, NDArray[np.float64]]
"""Boxes (M, 4) x1, y1, x2, y2 in pixels, by the image's name."""


def ignored_areas(given: Any, images: Mapping[str, AnnotatedImage]) -> tuple[Regions, list[str]]:
    """Return the ignored areas of images as boxes, from wherever they are given.

    Args:
        given: a file or a folder, a list of such, or by image a list of rectangles or a polygon as well-known text.
        images: by the names under which they are wanted.

    Returns:
        The boxes of every image that has some, and the names in the sources that match no image.

    Raises:
        AnnotationError: a source that cannot be read or understood, with its name and place.
        FileNotFoundError: no such file.
    """
    unsized = [name for name, image in images.items() if not all(image.shape)]
    if unsized and _needs_sizes(given):
        raise AnnotationError(
            f"{unsized[0]}: the size of its file is not known, by which areas are placed; it is gone, or has changed "
            "since it was counted: count it again, or give rectangles"
        )
    sources: Sequence[Any] = given if isinstance(given, list | tuple) else [given]
    found: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    unknown: list[str] = []
    for source in sources:
        boxes, others = _of_source(source, images)
        unknown += others
        for name, each in boxes.items():
            found[name].append(each)
    return {name: np.concatenate(each) for name, each in found.items()}, unknown


def _needs_sizes(given: Any) -> bool:
    """Return whether areas are other than rectangles in settings or a table without well-known text."""
    if isinstance(given, list | tuple):
        return any(map(_needs_sizes, given))
    if isinstance(given, Mapping):
        return any(isinstance(value, str) for value in given.values())
    return given.is_dir() or given.suffix.lower() in VECTORS or _wkt_table(given) is not None


def _of_source(source: Any, images: Mapping[str, AnnotatedImage]) -> tuple[Regions, list[str]]:
    if isinstance(source, Mapping):
        texts = {str(name): value for name, value in source.items() if isinstance(value, str)}
        boxes = {str(name): value for name, value in source.items() if not isinstance(value, str)}
        found, unknown = regions_of(boxes, list(images))
        outlines = {name: [_polygon(text, f"{name}: area to ignore")] for name, text in texts.items()}
        drawn, others = _drawn(outlines, images)
        return found | drawn, [*unknown, *others]
    if source.is_dir():
        return _masks(source, images)
    if source.suffix.lower() in VECTORS:
        return _vectors(source, images)
    texts_by_image = _wkt_table(source)
    if texts_by_image is None:
        return regions_of(read_regions(source), list(images))
    return _drawn(texts_by_image, images)


def _drawn(outlines: Mapping[str, Sequence[Any]], images: Mapping[str, AnnotatedImage]) -> tuple[Regions, list[str]]:
    """Return the squares of polygons in pixels, by the names in their source."""
    pairs = match_names(list(outlines), list(images))
    found = {
        image: squares_of_outlines([o for o in outlines[name] if o is not None], images[image].shape)
        for name, image in pairs.items()
    }
    return found, [name for name in outlines if name not in pairs]


def _polygon(text: str, place: str) -> Any:
    """Return the polygon of a well-known text, None where it is empty.

    Raises:
        AnnotationError: another text, or something else than a polygon.
    """
    import shapely

    try:
        shape = shapely.from_wkt(text)
    except shapely.errors.GEOSException as error:
        raise AnnotationError(f"{place}: not a polygon as well-known text, got {text[:60]!r} ({error})") from error
    outline = None if shape is None or shape.is_empty else polygons_of(shapely.make_valid(shape))
    if outline is None and not (shape is None or shape.is_empty):
        raise AnnotationError(f"{place}: must be a polygon with an area, got {text[:60]!r}")
    return outline


def _wkt_table(path: Path) -> dict[str, list[Any]] | None:
    """Return the polygons of a table with a column of well-known text, by image; None of a table without one."""
    sheet = read_foreign_sheet(path, _known, lambda _: None).sheet
    places = {_plain(name): name for name in sheet.header}
    column = next((places[name] for name in WKT_COLUMNS if name in places), None)
    image = next((places[name] for name in IMAGE_COLUMNS if name in places), None)
    if column is None:
        return None
    if image is None:
        raise AnnotationError(f"{path}: a column image is missing beside {column}; name the image of each polygon")
    found: dict[str, list[Any]] = defaultdict(list)
    for line, name, text in zip(sheet.lines, sheet.column(image), sheet.column(column), strict=True):
        if not name:
            raise AnnotationError(f"{path} line {line}: image empty; name the image of the area")
        found[name].append(_polygon(text, f"{path} line {line}"))
    return dict(found)


def _known(header: Sequence[str]) -> int:
    """Return how many names of a header are of a table of areas."""
    return known_columns(header) + sum(_plain(name) in WKT_COLUMNS for name in header)


def _plain(name: str) -> str:
    return name.strip().casefold()


def _vectors(path: Path, images: Mapping[str, AnnotatedImage]) -> tuple[Regions, list[str]]:
    """Return the squares of a vector file's polygons: in pixels, or on the map where an image has a place on it."""
    try:
        areas = read_areas(path, None)
    except VectorError as error:
        raise AnnotationError(str(error)) from error
    named = sorted({each.image for each in (*areas.areas, *areas.zones) if each.image is not None})
    pairs = match_names(named, list(images))
    areas = areas.of_images(pairs)
    found: Regions = {}
    places = dict.fromkeys(images) if areas.crs is None else _places(images)
    if areas.crs is not None and not any(places.values()):
        raise AnnotationError(
            f"{path}: its polygons are on the map, and none of the images has a place on one; for polygons in pixels "
            "give each a property image"
        )
    for name, image in images.items():
        placement = places[name]
        if areas.crs is not None and placement is None:
            logger.info("%s has no georeference: the areas of %s are not looked for in it", name, path)
            continue
        outlines = [outline for _, outline in outlines_on(areas, name, placement, image.shape)]
        if outlines:
            found[name] = squares_of_outlines(outlines, image.shape)
    return found, [name for name in named if name not in pairs]


def _places(images: Mapping[str, AnnotatedImage]) -> dict[str, Placement | None]:
    """Return where each image lies on the map; None without a georeference."""
    return {name: placement_of(open_scene(image.path)) for name, image in images.items()}


def _masks(folder: Path, images: Mapping[str, AnnotatedImage]) -> tuple[Regions, list[str]]:
    """Return the squares of a folder's mask images: what is not black is ignored."""
    stems = {_stem(name): name for name in images}
    if len(stems) < len(images):
        raise AnnotationError(f"{folder}: images that differ by folder or ending alone cannot be told by a mask's name")
    found: Regions = {}
    unknown = []
    for path in pictures_below(folder):
        name = next((stems[stem] for stem in _mask_stems(path) if stem in stems), None)
        if name is None:
            unknown.append(path.name)
            continue
        found[name] = squares_of_mask(_mask(path, images[name]), images[name].shape)
    if not found:
        raise AnnotationError(
            f"{folder}: no mask of any of the {len(images)} images; name them as the images, or mask_NAME"
        )
    return found, unknown


def _stem(name: str) -> str:
    return Path(name).stem.casefold()


def _mask_stems(path: Path) -> list[str]:
    """Return what the image of a mask may be called."""
    stem = path.stem.casefold()
    return [stem, _stem(path.stem), *(cut(word) for word in MASK_WORDS for cut in _cuts(stem))]


def _cuts(stem: str) -> tuple[Callable[[str], str], Callable[[str], str]]:
    return stem.removeprefix, stem.removesuffix


def _mask(path: Path, image: AnnotatedImage) -> NDArray[np.bool_]:
    """Return which pixels of a mask are not black in one of its bands; of a JPEG, whose black is not exact, not dark.

    Raises:
        AnnotationError: it cannot be read, is too large, or has another form than its image.
    """
    try:
        scene = open_scene(path)
        height, width = scene.shape
        if height * width > MOST_MASK_PIXELS:
            raise AnnotationError(f"{path}: a mask of {height} x {width} pixels; {MOST_MASK_PIXELS:,} are the most")
        if abs(height / width * image.shape[1] / image.shape[0] - 1) > ALIKE:
            raise AnnotationError(
                f"{path}: {height} x {width} pixels have another form than {image.name}, of {image.shape[0]} x "
                f"{image.shape[1]}; a mask covers its whole image, at any scale"
            )
        with SceneReader(scene, scene.shown_bands) as reader:
            brightness = reader.read(Window(0, 0, height, width)).max(axis=0)
    except OSError as error:
        raise AnnotationError(f"{path}: the mask cannot be read ({error})") from error
    inexact = path.suffix.lower() in INEXACT and brightness.dtype == np.uint8
    mask = np.asarray(brightness >= HALF if inexact else brightness != 0)
    if not mask.any():
        logger.warning("%s is all black: nothing of %s is ignored", path, image.name)
    return mask

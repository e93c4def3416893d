"""Points and polygons on a map: GeoJSON, GeoPackage and shapefile, as objects of the georeferenced images below them.

A feature is on the image that it names; else on the image of the layer's name; else on every image that it lies on.
Images among the features without any of them count as looked at, with nothing there.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.finding.listing import list_images
from detect.imagery.ground.geodesy import GeodesyError
from detect.imagery.ground.vector_files import VectorLayer, geopackage_layers, read_vectors
from detect.imagery.scenes import SceneError
from detect.labels.annotations import AnnotationError
from detect.labels.entries import Entry, Problems
from detect.labels.images import ImageFolder
from detect.labels.reading.json_heads import files_below, first_files, names_in
from detect.labels.vectors.map_objects import Features, features_of
from detect.labels.vectors.rasters import Located, Projected, Raster, locate, short_crs
from detect.labels.writing.geopackage import LAYER

_ENDINGS = (".geojson", ".gpkg", ".shp", ".json")


def is_vectors(path: Path) -> bool:
    """Return whether a path is a GeoPackage, shapefile or GeoJSON file, or a folder of such and of no other labels."""
    if path.is_dir():
        return any(_is_layer(each) for each in first_files(path, *_ENDINGS))
    return _is_layer(path)


def _is_layer(path: Path) -> bool:
    """Return whether a file is one of vectors, by its ending, and of `.json` by the names in it."""
    if path.suffix.lower() != ".json":
        return path.suffix.lower() in _ENDINGS
    return names_in(path, "FeatureCollection", "features") or names_in(path, "Feature", "geometry")


def read_vector_labels(path: Path, root: Path | None, problems: Problems) -> tuple[list[Entry], bool]:
    """Read features of maps as points or boxes in the pixels of the images below the data folder.

    Args:
        path: a file, or a folder of files.
        root: the data folder, with the georeferenced images.
        problems: collects features and files that cannot be used, and what is told.

    Returns:
        The entries, and whether they are boxes.

    Raises:
        AnnotationError: no data folder, or points in one layer and polygons in another.
    """
    if root is None:
        raise AnnotationError(
            f"{path}: where features lie in an image is known by the image alone; convert them first, with "
            "python -m detect.convert source=... root=... target=labels.csv"
        )
    entries: list[Entry] = []
    kinds: dict[bool, Path] = {}
    rasters = Rasters(root)
    for file in filter(_is_layer, files_below(path, *_ENDINGS)) if path.is_dir() else [path]:
        try:
            for layer in _layers(file):
                features = features_of(layer, problems)
                entries += _layer_entries(features, rasters, problems)
                if len(features):
                    kinds.setdefault(features.boxes, file)
        except (AnnotationError, GeodesyError, OSError) as error:
            problems.add(str(file), str(error).removeprefix(f"{file}: "))
    if len(kinds) > 1:
        raise AnnotationError(f"{path}: {kinds[False]} has points and {kinds[True]} has polygons; keep one kind")
    return entries, next(iter(kinds), False)


def _layers(file: Path) -> list[VectorLayer]:
    """Read the layers of a file; pyogrio raises errors of many kinds for damaged ones, and each names the file here.

    Raises:
        AnnotationError: damaged, or a GeoPackage of several layers that are not those of `write_gpkg`, one for each
            coordinate system of the images.
    """
    try:
        names = geopackage_layers(file) if file.suffix.lower() == ".gpkg" else []
        if len(names) > 1 and not all(name.startswith(LAYER) for name in names):
            raise AnnotationError(
                f"{file}: has {len(names)} layers with geometries, {', '.join(names[:10])}, and which are labels is "
                "not said; export the one layer to a file of its own"
            )
        return [read_vectors(file, name) for name in names] if len(names) > 1 else [read_vectors(file, None)]
    except (OSError, AnnotationError):
        raise
    except Exception as error:
        raise AnnotationError(str(error)) from error


class Rasters:
    """The images below the data folder; each is looked at once.

    Args:
        root: the data folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder = ImageFolder(root)
        self._seen: dict[Path, Raster | None] = {}
        self._names: list[tuple[str, Path]] | None = None

    def every(self) -> Iterator[Raster]:
        """Yield all that can be read, sorted by name."""
        yield from (raster for _, path in self._listed() if (raster := self._look(path)) is not None)

    def named(self, name: str) -> Raster:
        """Return the one that a feature names.

        Raises:
            AnnotationError: there is none, or it is ambiguous.
        """
        path = self._folder.find(name)
        raster = self._look(path)
        if raster is None:
            raise AnnotationError(f"{path}: not an image that can be read")
        return raster

    def beside(self, layer: Path) -> Raster | None:
        """Return the image of a layer's name: in its folder, or the only one below the data folder."""
        alike = [path for _, path in self._listed() if path.stem.casefold() == layer.stem.casefold()]
        near = [path for path in alike if path.parent.absolute() == layer.parent.absolute()]
        chosen = near if len(near) == 1 else alike
        return self._look(chosen[0]) if len(chosen) == 1 else None

    def _listed(self) -> list[tuple[str, Path]]:
        if self._names is None:
            self._names = list_images(self.root)
        return self._names

    def _look(self, path: Path) -> Raster | None:
        if path not in self._seen:
            try:
                self._seen[path] = Raster.of(self._folder.name(path), open_scene(path))
            except SceneError:
                self._seen[path] = None
        return self._seen[path]


def _layer_entries(features: Features, rasters: Rasters, problems: Problems) -> list[Entry]:
    """Return the entries of a layer."""
    projected = Projected(features)
    if features.image is not None:
        return list(_named_entries(projected, features.image, rasters, problems))
    own = rasters.beside(features.layer.path)
    if not len(features):
        empty = not len(features.layer.geometries) and own is not None
        nothing = Located(np.empty(0, np.intp), np.empty((0, 2)), "")
        return list(_entries(features, own, nothing, problems)) if empty and own is not None else []
    if own is not None:
        found = locate(projected, own, np.arange(len(features)))
        return [] if found is None else list(_entries(features, own, found, problems))
    entries: list[Entry] = []
    placed = np.zeros(len(features), bool)
    every = list(rasters.every())
    for raster in every:
        found = locate(projected, raster, alone=len(every) == 1)
        if found is not None:
            found = _without_shared_edges(found, raster, placed)
            placed[found.index] = True
            entries += _entries(features, raster, found, problems)
    _tell_unplaced(features, placed, rasters, problems)
    return entries


def _named_entries(
    projected: Projected, images: NDArray[np.object_], rasters: Rasters, problems: Problems
) -> Iterator[Entry]:
    """Yield the entries of a layer whose features name their images."""
    features = projected.features
    for name in dict.fromkeys(images.tolist()):
        index = np.flatnonzero(images == name)
        if not name:
            for i in index.tolist():
                problems.skip(features.place(i), "names no image, as others do")
            continue
        try:
            raster = rasters.named(name)
            found = locate(projected, raster, index)
        except (AnnotationError, GeodesyError) as error:
            problems.add(features.place(int(index[0])), str(error))
            continue
        if found is not None:
            yield from _entries(features, raster, found, problems)


def _entries(features: Features, raster: Raster, found: Located, problems: Problems) -> Sequence[Entry]:
    """Return the entries of a raster, one without an object where there is none."""
    path = features.layer.path
    if found.told:
        problems.tell(found.told, f"{path} on {raster.name}")
    if not len(found.index):
        problems.tell("images among the features, without one of them, count as looked at", raster.name)
        return [Entry(path, 1, raster.name, None, unit="layer")]
    return [
        Entry(
            path,
            int(features.number[i]),
            raster.name,
            tuple(numbers),
            features.label[i],
            features.split[i] or None,
            features.group[i] or None,
            unit="feature",
        )
        for i, numbers in zip(found.index.tolist(), found.numbers.tolist(), strict=True)
    ]


def _without_shared_edges(found: Located, raster: Raster, placed: NDArray[np.bool_]) -> Located:
    """Return features on a raster without points on its lower and right edge that are on another raster already."""
    if found.numbers.shape[1] != 2:
        return found
    edge = (found.numbers == np.array(raster.shape[::-1])).any(axis=1) | (found.numbers == 0).any(axis=1)
    kept = ~(edge & placed[found.index])
    return Located(found.index[kept], found.numbers[kept], found.told)


def _tell_unplaced(features: Features, placed: NDArray[np.bool_], rasters: Rasters, problems: Problems) -> None:
    """Log how many features are on no image; that none is on any is a problem."""
    layer = features.layer
    if placed.all():
        return
    if placed.any():
        problems.tell(f"{int((~placed).sum())} features are on no image and are not used", str(layer.path))
        return
    import shapely

    system = "no coordinate system" if layer.crs is None else short_crs(layer.crs)
    extent = ", ".join(f"{value:.6g}" for value in shapely.total_bounds(features.shapes))
    known = [raster for raster in rasters.every() if raster.placement is not None]
    where = "no image there has a georeference"
    if known:
        corners = known[0].placement.map_xy(known[0].corners) if known[0].placement else known[0].corners
        own = ", ".join(f"{value:.6g}" for value in (*corners.min(axis=0), *corners.max(axis=0)))
        crs = known[0].placement.crs if known[0].placement else None
        where = f"{known[0].name}, for one, spans {own} ({'no coordinate system' if crs is None else short_crs(crs)})"
    problems.add(
        str(layer.path), f"its features span {extent} ({system}) and are on no image below {rasters.root}; {where}"
    )

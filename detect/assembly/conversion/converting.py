"""Annotations and detections from format to format, and what they hold as text and as pictures."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detect.assembly.given_paths import existing
from detect.assembly.settings.convert_settings import ConvertSettings
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.ground.geodesy import placement_of
from detect.imagery.scenes import Scene
from detect.labels.annotation_files import read_annotations, read_unchecked
from detect.labels.annotations import AnnotatedImage, AnnotationError, Annotations
from detect.labels.detections import Detections
from detect.labels.formats.detections_csv import HEADER, read_detections
from detect.labels.images import ImageFolder
from detect.labels.sheets import read_sheet, write_whole
from detect.labels.writing.annotation_writing import format_of, write_annotations, write_set
from detect.labels.writing.format_table import FORMATS, FileFormat
from detect.labels.writing.outgoing import OutImage, check_placed, checked_set
from detect.reporting.label_summary import full_summary, short_summary
from detect.reporting.output.layout import COUNTS
from detect.reporting.tables import IMAGE, read_counts
from detect.reporting.writing import write_picture

logger = logging.getLogger("detect.convert")


@dataclass(frozen=True, eq=False)
class Source:
    """What is converted.

    Attributes:
        annotations: the images with their objects.
        scored: whether the objects are a model's, with scores.
        scenes: the images' scenes by their names; empty where no image is opened.
    """

    annotations: Annotations
    scored: bool
    scenes: dict[str, Scene]


def check_outputs(settings: ConvertSettings) -> None:
    """Check that something is to be written, in formats that there are, and that nothing is there already.

    Raises:
        ValueError: nothing is to be written, an ending is wrong, images are needed and `root` is not given, or as
            `check_free`.
        FileExistsError: a file is there already.
    """
    named = {"target": settings.target, "summary": settings.summary, "sheet": settings.sheet}
    given = {name: path for name, path in named.items() if path is not None}
    if not given:
        raise ValueError("nothing to write: give target=FILE_OR_DIR, summary=FILE.txt or sheet=FILE.jpg")
    if settings.sheet is not None and settings.sheet.suffix.lower() not in (".jpg", ".jpeg"):
        raise ValueError(f"sheet={settings.sheet} must end in .jpg: the sheet is a JPEG")
    if settings.sheet is not None and settings.root is None:
        raise ValueError("sheet: pictures need the images; give root=DIR")
    if settings.target is not None and settings.format is None:
        format_of(settings.target)
    check_free(settings, given)


def check_free(settings: ConvertSettings, given: Mapping[str, Path]) -> None:
    """Check that files may be written: none is there, the source, or another of them.

    Args:
        settings: the source, and whether what is there is replaced.
        given: the files by the names of their settings.

    Raises:
        ValueError: one is the source, or two are the same.
        FileExistsError: a file is there already.
    """
    for name, path in given.items():
        filled = path.is_file() or (path.is_dir() and any(path.iterdir()))
        if filled and not settings.overwrite:
            raise FileExistsError(f"{name}={path} is there already; overwrite=true writes into it, or name another")
        if path.resolve() == settings.source.resolve():
            raise ValueError(f"{name}={path} is the source; name another file")
        alike = [other for other in given if other != name and given[other].resolve() == path.resolve()]
        if alike:
            raise ValueError(f"{name} and {alike[0]} are both {path}; name two files")


def read_source(settings: ConvertSettings) -> Source:
    """Read annotations of any format, or the detections of a run, and log what they hold."""
    path = existing(settings.source, "source", "annotations")
    root = None if settings.root is None else existing(settings.root, "root", "folder of images")
    if _is_detections(path):
        source = _detections(path, root)
    else:
        annotations = read_unchecked(path) if root is None else read_annotations(path, root)
        source = Source(annotations, scored=False, scenes={})
    for line in short_summary(source.annotations).splitlines():
        logger.info("%s", line)
    return source


def convert(settings: ConvertSettings, source: Source) -> None:
    """Write the target.

    Raises:
        ValueError: there is no such format, it cannot hold the objects, or needs images and `root` is not given.
    """
    assert settings.target is not None
    name = format_of(settings.target) if settings.format is None else settings.format
    form = FORMATS.get(name)
    if settings.root is None and form is not None:
        raise ValueError(f"{name} has the sizes of images, or their places; give root=DIR, the folder of the images")
    if form is None or not source.scored:
        if source.scored:
            logger.warning("scores are not written: a table of annotations has none; coco and others have")
        write_annotations(source.annotations, settings.target, name)
    else:
        placed = isinstance(form, FileFormat) and form.placed
        images = [_out(image, source.scenes[image.name], placed) for image in source.annotations.images]
        out = checked_set(images, source.annotations.classes, scored=True)
        if placed:
            check_placed(out, name)
        write_set(out, settings.target, name)
    logger.info("wrote %s (%s)", settings.target, name)


def write_views(settings: ConvertSettings, annotations: Annotations) -> None:
    """Write the summary and the sheet of pictures that are asked for."""
    if settings.summary is not None:
        write_whole(settings.summary, full_summary(annotations))
        logger.info("wrote %s", settings.summary)
    if settings.sheet is not None:
        from detect.reporting.pictures.label_sheets import draw_labels

        sheet = draw_labels(annotations, settings.samples)
        if sheet is None:
            logger.warning("sheet: nothing is labelled, so nothing is drawn")
        else:
            write_picture(sheet, settings.sheet)
            logger.info("wrote %s", settings.sheet)


def _is_detections(path: Path) -> bool:
    """Return whether a path is a table of detections as runs write it, by its columns."""
    if path.suffix.lower() != ".csv" or path.is_dir():
        return False
    try:
        return read_sheet(path).header[: len(HEADER)] == HEADER
    except AnnotationError:
        return False


def _detections(path: Path, root: Path | None) -> Source:
    """Read the detections of a run; images without any are those of the counts beside them."""
    found = read_detections(path)
    classes = next(iter(found.values())).classes if found else ()
    counts = path.parent / COUNTS
    names = [*found] if not counts.is_file() else [*dict.fromkeys([*map(str, read_counts(counts)[IMAGE]), *found])]
    folder = None if root is None else ImageFolder(root)
    scenes = {} if folder is None else {name: open_scene(folder.find(name)) for name in names}
    boxes = any(each.wh is not None for each in found.values())
    images = []
    for name in names:
        objects = found.get(name, Detections.empty(classes, boxes=boxes))
        shape, file = (scenes[name].shape, scenes[name].path) if scenes else ((0, 0), Path(name))
        images.append(AnnotatedImage(name, file, shape, objects, np.empty((0, 2))))
    return Source(Annotations(tuple(images), classes, boxes, path), scored=True, scenes=scenes)


def _out(image: AnnotatedImage, scene: Scene, placed: bool) -> OutImage:
    """Return an image of detections as it is written."""
    return OutImage(image.name, image.shape, image.objects, placement_of(scene) if placed else None)

"""Annotation files: read by whichever format recognises them."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from detect.imagery.finding.endings import has_image_ending
from detect.imagery.finding.path_lists import is_path_list, read_paths
from detect.labels.annotations import AnnotationError, Annotations
from detect.labels.checks import entries_by_image
from detect.labels.entries import Entry, Problems
from detect.labels.formats.coco import is_coco, read_coco
from detect.labels.formats.corrections_csv import is_corrections, read_corrections_csv
from detect.labels.formats.csv_table import is_csv_table, read_csv_table
from detect.labels.formats.cvat import is_cvat, read_cvat
from detect.labels.formats.dota import is_dota, read_dota
from detect.labels.formats.dotdotgoose import is_dotdotgoose, read_dotdotgoose
from detect.labels.formats.dotted_photographs import is_dotted, read_dotted
from detect.labels.formats.label_studio import is_label_studio, read_label_studio
from detect.labels.formats.labelme import is_labelme, read_labelme
from detect.labels.formats.vectors import is_vectors, read_vector_labels
from detect.labels.formats.via import is_via, read_via
from detect.labels.formats.voc import is_voc, read_voc
from detect.labels.formats.yolo import is_yolo, read_yolo
from detect.labels.labelled_images import annotated_image, choose_classes, renamed
from detect.labels.rules.turned import find_turn

logger = logging.getLogger(__name__)

Recogniser = Callable[[Path], bool]
"""Returns whether a path is of a format, by its ending or its content."""

Reader = Callable[[Path, Path | None, Problems], tuple[list[Entry], bool]]
"""Reads a path, given the data folder (None to open no image) and a collector of problems: entries, whether boxes."""


def _is_list(path: Path) -> bool:
    """Return whether a path is a list of annotation files, which are there."""
    return is_path_list(path, lambda each: each.exists() and not has_image_ending(each))


def _read_list(path: Path, root: Path | None, problems: Problems) -> tuple[list[Entry], bool]:
    """Read the annotation files of a list of paths together."""
    return _read_files(read_paths(path), path, None if root is None else [root], problems)


def _read_files(
    files: Sequence[Path], source: Path, roots: Sequence[Path] | None, problems: Problems
) -> tuple[list[Entry], bool]:
    """Read annotation files together; points and boxes cannot be mixed."""
    entries: list[Entry] = []
    first: dict[bool, Path] = {}
    for file in dict.fromkeys(files):
        try:
            if _is_list(file):
                raise AnnotationError(f"{file}: a list of paths among those of {source}; name its files there")
            found, boxes = _reader_of(file)(file, _root_of(file, roots), problems)
        except AnnotationError as error:
            problems.found.append(str(error))
            continue
        entries += found
        if any(entry.is_object for entry in found):
            first.setdefault(boxes, file)
    if len(first) > 1:
        problems.add(str(source), f"{first[False]} has points and {first[True]} boxes; make two lists of them")
    return entries, True in first


READERS: Mapping[str, tuple[Recogniser, Reader]] = {
    "LabelMe (a .json file or a folder of .json files)": (is_labelme, read_labelme),
    "CVAT for images (an .xml file)": (is_cvat, read_cvat),
    "Label Studio (a .json file)": (is_label_studio, read_label_studio),
    "VIA (a .csv or .json file)": (is_via, read_via),
    "DotDotGoose (a .pnt file)": (is_dotdotgoose, read_dotdotgoose),
    "DOTA (a .txt file, or a folder of .txt files)": (is_dota, read_dota),
    "Pascal VOC (an .xml file or a folder of .xml files)": (is_voc, read_voc),
    "COCO (a .json file or a folder of .json files)": (is_coco, read_coco),
    "YOLO (data.yaml, or a folder with it or classes.txt)": (is_yolo, read_yolo),
    "features of a map (GeoJSON, GeoPackage, shapefile, or a folder of such)": (is_vectors, read_vector_labels),
    "dotted photographs (a folder of images, or one)": (is_dotted, read_dotted),
    "corrections of a review (corrections.csv)": (is_corrections, read_corrections_csv),
    "a table (.csv, .tsv or .txt)": (is_csv_table, read_csv_table),
}
"""The formats that are read, as errors name them, each recognised by what it holds; a table may be almost anything, and
comes last. The first that recognises a file reads it; a folder that several recognise is an error."""


def read_annotations(
    path: Path | Sequence[Path],
    root: Path | Sequence[Path],
    *,
    negative_labels: Sequence[str] = (),
    classes: Sequence[str] | None = None,
    names: Mapping[str, str] | None = None,
    group_column: str | None = None,
) -> Annotations:
    """Read labelled images in any format of `READERS`.

    A CSV table has the header `image,x,y,label` or `image,xmin,ymin,xmax,ymax,label`, in any order, with optional
    columns `split` (train, val, test) and `group`. A row with an image and neither coordinates nor label states that
    the image has no objects. Points must be in their image; boxes are cut at its edge. Of `corrections.csv` everything
    outside of the reviewed windows is ignored, unless other files label it.

    Args:
        path: a file or folder of annotations, or several.
        root: the data folder, below which the images are found (`ImageFolder.find`), or several (`ImageFolders`).
        negative_labels: labels of hard negatives: background worth learning from, not objects.
        classes: the class list and its order; None for the sorted labels in use, without the negative ones.
        names: new names of labels by those in the file, which all else here goes by.
        group_column: the column of a table that names the groups; None for that called `group`.

    Returns:
        The images in the file's order.

    Raises:
        AnnotationError: up to ten of the problems found, each with its file and line; or no format recognises `path`.
        ValueError: a negative label is a class too.
    """
    return _read(
        path, (root,) if isinstance(root, Path) else tuple(root), negative_labels, classes, names or {}, group_column
    )


def read_unchecked(
    path: Path | Sequence[Path],
    *,
    negative_labels: Sequence[str] = (),
    classes: Sequence[str] | None = None,
    names: Mapping[str, str] | None = None,
    group_column: str | None = None,
) -> Annotations:
    """Read labelled images without opening one: for tables, and as the truth that predictions are compared with.

    Names are those in the file (`match_names` pairs them with predictions); coordinates are not checked against images,
    whose sizes are not known.

    Args:
        path: a file or folder of annotations, as for `read_annotations`.
        negative_labels: labels that are not objects.
        classes: the class list; None for the sorted labels in use.
        names: new names of labels by those in the file.
        group_column: the column of a table that names the groups.

    Returns:
        Every image in the file, of those without objects too.

    Raises:
        AnnotationError: up to ten of the problems found, each with its file and line; no format recognises `path`; or
            the images are needed to know what the annotations mean.
        ValueError: a negative label is a class too.
    """
    return _read(path, None, negative_labels, classes, names or {}, group_column)


def _read(
    given: Path | Sequence[Path],
    roots: Sequence[Path] | None,
    negative_labels: Sequence[str],
    classes: Sequence[str] | None,
    names: Mapping[str, str],
    group_column: str | None,
) -> Annotations:
    """Read annotations, and check them against the images below `roots` if some are given; log what is told."""
    files = (given,) if isinstance(given, Path) else tuple(given)
    path = _source_of(files)
    problems = Problems(path, group_column=group_column)
    entries, boxes = _read_files(files, path, roots, problems) if len(files) > 1 else _read_file(path, roots, problems)
    problems.stop(sum(entry.numbers is not None for entry in entries))
    if not entries:
        raise AnnotationError(f"{path}: no annotations: it holds no objects, and names no images without any")
    entries = renamed(entries, names, problems)
    by_image = entries_by_image(entries, roots, problems)
    kept = [entry for lines in by_image.values() for entry in lines]
    chosen = choose_classes(kept, negative_labels, classes, problems)
    problems.stop(sum(entry.numbers is not None for entry in kept))
    images = tuple(annotated_image(image, lines, chosen, boxes) for image, lines in by_image.items())
    turn = None if roots is None else find_turn(images)
    if turn is not None:
        problems.tell(
            "the pixels under the labels look like the ground, and would not "
            f"{turn}; look at them (detect.convert sheet=FILE.jpg)",
            str(path),
        )
    told = problems.told()
    for sentence in told:
        logger.warning("%s: %s", path, sentence)
    return Annotations(images, chosen, boxes, path, told, problems.partial)


def _read_file(path: Path, roots: Sequence[Path] | None, problems: Problems) -> tuple[list[Entry], bool]:
    """Read the entries of one annotation file."""
    reader, column = _reader_of(path), problems.group_column
    if column is not None and reader not in (read_csv_table, _read_list):
        raise AnnotationError(f"{path}: data.group_column={column} is a column of a table, and this is none")
    return reader(path, _root_of(path, roots), problems)


def _root_of(file: Path, roots: Sequence[Path] | None) -> Path | None:
    """Return the data folder of an annotation file: that which it lies in, else the first; None where there is none."""
    if roots is None:
        return None
    return next((root for root in roots if file.absolute().is_relative_to(root.absolute())), roots[0])


def _source_of(files: Sequence[Path]) -> Path:
    """Return what annotation files are called together: the one, or the folder that all are in.

    Raises:
        AnnotationError: there are none.
    """
    if not files:
        raise AnnotationError("no annotations are given; name a file at least")
    return files[0] if len(files) == 1 else Path(os.path.commonpath([file.absolute() for file in files]))


def _reader_of(path: Path) -> Reader:
    """Find the reader of the first format that recognises a path."""
    if _is_list(path):
        return _read_list
    fitting = [name for name, (recognises, _) in READERS.items() if recognises(path)]
    if len(fitting) > 1 and path.is_dir():
        raise AnnotationError(f"{path}: has annotations of several formats, {' and '.join(fitting)}; give one")
    if fitting:
        return READERS[fitting[0]][1]
    raise AnnotationError(
        f"{path}: not a format of annotations that is read; give {'; or '.join(READERS)}; or a .txt file of their paths"
    )

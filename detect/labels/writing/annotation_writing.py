"""Annotation files written in a format by its name or by the ending of the file."""

import logging
from pathlib import Path

from detect.imagery.files import replace_file
from detect.labels.annotations import Annotations
from detect.labels.formats.csv_table import write_csv_table
from detect.labels.sheets import write_whole
from detect.labels.writing.format_table import FORMATS, FileFormat, FolderFormat
from detect.labels.writing.outgoing import OutSet, check_placed, labelled_set

logger = logging.getLogger(__name__)

CSV, COCO = "csv", "coco"
"""Names in `write_annotations`: of the format that is no line of `FORMATS`, and of that which has regions to ignore."""


def write_annotations(annotations: Annotations, target: Path, name: str | None = None) -> None:
    """Write annotations in a format of `FORMATS` or as a CSV table, each file whole or not at all.

    `read_annotations` with the same classes and negative labels returns the same annotations, as far as the format
    holds them; what it does not hold is an error or a line of the log.

    Args:
        annotations: the images.
        target: a file or a folder, which need not be there.
        name: of the format; None for that of the target's ending, where a folder or no ending is `voc`.

    Raises:
        ValueError: no such format, none for the ending, or the format cannot hold the annotations.
    """
    chosen = format_of(target) if name is None else name
    regions = sum(len(image.ignored) for image in annotations.images)
    if regions and chosen != COCO:
        logger.warning("%s: %d regions to ignore are not written; coco has them", target, regions)
    if chosen == CSV:
        write_csv_table(annotations, target)
        return
    if chosen not in FORMATS:
        raise ValueError(f"{chosen!r} is no format of annotations that is written; use {', '.join([CSV, *FORMATS])}")
    form = FORMATS[chosen]
    if isinstance(form, FolderFormat) and not annotations.boxes:
        raise ValueError(f"{chosen} holds boxes, these annotations are points; write csv, coco or another format")
    placed = isinstance(form, FileFormat) and form.placed
    out = labelled_set(annotations, placed)
    if placed:
        check_placed(out, chosen)
    write_set(out, target, chosen)


def write_set(out: OutSet, target: Path, name: str) -> None:
    """Write objects, a person's or a model's, in a format of `FORMATS`, each file whole or not at all.

    Raises:
        ValueError: the format cannot hold the objects.
    """
    form = FORMATS[name]
    if isinstance(form, FileFormat):
        with replace_file(target) as part:
            form.write(out, part)
        return
    form.files([image.name for image in out.images])
    written = set()
    for file, text in form.texts(out):
        write_whole(target / file, text)
        written.add(target / file)
    kinds = {".yaml", *(file.suffix for file in written)}
    others = sorted(each for each in target.rglob("*") if each.suffix in kinds and each not in written)
    if others:
        logger.warning(
            "%s: %d files of something else stay in it and will be read with it: %s", target, len(others), others[0]
        )


def format_of(target: Path) -> str:
    """Return the name of the format of a target's ending.

    Raises:
        ValueError: there is none.
    """
    ending = "" if target.is_dir() else target.suffix.lower()
    endings = {".csv": CSV, **{form.ending: name for name, form in FORMATS.items() if form.ending is not None}}
    if ending not in endings:
        known = ", ".join(f"{each or 'no ending (a folder)'} for {name}" for each, name in endings.items())
        raise ValueError(f"{target}: no format of annotations is written with the ending {ending!r}; use {known}")
    return endings[ending]

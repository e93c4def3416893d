"""The files of other programs' formats in a folder of predictions, made of the records of its images."""

import logging
from collections.abc import Collection, Mapping
from functools import partial

from detect.labels.writing.format_table import FORMATS, FileFormat, FolderFormat
from detect.labels.writing.outgoing import OutImage, OutSet
from detect.reporting.output.layout import COUNTS, DETECTIONS, REPORT
from detect.reporting.output.products import PAGE, TABLES, is_of_format
from detect.reporting.output.records import Record
from detect.reporting.output.written import WrittenFiles

logger = logging.getLogger(__name__)

BYTES_AT_ONCE = 32 << 20
"""Most bytes of the files of a folder that are in memory together, but for a single one of more."""


def write_formats(
    written: WrittenFiles, wanted: Collection[str], found: Mapping[str, Record], classes: tuple[str, ...]
) -> None:
    """Write the detections in the formats that are asked for, each file whole or not at all.

    Files of images that are no longer there are removed from the folders of formats. What an earlier run wrote and is
    not asked for now stays as it is, which the log says.

    Args:
        written: the files of the output folder.
        wanted: what is asked for, formats among it.
        found: the records of the images, by name.
        classes: the model's.
    """
    out = OutSet([_out_image(name, record) for name, record in found.items()], classes, scored=True)
    earlier = written.names()
    others = {TABLES: (COUNTS, DETECTIONS), PAGE: (REPORT,)}
    stay = [file for name, files in others.items() if name not in wanted for file in files if file in earlier]
    stay = [file for file in stay if (written.folder / file).exists()]
    for name, form in FORMATS.items():
        before = [file for file in earlier if is_of_format(file, name)]
        if name not in wanted:
            stay += [form.place] if any((written.folder / file).exists() for file in before) else []
        elif isinstance(form, FileFormat):
            written.write_made(form.place, partial(form.write, out))
        else:
            _write_folder(written, form, out, before)
    if stay:
        logger.warning("of an earlier run, and not written again, as write= does not name it: %s", ", ".join(stay))


def _write_folder(written: WrittenFiles, form: FolderFormat, out: OutSet, before: Collection[str]) -> None:
    """Write the files of a folder, many at a time, and remove those of an earlier run that are not among them."""
    gone, waiting, size = set(before), {}, 0
    for file, text in form.texts(out):
        waiting[f"{form.place}/{file}"] = text.encode()
        size += len(text)
        if size > BYTES_AT_ONCE:
            written.write(waiting)
            gone, waiting, size = gone - waiting.keys(), {}, 0
    written.write(waiting)
    written.remove(gone - waiting.keys())


def _out_image(name: str, record: Record) -> OutImage:
    return OutImage(name, record.shape, record.detections, record.placement, record.object_wh)

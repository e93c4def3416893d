"""Products: what a run of predictions may be asked to write (`write=`), and the files that each is."""

import difflib
from collections.abc import Collection, Iterator, Sequence

from detect.labels.writing.format_table import FORMATS, FolderFormat
from detect.reporting.output.layout import (
    AREAS,
    CANDIDATES,
    COUNTS,
    DETECTIONS,
    FAILURES,
    HEATMAPS,
    OVERLAYS,
    REPORT,
    RUN_FACTS,
    SCORES,
)

TABLES, PAGE = "tables", "report"
"""`counts.csv`, `detections.csv` and, where there are areas, `areas.csv`; the report page, which is made of them."""

PRODUCTS = (TABLES, PAGE, OVERLAYS, HEATMAPS, CANDIDATES, *FORMATS)
"""All that can be asked for; `failures.csv` and `run.json` are written in any case."""


def check_products(names: Sequence[str]) -> None:
    """Check what is asked for.

    Raises:
        ValueError: nothing, something that there is not, or the report without the tables.
    """
    if not names:
        raise ValueError(f"write must be one or more of {', '.join(PRODUCTS)}, got []")
    for name in names:
        if name not in PRODUCTS:
            near = difflib.get_close_matches(name.lower(), PRODUCTS, 1, 0.5)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"write must be of {', '.join(PRODUCTS)}, got {name}{meant}")
    if PAGE in names and TABLES not in names:
        raise ValueError("write: the report is made of the tables; add tables, or leave report out")


def result_files(wanted: Collection[str]) -> tuple[str, ...]:
    """Return the files of an output folder that a run replaces or removes, formats left out."""
    tables = (COUNTS, DETECTIONS, AREAS) if TABLES in wanted else ()
    return (*tables, FAILURES, RUN_FACTS, *((REPORT,) if PAGE in wanted else ()), SCORES)


def format_files(wanted: Collection[str], images: Sequence[str]) -> list[str]:
    """Return the files of the formats that a run writes, by their paths in the output folder.

    Args:
        wanted: what is asked for.
        images: the images' names.

    Raises:
        ValueError: names that a format cannot have.
    """
    files: list[str] = []
    for name in FORMATS:
        if name in wanted:
            form = FORMATS[name]
            below = [f"{form.place}/{file}" for file in form.files(images)] if isinstance(form, FolderFormat) else []
            files += below or [form.place]
    return files


def is_of_format(file: str, name: str) -> bool:
    """Return whether a file of an output folder belongs to a format."""
    place = FORMATS[name].place
    return file.startswith(f"{place}/") if isinstance(FORMATS[name], FolderFormat) else file == place


def format_folders() -> Iterator[str]:
    """Yield the folders of formats that are folders."""
    for form in FORMATS.values():
        if isinstance(form, FolderFormat):
            yield form.place

"""Tables that people read: counts per image and class, as CSV."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from detect.imagery.files import replace_file
from detect.imagery.spreadsheet_cells import unguarded
from detect.labels.detections import Detections
from detect.labels.sheets import read_rows, sheet_text

IMAGE, TOTAL = "image", "total"
"""The first column of a table of counts, and the one behind its classes."""

ESTIMATE, LOW, HIGH, CORRECTED = "estimate", "low", "high", "corrected"
EXPECTED, UNIQUE, SURVEYED_SHARE, SURVEYED_HA = "expected", "unique", "surveyed_share", "surveyed_ha"
UNKNOWN = "unknown"
UNLIKE, UNLIKE_IN, DAMAGED = "unlike", "unlike_in", "damaged"
PERSON = (ESTIMATE, LOW, HIGH, CORRECTED)
FACTS = (*PERSON, UNKNOWN, EXPECTED, UNIQUE, SURVEYED_SHARE, SURVEYED_HA, UNLIKE, UNLIKE_IN, DAMAGED)
"""Columns behind the total, in this order, those that there are.

The total that a survey estimates, and its interval of 95 %; the count with what a person said is in the windows that
they reviewed. Whether the image as a whole is of none of the classes, 1 or 0, where a model of whole images tells
that. The number of objects by the sum of the probabilities of all that may be one, also below the threshold,
where scores are probabilities. Objects that the image is the first to show, where images show the same ground: their
sum is the number of different ones. The share of the image's pixels, or of those in areas, that are valid, in [0, 1];
their area on the ground in hectares; how far the image is from those that the model learned from, in [0, 1], and in
what, where that is far; what the decoder warned of. A cell is empty where there is nothing to say. A column's name
begins with `image_` where a class is called like it.
"""

MAX_COUNT = 10**12
"""A count above this is an error in the table."""


def counts_table(
    detections_by_image: Mapping[str, Detections],
    classes: Sequence[str],
    facts: Mapping[str, Mapping[str, str]] | None = None,
) -> pd.DataFrame:
    """Count the detections of every image and class.

    Args:
        detections_by_image: the detections of each image by its name; an image without any has a row of zeros.
        classes: the class names in the order of the columns; every class in use must be among them.
        facts: the columns behind the total, of `FACTS`: the cell of each image by its name.

    Returns:
        A row per image, sorted by name: `image`, a column of integers per class, `total`, their sum, and the facts.

    Raises:
        ValueError: a class in use is not in `classes`, comes twice, or is called `image` or `total`.
    """
    facts = facts or {}
    check_classes(classes)
    names = sorted(detections_by_image)
    rows = [detections_by_image[name].with_classes(classes).counts() for name in names]
    table = pd.DataFrame(rows, columns=list(classes)).astype("int64")
    table.insert(0, IMAGE, pd.Series(names, dtype="object"))
    table[TOTAL] = table[list(classes)].sum(axis=1).astype("int64")
    for column in FACTS:
        if column in facts:
            table[fact_column(column, classes)] = pd.Series([facts[column].get(n, "") for n in names], dtype="object")
    return table


def fact_column(fact: str, classes: Sequence[str]) -> str:
    """Return the name of a column behind the total, in a table of some classes: `image_` is added until it is free."""
    name = fact
    while name in classes:
        name = f"image_{name}"
    return name


def check_classes(classes: Sequence[str]) -> None:
    """Check that classes can be columns of a table of counts.

    Raises:
        ValueError: one comes twice, or is called `image` or `total`.
    """
    if len({*classes, IMAGE, TOTAL}) < len(classes) + 2:
        raise ValueError(
            f"class names must differ from each other and from '{IMAGE}' and '{TOTAL}', got {list(classes)}"
        )


def table_bytes(frame: pd.DataFrame) -> bytes:
    """Return a table as CSV (UTF-8, comma, a header line, no index), as `detect.labels.sheets` writes it.

    Any text comes back when it is read with `read_text_table`; so do bytes of file names that are not UTF-8.
    """
    cells = frame.astype("object").where(frame.notna(), "")
    rows = ([str(cell) for cell in row] for row in cells.itertuples(index=False, name=None))
    return sheet_text([str(name) for name in frame.columns], rows).encode("utf-8", "surrogateescape")


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV (`table_bytes`), whole or not at all."""
    with replace_file(path) as temporary:
        temporary.write_bytes(table_bytes(frame))


def read_counts(path: Path) -> pd.DataFrame:
    """Read a table of counts that `write_table` wrote, and check that it adds up.

    Args:
        path: the CSV file.

    Returns:
        `image` (text, as written), a column of integers per class, `total`; `read_facts` returns what is behind it.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is not a table of counts, an image comes twice, or a row's classes do not add up to its total.
    """
    text = read_text_table(path)
    text = text[[name for name in text.columns if name not in _facts_of(text).values()]]
    columns = list(text.columns)
    if len(columns) < 2 or columns[0] != IMAGE or columns[-1] != TOTAL:
        raise ValueError(f"{path}: the columns must be '{IMAGE}', one per class, '{TOTAL}'; got {columns}")
    twice = text[IMAGE][text[IMAGE].duplicated()]
    if len(twice):
        raise ValueError(f"{path}: {twice.iloc[0]!r} has two rows; keep one, or count the images again")
    try:
        numbers = text[columns[1:]].astype("int64")
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path}: counts must be whole numbers ({error})") from error
    beyond = text[IMAGE][((numbers < 0) | (numbers > MAX_COUNT)).any(axis=1)]
    if len(beyond):
        raise ValueError(f"{path}: counts must be in [0, {MAX_COUNT:.0e}], those of {beyond.iloc[0]!r} are not")
    wrong = text[IMAGE][numbers[columns[1:-1]].sum(axis=1) != numbers[TOTAL]]
    if len(wrong):
        raise ValueError(f"{path}: the classes do not add up to the total for {wrong.iloc[0]!r}; count the image again")
    return pd.concat([text[[IMAGE]], numbers], axis=1)


def read_facts(path: Path) -> dict[str, dict[str, str]]:
    """Return the cells behind the total of a table of counts, by fact and image; tables of earlier versions have fewer.

    Returns:
        Of `FACTS`, those that there are: the cell of each image by its name; empty ones are left out.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is not a table.
    """
    text = read_text_table(path)
    return {
        fact: {name: cell for name, cell in zip(text.iloc[:, 0], text[column], strict=True) if cell}
        for fact, column in _facts_of(text).items()
    }


def earlier_remark(text: str) -> str:
    """Return as `unlike_in` what earlier versions wrote as `unlike`: in what an image's light is unlike; or nothing."""
    return f"light: {text}" if text else ""


def _facts_of(table: pd.DataFrame) -> dict[str, str]:
    """Return the columns behind the total of a table of counts that hold facts, by fact."""
    columns = list(table.columns)
    if TOTAL not in columns:
        return {}
    classes, behind = columns[: columns.index(TOTAL)], columns[columns.index(TOTAL) + 1 :]
    named = {fact: fact_column(fact, classes) for fact in FACTS}
    return {fact: column for fact, column in named.items() if column in behind}


def read_text_table(path: Path) -> pd.DataFrame:
    """Read a CSV file with every cell as text: names such as `NA`, `007` or `1e5` stay names.

    Args:
        path: the CSV file, UTF-8 with a header line.

    Returns:
        The table, every column of `str` objects, without the apostrophes that `detect.labels.sheets` writes; an empty
        cell is an empty text.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is empty or not CSV, or its rows differ in length.
    """
    rows = read_rows(path, errors="surrogateescape")
    header = next(rows, None)
    if header is None:
        raise ValueError(f"{path}: not a table (it is empty)")
    columns = [unguarded(cell) for cell in header[1]]
    if len(set(columns)) < len(columns):
        raise ValueError(f"{path}: not a table (two columns have one name)")
    cells = []
    for line, fields in rows:
        if len(fields) != len(columns):
            raise ValueError(f"{path}: not a table (line {line} has {len(fields)} cells, the header {len(columns)})")
        cells.append([unguarded(cell) for cell in fields])
    return pd.DataFrame(cells, columns=columns, dtype="object")

"""Tables that people read: counts per image and class, as CSV."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from detect.imagery.files import replace_file
from detect.labels.detections import Detections

IMAGE, TOTAL = "image", "total"
"""The first and the last column of a table of counts; those between are the classes."""


def counts_table(detections_by_image: Mapping[str, Detections], classes: Sequence[str]) -> pd.DataFrame:
    """Count the detections of every image and class.

    Args:
        detections_by_image: the detections of each image by its name; an image without any has a row of zeros.
        classes: the class names in the order of the columns; every class in use must be among them.

    Returns:
        A row per image, sorted by name: `image`, a column of integers per class, and `total`, their sum.

    Raises:
        ValueError: a class in use is not in `classes`, comes twice, or is called `image` or `total`.
    """
    if len({*classes, IMAGE, TOTAL}) < len(classes) + 2:
        raise ValueError(
            f"class names must differ from each other and from '{IMAGE}' and '{TOTAL}', got {list(classes)}"
        )
    names = sorted(detections_by_image)
    rows = [detections_by_image[name].with_classes(classes).counts() for name in names]
    table = pd.DataFrame(rows, columns=list(classes)).astype("int64")
    table.insert(0, IMAGE, pd.Series(names, dtype="object"))
    table[TOTAL] = table[list(classes)].sum(axis=1).astype("int64")
    return table


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV (UTF-8, comma, a header line, no index), whole or not at all.

    Names are written unchanged, and bytes of file names that are not UTF-8 come back when they are read.

    Args:
        frame: the table.
        path: the file to write.
    """
    with replace_file(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n", errors="surrogateescape")


def read_counts(path: Path) -> pd.DataFrame:
    """Read a table of counts that `write_table` wrote, and check that it adds up.

    Args:
        path: the CSV file.

    Returns:
        `image` (text, as written), a column of integers per class, `total`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is not a table of counts, or a row's classes do not add up to its total.
    """
    text = read_text_table(path)
    columns = list(text.columns)
    if len(columns) < 2 or columns[0] != IMAGE or columns[-1] != TOTAL:
        raise ValueError(f"{path}: the columns must be '{IMAGE}', one per class, '{TOTAL}'; got {columns}")
    try:
        numbers = text[columns[1:]].astype("int64")
    except ValueError as error:
        raise ValueError(f"{path}: counts must be whole numbers ({error})") from error
    wrong = text[IMAGE][numbers[columns[1:-1]].sum(axis=1) != numbers[TOTAL]]
    if len(wrong):
        raise ValueError(f"{path}: the classes do not add up to the total for {wrong.iloc[0]!r}; count the image again")
    return pd.concat([text[[IMAGE]], numbers], axis=1)


def read_text_table(path: Path) -> pd.DataFrame:
    """Read a CSV file with every cell as text: names such as `NA`, `007` or `1e5` stay names.

    Args:
        path: the CSV file, UTF-8 with a header line.

    Returns:
        The table, every column of `str` objects; an empty cell is an empty text.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is empty or not CSV.
    """
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding_errors="surrogateescape").astype("object")
    except (pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        raise ValueError(f"{path}: not a table ({error})") from error

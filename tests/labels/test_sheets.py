from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detect.imagery.spreadsheet_cells import guarded, unguarded
from detect.labels.annotations import AnnotationError
from detect.labels.sheets import (
    UnwritableError,
    number_text,
    read_rows,
    read_sheet,
    writable,
    write_sheet,
)

Make = Callable[..., Path]


def test_a_sheet_has_the_line_of_every_row(table: Make) -> None:
    """A blank line and a line break in quotes count as lines; a short row is filled, blanks are stripped."""
    sheet = read_sheet(table('\ufeffimage, x\r\n\r\n"a\n.png", 1\r\nb\r\n'))
    assert (sheet.header, sheet.lines) == (("image", "x"), [3, 5])
    assert sheet.rows == [["a\n.png", "1"], ["b", ""]]
    assert sheet.column("x") == ["1", ""] and sheet.column("y") == ["", ""]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"t\.csv"),
        ("a,b\n1,2,3", r"t\.csv line 2: 3 .*\b2"),
        ("\na,b,a\n", r"t\.csv line 2.*\['a'\]"),
        ('a,b\n1,"2\n3,4', r"t\.csv line 2.*quote"),
    ],
)
def test_what_is_no_table_is_an_error_that_names_file_and_line(table: Make, text: str, message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        read_sheet(table(text))


def test_bytes_that_are_not_utf8_are_an_error_that_names_the_first(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,b\n1,\xe9\n")
    with pytest.raises(AnnotationError, match=r"t\.csv.*UTF-8.*\b6\b"):
        read_sheet(tmp_path / "t.csv")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"none\.csv"):
        read_sheet(tmp_path / "none.csv")


@pytest.mark.parametrize("text", ["", " a", "a ", "a\nb", "a\x00b", "a\u2028b", "\udcff"])
def test_names_that_would_not_be_read_back_are_errors(text: str) -> None:
    with pytest.raises(UnwritableError, match="label"):
        writable(text, "label")


def test_numbers_are_written_with_the_digits_that_bring_them_back() -> None:
    assert [number_text(value) for value in (2.0, 0.1, 1 / 3, 1e20)] == ["2", "0.1", "0.3333333333333333", "1e+20"]


TEXTS = (
    st.text(st.sampled_from(["'", "=", "-", "@", "\t", "\r", "\n", "\0", '"', ",", ";", " ", "1", ".", "e", "ä"]))
    | st.text()
)


@given(rows=st.lists(st.tuples(TEXTS, TEXTS), max_size=5))
def test_a_row_stays_a_row_for_every_reader_whatever_is_in_its_cells(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("sheet") / "t.csv"
    write_sheet(path, ("image", "error"), rows)
    found = [tuple(map(unguarded, fields)) for _, fields in read_rows(path)]
    assert found == [("image", "error"), *rows]
    table = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False)
    assert list(table.itertuples(index=False, name=None)) == [tuple(map(guarded, row)) for row in rows]


def test_a_carriage_return_in_quotes_is_not_the_end_of_a_line(table: Make) -> None:
    assert read_sheet(table('image,x\r"a\rb",1\r')).rows == [["a\rb", "1"]]

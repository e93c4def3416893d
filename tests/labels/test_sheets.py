from collections.abc import Callable
from pathlib import Path

import pytest

from detect.labels.annotations import AnnotationError
from detect.labels.sheets import UnwritableError, number_text, read_sheet, writable

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

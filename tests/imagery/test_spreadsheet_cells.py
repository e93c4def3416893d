import pytest
from hypothesis import given
from hypothesis import strategies as st

from detect.imagery.spreadsheet_cells import FORMULA_STARTS, guarded, unguarded

TEXTS = (
    st.text(st.sampled_from(["'", "=", "-", "@", "\t", "\r", "\n", "\0", '"', ",", ";", " ", "1", ".", "e", "ä"]))
    | st.text()
)


@given(text=TEXTS)
def test_every_cell_comes_back_and_no_spreadsheet_runs_it(text: str) -> None:
    """Whatever apostrophes a name has of its own: only one is added, and only one is removed."""
    cell = guarded(text)
    assert unguarded(cell) == text
    assert cell in (text, f"'{text}")
    if cell[:1] in set(FORMULA_STARTS):
        float(cell)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1.png", "'=1+1.png"),
        ("'=1+1.png", "''=1+1.png"),
        ("@a", "'@a"),
        ("\ta", "'\ta"),
        ("\ra", "'\ra"),
        ("-a", "'-a"),
        ("+1-2", "'+1-2"),
        ("-3.5", "-3.5"),
        ("+1e-05", "+1e-05"),
        ("'tis", "'tis"),
        ("a=b", "a=b"),
    ],
)
def test_cells_that_a_spreadsheet_would_run_have_an_apostrophe_and_numbers_have_none(text: str, cell: str) -> None:
    assert (guarded(text), unguarded(cell)) == (cell, text)

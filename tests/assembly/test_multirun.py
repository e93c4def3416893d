"""Folders of the runs of hydra's `-m`."""

from pathlib import Path

import pytest

from detect.assembly.multirun import _plain, run_folder


@pytest.mark.parametrize(
    ("value", "name"),
    [
        *(("1/4", "1-4"), ("'Möwen'", "Möwen"), ("[a.jpg,b.jpg]", "a.jpg-b.jpg"), ("3.0e-3", "3.0e-3")),
        ("x" * 50, "x" * 40 + "-"),
    ],
)
def test_a_setting_becomes_a_piece_of_a_folders_name(value: str, name: str) -> None:
    """A long one keeps its beginning and gets a number, so that two with the same beginning differ."""
    assert _plain(value).startswith(name) and len(_plain(value)) <= 49
    assert _plain("x" * 50) != _plain("x" * 51)


def test_a_single_run_writes_where_it_is_told_to() -> None:
    assert run_folder(Path("a/b")) == Path("a/b")

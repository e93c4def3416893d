"""Paths that settings name."""

from pathlib import Path

import pytest

from detect.assembly.given_paths import existing


def test_a_path_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="model=nowhere"):
        existing(Path("nowhere"), "model", "model")


def test_a_path_in_other_case_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "Photos").mkdir()
    if not (tmp_path / "photos").exists():
        with pytest.raises(FileNotFoundError, match=r"is it Photos\?"):
            existing(tmp_path / "photos", "data.root", "folder of images")

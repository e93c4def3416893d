"""Photographs of discs, and both nets trained on them once for all cases."""

from pathlib import Path

import pytest

from tests.cases.discs import GRID_NET, PATCH_NET, train_on, write_photographs


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four photographs `a.png` to `d.png` of 20 discs each, and `points.csv`."""
    return write_photographs(tmp_path_factory.mktemp("photographs"))


@pytest.fixture(scope="session")
def patch_model(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A patch classifier that finds the discs."""
    return train_on(photographs, tmp_path_factory.mktemp("patch_model") / "run", PATCH_NET)


@pytest.fixture(scope="session")
def grid_model(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grid net that finds the discs."""
    return train_on(photographs, tmp_path_factory.mktemp("grid_model") / "run", GRID_NET)

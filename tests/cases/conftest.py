"""Photographs of discs, and both nets trained on them once for all cases."""

from pathlib import Path

import pytest

from tests.cases.discs import GRID_NET, PATCH_NET, train_on, write_photographs
from tests.conftest import Once


@pytest.fixture(scope="session")
def photographs(once: Once) -> Path:
    """A folder of four photographs `a.png` to `d.png` of 20 discs each, and `points.csv`."""
    return once("photographs", write_photographs)


@pytest.fixture(scope="session")
def patch_model(photographs: Path, once: Once) -> Path:
    """A patch classifier that finds the discs."""
    made = once("patch_model", lambda folder: train_on(photographs, folder / "run", PATCH_NET))
    return made / "run" / "model.safetensors"


@pytest.fixture(scope="session")
def grid_model(photographs: Path, once: Once) -> Path:
    """A grid net that finds the discs."""
    made = once("grid_model", lambda folder: train_on(photographs, folder / "run", GRID_NET))
    return made / "run" / "model.safetensors"

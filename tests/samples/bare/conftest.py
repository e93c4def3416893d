from pathlib import Path

import pytest

from detect.labels.formats.patch_folder import read_patch_folder
from tests.samples.bare.patch_folders import patches


@pytest.fixture
def folder(tmp_path: Path):
    """12 patches of cows, 8 of ground and 4 of sheep."""
    number = {"cow": 12, "ground": 8, "sheep": 4}
    return read_patch_folder(patches(tmp_path, *(f"{name}/{i}.png" for name, n in number.items() for i in range(n))))

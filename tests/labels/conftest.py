from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Make = Callable[..., Path]


@pytest.fixture
def make_image(tmp_path: Path) -> Make:
    """Write an image of `width` x `height` under the data folder and return its path."""

    def make(name: str, width: int = 40, height: int = 30) -> Path:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (width, height)).save(path)
        return path

    return make


@pytest.fixture
def root(make_image: Make) -> Path:
    """A data folder with a.png and images/5.jpg, both 40 wide and 30 high."""
    make_image("a.png")
    return make_image("images/5.jpg").parent.parent


@pytest.fixture
def table(tmp_path: Path) -> Make:
    """Write a text file beside the data folder and return its path."""

    def write(text: str, name: str = "t.csv") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
        return path

    return write

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from detect.imagery.listing import list_images

Make = Callable[[str], Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def touch(name: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return path

    return touch


def test_the_images_of_a_folder_are_found_at_any_depth_in_any_case(make: Make, tmp_path: Path) -> None:
    for name in ("b/2.JPG", "a.Tiff", "b/c/1.jpeg", "notes.txt", "d.png.aux.xml", "e.vrt"):
        make(name)
    (tmp_path / "folder.png").mkdir()
    assert list_images(tmp_path) == [(name, tmp_path / name) for name in ("a.Tiff", "b/2.JPG", "b/c/1.jpeg", "e.vrt")]


def test_one_file_is_called_by_its_name(make: Make) -> None:
    path = make("deep/a[1].png")
    assert list_images(path) == [("a[1].png", path)]


def test_a_pattern_names_images_below_the_folder_that_they_share(make: Make, tmp_path: Path) -> None:
    one, two = make("x/one/1.png"), make("x/two/1.png")
    make("x/two/1.jpg")
    assert list_images(tmp_path / "x/**/*.png") == [("one/1.png", one), ("two/1.png", two)]
    assert list_images(tmp_path / "x/t*/*.png") == [("1.png", two)]


@pytest.mark.parametrize("name", ["", "*.png", "missing.png"])
def test_finding_nothing_is_an_error_that_names_the_pattern_and_the_endings(
    make: Make, tmp_path: Path, name: str
) -> None:
    make("notes.txt")
    with pytest.raises(FileNotFoundError, match=f"{re.escape(str(tmp_path / name))}.*jpg"):
        list_images(tmp_path / name)

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from detect.imagery.listing import images_root, list_images
from detect.imagery.scenes import SceneError, open_scene

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


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_what_cannot_be_looked_at_is_listed_too_and_opening_it_says_why(make: Make, tmp_path: Path) -> None:
    make("a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    make("b.png")
    elsewhere = make("../elsewhere/x.png").parent
    (tmp_path / "c.png").symlink_to("gone.png")
    (tmp_path / "d").symlink_to(elsewhere)
    (tmp_path / "e.png").mkdir()
    (tmp_path / "e.png/loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "f.jpg")
    (tmp_path / "g.jpg").symlink_to("g.jpg")
    (tmp_path / "text").symlink_to("gone.txt")
    listed = list_images(tmp_path)
    assert [name for name, _ in listed] == ["a.png", "b.png", "c.png", "d", "e.png/loop", "f.jpg", "g.jpg"]
    for name, path in listed[1:]:
        with pytest.raises(SceneError, match=f"^passed over: .*{re.escape(name)}"):
            open_scene(path)
    assert list_images(tmp_path / "d") == [("x.png", tmp_path / "d/x.png")]
    assert [name for name, _ in list_images(tmp_path / "*.jpg")] == ["f.jpg", "g.jpg"]


@pytest.mark.parametrize("number", [13, 5])
def test_a_folder_that_may_not_be_read_is_listed(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Whoever runs the tests may read everything, so the system's answer is given for it."""
    make("a.png"), make("closed/b.png")
    real = os.scandir

    def scandir(path: object = "."):
        if str(path).endswith("closed"):
            raise OSError(number, os.strerror(number), str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    listed = list_images(tmp_path)
    assert listed == [("a.png", tmp_path / "a.png"), ("closed", tmp_path / "closed")]
    with pytest.raises(SceneError, match=f"^passed over: the folder .*closed.*{os.strerror(number)}"):
        open_scene(tmp_path / "closed")
    with pytest.raises(OSError, match=os.strerror(number)):
        list_images(tmp_path / "closed")


@pytest.mark.skipif(os.sep == "\\", reason="file names are text there")
def test_names_that_are_no_text_are_listed(tmp_path: Path) -> None:
    name = os.fsdecode(b"a\xff.png")
    (tmp_path / name).touch()
    assert list_images(tmp_path) == [(name, tmp_path / name)]


def test_the_root_of_images_is_the_folder_that_was_named(make: Make, tmp_path: Path) -> None:
    path = make("x/one/1.png")
    assert images_root(tmp_path / "x") == tmp_path / "x"
    assert images_root(path) == path.parent
    assert images_root(tmp_path / "x/*/[1].png") == tmp_path / "x"
    assert images_root(Path("*.png")) == Path()

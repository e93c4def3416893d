"""The shelf of strips: a folder an image and content, and nothing of another."""

from pathlib import Path

import pytest

from detect.inference.strips.shelf import Shelf, clear_shelf
from tests.inference.strips.test_strips import Content


def test_a_folder_is_of_one_content_and_one_way_and_replaces_others(tmp_path: Path) -> None:
    """Of another time of change, file beside it or tiling the folder is another, and those before are removed."""
    ways = [
        (Content(), {"tiling": [1]}),
        (Content(("a.tif", 1, 3)), {"tiling": [1]}),
        (Content(beside="mask"), {"tiling": [1]}),
        (Content(), {"tiling": [2]}),
    ]
    places = []
    for content, made in ways:
        place = Shelf(tmp_path / "strips", {"a.tif": content}).place("a.tif", made)
        assert not place.exists() and [each for each in places if each.exists()] == []
        place.mkdir(parents=True)
        (place / "1.npz").touch()
        assert Shelf(tmp_path / "strips", {"a.tif": content}).place("a.tif", made) == place and any(place.iterdir())
        places.append(place)
    assert len(set(places)) == len(ways)


def test_strips_of_an_image_are_cleared_and_the_last_one_takes_the_shelf_with_it(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "strips", {"a.tif": Content(), "b.tif": Content()})
    for name in ("a.tif", "b.tif"):
        shelf.place(name, {}).mkdir(parents=True)
    shelf.clear("a.tif")
    assert [each.parent for each in (tmp_path / "strips").glob("*/*")] == [shelf.place("b.tif", {}).parent]
    shelf.clear("b.tif")
    assert not (tmp_path / "strips").exists()
    shelf.clear("b.tif")


def test_a_shelf_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    state = tmp_path / "state"
    state.mkdir()
    (state / "strips").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="leads out of"):
        Shelf(state / "strips", {"a.tif": Content()}).place("a.tif", {})
    with pytest.raises(ValueError, match="leads out of"):
        clear_shelf(state / "strips")


def test_strips_that_came_too_late_are_cleared_and_those_of_other_images_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a slow worker still writes stays when its image is recorded, and is cleared when the worker is gone."""
    shelf = Shelf(tmp_path / "strips", {"a.tif": Content(), "b.tif": Content()})
    shelf.clear_left(["a.tif"])
    for name in ("a.tif", "b.tif"):
        shelf.place(name, {}).mkdir(parents=True)

    def busy(path: Path) -> None:
        raise OSError(39, "Directory not empty", path)

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", busy)
        shelf.clear("a.tif")
    assert shelf.place("a.tif", {}).exists()
    shelf.clear_left(["a.tif", "c.tif"])
    assert [each.parent for each in (tmp_path / "strips").glob("*/*")] == [shelf.place("b.tif", {}).parent]

"""The shelf of strips in an object store: the names of a folder's, and nothing of another image or content."""

import pytest

from detect.imagery.remote.address import Address
from detect.inference.strips import stored_shelf
from detect.inference.strips.shelf import Shelf
from detect.inference.strips.stored_shelf import StoredShelf
from tests.inference.strips.test_strips import Content

STRIPS = Address("s3:", "survey", "counts", ".run", "strips")


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the objects of a store, below the shelf; each of its listings is an event too."""
    held: set[str] = set()

    def listing(folder: Address) -> list[str]:
        held.add("listed")
        start = "" if folder == STRIPS else f"{folder.relative_to(STRIPS).as_posix()}/"
        return [each.removeprefix(start) for each in held if each.startswith(start)]

    def remove(gone: list[Address]) -> None:
        held.difference_update(each.relative_to(STRIPS).as_posix() for each in gone)

    monkeypatch.setattr(stored_shelf, "listing", listing)
    monkeypatch.setattr(stored_shelf, "remove", remove)
    return held


def test_strips_of_another_content_are_removed_and_those_of_this_one_found(held: set[str]) -> None:
    names = {"a.tif": Content(), "b.tif": Content()}
    place = StoredShelf(STRIPS, names, set()).place("a.tif", {"tiling": [1]})
    assert place == STRIPS / Shelf(STRIPS, names).place("a.tif", {"tiling": [1]}).relative_to(STRIPS)
    ours, other = (place / "0-1.npz").relative_to(STRIPS).as_posix(), f"{place.parent.name}/0/0-1.npz"
    held |= {ours, other, "b/0/0-1.npz"}
    again = StoredShelf(STRIPS, names, set(held))
    assert again.place("a.tif", {"tiling": [1]}) == place
    assert again.has(place / "0-1.npz") and not again.has(place / "1-2.npz")
    assert held == {ours, "b/0/0-1.npz"}, "nothing was listed"


def test_what_workers_put_is_cleared_and_an_image_without_strips_asks_nothing_of_the_store(held: set[str]) -> None:
    shelf = StoredShelf(STRIPS, {"a.tif": Content(), "b.tif": Content()}, set())
    shelf.clear("b.tif")
    assert not held
    place = shelf.place("a.tif", {})
    held |= {(place / "0-1.npz").relative_to(STRIPS).as_posix(), "b/0/0-1.npz"}
    shelf.clear("a.tif")
    assert held == {"b/0/0-1.npz", "listed"}


def test_strips_that_came_too_late_are_cleared_and_those_of_other_images_stay(held: set[str]) -> None:
    shelf = StoredShelf(STRIPS, {"a.tif": Content()}, set())
    late = (shelf.place("a.tif", {}) / "0-1.npz").relative_to(STRIPS).as_posix()
    shelf.clear("a.tif")
    held |= {late, "b/0/0-1.npz"}
    shelf.clear_left(["a.tif", "c.tif"])
    assert held == {"b/0/0-1.npz", "listed"}

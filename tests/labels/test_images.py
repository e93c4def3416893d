import os
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.scenes import SceneError
from detect.labels.annotations import AnnotationError
from detect.labels.image_names import match_names
from detect.labels.images import ImageFolder, ImageFolders, find_image

Make = Callable[..., Path]


def test_an_image_is_found_with_or_without_the_folders_in_between(root: Path) -> None:
    wanted = root / "images" / "5.jpg"
    for name in ("images/5.jpg", "5.jpg", "./images/5.jpg", "images\\5.jpg"):
        assert find_image(root, name) == wanted
    assert find_image(root / "images", "images/5.jpg") == wanted


def test_the_path_below_the_root_goes_before_a_longer_one(root: Path, make_image: Make) -> None:
    make_image("5.jpg")
    assert find_image(root, "5.jpg") == root / "5.jpg"


def test_the_error_of_an_ambiguous_name_lists_the_candidates(root: Path, make_image: Make) -> None:
    make_image("more/5.jpg")
    with pytest.raises(AnnotationError, match=r"'5\.jpg'.*images/5\.jpg, more/5\.jpg"):
        find_image(root, "5.jpg")
    assert find_image(root, "more/5.jpg") == root / "more" / "5.jpg"


def test_the_error_of_a_missing_image_names_files_of_its_stem(root: Path) -> None:
    with pytest.raises(AnnotationError, match=r"'5\.png'.*images/5\.jpg"):
        find_image(root, "5.png")
    with pytest.raises(AnnotationError, match=r"'none\.png'"):
        find_image(root, "none.png")
    with pytest.raises(AnnotationError, match="xxx"):
        find_image(root, "x" * 300 + ".png")


@pytest.mark.parametrize(
    "name", ["../data/a.png", "images/../a.png", "/etc/passwd", "\\etc\\passwd", "C:\\..\\a.png", "", "."]
)
def test_a_name_must_be_below_the_root(root: Path, name: str) -> None:
    with pytest.raises(AnnotationError, match=re.escape(f"{name!r}")):
        find_image(root, name)


def test_a_missing_data_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"nowhere.*data\.root"):
        ImageFolder(tmp_path / "nowhere")


def test_names_are_matched_by_path_then_by_its_end() -> None:
    predicted = ["5.jpg", "b/6.jpg", "images/7.jpg", "8.jpg", "x15.jpg"]
    annotated = ["images/5.jpg", "b/6.jpg", "7.jpg", "9.jpg", "15.jpg"]
    assert match_names(predicted, annotated) == {
        "5.jpg": "images/5.jpg",
        "b/6.jpg": "b/6.jpg",
        "images/7.jpg": "7.jpg",
    }


def test_matching_names_works_both_ways() -> None:
    predicted, annotated = ["a/1.png", "2.png", "3.png"], ["1.png", "b/2.png", "3.png"]
    back = match_names(annotated, predicted)
    assert match_names(predicted, annotated) == {value: key for key, value in back.items()}


def test_the_same_path_goes_before_a_shared_end() -> None:
    assert match_names(["5.jpg", "b/5.jpg"], ["5.jpg", "b/5.jpg"]) == {"5.jpg": "5.jpg", "b/5.jpg": "b/5.jpg"}


def test_ambiguous_names_are_refused() -> None:
    with pytest.raises(AnnotationError, match=r"'5\.jpg'.*'a/5\.jpg', 'b/5\.jpg'"):
        match_names(["5.jpg"], ["a/5.jpg", "b/5.jpg"])
    with pytest.raises(AnnotationError, match=r"'5\.jpg'.*'a/5\.jpg', 'b/5\.jpg'"):
        match_names(["a/5.jpg", "b/5.jpg"], ["5.jpg"])
    with pytest.raises(AnnotationError, match="named in two ways"):
        match_names(["a/5.jpg", "./a/5.jpg"], ["5.jpg"])


def test_the_error_of_a_missing_image_says_which_folders_were_not_searched(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link that leads nowhere is found, and opening it says so."""
    (root / "lost.png").symlink_to("gone.png")
    with pytest.raises(SceneError, match=r"^passed over: .*lost\.png"):
        open_scene(find_image(root, "lost.png"))
    (root / "closed").mkdir()
    real = os.scandir

    def scandir(path: object = "."):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(AnnotationError, match=r"1 folders were not searched.*closed"):
        find_image(root, "none.png")


@pytest.mark.parametrize(
    "name",
    [
        *("IMAGES/5.JPG", "5.Jpg", "5", "images/5", "5.jpeg", "C:\\photos\\5.jpg", "/home/x/set/images/5.jpg"),
        *("file:///data/5.jpg", "images%2F5.jpg", "flight1/5.jpg", "\\\\server\\share\\5.jpg", "d:5.jpg"),
    ],
)
def test_a_name_that_is_spelt_otherwise_is_the_only_image_that_fits_and_that_is_told(root: Path, name: str) -> None:
    folder = ImageFolder(root)
    assert folder.find(name) == root / "images/5.jpg"
    assert folder.otherwise == {name: root / "images/5.jpg"}


@pytest.mark.parametrize(("given", "there"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_unicodes_forms_are_alike_and_not_told(root: Path, make_image: Make, given: str, there: str) -> None:
    path = make_image(unicodedata.normalize(there, "Möwen/ä 1.jpg"))
    folder = ImageFolder(root)
    for name in ("Möwen/ä 1.jpg", "ä 1.jpg"):
        assert folder.find(unicodedata.normalize(given, name)).samefile(path)
    assert not folder.otherwise
    names = [[unicodedata.normalize(form, "Möwen/ä.jpg")] for form in ("NFC", "NFD")]
    assert match_names(*names) == {names[0][0]: names[1][0]}


def test_names_are_as_on_the_disk_before_they_are_alike(root: Path, make_image: Make) -> None:
    make_image("more/5.JPG"), make_image("more/7.jpg"), make_image("7.jpg"), make_image("a%20b.jpg")
    assert find_image(root, "5.JPG") == root / "more/5.JPG" and find_image(root, "5.jpg") == root / "images/5.jpg"
    assert find_image(root, "D:\\x\\more\\7.jpg") == root / "more/7.jpg"
    assert find_image(root, "a%20b.jpg") == root / "a%20b.jpg"
    for name in ("5.jPg", "5", "D:\\7.JPG"):
        with pytest.raises(AnnotationError, match="could be any of"):
            find_image(root, name)


def test_an_image_that_is_missing_from_its_folder_is_not_found_in_another(root: Path, make_image: Make) -> None:
    make_image("flight1/1.jpg"), make_image("flight2/2.jpg")
    for name in ("flight2/1.jpg", "/home/x/flight2/1.jpg", "Flight2/1.jpg"):
        with pytest.raises(AnnotationError, match=r"is it flight1/1\.jpg\?"):
            find_image(root, name)


def test_two_images_are_not_taken_for_one(root: Path) -> None:
    for names in (
        ("C:\\a\\5.jpg", "C:\\b\\5.jpg"),
        ("images/5.jpg", "flight1/5.jpg"),
        ("flight1/5.jpg", "images/5.jpg"),
    ):
        folder = ImageFolder(root)
        folder.find(names[0])
        with pytest.raises(AnnotationError, match="would both be"):
            folder.find(names[1])
    folder = ImageFolder(root)
    assert {folder.find(name) for name in ("5.jpg", "images/5.jpg", "5.JPG", "5", "Images\\5.jpg")} == {
        root / "images/5.jpg"
    }


def test_hidden_copies_are_no_candidates(root: Path, make_image: Make) -> None:
    make_image("__MACOSX/images/5.jpg"), make_image("@eaDir/5.jpg"), make_image(".thumbnails/5.jpg")
    assert find_image(root, "5.jpg") == root / "images/5.jpg"
    assert find_image(root, ".thumbnails/5.jpg") == root / ".thumbnails/5.jpg"


def test_a_backslash_in_a_name_on_the_disk_is_a_letter(root: Path, make_image: Make) -> None:
    if os.sep == "/":
        path = make_image("x\\y.png")
        assert find_image(root, "x\\y.png") == path


def test_names_of_other_machines_and_cases_are_matched_where_one_fits(caplog: pytest.LogCaptureFixture) -> None:
    predicted = ["a/1.jpg", "2.JPG", "3.tif", "4.jpg", "b/5.jpg", "c/5.jpg"]
    annotated = ["C:\\x\\1.jpg", "2.jpg", "3", "x4.jpg", "/home/5.jpg"]
    pairs = {"a/1.jpg": "C:\\x\\1.jpg", "2.JPG": "2.jpg", "3.tif": "3"}
    assert match_names(predicted, annotated) == pairs and "3 images" in caplog.text
    assert match_names(annotated, predicted) == {value: key for key, value in pairs.items()}


def test_an_image_of_several_folders_is_named_by_the_one_that_it_is_in(tmp_path: Path) -> None:
    for name in ("one/a.png", "two/x/b.png", "two/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    folders = ImageFolders([tmp_path / "one", tmp_path / "two"])
    paths = [folders.find(name) for name in ("a.png", "b.png", "two/c.png")]
    assert [folders.name(path) for path in paths] == ["a.png", "x/b.png", "c.png"]
    with pytest.raises(AnnotationError, match=r"'d\.png' is not in .*one or .*; image 'd\.png' is not in .*two or"):
        folders.find("d.png")


def test_an_image_that_several_folders_have_is_refused(tmp_path: Path) -> None:
    for name in ("one/a.png", "two/a.png", "two/x/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(AnnotationError, match=r"is in several folders of data\.root: .*one/a\.png, .*two/a\.png"):
        ImageFolders([tmp_path / "one", tmp_path / "two"]).find("a.png")
    folders = ImageFolders([tmp_path / "one", tmp_path / "two"])
    folders.find("one/a.png")
    with pytest.raises(AnnotationError, match=r"would both be a\.png"):
        folders.find("two/a.png")


def test_a_file_that_two_folders_reach_is_one_image(tmp_path: Path) -> None:
    """Corrections of a run on a flight name `a.png` what the points of all flights name `flight/a.png`."""
    (tmp_path / "all/flight").mkdir(parents=True)
    (tmp_path / "all/flight/a.png").touch()
    folders = ImageFolders([tmp_path / "all", tmp_path / "all/flight"])
    paths = [folders.find(name) for name in ("flight/a.png", "a.png")]
    assert [folders.name(path) for path in paths] == ["flight/a.png"] * 2 and len(set(paths)) == 1
    assert not folders.otherwise

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from detect.imagery.scenes import SceneError, open_scene
from detect.labels.annotations import AnnotationError
from detect.labels.images import ImageFolder, find_image, match_names

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
    "name", ["../data/a.png", "images/../a.png", "/etc/passwd", "\\etc\\passwd", "C:\\a.png", "", "."]
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

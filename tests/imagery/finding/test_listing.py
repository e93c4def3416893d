import logging
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.finding.endings import SUFFIXES, WAY_OF, is_hidden
from detect.imagery.finding.listing import find_images, images_root, list_images
from detect.imagery.scenes import SceneError

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


def test_what_is_passed_over_is_named_by_the_reason(make: Make, tmp_path: Path) -> None:
    for name in ("a.png", "b/._a.png", "b/c.heic", "d.nef", "notes.txt"):
        make(name)
    found = find_images(tmp_path)
    assert found.images == [("a.png", tmp_path / "a.png")]
    assert found.passed_over == {
        "hidden or system files and folders": ["b/._a.png"],
        "such files are not read": ["b/c.heic", "d.nef"],
    }
    assert find_images(tmp_path / "a.png").passed_over == {}


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


def names(images: Path, **given: object) -> list[str]:
    return [name for name, _ in list_images(images, **given)]


def test_a_folder_with_brackets_is_no_pattern_and_patterns_go_on_below_it(make: Make, tmp_path: Path) -> None:
    make("p[1]/a[2].jpg"), make("p[1]/b.jpg"), make("p1/c.jpg")
    assert names(tmp_path / "p[1]") == ["a[2].jpg", "b.jpg"] == names(tmp_path / "p[1]/*.jpg")
    assert names(tmp_path / "p[1]/a[2].jpg") == ["a[2].jpg"] == names(tmp_path / "*/a[[]2].jpg")
    assert names(tmp_path / "p[0-9]/*.jpg") == ["c.jpg"]
    assert images_root(tmp_path / "p[1]/*.jpg") == tmp_path / "p[1]" == images_root(tmp_path / "p[1]")
    assert images_root(tmp_path / "p[0-9]/*.jpg") == tmp_path


@pytest.mark.parametrize(
    "name", ["._a.jpg", ".a.jpg", "@eaDir/a.jpg", "__MACOSX/b/._a.jpg", ".thumbnails/a.jpg", "$RECYCLE.BIN/a.jpg"]
)
@pytest.mark.parametrize("folder", ["", "deep/er/"])
def test_hidden_and_system_files_are_passed_over_and_told_in_one_line(
    make: Make, tmp_path: Path, folder: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    make(f"{folder}a.jpg"), make(f"{folder}{name}"), make(".DS_Store"), make("Thumbs.db"), make(".hidden.txt")
    assert names(tmp_path) == [f"{folder}a.jpg"]
    (told,) = [each for each in caplog.messages if "hidden" in each]
    assert "1 hidden" in told and name.partition("/")[0] in told


def test_a_path_in_other_case_is_suggested(make: Make, tmp_path: Path) -> None:
    make("Photos/A.jpg")
    for path, name in ((tmp_path / "photos", "Photos"), (tmp_path / "Photos/a.JPG", "A.jpg")):
        if not path.exists():
            with pytest.raises(FileNotFoundError, match=rf"is it {name}\?"):
                list_images(path)


def test_a_folder_that_is_hidden_itself_may_be_named(make: Make, tmp_path: Path) -> None:
    make(".cache/a.jpg")
    assert names(tmp_path / ".cache") == ["a.jpg"]
    assert names(tmp_path / ".cache/a.jpg") == ["a.jpg"]
    assert names(tmp_path / ".c*/*") == ["a.jpg"]


def test_files_of_kinds_that_are_not_read_are_told_with_numbers_and_a_way_out(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a.jpg", "b.HEIC", "c.heic", "d.dng", "e.mp4", "notes.txt", "points.csv", "a.jpg.aux.xml", "a.tfw"):
        make(name)
    assert names(tmp_path) == ["a.jpg"]
    (told,) = [each.message for each in caplog.records if each.levelno == logging.WARNING]
    assert "2 .heic, 1 .dng, 1 .mp4" in told and "magick" in told and "ffmpeg" in told and ".csv" not in told


def test_no_ending_is_both_read_and_not_read() -> None:
    assert not set(SUFFIXES) & set(WAY_OF) and all(each == each.lower() for each in (*SUFFIXES, *WAY_OF))
    assert not any(map(is_hidden, ("a.jpg", "eaDir", "MACOSX", "thumbs.jpg")))


def test_a_file_without_an_ending_is_an_image_by_its_first_bytes(make: Make, tmp_path: Path) -> None:
    make("IMG_0001").write_bytes(b"\xff\xd8\xff\xe0" + bytes(20))
    make("README").write_bytes(b"read me")
    make("a.bak").write_bytes(b"\xff\xd8\xff\xe0" + bytes(20))
    assert names(tmp_path) == ["IMG_0001"] == names(tmp_path / "*")


def test_a_pattern_for_all_files_takes_the_images_and_tells_the_rest(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    make("a.jpg"), make("points.csv"), make("more/b.jpg"), make("c.dat")
    assert names(tmp_path / "*") == ["a.jpg"] and "more" in caplog.text and "points.csv" in caplog.text
    assert names(tmp_path / "*.dat") == ["c.dat"], "whoever says an ending means it"
    assert names(tmp_path / "**/*") == ["a.jpg", "more/b.jpg"]


def test_a_pattern_through_folders_passes_over_what_a_folder_does(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for name in ("a.jpg", "__MACOSX/a.jpg", "@eaDir/x/a.jpg", "counts/overlays/a.jpg.jpg", "more/b.jpg"):
        make(name)

    def written(folder: Path) -> set[str]:
        return {"overlays"} if folder.name == "counts" else set()

    assert names(tmp_path / "**/*.jpg", written=written) == ["a.jpg", "more/b.jpg"]
    assert "2 hidden" in caplog.text and "1 files and folders that earlier runs" in caplog.text
    assert names(tmp_path / "*/overl*/*.jpg", written=written) == ["a.jpg.jpg"], "whoever names it means it"
    assert names(tmp_path / "@ea*/*/*") == ["a.jpg"]


def test_the_same_stem_with_several_endings_is_told(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make("a.jpg"), make("a.TIF"), make("b.jpg"), make("more/b.tif")
    assert names(tmp_path) == ["a.TIF", "a.jpg", "b.jpg", "more/b.tif"]
    (told,) = caplog.messages
    assert "1 names" in told and "a.TIF, a.jpg" in told


def test_what_earlier_runs_wrote_is_no_image(make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for name in ("a.jpg", "counts/overlays/a.jpg.jpg", "counts/sheet.jpg", "counts/b.jpg"):
        make(name)
    written = {tmp_path / "counts": {"overlays", "sheet.jpg"}}
    assert names(tmp_path, written=lambda folder: written.get(folder, ())) == ["a.jpg", "counts/b.jpg"]
    assert "2 files and folders that earlier runs" in caplog.text


def test_a_list_names_files_and_folders_each_once_and_those_that_are_not_there(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make("lists/x.txt").write_text(
        "# photographs\n\n../photos/a.jpg\n../photos/more\n../photos/a.jpg\n../photos/gone.jpg\n"
    )
    make("photos/a.jpg"), make("photos/more/b.jpg"), make("photos/more/._b.jpg"), make("photos/c.jpg")
    assert names(tmp_path / "lists/x.txt") == ["a.jpg", "gone.jpg", "more/b.jpg"]
    assert "1 lines name a path again" in caplog.text and "1 of 3 paths lead nowhere: gone.jpg" in caplog.text
    assert images_root(tmp_path / "lists/x.txt").samefile(tmp_path / "photos")


@pytest.mark.parametrize("text", ["0 0.5 0.5 0.1 0.1\n", "image,x,y,label\n", ""])
def test_a_text_that_is_no_list_is_named_with_its_first_line(make: Make, tmp_path: Path, text: str) -> None:
    make("a.txt").write_text(text)
    with pytest.raises(ValueError, match=rf"a\.txt.*{re.escape(repr(text.strip()))}"):
        list_images(tmp_path / "a.txt")

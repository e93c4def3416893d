from pathlib import Path

import pytest

from detect.imagery.finding import path_lists
from detect.imagery.finding.path_lists import is_path_list, read_paths


def there(path: Path) -> bool:
    return path.exists()


@pytest.mark.parametrize(
    "text",
    [
        b"a.txt\n# a comment\n\n  sub/b c.txt  \r\n'a.txt'\nsub\\b c.txt\n",
        "a.txt\nsub/b c.txt\na.txt\nsub/b c.txt\n".encode("utf-16"),
        "\ufeffa.txt\rsub/b c.txt\ra.txt\rsub/b c.txt".encode(),
    ],
)
def test_paths_are_read_from_the_folder_of_the_list(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "sub").mkdir()
    one, two = tmp_path / "a.txt", tmp_path / "sub/b c.txt"
    one.touch(), two.touch()
    (tmp_path / "list.lst").write_bytes(text)
    assert read_paths(tmp_path / "list.lst") == [one, two, one, two]
    assert is_path_list(tmp_path / "list.lst", there)


def test_failing_that_they_are_read_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "a").touch()
    (tmp_path / "lists/x.txt").write_text("a\n../a\nnowhere\n")
    monkeypatch.chdir(tmp_path)
    first, second, missing = read_paths(Path("lists/x.txt"))
    assert first == Path("a") and second == tmp_path / "a" and missing == Path("lists/nowhere")


@pytest.mark.parametrize(
    "text",
    [
        b"0 0.5 0.5 0.1 0.1\n1 0.2 0.2 0.1 0.1\n",
        b"imagesource:GoogleEarth\ngsd:0.1\n1 1 2 1 2 2 1 2 plane 0\n",
        b"image,x,y,label\na.txt,1,2,seal\n",
        b"a\0b\n",
        b"",
        b"# nothing\n",
        b"\xff\xfea",
    ],
)
def test_labels_tables_and_bytes_are_no_lists(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(text)
    assert not is_path_list(tmp_path / "a.txt", there)


def test_only_files_of_a_bounded_size_and_the_endings_of_texts_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.csv", "a.txt"):
        (tmp_path / name).write_text("a.csv\n" * 9)
    assert not is_path_list(tmp_path / "a.csv", there) and is_path_list(tmp_path / "a.txt", there)
    monkeypatch.setattr(path_lists, "MOST_BYTES", 9)
    assert not is_path_list(tmp_path / "a.txt", there)
    with pytest.raises(ValueError, match="9 are the most"):
        read_paths(tmp_path / "a.txt")

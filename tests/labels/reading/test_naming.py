from pathlib import Path

import pytest

from detect.labels.reading.naming import image_names, served_name


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a.jpg", ["a.jpg"]),
        ("day1/a.jpg", ["day1/a.jpg", "a.jpg"]),
        ("..\\photos\\a.jpg", ["photos/a.jpg", "a.jpg"]),
        ("C:\\Users\\me\\a.jpg", ["Users/me/a.jpg", "me/a.jpg", "a.jpg"]),
        ("/home/me/a.jpg", ["home/me/a.jpg", "me/a.jpg", "a.jpg"]),
        ("./a.jpg", ["a.jpg"]),
    ],
)
def test_paths_of_any_machine_are_looked_for_by_their_ends(tmp_path: Path, text: str, names: list[str]) -> None:
    first, others = image_names(text, tmp_path / "x.json", tmp_path)
    assert [first, *others] == names


def test_a_path_from_the_file_itself_is_sure(tmp_path: Path) -> None:
    for name in ("data/photos/a.jpg", "data/a.jpg", "labels/x.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    file, root = tmp_path / "labels/x.json", tmp_path / "data"
    assert image_names("../data/photos/a.jpg", file, root) == ("photos/a.jpg", ())
    (tmp_path / "secret.jpg").touch()
    assert image_names("../secret.jpg", file, root) == ("secret.jpg", ())  # not below the data folder: a name alone


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/data/upload/3/0123abcd-a%20b.jpg", "a b.jpg"),
        ("/data/upload/3/a.jpg", "a.jpg"),
        ("/data/local-files/?d=x%2Fa.jpg", "x/a.jpg"),
        ("https://host:8080/x/a.jpg?size=1#top", "/x/a.jpg"),
        ("gs://bucket/x/a.jpg", "/x/a.jpg"),
        ("x/50%.jpg", "x/50%.jpg"),  # no address: nothing to decode
        ("http://[bad/a.jpg", "http://[bad/a.jpg"),
    ],
)
def test_what_a_server_adds_is_taken_away(address: str, name: str) -> None:
    assert served_name(address) == name

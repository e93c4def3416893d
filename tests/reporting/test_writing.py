import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detect.imagery.files import replace_file
from detect.reporting.writing import write_json, write_picture, write_text


def test_a_write_that_fails_leaves_the_old_file_and_no_partial_one(tmp_path):
    path = tmp_path / "run.json"
    write_json({"good": 1}, path)
    with pytest.raises(TypeError, match="object"):
        write_json({"first": 1, "bad": object()}, path)
    assert json.loads(path.read_text()) == {"good": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_raises_after_writing_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), replace_file(tmp_path / "deep" / "a.txt") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_picture_that_is_cut_short_is_an_error(tmp_path, monkeypatch):
    """Pillow, which writes a picture to a file, keeps to itself that not all of it was taken (a quota, a limit)."""
    resource = pytest.importorskip("resource")
    path, before = tmp_path / "a.jpg", resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3)).astype(np.uint8)
    monkeypatch.setattr("detect.imagery.files.check_room", lambda *_: None)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_picture(Image.fromarray(noise), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_the_old_file_stays_until_the_block_ends(tmp_path):
    path = tmp_path / "a.txt"
    write_text("old", path)
    with replace_file(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_json_takes_numpy_and_paths(tmp_path):
    path = tmp_path / "a.json"
    write_json(
        {"n": np.int64(3), "x": np.float32(0.5), "row": np.arange(2), "at": Path("a/b"), "name": "Trøndelag"}, path
    )
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "n": 3,
        "x": 0.5,
        "row": [0, 1],
        "at": "a/b",
        "name": "Trøndelag",
    }


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match=r"a\.json.*NaN.*None"):
        write_json({"f1": float("nan")}, tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


def test_json_keeps_names_that_are_not_text(tmp_path):
    name = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    write_json([name], tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == [name]


def test_a_picture_is_a_jpeg_whatever_its_name(tmp_path):
    write_picture(Image.new("RGB", (4, 3)), tmp_path / "sub" / "a.tif.jpg")
    with Image.open(tmp_path / "sub" / "a.tif.jpg") as picture:
        assert (picture.format, picture.size) == ("JPEG", (4, 3))


@pytest.mark.parametrize("colour", [(200, 40, 90), 120])
def test_a_picture_keeps_its_colours(tmp_path, colour):
    """Of one colour a JPEG has hardly any loss: red stays red and blue blue."""
    image = Image.new("L" if isinstance(colour, int) else "RGB", (64, 48), colour)
    write_picture(image, tmp_path / "a.jpg")
    write_picture(np.asarray(image), tmp_path / "b.jpg")
    with Image.open(tmp_path / "a.jpg") as picture:
        assert picture.mode == image.mode
        assert np.abs(np.asarray(picture, int) - colour).max() <= 2
    assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes()


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4), np.float32), np.zeros((2, 65_501), np.uint8)]
)
def test_what_is_no_picture_of_a_jpeg_is_refused(tmp_path, pixels):
    with pytest.raises(ValueError, match=r"a\.jpg.*(bytes|side)"):
        write_picture(pixels, tmp_path / "a.jpg")
    assert not list(tmp_path.iterdir())

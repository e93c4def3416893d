"""What the commands share."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from detect.assembly.folders import _plain, output_folder, run_folder
from detect.assembly.settings import auto, given_path, parse_bytes


@pytest.mark.parametrize(
    ("text", "size"), [("2GiB", 2 << 30), ("500 MiB", 500 << 20), ("1.5kib", 1536), (4096, 4096), ("64B", 64)]
)
def test_sizes(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["much", "-1GiB", "0", "GiB", "nan"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match=text):
        parse_bytes(text)


@pytest.mark.parametrize(("given", "read"), [("auto", 8), (None, 8), (3, 3), ("2.5", 2.5)])
def test_auto_is_what_is_given_otherwise(given, read):
    assert auto(OmegaConf.create({"net": {"spread": given}}), "net.spread", 8) == read


@pytest.mark.parametrize("given", ["x", [2]])
def test_what_is_neither_auto_nor_a_number_is_named(given):
    with pytest.raises(ValueError, match=r"net\.spread must be a number, or auto, got"):
        auto(OmegaConf.create({"net": {"spread": given}}), "net.spread", 8)


def test_a_path_that_is_not_there_is_named():
    with pytest.raises(FileNotFoundError, match="model=nowhere: no such model"):
        given_path(OmegaConf.create({"model": "nowhere"}), "model", "model")


def test_an_output_folder_is_made_and_an_earlier_result_refused(tmp_path: Path):
    folder = output_folder(tmp_path / "a/b", results=("run.json",), allowed=False, way_out="")
    assert folder.is_dir() and not list(folder.iterdir())
    (folder / "run.json").touch()
    with pytest.raises(FileExistsError, match=r"run\.json already; say overwrite=true"):
        output_folder(folder, results=("run.json",), allowed=False, way_out="say overwrite=true")
    assert output_folder(folder, results=("run.json",), allowed=True, way_out="") == folder


@pytest.mark.parametrize(
    ("value", "name"),
    [("1/4", "1-4"), ("[a.jpg,b.jpg]", "a.jpg-b.jpg"), ("3.0e-3", "3.0e-3"), ("x" * 50, "x" * 40 + "-")],
)
def test_a_setting_becomes_a_piece_of_a_folders_name(value: str, name: str):
    """A long one keeps its beginning and gets a number, so that two with the same beginning differ."""
    assert _plain(value).startswith(name) and len(_plain(value)) <= 49
    assert _plain("x" * 50) != _plain("x" * 51)


def test_a_single_run_writes_where_it_is_told_to():
    assert run_folder("a/b") == Path("a/b")

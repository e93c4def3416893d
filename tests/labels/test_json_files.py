"""JSON of others: bounded before it is taken, and named where it is wrong."""

import os
from pathlib import Path

import pytest

from detect.labels import json_files
from detect.labels.json_files import MAX_DEPTH, read_json_object

BAD = {
    "deep": "[" * 100_000,
    "deep object": '{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1),
    "large float": '{"a": 1e999}',
    "large integer": '{"a": 9223372036854775808}',
    "huge integer": '{"a": ' + "9" * 5000 + "}",
    "list": "[]",
    "cut": '{"a": ',
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_bounded_object_is_an_error_that_names_the_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(BAD[name])
    with pytest.raises(ValueError, match=r"run\.json"):
        read_json_object(path)


def test_what_a_run_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"a": {"b": [1, -2.5, 9223372036854775807, null, true]}, "c": NaN, "d": -Infinity}')
    assert read_json_object(path) == {"a": {"b": [1, -2.5, 2**63 - 1, None, True]}, "c": None, "d": None}


def test_only_a_regular_file_of_the_folder_within_the_bound_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, outside = tmp_path / "out", tmp_path / "other.json"
    folder.mkdir()
    outside.write_text("{}")
    os.mkfifo(folder / "pipe.json")
    (folder / "folder.json").mkdir()
    (folder / "link.json").symlink_to(outside)
    (folder / "large.json").write_text('{"a": 1}')
    monkeypatch.setattr(json_files, "MAX_JSON_BYTES", 7)
    for name, words in {"pipe": "pipe", "folder": "folder", "link": "leads out of", "large": "8 bytes"}.items():
        with pytest.raises(ValueError, match=rf"{name}\.json.*{words}"):
            read_json_object(folder / f"{name}.json", folder)
    assert read_json_object(folder / "link.json") == {}

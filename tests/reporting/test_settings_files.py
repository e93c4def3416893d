"""Settings files of others: plain values, within bounds."""

import os
from pathlib import Path

import pytest
import yaml

from detect.reporting.settings_files import MOST_BYTES, PlainDumper, read_settings_file

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
"""Nine to the power of nine texts."""

MERGES = "a: &a {x: 1}\nb: &b {<<: [*a, *a]}\n"


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        MERGES,
        "a: !!python/object/apply:os.getcwd []\n",
        "a: !!set {b}\n",
        "a: " + "[" * 40 + "]" * 40,
        "[" * 100_000,
        "a: b" + " " * MOST_BYTES,
        "- a\n- b\n",
        "1: a\n",
        "",
        "a: [",
        "a: \0",
    ],
)
def test_what_is_no_plain_settings_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"config\.yaml"):
        read_settings_file(path)


def test_a_pipe_is_no_settings_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.yaml")
    with pytest.raises(ValueError, match="must be a file"):
        read_settings_file(tmp_path / "config.yaml")


def test_settings_come_back_a_value_that_occurs_twice_too(tmp_path: Path) -> None:
    shared = [1, 2.5, None, "a"]
    settings = {"a": shared, "b": {"c": shared, "d": True}}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.dump(settings, Dumper=PlainDumper))
    assert read_settings_file(path) == settings

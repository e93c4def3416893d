"""The page is opened by a file that its owner alone can read: no secret on a command line."""

import os
import re
import stat
import time
import webbrowser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from detect.reviewing.opening import opener

ADDRESS = "http://127.0.0.1:8123/secret/"


@pytest.fixture
def given(monkeypatch):
    """The addresses that a browser was given."""
    addresses: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: addresses.append(address) or True)
    return addresses


def test_the_file_leads_to_the_page_and_goes_when_it_was_shown(tmp_path, given):
    with opener(tmp_path / "a folder/review") as browser:
        browser.open(ADDRESS)
        path = Path(unquote(urlsplit(given[0]).path))
        assert given[0].startswith("file:///") and "secret" not in given[0]
        assert re.search(r'http-equiv="refresh" content="0; url=([^"]*)"', path.read_text())[1] == ADDRESS
        if os.name == "posix":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        browser.shown()
        assert list(path.parent.iterdir()) == []
        browser.shown()


def test_a_file_of_a_killed_review_is_removed_by_the_next_and_that_of_another_is_not(tmp_path, given):
    for name, age in (("open-old.html", 3600), ("open-new.html", 0), ("notes.html", 3600)):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    with opener(tmp_path) as browser:
        browser.open(ADDRESS)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["notes.html", "open-new.html"]


def test_where_others_could_read_the_file_none_is_left_and_the_log_says_so(tmp_path, given, monkeypatch, caplog):
    real = os.fstat

    def everyone(number):
        facts = list(real(number))
        return os.stat_result([facts[0] | 0o044, *facts[1:]])

    monkeypatch.setattr(os, "fstat", everyone)
    with opener(tmp_path) as browser:
        browser.open(ADDRESS)
    assert given == [] and list(tmp_path.iterdir()) == []
    assert "cannot be kept from other users; open the address by hand" in caplog.text

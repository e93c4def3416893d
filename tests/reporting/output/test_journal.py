"""The state of a run: the lock, the settings, and a line for every image that is done."""

import errno
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detect.imagery.ground.geodesy import Placement
from detect.labels.detections import Detections
from detect.reporting.output import journal
from detect.reporting.output import journal as journal_file
from detect.reporting.output.journal import Journal, keep_settings, lock_folder, recorded_sources
from detect.reporting.output.layout import STATE
from detect.reporting.output.records import Record, signature
from tests.reporting.conftest import CLASSES, detections


def assert_identical(found: Detections, wanted: Detections) -> None:
    assert found.classes == wanted.classes
    np.testing.assert_array_equal(found.xy, wanted.xy)
    np.testing.assert_array_equal(found.score, wanted.score)
    np.testing.assert_array_equal(found.label, wanted.label)
    assert (found.wh is None) is (wanted.wh is None)
    if wanted.wh is not None:
        np.testing.assert_array_equal(found.wh, wanted.wh)


def add(journal: Journal, name: str, source: Path, pixels: int, found: Detections) -> None:
    journal.add(name, Record(*signature(source), pixels, found))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"pixels")
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    (folder / STATE).mkdir(parents=True)
    return folder


numbers = st.floats(0, 1e6, allow_nan=False)
NAMES = st.text(st.characters(exclude_categories=()), min_size=1, max_size=8)


@given(
    name=NAMES, places=st.lists(st.tuples(numbers, numbers, st.integers(0, 1), st.floats(0, 1))), boxes=st.booleans()
)
def test_a_record_comes_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, name: str, places: list, boxes: bool
) -> None:
    """To the last bit of every number, with any name that a file system allows, line breaks and broken UTF-8 too."""
    folder = tmp_path_factory.mktemp("journal")
    (folder / STATE).mkdir()
    source = folder / "source.jpg"
    source.write_bytes(b"pixels")
    found = detections(places)
    if boxes:
        found = Detections(found.xy, found.score, found.label, CLASSES, found.xy / 7 + 1e-3)
    add(Journal(folder), name, source, 4711, found)
    back = Journal(folder).records
    assert list(back) == [name] and back[name].pixels == 4711 and back[name].describes(source)
    assert back[name].path == str(source.resolve())
    assert_identical(back[name].detections, found)


def test_an_unfinished_last_line_is_dropped_and_the_next_record_is_kept(out: Path, image: Path) -> None:
    """A kill may leave any part of the line that was being written."""
    add(Journal(out), "first", image, 1, detections([(1, 2, 0, 0.5)]))
    path = out / STATE / "journal.jsonl"
    whole = path.read_bytes()
    add(Journal(out), "second", image, 2, detections([(3, 4, 1, 0.25)]))
    line = path.read_bytes()[len(whole) :]
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    for length in range(0, len(line), 7):
        path.write_bytes(whole + line[:length])
        journal = Journal(out)
        assert list(journal.records) == ["first"] and path.read_bytes() == whole
        add(journal, "third", image, 3, detections([]))
        assert list(Journal(out).records) == ["first", "third"]


def test_a_damaged_finished_line_is_an_error_that_names_it(out: Path, image: Path) -> None:
    journal = Journal(out)
    for name in "abc":
        add(journal, name, image, 1, detections([]))
    lines = journal.path.read_bytes().splitlines()
    for damage in (b"{", b'{"name": "b"}', b"[]", b"\xff"):
        journal.path.write_bytes(b"\n".join([lines[0], damage, lines[2], b""]))
        with pytest.raises(ValueError, match=r"journal\.jsonl, line 2\b.*overwrite=true"):
            Journal(out)


def test_the_last_record_of_a_name_counts(out: Path, image: Path) -> None:
    journal = Journal(out)
    add(journal, "a", image, 1, detections([(1, 1, 0, 0.5)]))
    add(journal, "a", image, 1, detections([]))
    assert len(journal.records["a"].detections) == len(Journal(out).records["a"].detections) == 0


def test_a_file_of_another_size_or_time_is_not_the_one_recorded(out: Path, image: Path) -> None:
    journal = Journal(out)
    add(journal, "a", image, 1, detections([]))
    record, facts = journal.records["a"], image.stat()
    assert record.describes(image)
    os.utime(image, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1000))
    assert not record.describes(image)
    assert not record.describes(image.with_name("b.jpg"))
    image.write_bytes(b"more pixels")
    os.utime(image, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert not record.describes(image)
    image.unlink()
    assert not record.describes(image)


def test_a_record_is_on_the_disk_before_it_is_known(out: Path, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.fstat(number).st_size))
    journal = Journal(out)
    add(journal, "a", image, 1, detections([]))
    assert synced == [journal.path.stat().st_size]


def test_settings_are_kept_and_a_change_is_refused_with_both_values(tmp_path: Path) -> None:
    first = {"model": "abc", "threshold": 0.5, "halo": 64}
    assert keep_settings(tmp_path, first) is False
    assert keep_settings(tmp_path, dict(reversed(first.items()))) is True
    with pytest.raises(FileExistsError) as caught:
        keep_settings(tmp_path, {"model": "abc", "threshold": 0.25, "tta": "d4"})
    message = str(caught.value)
    for change in (r"threshold: 0\.5 .*0\.25 ", "halo: 64 .*None ", "tta: None .*'d4' "):
        assert re.search(change, message)
    assert "model" not in message and "overwrite=true" in message and str(tmp_path) in message
    assert json.loads((tmp_path / STATE / "settings.json").read_text()) == first


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000])
def test_settings_that_cannot_be_read_are_named(tmp_path: Path, text: str) -> None:
    keep_settings(tmp_path, {})
    (tmp_path / STATE / "settings.json").write_text(text)
    with pytest.raises(FileExistsError, match=r"settings\.json.*overwrite=true"):
        keep_settings(tmp_path, {})


def test_a_folder_is_locked_for_one_run_and_open_again_after_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), lock_folder(tmp_path):
        with pytest.raises(ValueError, match=f"output={re.escape(str(tmp_path))}"), lock_folder(tmp_path):
            pytest.fail("two runs in one folder")
        raise RuntimeError
    with lock_folder(tmp_path):
        pass


def test_what_a_decoder_warned_of_is_kept_and_lines_of_earlier_versions_say_nothing(out: Path, image: Path) -> None:
    journal = Journal(out)
    journal.add("a", Record(*signature(image), 6, detections([]), "row 3 was skipped"))
    line = json.loads(journal.path.read_text())
    old = {key: value for key, value in line.items() if key != "damaged"}
    with journal.path.open("a") as file:
        file.write(json.dumps({**old, "name": "b"}) + "\n")
    assert {name: record.damaged for name, record in Journal(out).records.items()} == {
        "a": "row 3 was skipped",
        "b": "",
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[(key, value) for key in ("name", "path") for value in (1, None, ["a"])],
        *[(key, value) for key in ("size", "mtime_ns", "pixels") for value in ("1", 1.5, True, None, 2**63)],
        *[("label", value) for value in ([0.5], [2], [-1], "a", [2**70], [[0]])],
        *[("expected", value) for value in ("1", True, -0.5, float("inf"), float("nan"), [1])],
        *[("score", value) for value in ([2], [float("nan")], ["a"], None, {})],
        *[("xy", value) for value in ([[1]], [[1, 2], [3, 4]], [[float("inf"), 0]], [[10**400, 0]], "12", {"a": 1})],
        *[("classes", value) for value in ([], ["a", "a"], [1], None)],
        ("wh", [[0, 1]]),
    ],
)
def test_a_line_of_other_types_or_ranges_is_an_error_that_names_it(
    out: Path, image: Path, key: str, value: object
) -> None:
    add(Journal(out), "a", image, 1, detections([(1, 2, 0, 0.5)]))
    path = out / STATE / "journal.jsonl"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}) + "\n")
    with pytest.raises(ValueError, match=r"journal\.jsonl, line 1\b.*overwrite=true"):
        Journal(out)


def test_a_deep_or_endless_line_is_an_error(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = out / STATE / "journal.jsonl"
    path.write_text("[" * 100_000 + "\n")
    with pytest.raises(ValueError, match=r"journal\.jsonl, line 1\b"):
        Journal(out)
    monkeypatch.setattr(journal_file, "MAX_LINE_BYTES", 1000)
    with pytest.raises(ValueError, match=r"journal\.jsonl.*1,000"):
        Journal(out)


def test_sources_are_read_of_the_lines_that_can_be_and_nothing_is_changed(out: Path, image: Path) -> None:
    add(Journal(out), "a", image, 1, detections([]))
    path = out / STATE / "journal.jsonl"
    path.write_bytes(b"{\n" + b"[" * 100_000 + b"\n" + path.read_bytes() + b'{"name": "half')
    before = path.read_bytes()
    assert recorded_sources(out) == {"a": signature(image)} and path.read_bytes() == before


def test_a_link_that_leads_to_itself_is_a_file_that_is_not_there(tmp_path: Path) -> None:
    loop = tmp_path / "a.jpg"
    loop.symlink_to(loop)
    assert signature(loop)[1:] == (-1, -1)


@pytest.mark.parametrize("placement", [None, Placement((0.1, 0.0, 5e5 / 3, 0.0, -0.1, 5e6), 'GEOGCS["x"]')])
def test_where_an_image_lies_comes_back_exactly(out: Path, image: Path, placement: Placement | None) -> None:
    record = Record(*signature(image), 6, detections([]), shape=(2, 3), object_wh=(20 / 3, 10.0), placement=placement)
    Journal(out).add("a", record)
    (read,) = Journal(out).records.values()
    assert (read.shape, read.object_wh, read.placement) == ((2, 3), (20 / 3, 10.0), placement)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("shape", [1.5, 2]),
        ("shape", [1]),
        ("object_wh", [0, 1]),
        ("placement", {"transform": [1, 2], "crs": None}),
        ("placement", {"transform": [1, 0, 0, 0, 1e999, 0], "crs": None}),
        ("placement", {"transform": [1, 0, 0, 0, 1, 0], "crs": 7}),
        ("placement", [1]),
    ],
)
def test_a_place_that_is_none_is_an_error(out: Path, image: Path, key: str, value: object) -> None:
    Journal(out).add("a", Record(*signature(image), 6, detections([])))
    path = out / STATE / "journal.jsonl"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}) + "\n")
    with pytest.raises(ValueError, match=r"journal\.jsonl, line 1.*overwrite=true"):
        Journal(out)


def test_a_line_of_an_earlier_version_is_called_so(out: Path, image: Path) -> None:
    Journal(out).add("a", Record(*signature(image), 6, detections([])))
    path = out / STATE / "journal.jsonl"
    line = {key: value for key, value in json.loads(path.read_text()).items() if key != "shape"}
    path.write_text(json.dumps(line) + "\n")
    with pytest.raises(ValueError, match=r"'shape' is missing.*earlier versions.*overwrite=true"):
        Journal(out)


def test_lines_of_earlier_versions_keep_in_what_an_image_is_unlike(out: Path, image: Path) -> None:
    """They had it as `unlike`, a text that is empty of most images, and no share of it."""
    path = out / STATE / "journal.jsonl"
    for name in ("a", "b"):
        add(Journal(out), name, image, 1, detections([]))
    earlier = []
    for line, text in zip(path.read_bytes().splitlines(), ("all black", ""), strict=True):
        facts = json.loads(line)
        for later in ("unlike_in", "expected", "crowded"):
            del facts[later]
        earlier.append(json.dumps({**facts, "unlike": text}).encode() + b"\n")
    path.write_bytes(b"".join(earlier))
    records = Journal(out).records
    assert [record.unlike for record in records.values()] == [None, None]
    assert [record.unlike_in for record in records.values()] == ["light: all black", ""]
    assert not any(record.crowded for record in records.values())


def test_what_a_full_disk_took_of_a_record_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another record may be appended after it, and a torn line in the middle would make the folder unreadable."""
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"whole\n")
    monkeypatch.setattr(journal, "record_line", lambda name, record: b"torn")

    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        journal.append_records(path, {"a": None})  # type: ignore[dict-item]
    assert path.read_bytes() == b"whole\n"

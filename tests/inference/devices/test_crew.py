"""Processes that share tasks: everything is recorded once, in its order, whoever ends in between."""

import logging
import multiprocessing
import pickle
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from detect.inference.devices import open_tasks, shift, silence
from detect.inference.devices.crew import Crew
from detect.inference.failures import Failure
from detect.inference.strips.strip import Joint, Strip
from tests.inference.devices.stands import Image, Stand, heard

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by signals")


class Kept:
    """Keeps what is told, as an output folder does; the progress too, with the marks that stations wait for.

    Attributes:
        folder: of the marks; None makes none.
    """

    folder: Path | None = None

    def __init__(self, *done: str) -> None:
        self.done, self.names, self.failed, self.pixels = set(done), [], [], 0
        self.values: list[str] = []
        self.blocks: list[list[str]] = []
        self.refused = ""

    def has(self, name: str, path: Path) -> bool:
        return name in self.done

    def origin(self, name: str) -> str:
        return f"origin of {name}"

    def keep(self, name: str, kept: str) -> None:
        self.names.append(name)
        self.values.append(kept)

    @contextmanager
    def together(self) -> Iterator[None]:
        before = len(self.names)
        yield
        self.blocks.append(self.names[before:])
        if self.refused in self.blocks[-1]:
            raise ValueError("it is refused")

    def fail(self, failure: Failure) -> None:
        self.failed.append(failure)

    def expect(self, images: int, pixels: int) -> None:
        raise AssertionError

    def start(self, name: str) -> None:
        if self.folder is not None:
            heard(self.folder, name).touch()

    def advance(self, pixels: int) -> None:
        self.pixels += pixels


def counted(folder: Path, kept: Kept, *units: tuple[str, ...], processes: int = 2) -> int:
    folder.mkdir(exist_ok=True)
    kept.folder = folder
    crew = Crew([(f"cpu {each}", Stand(folder)) for each in range(processes)], kept, [None] * processes)
    return crew([[Image(name) for name in unit] for unit in units], kept, kept.fail)


def test_every_image_is_recorded_in_its_order_whatever_is_killed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A process is killed once at `once`, whose unit is counted again by itself; `killer` takes two processes with it.

    `done` was recorded earlier: it is in its unit's batch and is not recorded again. 9 images of 100 pixels are done.
    All 11 but `killer` are shown as done.
    """
    caplog.set_level(logging.INFO)
    kept = Kept("done")
    units = [
        ("slow0", "done"),
        ("once1", "x1"),
        ("bad2", "x2"),
        ("y3", "killer3"),
        *((f"z{each}",) for each in (4, 5, 6)),
    ]
    assert counted(tmp_path, kept, *units) == 900
    assert kept.names == ["slow0", "once1", "x1", "x2", "y3", "z4", "z5", "z6"]
    assert kept.values[:2] == ["slow0 of 2", "once1 of 2"]
    assert [failure.name for failure in kept.failed] == ["bad2", "killer3"]
    assert "ended, twice (the last by signal 9)" in kept.failed[1].error
    assert kept.pixels == 1000, "an image that failed by its process was never done"
    deaths = caplog.text.count("ended (signal 9) while it counted")
    assert deaths in (2, 3), "two, where one process had both units before it: the first death is then one of both"


def test_a_process_that_hangs_is_ended_and_its_tasks_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The only process hangs with `stuck`, by a clock that is an hour ahead then; the one in its place does not."""

    def an_hour_ahead() -> float:
        hangs = (tmp_path / "stuck1").exists() and "ended (silence" not in caplog.text
        return time.monotonic() + (3600 if hangs else 0)

    monkeypatch.setattr(silence, "time", SimpleNamespace(monotonic=an_hour_ahead))
    monkeypatch.setattr(shift, "WAKE_SECONDS", 0.1)
    kept = Kept()
    crew = Crew([("cpu", Stand(tmp_path))], kept, [None], silent_seconds=1800)
    assert crew([[Image(name)] for name in ("a", "stuck1", "c")], kept, kept.fail) == 300
    assert kept.names == ["a", "stuck1", "c"] and not kept.failed and kept.pixels == 300


def test_images_that_are_done_are_recorded_together_and_fail_together(tmp_path: Path) -> None:
    """Two images are of one task, and so of one block; `bad` is none that was to be kept."""
    kept = Kept()
    kept.refused = "b"
    counted(tmp_path, kept, ("a",), ("b", "bad", "c"), ("d",), processes=1)
    (together,) = (block for block in kept.blocks if "b" in block)
    assert "c" in together and all(kept.blocks) and kept.names == ["a", "b", "c", "d"]
    told = {failure.name: failure.error for failure in kept.failed}
    assert told == {"bad": "it is bad", **dict.fromkeys(together, "it is refused")}


def test_an_error_of_the_run_ends_it_and_every_process(tmp_path: Path) -> None:
    kept = Kept()
    with pytest.raises(OSError, match="No space left"):
        counted(tmp_path, kept, ("a",), ("error1",), ("c",))


def test_no_process_runs_far_ahead_of_what_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one image ahead a process, 12 units behind a slow one are all recorded, in their order."""
    monkeypatch.setattr(open_tasks, "MOST_AHEAD", 1)
    kept = Kept()
    names = ["slow", *(f"{each}" for each in range(12))]
    assert counted(tmp_path, kept, *((name,) for name in names)) == 1300
    assert kept.names == names


@pytest.mark.parametrize(
    ("folder", "name", "error", "said"),
    [
        ("unusable", "a", ValueError, "there is no such device"),
        ("deadly", "a", ChildProcessError, r"the process of cpu 0 ended while it started \(signal 9\)"),
        ("fine", "silent", RuntimeError, "tells nothing of some of its images"),
    ],
)
def test_a_process_that_cannot_work_is_an_error(
    tmp_path: Path, folder: str, name: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        counted(tmp_path / folder, Kept(), (name,), processes=1)


def test_an_image_of_an_earlier_run_that_cannot_be_read_any_more_fails_once(tmp_path: Path) -> None:
    """Its unit is counted twice, as the first process is killed; without processes it would have failed too."""
    kept = Kept("gone0")
    counted(tmp_path, kept, ("gone0", "once1"), ("x2",))
    assert kept.names == ["once1", "x2"] and [failure.name for failure in kept.failed] == ["gone0"]


def test_a_process_that_ends_with_nothing_to_count_is_replaced_where_there_is_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one image ahead, the only process is to tell of `last` before it has another; then it is killed."""
    monkeypatch.setattr(open_tasks, "MOST_AHEAD", 0)
    kept = Kept()
    counted(tmp_path, kept, ("last0",), ("x1",), ("x2",), processes=1)
    assert kept.names == ["last0", "x1", "x2"]


def test_no_process_is_left_where_another_cannot_be_started(tmp_path: Path) -> None:
    starts = [("one", Stand(tmp_path)), ("two", lambda: None)]
    kept = Kept()
    with pytest.raises((AttributeError, pickle.PicklingError)) as raised:  # held: it holds what was begun
        Crew(starts, kept, [None, None])([[Image("a")], [Image("b")]], kept, kept.fail)
    assert "lambda" in str(raised.value) and not multiprocessing.active_children()


def test_nothing_to_count_starts_no_process(tmp_path: Path) -> None:
    assert counted(tmp_path / "deadly", Kept()) == 0


def in_strips(folder: Path, name: str, number: int = 6) -> list[list[Image]]:
    """The units of an image in strips of 10 pixels, and the one that joins them."""
    strips = tuple(Strip(folder, each, each + 1, 10) for each in range(number))
    return [[Image(name, part=part)] for part in (*strips, Joint(strips))]


def test_strips_are_joined_when_all_are_found_whatever_is_killed(tmp_path: Path) -> None:
    """Strip 3 of `once` kills its process the first time; units before and behind are recorded in their order."""
    kept = Kept()
    kept.folder = tmp_path
    units = [[Image("x0")], *in_strips(tmp_path, "once1"), [Image("x2")]]
    crew = Crew([(f"cpu {each}", Stand(tmp_path)) for each in range(2)], kept, [None] * 2)
    assert crew(units, kept, kept.fail) == 300
    assert kept.values == ["x0 of 1", "once1 of 6 strips", "x2 of 1"]
    assert kept.pixels == 260 and not kept.failed, "2 images of 100 pixels and 6 strips of 10"


def test_an_image_fails_once_by_the_first_of_its_strips_that_fail(tmp_path: Path) -> None:
    """Strips 2 and 4 of `bad` fail, 4 first in time; the image behind it is recorded, and nothing is joined."""
    kept = Kept()
    crew = Crew([(f"cpu {each}", Stand(tmp_path)) for each in range(2)], kept, [None] * 2)
    assert crew([*in_strips(tmp_path, "bad1"), [Image("x2")]], kept, kept.fail) == 100
    assert [(failure.name, failure.error) for failure in kept.failed] == [("bad1", "strip 2 is bad")]
    assert kept.values == ["x2 of 1"]

"""The command as a person runs it: drawn windows, a killed server, a second start, and the estimate at the end."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2 as httpx
import pytest

from detect.assembly.fields.byte_sizes import byte_size
from detect.assembly.settings.survey_settings import ReviewSettings
from detect.assembly.surveys.reviewing import recounted
from detect.nets.modelfile import save_model
from detect.reviewing.session import ReviewSession
from tests.commands import call
from tests.engines import lively, write
from tests.reviewing.conftest import ONE, acts_of, write_run

ROOT = Path(__file__).parents[3]


class Started:
    """`detect.review` in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.log = folder.parent / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "detect.review", f"predictions={folder}", "browser=false"],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stderr=log,
            )
        end = time.monotonic() + 300
        while not (found := re.search(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", self.log.read_text())):
            assert self.process.poll() is None and time.monotonic() < end, self.log.read_text()
            time.sleep(0.1)
        self.address = found[0]

    def get(self, path: str) -> dict:
        return dict(httpx.get(self.address + path, timeout=300).raise_for_status().json())

    def act(self, **act: object) -> dict:
        return dict(httpx.post(f"{self.address}api/acts", json=act, timeout=300).raise_for_status().json())

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(300)


@pytest.fixture
def drawn(tmp_path) -> Path:
    """A run of which a survey drew windows of 300 pixels."""
    folder = write_run(tmp_path, drawn=False)
    done = call("survey", f"predictions={folder}", "windows=4", "side=300", "seed=1")
    assert done.code == 0, done.log
    return folder


def test_a_killed_server_loses_no_act_and_the_next_one_goes_on(drawn):
    started = Started(drawn)
    windows = started.get("api/session")["windows"]
    assert windows and not any(each["reviewed"] for each in windows)
    names = [each["name"] for each in started.get("api/session")["images"]]
    first = windows[0]
    row, col, *_ = first["window"]
    added = {"act": "add", "image": names[first["image"]], "x": col + 20.5, "y": row + 20.5, "label": "cow"}
    assert started.act(**added)["object"][7] == "added"
    started.act(act="done", image=names[first["image"]], window=first["window"])
    assert started.end(signal.SIGKILL) == -signal.SIGKILL
    with pytest.raises(httpx.TransportError):
        started.get("api/session")

    again = Started(drawn)
    assert again.address.split("/")[3] != started.address.split("/")[3]
    session = again.get("api/session")
    assert [each["reviewed"] for each in session["windows"]] == [True, *[False] * (len(windows) - 1)]
    assert session["estimate"]["windows_reviewed"] == 1
    for each in windows[1:]:
        again.act(act="done", image=names[each["image"]], window=each["window"])
    estimate = again.get("api/session")["estimate"]
    assert again.end(signal.SIGINT) == 0
    assert "stopped; all that was done is kept" in again.log.read_text()
    survey = json.loads((drawn / "survey.json").read_text())
    assert (survey["estimate"], survey["low"]) == (estimate["estimate"], estimate["low"])
    with (drawn / "counts.csv").open() as file:
        counts = {each["image"]: each for each in csv.DictReader(file)}
    assert float(counts[ONE]["estimate"]) >= 3
    assert [each["n"] for each in acts_of(drawn)] == [*range(1, len(windows) + 2)]


def test_what_a_killed_review_left_is_told_when_the_next_one_ends(drawn):
    """Both windows were reviewed before the kill; the second review is opened and closed."""
    started = Started(drawn)
    windows, images = (started.get("api/session")[key] for key in ("windows", "images"))
    for each in windows:
        started.act(act="done", image=images[each["image"]]["name"], window=each["window"])
    started.end(signal.SIGKILL)
    assert json.loads((drawn / "survey.json").read_text())["windows_reviewed"] == 0
    assert Started(drawn).end(signal.SIGINT) == 0
    survey = json.loads((drawn / "survey.json").read_text())
    assert survey["windows_reviewed"] == len(windows) and survey["windows_left"] == 0
    assert "corrected" in (drawn / "counts.csv").read_text()


def test_a_survey_of_other_detections_is_refused_before_anyone_reviews_it(drawn):
    """One candidate is gone, as where the images were counted again."""
    path = next((drawn / "candidates").rglob("one.png.csv"))
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], *lines[2:]]))
    done = call("review", f"predictions={drawn}", "browser=false")
    assert done.code == 2 and "drawn of other detections" in done.log and "move the folder survey/ away" in done.log


def test_a_port_in_use_and_a_folder_without_a_run_are_plain_errors(drawn, tmp_path):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = call("review", f"predictions={drawn}", f"port={port}", "browser=false")
    assert done.code == 2 and f"port={port} cannot be opened" in done.log and "0 for a free one" in done.log
    done = call("review", f"predictions={tmp_path}")
    assert done.code == 2 and "counts.csv" in done.log
    done = call("review", f"predictions={tmp_path / 'nowhere'}")
    assert done.code == 2 and "no such folder" in done.log


def test_a_threshold_of_the_page_is_counted_anew_and_acts_stay(tmp_path):
    """The session after it has the counts of `counts.csv`; what a person did before is still there."""
    save_model(tmp_path / "model.safetensors", *lively())
    (tmp_path / "images").mkdir()
    write(tmp_path / "images/1.png", 150, 170)
    out = tmp_path / "out"
    given = [f"model={tmp_path / 'model.safetensors'}", f"images={tmp_path / 'images'}", f"output={out}"]
    done = call("predict", *given, "runtime=torch", "threshold=0.5", "write=[tables,candidates]")
    assert done.code == 0, done.log
    session = ReviewSession(out)
    candidates = session.objects("1.png")
    label = session.classes[0]
    session.act({"act": "add", "image": "1.png", "x": 3, "y": 4, "label": label})
    threshold = round(sorted(each.score for each in candidates)[len(candidates) // 2], 4)
    settings = ReviewSettings(out, None, port=0, browser=False, memory=byte_size("1GiB"), classes=())
    after = recounted(settings, out, threshold)
    assert after.threshold == threshold
    assert after.images[0].count == sum(each.score >= threshold for each in candidates) != session.images[0].count
    assert [(each.x, each.status) for each in after.objects("1.png") if each.status == "added"] == [(3, "added")]

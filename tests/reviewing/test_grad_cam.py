"""Grad-CAM under review: made once, one at a time, and of those that wait the newest alone."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from detect.reviewing import grad_cam
from detect.reviewing.grad_cam import GradCam, GradCams, SupersededError
from detect.reviewing.review_objects import ReviewObject


def detection(x: float) -> ReviewObject:
    """A point that was found."""
    return ReviewObject(f"d:{x}", x, 1.0, None, None, "cow", 0.5, "found")


class Explainer:
    """Makes what tells the object, counts how many were made, and waits for `go` in each."""

    def __init__(self, wrong: Exception | None = None) -> None:
        self.made: list[float] = []
        self.wrong = wrong
        self.begun, self.go = threading.Event(), threading.Event()
        self.go.set()

    def __call__(self, image: Path, found: ReviewObject, score: str) -> GradCam:
        self.made.append(found.x)
        self.begun.set()
        assert self.go.wait(10)
        if self.wrong is not None:
            raise self.wrong
        return GradCam(b"", (found.x, 0, 1, 1), score)


def test_it_is_made_once_for_each_score_and_again_of_a_changed_image(tmp_path: Path) -> None:
    image, explain = tmp_path / "a.png", Explainer()
    cams = GradCams(explain)
    for score in ("object", "object", "class", "object"):
        assert cams.of(image, detection(1), score).words == score  # type: ignore[arg-type]
    assert explain.made == [1, 1]
    image.write_bytes(b"other")
    cams.of(image, detection(1), "object")
    assert explain.made == [1, 1, 1]


def test_the_oldest_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two are kept: of 1, 2, 1 and 3 it is 2 that goes."""
    monkeypatch.setattr(grad_cam, "MOST_KEPT", 2)
    explain = Explainer()
    cams = GradCams(explain)
    for x in (1, 2, 1, 3, 1, 2):
        cams.of(tmp_path, detection(x), "object")
    assert explain.made == [1, 2, 3, 2]


def test_what_went_wrong_is_tried_again(tmp_path: Path) -> None:
    explain = Explainer(ValueError("the model is gone"))
    cams = GradCams(explain)
    with pytest.raises(ValueError, match="is gone"):
        cams.of(tmp_path, detection(1), "object")
    explain.wrong = None
    assert cams.of(tmp_path, detection(1), "object").place[0] == 1


def started(cams: GradCams, image: Path, x: float, answers: dict[float, object]) -> threading.Thread:
    """Ask for an object in a thread, which keeps the answer, or the error."""

    def ask() -> None:
        try:
            answers[x] = cams.of(image, detection(x), "object")
        except SupersededError as error:
            answers[x] = error

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        threading.Event().wait(0.01)
    raise AssertionError("never true")


def test_one_is_made_at_a_time_and_of_those_that_wait_the_newest_alone(tmp_path: Path) -> None:
    """1 is being made while 2 and then 3 are asked for: 2 is given up; what is kept, 0, is answered at once."""
    explain, answers = Explainer(), {}
    cams = GradCams(explain)
    cams.of(tmp_path, detection(0), "object")
    explain.go.clear()
    explain.begun.clear()
    threads = [started(cams, tmp_path, 1, answers)]
    assert explain.begun.wait(10)
    assert cams.of(tmp_path, detection(0), "object").place[0] == 0
    for number, x in enumerate((2, 3)):
        threads.append(started(cams, tmp_path, x, answers))
        wait_until(lambda number=number: cams._newest == 4 + number)  # type: ignore[misc]
    explain.go.set()
    for thread in threads:
        thread.join(10)
    assert explain.made == [0, 1, 3] and isinstance(answers[2], SupersededError)
    assert isinstance(answers[1], GradCam) and isinstance(answers[3], GradCam)

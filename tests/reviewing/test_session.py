import json
import logging
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock, Timeout
from PIL import Image

from detect.labels.corrections import read_corrections
from detect.reviewing.corrections_file import CorrectionsFile
from detect.reviewing.session import ReviewSession
from tests.reviewing.small_run import COW, FAINT, SHEEP, A, B, small_run

WINDOW = [0, 0, 40, 50]
"""Rows 0 to 40 and columns 0 to 50 of a.png: the cow at 10, 10 and the candidate at 30, 30 are in it."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small_run(tmp_path, design=f"1,{A},0,0,40,50,0.5\n2,{B},0,0,40,50,0.1\n3,{A},0,0,40,50,0.5\n")


def act(session: ReviewSession, kind: str, image: str = A, **facts: Any) -> Any:
    return session.act({"act": kind, "image": image, **facts})


def statuses(session: ReviewSession, image: str = A) -> dict[str, str]:
    return {each.id: each.status for each in session.objects(image)}


def state(session: ReviewSession) -> tuple[Any, ...]:
    """All that a session says."""
    reviewed = [
        (each.image, each.window, each.objects.xy.tolist(), each.objects.names) for each in session.corrections.windows
    ]
    return [sorted(map(repr, session.objects(name))) for name in (A, B)], reviewed, session.windows, session.images


def test_what_was_found_and_candidates_are_there_before_any_act(folder: Path) -> None:
    session = ReviewSession(folder)
    assert statuses(session) == {COW: "found", FAINT: "candidate", SHEEP: "found"}
    assert session.threshold == 0.5 and session.classes == ("cow", "sheep")
    assert [(each.name, each.shape, each.count, each.reviewed) for each in session.images] == [
        (A, (80, 100), 2, 0),
        (B, (80, 100), 0, 0),
    ]
    assert not (folder / "corrections.csv").exists() and not (folder / "review").exists()


def test_every_act_is_kept_and_a_window_that_is_done_is_a_correction(folder: Path) -> None:
    session = ReviewSession(folder)
    assert act(session, "accept", id=FAINT).status == "accepted"
    assert act(session, "relabel", id=COW, label="sheep").label == "sheep"
    made = act(session, "add", x=49.9996, y=1, w=None, h=None, label="cow")
    assert (made.id, made.x, made.status, made.score) == ("a:3", 50.0, "added", 1.0)
    act(session, "move", id="a:3", x=20, y=1)
    act(session, "reject", id=SHEEP)
    assert act(session, "done", window=WINDOW) is None
    text = (folder / "corrections.csv").read_text().splitlines()
    assert text[0] == "image,x,y,w,h,label,window_row,window_col,window_height,window_width"
    assert sorted(text[1:]) == [
        "a.png,10,10,,,sheep,0,0,40,50",
        "a.png,20,1,,,cow,0,0,40,50",
        "a.png,30,30,,,cow,0,0,40,50",
    ]
    assert [task.reviewed for task in session.windows] == [True, False]
    assert statuses(ReviewSession(folder)) == {
        **{COW: "relabelled", FAINT: "accepted", SHEEP: "rejected"},
        "a:3": "moved",
    }


def test_an_act_says_all_by_itself(folder: Path) -> None:
    session = ReviewSession(folder)
    act(session, "move", id=COW, x=11, y=12)
    act(session, "done", window=WINDOW)
    moved, done = map(json.loads, (folder / "review/acts.jsonl").read_text().splitlines())
    assert moved["n"] == 1 and moved["id"] == COW
    assert moved["before"] == {
        **{"x": 10, "y": 10, "w": None, "h": None},
        "label": "cow",
        "score": 0.9,
        "status": "found",
    }
    assert (moved["after"]["x"], moved["after"]["y"]) == (11, 12)
    assert done["window"] == WINDOW and [(each["id"], each["x"]) for each in done["objects"]] == [(COW, 11)]


def test_what_was_said_outlives_the_tables(folder: Path) -> None:
    """Later tables found nothing and kept no candidates: what a person said of the window is as it was."""
    session = ReviewSession(folder)
    act(session, "done", window=WINDOW)
    said = state(session)[1]
    for name in (A, B):
        (folder / "candidates" / f"{name}.csv").unlink()
    (folder / "detections.csv").write_text("image,x,y,w,h,score,label\n")
    (folder / "counts.csv").write_text("image,cow,sheep,total\na.png,0,0,0\nb/c.png,0,0,0\n")
    later = ReviewSession(folder)
    assert state(later)[1] == said and statuses(later) == {COW: "accepted"}


def test_what_a_reviewed_window_leaves_out_is_rejected(folder: Path) -> None:
    session = ReviewSession(folder)
    act(session, "done", window=[0, 0, 80, 100], objects=[{"id": FAINT}])
    assert statuses(session) == {COW: "rejected", FAINT: "accepted", SHEEP: "rejected"}
    act(session, "reopen", window=[0, 0, 80, 100])
    assert statuses(session) == {COW: "found", FAINT: "candidate", SHEEP: "found"}


def test_a_change_after_the_review_is_in_the_window(folder: Path) -> None:
    session = ReviewSession(folder)
    act(session, "done", window=WINDOW)
    act(session, "add", x=5, y=5, label="sheep")
    act(session, "reject", id=COW)
    assert session.corrections.objects(A).xy.tolist() == [[5, 5]]
    assert read_corrections(folder / "corrections.csv").objects(A).xy.tolist() == [[5, 5]]


def random_act(rng: np.random.Generator, session: ReviewSession) -> None:
    image = str(rng.choice([A, B]))
    known = [each.id for each in session.objects(image)]
    place = {"x": int(rng.integers(0, 101)), "y": int(rng.integers(0, 81))}
    label = str(rng.choice(["cow", "sheep"]))
    window = [WINDOW, [20, 20, 60, 80], [0, 0, 80, 100]][rng.integers(3)]
    facts: dict[str, dict[str, Any]] = {"add": {**place, "label": label}, "done": {"window": window}}
    facts |= {"reopen": {"window": window}, "undo": {}}
    if known:
        name = {"id": known[rng.integers(len(known))]}
        facts |= {"accept": name, "reject": name, "relabel": {**name, "label": label}, "move": {**name, **place}}
    kind = str(rng.choice(list(facts)))
    if kind == "undo" and not session._standing[image].acts:
        return
    act(session, kind, image, **facts[kind])


@pytest.mark.parametrize("seed", range(4))
def test_a_review_that_begins_again_goes_on_where_it_was(folder: Path, seed: int) -> None:
    """Whatever was done: a new session says what the old one does, and so does one that was open all the while."""
    rng, session, other = np.random.default_rng(seed), ReviewSession(folder), ReviewSession(folder)
    for _ in range(40):
        random_act(rng, session)
        if rng.random() < 0.3:
            session, other = other, session
        assert state(other) == state(session)
    assert state(ReviewSession(folder)) == state(session)
    corrections = folder / "corrections.csv"
    assert not corrections.exists() or (
        [(each.image, each.window) for each in read_corrections(corrections).windows]
        == [(each.image, each.window) for each in session.corrections.windows]
    )


@pytest.mark.parametrize("seed", range(3))
def test_undo_takes_back_one_act_after_the_other(folder: Path, seed: int) -> None:
    rng, session = np.random.default_rng(seed), ReviewSession(folder)
    states = [state(session)]
    for number in range(12):
        kind = [("add", {"x": number, "y": 3, "label": "cow"}), ("done", {"window": WINDOW})][number % 2]
        act(session, kind[0], **kind[1])
        known = [each.id for each in session.objects(A)]
        states.append(state(session))
        act(session, "reject", id=known[rng.integers(len(known))])
        states.append(state(session))
    for before in states[-2::-1]:
        act(session, "undo")
        assert state(session) == before
    with pytest.raises(ValueError, match=r"nothing was done in a\.png that could be undone"):
        act(session, "undo")


def test_an_act_is_undone_by_its_number_and_not_that_of_another_page(folder: Path) -> None:
    one, other = ReviewSession(folder), ReviewSession(folder)
    act(one, "accept", id=COW)
    assert (one.last_kept, one.last_act(A), one.last_act(B)) == (1, 1, None)
    act(other, "reject", id=SHEEP)
    with pytest.raises(ValueError, match=r"another page did something in a\.png since \(act 2: reject sheep"):
        act(one, "undo", of=1)
    assert one.last_kept is None and statuses(one)[SHEEP] == "rejected"
    act(other, "undo", of=2)
    act(one, "undo", of=1)
    assert statuses(one) == {COW: "found", FAINT: "candidate", SHEEP: "found"}
    assert act(one, "reopen", window=WINDOW) is None and one.last_kept is None


def test_a_photograph_that_was_changed_is_told_and_one_of_other_sides_takes_no_act(folder: Path) -> None:
    session = ReviewSession(folder)
    path = session.images[0].path
    assert session.changed(A) == "" == session.changed(B)
    os.utime(path, (1, 1))
    assert "was changed since it was counted" in session.changed(A)
    act(session, "accept", id=COW)
    Image.new("L", (90, 80)).save(path)
    with pytest.raises(ValueError, match=r"it had 100 x 80 pixels, and has 90 x 80 now; count it again"):
        session.changed(A)
    with pytest.raises(ValueError, match=r"count it again"):
        act(session, "undo")
    path.unlink()
    assert "is gone" in session.changed(A) and session.changed(B) == ""


def test_a_torn_last_line_is_dropped_and_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    session = ReviewSession(folder)
    act(session, "accept", id=COW)
    acts = folder / "review/acts.jsonl"
    whole = acts.read_bytes()
    acts.write_bytes(whole + whole[:30])
    later = ReviewSession(folder)
    assert statuses(later)[COW] == "accepted"
    with caplog.at_level(logging.WARNING):
        act(later, "reject", id=COW)
    assert "an unfinished last line of 30 bytes is dropped" in caplog.text
    assert acts.read_bytes().startswith(whole) and len(acts.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{}", "line 2: act must be one of add"),
        ("[1]", "line 2: must be a JSON object, is list"),
        ("{", "line 2: Expecting"),
        ('{"n":7,"at":"now","image":"a.png","act":"undo","of":1}', "line 2: n must be 2, got 7"),
        ('{"n":2,"at":"now","image":"a.png","act":"undo","of":2}', "undoes act 2, which is not before it"),
        ('{"n":2,"at":"now","image":"a.png","act":"done","window":[0,0,0,1]}', "height and width of 1 or more"),
        ('{"n":2,"at":"now","image":"a.png","act":"accept","id":"x"}', "the act 'accept' does not say to what"),
    ],
)
def test_a_damaged_line_is_named(folder: Path, line: str, said: str) -> None:
    act(ReviewSession(folder), "accept", id=COW)
    with (folder / "review/acts.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match=said):
        ReviewSession(folder)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"act": "dance"}, "there is no act 'dance'; acts are add, accept"),
        ({"act": "accept", "image": "no.png"}, "there is no image 'no.png' in this run"),
        ({"act": "accept", "id": "d:1:1:cow"}, "has no object 'd:1:1:cow'; load the page anew"),
        ({"act": "relabel", "id": COW, "label": "pig"}, "there is no class 'pig'; the classes are cow, sheep"),
        ({"act": "add", "x": 101, "y": 1, "label": "cow"}, "x 101, y 1 is outside of a.png, which is 100 x 80 pixels"),
        ({"act": "add", "x": float("nan"), "y": 1, "label": "cow"}, "x must be a number, got 'nan'"),
        ({"act": "add", "x": True, "y": 1, "label": "cow"}, "x must be a number, got 'True'"),
        ({"act": "done", "window": [0, 0, 81, 1]}, "the window .* is not in a.png, 100 x 80"),
        ({"act": "done", "window": [0.5, 0, 8, 1]}, "whole pixels"),
        ({"act": "done", "window": WINDOW, "objects": [{"id": SHEEP}]}, "is not in the window; load the page anew"),
        ({"act": "done", "window": WINDOW, "objects": [{"id": COW, "x": 11}]}, "was changed elsewhere"),
        ({"act": "done", "window": WINDOW, "objects": {}}, "must be a list of objects"),
    ],
)
def test_what_cannot_be_is_a_sentence_and_leaves_no_trace(folder: Path, asked: dict[str, Any], said: str) -> None:
    session = ReviewSession(folder)
    before = state(session)
    with pytest.raises(ValueError, match=said):
        session.act({"image": A, **asked})
    assert state(session) == before and not (folder / "review/acts.jsonl").exists()


def test_a_window_cannot_be_done_without_what_another_page_added(folder: Path) -> None:
    act(ReviewSession(folder), "add", x=5, y=5, label="sheep")
    with pytest.raises(ValueError, match="a person said that there is sheep at x 5, y 5"):
        act(ReviewSession(folder), "done", window=WINDOW, objects=[{"id": COW}])


def test_a_full_disk_keeps_nothing_of_an_act(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = ReviewSession(folder)
    act(session, "accept", id=COW)
    before, content = state(session), (folder / "review/acts.jsonl").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            act(session, "reject", id=SHEEP)
    assert state(session) == before and (folder / "review/acts.jsonl").read_bytes() == content
    assert act(session, "reject", id=SHEEP).status == "rejected"


def test_two_pages_at_once_lose_nothing(folder: Path) -> None:
    sessions = [ReviewSession(folder), ReviewSession(folder)]

    def many(session: ReviewSession, row: int) -> None:
        for column in range(15):
            act(session, "add", x=column, y=row, label="cow")

    threads = [threading.Thread(target=many, args=each) for each in zip(sessions, (50, 60), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [json.loads(line)["n"] for line in (folder / "review/acts.jsonl").read_text().splitlines()]
    assert numbers == list(range(1, 31))
    assert state(sessions[0]) == state(sessions[1]) and len(sessions[0].objects(A)) == 33


def test_a_point_among_boxes_is_a_box_of_their_usual_size(tmp_path: Path) -> None:
    session = ReviewSession(small_run(tmp_path, side=8))
    point = act(session, "add", x=50, y=50, label="cow")
    box = act(session, "add", x=70, y=50, w=4, h=6, label="cow")
    assert ((point.w, point.h), (box.w, box.h)) == ((8, 8), (4, 6))
    act(session, "done", window=[0, 0, 80, 100])
    assert session.corrections.boxes and len(session.corrections.objects(A)) == 4


def test_a_box_among_points_is_its_centre(folder: Path) -> None:
    assert act(ReviewSession(folder), "add", x=50, y=50, w=4, h=6, label="cow").w is None


def test_corrections_that_a_person_changed_are_not_written_over(folder: Path) -> None:
    act(ReviewSession(folder), "done", window=WINDOW)
    with (folder / "corrections.csv").open("a") as file:
        file.write("b/c.png,1,1,,,cow,0,0,40,50\n")
    with pytest.raises(FileExistsError, match=r"corrections\.csv was changed after a run wrote it; move it away"):
        ReviewSession(folder)


def test_an_estimate_is_made_of_the_reviewed_windows(folder: Path) -> None:
    session = ReviewSession(folder, lambda known: {"windows_reviewed": len(known.windows)})
    assert session.estimate() == {"windows_reviewed": 0} and ReviewSession(folder).estimate() is None
    act(session, "done", window=WINDOW)
    assert session.estimate() == {"windows_reviewed": 1}


def test_a_class_that_the_model_does_not_know_may_be_given(folder: Path) -> None:
    session = ReviewSession(folder, more_classes=["goat"])
    act(session, "relabel", id=COW, label="goat")
    assert ReviewSession(folder).classes == ("cow", "sheep", "goat")


def test_of_windows_that_overlap_the_latest_says_what_was_found_there(folder: Path) -> None:
    """The small window is done after the large one, and says that the cow is none; opened again, the large one says."""
    session, large = ReviewSession(folder), [0, 0, 80, 100]
    act(session, "done", window=large)
    assert statuses(session) == {COW: "accepted", FAINT: "candidate", SHEEP: "accepted"}
    act(session, "reject", id=COW)
    act(session, "done", window=WINDOW, objects=[{"id": FAINT}])
    act(session, "undo")
    act(session, "undo")
    act(session, "reopen", window=large)
    act(session, "done", window=WINDOW, objects=[])
    act(session, "done", window=large)
    assert statuses(session) == {COW: "rejected", FAINT: "candidate", SHEEP: "accepted"}
    act(session, "reopen", window=large)
    assert statuses(session) == {COW: "rejected", FAINT: "candidate", SHEEP: "found"}


def test_a_window_keeps_its_classes_when_the_model_is_another(folder: Path) -> None:
    """The cow was left in a window that is done; the model that counts then knows no cows."""
    act(ReviewSession(folder), "done", window=WINDOW)
    for name in (A, B):
        (folder / "candidates" / f"{name}.csv").unlink()
    (folder / "detections.csv").write_text("image,x,y,w,h,score,label\n")
    (folder / "counts.csv").write_text("image,sheep,total\na.png,0,0\nb/c.png,0,0\n")
    later = ReviewSession(folder)
    assert later.classes == ("sheep", "cow") and statuses(later) == {COW: "accepted"}
    assert later.corrections.objects(A).names == ["cow"]


def test_a_window_that_was_undone_is_no_correction_after_a_crash(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is killed after the undo was kept, before the corrections were written."""
    session = ReviewSession(folder)
    act(session, "done", window=WINDOW)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(session._file, "write", lambda corrections: (_ for _ in ()).throw(KeyboardInterrupt))
        act(session, "undo")
    assert len(read_corrections(folder / "corrections.csv").windows) == 1
    ReviewSession(folder)
    assert read_corrections(folder / "corrections.csv").windows == ()


def test_an_act_that_is_kept_is_never_said_to_be_lost(folder: Path) -> None:
    """A person changed the corrections meanwhile: the acts go on, it is told, and all is written when they are away."""
    session, path = ReviewSession(folder), folder / "corrections.csv"
    act(session, "done", window=WINDOW)
    path.write_text(path.read_text() + "\n")
    act(session, "add", x=5, y=5, label="sheep")
    assert "what you did is kept, but corrections.csv could not be written" in session.stale
    assert len((folder / "review/acts.jsonl").read_text().splitlines()) == 2
    path.unlink()
    act(session, "accept", id=SHEEP)
    assert session.stale == "" and read_corrections(path).objects(A).xy.tolist() == [[10, 10], [5, 5]]


def test_acts_together_are_kept_at_once_and_the_corrections_written_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed among them loses none: the next session writes the corrections of all."""
    session = ReviewSession(folder)
    with session.together():
        act(session, "done", window=WINDOW)
        act(session, "done", B, window=WINDOW)
        assert not (folder / "corrections.csv").exists() and len(ReviewSession(folder).corrections.windows) == 2
        assert (folder / "corrections.csv").exists()  # by the other session, as after a crash
    assert len(read_corrections(folder / "corrections.csv").windows) == 2
    monkeypatch.setattr(session._file, "write", lambda _: (_ for _ in ()).throw(OSError("no space")))
    with session.together():
        act(session, "reopen", B, window=WINDOW)
    assert "could not be written: no space" in session.stale


def test_corrections_are_written_while_no_other_page_can_act(folder, monkeypatch):
    """Else what another page did between reading the acts and writing the file would be missing from it."""
    free = []

    def write(file, corrections):
        try:
            with FileLock(folder / "review/lock", timeout=0):
                free.append(True)
        except Timeout:
            free.append(False)

    session = ReviewSession(folder)
    monkeypatch.setattr(CorrectionsFile, "write", write)
    with session.together():
        act(session, "done", window=WINDOW, objects=[])
    act(session, "done", window=[0, 50, 40, 50], objects=[])
    ReviewSession(folder)
    assert free == [False, False, False]

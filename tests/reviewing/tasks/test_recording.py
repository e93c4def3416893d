"""Law 6 for labelling teams: what a team says of exported windows is what `corrections.csv` has."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.evaluation.matching import Criterion
from detect.imagery.windows import Window
from detect.labels.corrections import read_corrections
from detect.reviewing.review_objects import ReviewObject
from detect.reviewing.session import ReviewSession
from detect.reviewing.tasks.changes import SHOWN
from detect.reviewing.tasks.recording import Recorder
from detect.reviewing.tasks.returned import ReturnedObject, read_returned
from detect.reviewing.tasks.task_formats import PROGRAM_FILES, pre_annotated
from detect.reviewing.tasks.task_table import TABLE, Task, task_of, tasks_bytes
from tests.reviewing.conftest import acts_of
from tests.reviewing.small_run import CLASSES, COW, FAINT, SHAPE, A, B, small_run
from tests.reviewing.tasks.labellers import Team, opened

SAME = Criterion(6.0)
WINDOWS = (Window(0, 0, 40, 50), Window(40, 50, 40, 50), Window(0, 50, 40, 50))
"""Two at corners of the image, and one between them."""


def export(folder: Path, program: str, context: int, side: float | None, images: tuple[str, ...] = (A,)) -> list[Task]:
    """Export the windows of some images as the command does, without the pictures' pixels."""
    session = ReviewSession(folder)
    tasks = [
        task_of(i + 1, image, window, context, SHAPE, 9)
        for i, (image, window) in enumerate((image, window) for image in images for window in WINDOWS)
    ]
    contents = []
    for task in tasks:
        objects = (each for each in session.objects(task.image) if each.status in SHOWN)
        contents.append((task, [each for each in objects if each.inside(task.bounds, SHAPE)]))
    (folder / TABLE).parent.mkdir(parents=True, exist_ok=True)
    (folder / TABLE).write_bytes(tasks_bytes(tasks))
    out = pre_annotated(contents, session.classes, side is not None, "")
    PROGRAM_FILES[program].write_tasks(out, folder / PROGRAM_FILES[program].tasks)
    for task in tasks:  # as much of a PNG as has its size
        sides = b"".join(each.to_bytes(4) for each in reversed(task.shape))
        (folder / TABLE).with_name(task.picture).write_bytes(bytes(16) + sides)
    return tasks


def take(folder: Path, path: Path, program: str, tasks: list[Task], overrule: bool = False) -> Recorder:
    found = read_returned(path, {each.picture: each for each in tasks}, "tagged" if program == "cvat" else None)
    recorder = Recorder(ReviewSession(folder), SAME, overrule)
    for task in tasks:
        if task.picture in found.objects:
            recorder.record(task, found.objects[task.picture])
    return recorder


def said(folder: Path, task: Task) -> list[tuple[Any, ...]]:
    """The label and numbers of what `corrections.csv` has in the window of a task, in pixels of its picture."""
    corner = np.array([task.bounds.col, task.bounds.row])
    for each in read_corrections(folder / "corrections.csv", CLASSES).windows:
        if (each.image, each.window) == (task.image, task.window):
            found = each.objects.shifted(*-corner)
            numbers = found.xy if found.wh is None else found.boxes_xyxy
            return sorted((name, *row) for name, row in zip(found.names, numbers.tolist(), strict=True))
    raise AssertionError(f"{task.window} was not reviewed")


objects = st.lists(
    st.tuples(
        st.sampled_from(CLASSES), st.integers(0, 999), st.integers(0, 799), st.integers(10, 200), st.integers(10, 200)
    ),
    max_size=8,
    unique_by=lambda each: each[:3],
).map(lambda drawn: [each for each in drawn if each[1:3] not in ((100, 100), (600, 205))])
"""Label, place and size of objects of the image, in tenths of pixels; none is there twice, nor one of the run's."""


def drawn_in(task: Task, given: list[tuple[str, int, int, int, int]], boxes: bool) -> list[tuple[str, tuple]]:
    """What a team draws in a window: the objects whose centre is in it, boxes as far as the picture reaches."""
    drawn = []
    for label, x, y, w, h in given:
        size = (w / 10, h / 10) if boxes else (None, None)
        each = ReviewObject("", x / 10, y / 10, *size, label, 1.0, "added")
        if each.inside(task.window, SHAPE):
            drawn.append((label, task.shown(each)))
    return drawn


@settings(max_examples=25, deadline=None)
@given(
    program=st.sampled_from(["label_studio", "cvat"]),
    side=st.sampled_from([None, 12.0]),
    context=st.sampled_from([0, 7, 300]),
    kept=st.booleans(),
    given_objects=objects,
)
def test_what_a_team_says_is_what_is_kept(tmp_path_factory, program, side, context, kept, given_objects):
    """Law 6. CVAT writes corners with two decimals: to 0.005 pixels and the rounding of the tables, 0.0005."""
    folder = small_run(tmp_path_factory.mktemp("run"), side)
    tasks = export(folder, program, context, side)
    team = opened(folder, program)
    for task in tasks:
        known = team.drawn[task.picture] if kept else []
        team.drawn[task.picture] = known + drawn_in(task, given_objects, side is not None)
    path = team.save(folder / "returned")
    assert take(folder, path, program, tasks).counted["recorded"] == len(tasks)
    for task in tasks:
        drawn = [ReturnedObject(*each) for each in team.drawn[task.picture]]
        wanted = sorted((each.label, *each.numbers) for each in drawn if task.holds(*each.centre, SHAPE))
        found = said(folder, task)
        assert [each[0] for each in found] == [each[0] for each in wanted]
        for label in CLASSES:
            one, other = (np.array([each[1:] for each in those if each[0] == label]) for those in (found, wanted))
            near = np.abs(one[:, None] - other[None]).max(axis=2) if len(one) else np.zeros((0, 0))
            assert len(one) == 0 or ((near.min(axis=0) < 0.02).all() and (near.min(axis=1) < 0.02).all())
    acts = acts_of(folder)
    again = take(folder, path, program, tasks)
    assert again.counted["unchanged"] == len(tasks) and acts_of(folder) == acts


@pytest.mark.parametrize("program", ["label_studio", "cvat"])
@pytest.mark.parametrize("side", [None, 30.0])
def test_what_nobody_touched_stays_as_the_run_has_it(tmp_path, program, side):
    """Boxes of 30 pixels reach beyond pictures without context, and are shown cut; the run's own are kept."""
    folder = small_run(tmp_path, side)
    tasks = export(folder, program, 0, side, (A, B))
    path = opened(folder, program).save(tmp_path / "returned")
    recorder = take(folder, path, program, tasks)
    assert recorder.counted == {"recorded": 6, "empty": 4, "left": 2, "outside": 0, "added": 0, "taken out": 0}
    assert [each["act"] for each in acts_of(folder)] == ["done"] * 6
    found = read_corrections(folder / "corrections.csv", CLASSES).objects(A)
    assert found.xy.tolist() == [[10, 10], [60, 20.5]] and (found.wh is None or (found.wh == 30).all())
    statuses = {each.id: each.status for each in ReviewSession(folder).objects(A)}
    assert statuses == {COW: "accepted", FAINT: "candidate", "d:60.000:20.500:sheep": "accepted"}


@pytest.mark.parametrize("program", ["label_studio", "cvat"])
def test_what_a_person_said_meanwhile_stays_unless_it_is_to_be_replaced(tmp_path, program):
    folder = small_run(tmp_path)
    tasks = export(folder, program, 5, None)
    team = opened(folder, program)
    team.drawn[tasks[0].picture] = []
    path = team.save(tmp_path / "returned")
    ReviewSession(folder).act({"act": "done", "image": A, "window": [0, 0, 40, 50]})
    recorder = take(folder, path, program, tasks)
    assert recorder.contested == [tasks[0].picture] and recorder.counted["recorded"] == 2
    assert said(folder, tasks[0]) == [("cow", 10, 10)]
    assert take(folder, path, program, tasks, overrule=True).counted["recorded"] == 1
    assert said(folder, tasks[0]) == []


def test_a_team_that_was_cut_short_goes_on(tmp_path):
    """A process that is killed between the acts of a window leaves them; the same file finishes it."""
    folder = small_run(tmp_path)
    tasks = export(folder, "label_studio", 5, None)
    team: Team = opened(folder, "label_studio")
    team.drawn[tasks[0].picture] += [("cow", (3.5, 4.25)), ("sheep", (7.0, 8.0))]
    path = team.save(tmp_path / "returned")
    ReviewSession(folder).act({"act": "add", "image": A, "x": 3.5, "y": 4.25, "label": "cow"})
    recorder = take(folder, path, "label_studio", tasks)
    assert recorder.counted["recorded"] == 3 and recorder.counted["added"] == 1 and not recorder.contested
    assert said(folder, tasks[0]) == [("cow", 3.5, 4.25), ("cow", 10, 10), ("sheep", 7, 8)]


def test_a_window_of_two_pictures_is_taken_once(tmp_path):
    """Exported again with other context, a window has two pictures; a file that has both says two things of it."""
    folder = small_run(tmp_path)
    first, again = (export(folder, "label_studio", context, None)[0] for context in (0, 5))
    recorder = Recorder(ReviewSession(folder), SAME, overrule=False)
    recorder.record(first, [])
    recorder.record(again, [ReturnedObject("sheep", (4.0, 5.0))])
    assert recorder.counted["recorded"] == 1 and recorder.contested == [again.picture]
    assert said(folder, first) == []

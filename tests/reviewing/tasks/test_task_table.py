"""Where pictures were cut from: the table comes back as it was written, and a changed one is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detect.imagery.windows import Window
from detect.labels.annotations import AnnotationError
from detect.reviewing.review_objects import ReviewObject
from detect.reviewing.tasks.task_table import PICTURE, TABLE, Task, read_tasks, task_of, tasks_bytes

SHAPE = (80, 100)
HOSTILE = "b<img src=x>'&\",;=1+1.png"


def table(folder: Path, *tasks: Task) -> Path:
    path = folder / TABLE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tasks_bytes(tasks))
    return path


@given(
    name=st.sampled_from(["a.png", HOSTILE, "=cmd|x!A1.tif", "ä/ö .jpg"]),
    row=st.integers(0, 79),
    col=st.integers(0, 99),
    side=st.integers(1, 100),
    context=st.integers(0, 200),
)
def test_a_task_comes_back_from_the_table(tmp_path_factory, name, row, col, side, context):
    folder = tmp_path_factory.mktemp("run")
    window = Window(row, col, side, side).within(SHAPE)
    task = task_of(7, name, window, context, SHAPE, 9)
    table(folder, task)
    assert read_tasks(folder, {name: SHAPE}) == {task.picture: task}
    assert PICTURE.fullmatch(task.picture) and task.bounds.inside(SHAPE)
    assert task.bounds.row <= window.row and task.bounds.col_stop >= window.col_stop


def test_a_picture_shows_the_context_that_the_image_has():
    """Ten pixels around rows 0 to 20 and columns 75 to 100 of 80 x 100 pixels: there are none above, and none right."""
    task = task_of(1, "a.png", Window(0, 75, 20, 25), 10, SHAPE, 9)
    assert task.bounds == Window(0, 65, 30, 35) and task.shape == (30, 35)
    assert task.picture != task_of(1, "a.png", Window(0, 75, 20, 25), 9, SHAPE, 9).picture
    assert task.picture != task_of(1, "b.png", Window(0, 75, 20, 25), 10, SHAPE, 9).picture
    other_flight = task_of(1, "a.png", Window(0, 75, 20, 25), 10, SHAPE, 8)
    assert task.picture != other_flight.picture


def test_boxes_are_shown_as_far_as_the_picture_reaches():
    """The picture begins at column 65: x 70 - 20 / 2 = 60 is 5 to the left of it."""
    task = task_of(1, "a.png", Window(0, 75, 20, 25), 10, SHAPE, 9)
    box = ReviewObject("d", 70.0, 10.0, 20.0, 6.0, "cow", 0.5, "found")
    assert task.shown(box) == (0, 7, 15, 13)
    assert task.shown(ReviewObject("d", 70.5, 10.0, None, None, "cow", 0.5, "found")) == (5.5, 10)


@pytest.mark.parametrize(
    ("x", "y", "held"),
    [
        (10, 0, True),  # column 75, the window's first
        (9.99, 5, False),
        (35, 20, False),  # row 20 is the next window's
        (35, 19.99, True),  # column 100, the image's far edge
        (9.9997, 5, True),  # 74.9997 is 75.000 in the tables
        (35.01, 5, False),  # beyond the image
    ],
)
def test_a_place_is_in_the_window_of_its_centre(x, y, held):
    assert task_of(1, "a.png", Window(0, 75, 20, 25), 10, SHAPE, 9).holds(x, y, SHAPE) == held


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("picture,image", "image,picture", "the header must be picture,image"),
        ("a.png,9,0,", "a.png,9,1,", "is no picture of that window"),
        ("a.png,9,0,", "a.png,8,0,", "is no picture of that window"),
        ("a.png,9,0,", "a.png,9,-1,", "are no windows"),
        ("a.png,9,0,", "a.png,,0,", "are no windows"),
        ("a.png,9,0,", "a.png,9,99999999999999,", "are no windows"),
        ("a.png,9,0,", "c.png,9,0,", "'c.png' is no image of the run"),
        ("window-0001", "../window-0001", "is no picture of that window"),
    ],
)
def test_a_changed_table_is_refused_with_the_way_out(tmp_path, old, new, said):
    path = table(tmp_path, task_of(1, "a.png", Window(0, 75, 20, 25), 10, SHAPE, 9))
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(AnnotationError, match=said) as error:
        read_tasks(tmp_path, {"a.png": SHAPE})
    assert "export the windows anew" in str(error.value)


def test_an_image_that_is_smaller_now_is_refused(tmp_path):
    table(tmp_path, task_of(1, "a.png", Window(0, 75, 20, 25), 10, SHAPE, 9))
    with pytest.raises(AnnotationError, match=r"line 2: the window is not in a\.png, 90 x 80"):
        read_tasks(tmp_path, {"a.png": (80, 90)})


def test_a_table_behind_a_link_out_of_the_folder_is_refused(tmp_path):
    path = table(tmp_path / "elsewhere", task_of(1, "a.png", Window(0, 75, 20, 25), 10, SHAPE, 9))
    (tmp_path / "run/survey/tasks").mkdir(parents=True)
    (tmp_path / "run" / TABLE).symlink_to(path)
    with pytest.raises(ValueError, match="leads out of"):
        read_tasks(tmp_path / "run", {"a.png": SHAPE})
    assert read_tasks(tmp_path, {}) == {}

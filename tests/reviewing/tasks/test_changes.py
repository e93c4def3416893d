"""What a team changed: each change is what a person would do on the page, and what was not touched stays."""

from typing import Any

from detect.evaluation.matching import Criterion
from detect.imagery.windows import Window
from detect.reviewing.review_objects import ReviewObject
from detect.reviewing.tasks.changes import plan
from detect.reviewing.tasks.returned import ReturnedObject
from detect.reviewing.tasks.task_table import task_of

SAME = Criterion(6.0)
SHAPE = (80, 100)
WINDOW = Window(0, 0, 40, 50)


def planned(known: list[ReviewObject], returned: list[ReturnedObject]) -> Any:
    return plan(task_of(1, "a.png", WINDOW, 10, SHAPE, 9), SHAPE, known, returned, SAME)


def thing(x: float, y: float, label: str = "cow", status: Any = "found", name: str = "") -> ReviewObject:
    return ReviewObject(name or f"d:{x}:{y}:{label}", x, y, None, None, label, 0.5, status)


def test_each_change_is_the_act_that_a_person_would_do():
    known = [
        thing(5, 5, name="same"),
        thing(20, 20, name="moved"),
        thing(30, 30, name="relabelled"),
        thing(40, 9, name="gone"),
    ]
    known += [thing(8, 35, status="candidate", name="faint"), thing(45, 35, status="rejected", name="back")]
    known += [thing(30, 5, status="accepted", name="doubted")]
    back = [("cow", 5, 5), ("cow", 22, 24), ("sheep", 30, 30), ("cow", 8, 35), ("cow", 45, 35), ("sheep", 40, 20)]
    made = planned(known, [ReturnedObject(label, (x, y)) for label, x, y in back])
    assert made.kept == ["same", "faint"]
    assert made.acts == [
        {"kind": "accept", "id": "back"},
        {"kind": "relabel", "id": "relabelled", "label": "sheep"},
        {"kind": "move", "id": "moved", "x": 22, "y": 24},  # sqrt(4 + 16) = 4.5, within 6
    ]
    assert made.added == [ReturnedObject("sheep", (40, 20))]
    assert made.left_out == ["doubted", "gone"] and made.rejected == ["doubted"]
    assert made.contested == 2  # the rejected one that is back, and the accepted one that is gone


def test_an_object_that_stays_is_no_neighbour_that_was_moved():
    """One of two neighbours, 4 pixels apart, is taken out, and one is added on the other side of the one that stays."""
    made = planned([thing(10, 10, name="one"), thing(14, 10, name="two")], [ReturnedObject("cow", (14, 10))])
    assert made.kept == ["two"] and made.left_out == ["one"] and not made.acts


def test_two_objects_at_one_place_stay_two():
    made = planned([thing(10, 10, name="one"), thing(10, 10, name="two")], [ReturnedObject("cow", (10, 10))] * 3)
    assert made.kept == ["one", "two"] and made.added == [ReturnedObject("cow", (10, 10))]


def test_an_object_at_the_edge_that_was_rounded_out_of_the_window_stays():
    """x 49.996 is in the window that ends at column 50; CVAT writes 50.00, which is not."""
    made = planned(
        [thing(49.996, 10, name="edge")], [ReturnedObject("cow", (50.0, 10)), ReturnedObject("cow", (55, 10))]
    )
    assert made.kept == ["edge"] and made.outside == 1 and not made.added


def test_an_object_on_the_line_between_two_windows_counts_in_one():
    """Both pictures show what was found at x 49.996, and both come back with it at 50.00, or with a person's class."""
    found = [thing(49.996, 10, name="edge")]
    right = task_of(2, "a.png", Window(0, 50, 40, 50), 10, SHAPE, 9)
    for label in ("cow", "sheep"):
        assert planned(found, [ReturnedObject(label, (50.0, 10))]).left_out == []
        made = plan(right, SHAPE, found, [ReturnedObject(label, (10.0, 10))], SAME)
        assert made.outside == 1 and not made.changes
    assert len(plan(right, SHAPE, found, [ReturnedObject("cow", (10.5, 10))], SAME).added) == 1  # a person moved it

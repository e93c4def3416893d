"""Law: lists of one wafer whose notch lies at other sides are drawn alike where they are turned to one side."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import read_window
from detect.imagery.wafers.drawn.drawing import Drawing, drawing_of, drawn_by
from detect.imagery.wafers.notches import AS_GIVEN, SIDES, side_of, turned
from tests.imagery.wafers.klarf_writer import Defect, Listed, records, statements, write

PITCH = 20_000.0
"""Of dies in micrometres; the wafer's centre is the corner of four."""


def listed(xy_um: np.ndarray) -> Listed:
    """A wafer of 300 mm with defects at whole micrometres from its centre."""
    die = np.floor(xy_um / PITCH)
    rows = zip(*(xy_um - die * PITCH).T.tolist(), *die.astype(int).T.tolist(), strict=True)
    return Listed("W", [Defect(*row) for row in rows], pitch=(PITCH, PITCH), centre=(0.0, 0.0))


def drawn(path: Path, notch: str) -> np.ndarray:
    with drawn_by(Drawing(90, 3.0, 2, False, 60, notch)):
        scene = open_scene(path)
    return read_window(scene, scene.window, (1,))[0]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10_000), st.sampled_from(SIDES), st.sampled_from(SIDES), st.sampled_from(SIDES))
def test_one_wafer_is_one_drawing_wherever_its_notch_lies(
    tmp_path: Path, seed: int, first: str, second: str, notch: str
) -> None:
    """The second list is of the wafer after quarter turns, (x, y) to (-y, x), one for each side further."""
    xy = np.random.default_rng(seed).integers(-100_000, 100_000, (30, 2)).astype(float)
    other = xy
    for _ in range((SIDES.index(second) - SIDES.index(first)) % 4):
        other = np.stack([-other[:, 1], other[:, 0]], axis=1)
    one, two = tmp_path / "one.klarf", tmp_path / "two.klarf"
    for path, places, side in ((one, xy, first), (two, other, second)):
        text = statements([listed(places)])
        write(path, text.replace("OrientationMarkLocation DOWN", f"OrientationMarkLocation {side.upper()}"))
    pixels = drawn(one, notch)
    assert (drawn(two, notch) == pixels).all() and pixels.any()
    assert (drawn(one, AS_GIVEN) == drawn(one, first)).all()


def test_a_defect_keeps_its_place_beside_the_notch() -> None:
    """Of a notch at the left, 60 mm up of it; with the notch down, 60 mm to the left of it."""
    place = np.array([[-140.0, 60.0]])
    assert turned(place, "notch left", "down").tolist() == [[-60.0, -140.0]]
    assert turned(place, "notch left", "left").tolist() == place.tolist()
    assert turned(place, "flat right", "left").tolist() == [[140.0, -60.0]]
    assert turned(place, None, "left").tolist() == turned(place, "notch up", AS_GIVEN).tolist() == place.tolist()


@pytest.mark.parametrize(
    ("mark", "side"),
    [("notch down", "down"), ("FLAT Left", "left"), ("notch 0", "down"), ("180", "up"), ("notch 90", None), ("", None)],
)
def test_a_mark_says_a_side_or_none(mark: str, side: str | None) -> None:
    """KLARF 1.8 has degrees from below, and does not say which way they go: 90 may be at either side."""
    assert side_of(mark) == side and side_of(None) is None


def test_a_wafer_that_is_not_turned_is_told(tmp_path: Path) -> None:
    text = records([listed(np.array([[0.0, 50_000.0]]))])
    path = write(tmp_path / "a.klarf", text.replace("MarkLocation 1 {0}", "MarkLocation 1 {90}"))
    with drawn_by(Drawing(90, 3.0, 2, False, 60, "left")):
        remarks = open_scene(path).remarks
    assert [(each.detail, each.warns) for each in remarks] == [("notch 90", True)] and "not turned" in remarks[0].kind
    with drawn_by(Drawing(90, 3.0, 2, False, 60, "as_given")):
        assert open_scene(path).remarks == ()


def test_the_record_of_a_drawing_that_does_not_turn_is_as_before() -> None:
    """Versions that cannot turn read it, and theirs is read."""
    plain, other = Drawing(90, 3.0, 2, False, 60, "as_given"), Drawing(90, 3.0, 2, False, 60, "up")
    assert set(plain.record()) == {"side", "edge_exclusion_mm", "mark", "sized", "value"}
    assert drawing_of(plain.record()) == plain and drawing_of(other.record()) == other != plain
    with pytest.raises(ValueError, match=r"data\.wafers\.notch must be as_given or a side"):
        Drawing(90, 3.0, 2, False, 60, "north")

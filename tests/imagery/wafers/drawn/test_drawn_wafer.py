"""A list of defects is an image like others: found, described, and refused in words that say the way out."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.finding.listing import list_images
from detect.imagery.reading import read_window
from detect.imagery.scenes import SceneError
from detect.imagery.wafers.defect_writing import write_defects
from detect.imagery.wafers.drawn import drawn_wafer as opened
from detect.imagery.wafers.drawn.drawing import Drawing, drawing_of, drawn_by
from detect.imagery.wafers.wafer import Wafer
from detect.imagery.windows import Window
from tests.imagery.wafers.klarf_writer import Defect, Listed, statements, write

DRAWING = Drawing(20_000, 3.0, 1, False, 255, "as_given")


def a_wafer(name: str, *xy_mm: tuple[float, float], diameter_mm: float = 200.0) -> Wafer:
    places = np.array(xy_mm, np.float64).reshape(-1, 2)
    return Wafer("L", name, diameter_mm, places, np.full(len(places), np.nan), np.zeros(len(places), np.int64))


def test_a_list_is_described_as_the_raster_that_is_drawn_of_it(tmp_path: Path) -> None:
    """200 mm in 20,000 pixels: 10 mm to the right and 20 up of the centre is column 11,000 and row 8,000."""
    path = tmp_path / "a.wafer.csv"
    write_defects(path, [a_wafer("A", (10.0, 20.0), (101.0, 0.0))])
    with drawn_by(DRAWING):
        scene = open_scene(path)
    assert [(each.kind, each.detail) for each in scene.remarks] == [
        ("defects outside the wafer, by 5 % of its radius at most", "1")
    ]
    assert (scene.shape, scene.dtype, scene.bands, scene.drawing) == ((20_000, 20_000), "uint8", 1, DRAWING)
    assert scene.masked and scene.windowed
    pixels = read_window(scene, Window(7_999, 10_999, 3, 3), (1,))
    assert pixels[0].tolist() == [[0, 0, 0], [0, 255, 0], [0, 0, 0]]


def test_lists_are_found_by_name_and_numbered_ones_by_what_is_in_them(tmp_path: Path) -> None:
    klarf = "FileVersion 1 2;\nEndOfFile;\n"
    for name, text in {
        "a.klarf": klarf,
        "b.001": klarf,
        "c.001": "part of an archive",
        "d.wafer.csv": "x_mm,y_mm\n",
        "labels.csv": "image,label\n",
        "lot": klarf,
    }.items():
        (tmp_path / name).write_text(text)
    assert [name for name, _ in list_images(tmp_path)] == ["a.klarf", "b.001", "d.wafer.csv", "lot"]


def test_several_counts_that_differ_are_told_of_one_image_once(tmp_path: Path) -> None:
    """A summary of two tests with 5 defects each, of which the list has one and one."""
    listed = Listed("W", (Defect(0, 0, 0, 0, test=1), Defect(9, 9, 0, 0, test=2)))
    text = statements([listed]).replace("\n 1 1 0.1", "\n 1 5 0.1").replace("\n 2 1 0.1", "\n 2 5 0.1")
    with drawn_by(replace(DRAWING, side=100), keep=True):
        remarks = open_scene(write(tmp_path / "a.klarf", text)).remarks
    assert [(each.detail, each.warns) for each in remarks] == [
        (
            "defects of test 1: the summary says 5, the list has 1; "
            "defects of test 2: the summary says 5, the list has 1",
            True,
        )
    ]


def test_without_a_drawing_it_is_told_where_one_comes_from(tmp_path: Path) -> None:
    path = tmp_path / "a.wafer.csv"
    write_defects(path, [a_wafer("A", (0.0, 0.0))])
    with pytest.raises(SceneError, match=r"a\.wafer\.csv.*not known.*data\.wafers"):
        open_scene(path)


def test_several_wafers_in_a_file_are_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "lot.wafer.csv"
    write_defects(path, [a_wafer("A", (0.0, 0.0)), a_wafer("B", (1.0, 0.0))])
    with drawn_by(DRAWING), pytest.raises(SceneError, match=r"'A', 'B'.*python -m detect\.convert"):
        open_scene(path)


def test_an_edge_that_leaves_nothing_and_a_list_that_is_none_are_told(tmp_path: Path) -> None:
    small, broken = tmp_path / "small.wafer.csv", tmp_path / "broken.klarf"
    write_defects(small, [a_wafer("A", (0.0, 0.0), diameter_mm=50.0)])
    broken.write_text("FileVersion 1 2;\nDefectList\n 1 nonsense;\n")
    with drawn_by(Drawing(100, 25.0, 1, False, 255, "as_given")):
        with pytest.raises(SceneError, match=r"edge_exclusion_mm=25 leaves nothing of a wafer of 50 mm"):
            open_scene(small)
        with pytest.raises(SceneError, match=r"broken\.klarf"):
            open_scene(broken)


def test_a_list_that_changed_is_read_again_and_marks_are_held_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Marks take 8 bytes each and are shared in side; of two lists of 100, 800 bytes hold the last alone."""
    monkeypatch.setattr(opened, "HELD_BYTES", 800)
    chance = np.random.default_rng(0)
    paths = [tmp_path / f"{name}.wafer.csv" for name in "ab"]
    for path in paths:
        write_defects(path, [a_wafer("A", *chance.uniform(-60, 60, (100, 2)).tolist())])
    first, _ = opened.wafer_raster(paths[0], DRAWING)
    assert first.marks.nbytes == 800 and opened.wafer_raster(paths[0], DRAWING)[0] is first
    opened.wafer_raster(paths[1], DRAWING)
    assert opened.wafer_raster(paths[0], DRAWING)[0] is not first
    write_defects(paths[0], [a_wafer("A", (0.0, 0.0))])
    assert len(opened.wafer_raster(paths[0], DRAWING)[0].marks) == 1


def test_a_drawing_is_read_back_from_its_record_and_a_wrong_one_told() -> None:
    assert drawing_of(asdict(DRAWING)) == DRAWING and drawing_of(None) is None
    for wrong in ({}, [], {**asdict(DRAWING), "more": 1}, {**asdict(DRAWING), "side": "many"}):
        with pytest.raises(ValueError, match="side"):
            drawing_of(wrong)

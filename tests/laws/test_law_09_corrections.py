"""Laws 6, 8 and 9 for corrections: read back as written; nothing outside of them is learned; their counts add up."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from detect.imagery.windows import Tiling, Window, clamp_far_edges
from detect.labels.annotation_files import read_annotations
from detect.labels.corrections import Corrections, ReviewedWindow, corrections_bytes, read_corrections
from detect.labels.detections import Detections
from detect.labels.regions import area_outside, inside_regions
from detect.labels.sheets import read_rows

HEIGHT, WIDTH = 30, 40
CLASSES = ("cow", "naïve, sheep", "=NA")
FILES = ("a.png", "b/ä, 1.png")
in_a_folder = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def reviewed(draw: st.DrawFn, boxes: bool) -> ReviewedWindow:
    """A window of one of two images of 30 x 40 pixels, and up to five objects anywhere in it, on its far edges too."""
    row, col = draw(st.integers(0, HEIGHT - 1)), draw(st.integers(0, WIDTH - 1))
    window = Window(row, col, draw(st.integers(1, HEIGHT - row)), draw(st.integers(1, WIDTH - col)))
    at = st.tuples(st.floats(col, window.col_stop), st.floats(row, window.row_stop), st.sampled_from(CLASSES))
    objects = draw(st.lists(at, max_size=5, unique_by=lambda each: each[:2]))
    xy = np.array([each[:2] for each in objects], np.float64).reshape(-1, 2)
    sizes = st.lists(st.floats(2, 9), min_size=2 * len(objects), max_size=2 * len(objects))
    wh = np.array(draw(sizes)).reshape(-1, 2) if boxes else None
    found = Detections.truth(xy, [each[2] for each in objects], CLASSES, wh)
    return ReviewedWindow(draw(st.sampled_from(FILES)), window, found)


corrections = st.booleans().flatmap(
    lambda boxes: st.lists(reviewed(boxes), max_size=6).map(lambda windows: Corrections(tuple(windows), CLASSES))
)


def rows(found: Detections) -> Counter[tuple[object, ...]]:
    sizes = [(None, None)] * len(found) if found.wh is None else [tuple(each) for each in found.wh.tolist()]
    return Counter(zip(map(tuple, found.xy.tolist()), sizes, found.names, strict=True))


@given(corrections)
@in_a_folder
def test_corrections_are_read_back_as_they_were_written(tmp_path: Path, written: Corrections) -> None:
    path = tmp_path / "corrections.csv"
    path.write_bytes(corrections_bytes(written))
    read = read_corrections(path, CLASSES)
    assert [(each.image, each.window) for each in read.windows] == [
        (each.image, each.window) for each in written.windows
    ]
    assert [rows(each.objects) for each in read.windows] == [rows(each.objects) for each in written.windows]
    assert corrections_bytes(read) == path.read_bytes()


@given(corrections, st.integers(3, 20))
@in_a_folder
def test_each_object_is_in_one_row_and_in_one_window_of_a_tiling(
    tmp_path: Path, written: Corrections, side: int
) -> None:
    """Rows with a label = objects of all images = objects in the windows that cover each image once, by class too."""
    path = tmp_path / "corrections.csv"
    path.write_bytes(corrections_bytes(written))
    labels = Counter(fields[5] for _, fields in read_rows(path) if fields[5] not in ("", "label"))
    every = [written.objects(name) for name in written.images]
    assert labels.total() == sum(map(len, every))
    for name in written.images:
        found = written.objects(name)
        assert rows(found).total() == len(rows(found)), "no object comes twice"
        moved = Corrections(
            tuple(ReviewedWindow(each.image, each.window, _clamped(each.objects)) for each in written.of(name)),
            CLASSES,
        )
        parts = [moved.objects_in(name, window) for window in Tiling((HEIGHT, WIDTH), side)]
        assert sum(map(len, parts)) == len(moved.objects(name))
        counted = sum((Counter(part.counts()) for part in parts), Counter())
        assert +counted == +Counter(moved.objects(name).counts())


def test_an_object_on_the_edge_of_two_windows_is_there_once() -> None:
    """Column 1 is the far edge of the left window and the near one of the right: the later says what is there."""
    left, right = Window(0, 0, 2, 1), Window(0, 1, 1, 1)
    one = Detections.truth(np.array([[1.0, 0.0]]), ["cow"], CLASSES)
    for windows in ((left, right), (right, left)):
        both = Corrections(tuple(ReviewedWindow("a.png", window, one) for window in windows), CLASSES)
        assert [len(each.objects) for each in both.windows] == [0, 1]


def _clamped(found: Detections) -> Detections:
    xy = clamp_far_edges(found.xy, (HEIGHT, WIDTH))
    return Detections(xy, found.score, found.label, found.classes, found.wh)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (WIDTH, HEIGHT)).save(path)
    return tmp_path / "data"


@given(corrections)
@in_a_folder
def test_a_pixel_is_learned_from_where_it_was_reviewed_and_nowhere_else(root: Path, written: Corrections) -> None:
    """Painted pixel by pixel: an image's reviewed windows, and what its annotation does not ignore, are the same."""
    if not written.windows:
        return
    path = root.parent / "corrections.csv"
    path.write_bytes(corrections_bytes(written))
    read = {image.name: image for image in read_annotations(path, root, classes=CLASSES).images}
    assert set(read) == set(written.images)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    middles = np.stack([x.ravel(), y.ravel()], axis=1) + 0.5
    for name, image in read.items():
        known = ~inside_regions(middles, image.ignored)
        assert np.array_equal(known, np.any([each.window.contains_xy(middles) for each in written.of(name)], axis=0))
        assert area_outside((HEIGHT, WIDTH), image.ignored) == known.sum()

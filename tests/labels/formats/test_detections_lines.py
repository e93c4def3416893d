"""Rows of detections are put together column by column; here they are written cell by cell, each guarded and quoted."""

import csv
import io
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detect.imagery.ground.geodesy import Placement
from detect.imagery.spreadsheet_cells import guarded
from detect.labels.detections import Detections
from detect.labels.formats.detections_csv import GROUND, HEADER, OBJECT, detections_bytes
from detect.labels.sheets import UnwritableError, writable

HOSTILE = ("=1+1", "@a", "'=x", "''-", "-3", "+1e5", "a,b", 'say "x"', "ü", "＝cmd", "a'b", "#", "a;b", "1.5", "NaN")

CENTRES = st.one_of(
    st.floats(-3e9, 3e9),
    st.sampled_from([-0.0, -0.0004, -0.0005, 0.0005, 0.0015, 2.5, 1e-300, 2.0**43 + 0.5, 1234567.0005]),
)


def fixed(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:.{digits}f}"


def size(value: float) -> str:
    return fixed(value, 3) if float(fixed(value, 3)) > 0 else repr(value)


def cell_by_cell(image: str, found: Detections, numbers: list[int] | None, ground: bool) -> Iterator[list[str]]:
    """Yield the rows of an image without a place on the ground."""
    for i, (x, y) in enumerate(found.xy.tolist()):
        sizes = ["", ""] if found.wh is None else [size(value) for value in found.wh[i].tolist()]
        cells = [fixed(x, 3), fixed(y, 3), *sizes, fixed(float(found.score[i]), 6), found.names[i]]
        yield [image, *cells, *([""] * len(GROUND) if ground else []), *([] if numbers is None else [str(numbers[i])])]


def old_bytes(header: tuple[str, ...], rows: list[list[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows([[guarded(cell) for cell in row] for row in (header, *rows)])
    return out.getvalue().encode()


@st.composite
def found_in_images(draw: st.DrawFn) -> dict[str, Detections]:
    names = draw(st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=4, unique=True))
    classes = tuple(draw(st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=5, unique=True)))
    by_image = {}
    for name in names:
        n = draw(st.integers(0, 5))
        boxes = draw(arrays(float, (n, 2), elements=st.floats(1e-7, 1e5)) | st.none())
        xy = draw(arrays(float, (n, 2), elements=CENTRES))
        score = draw(arrays(float, n, elements=st.floats(0, 1)))
        label = draw(arrays(np.int64, n, elements=st.integers(0, len(classes) - 1)))
        by_image[name] = Detections(xy, score, label, classes, boxes)
    return by_image


@given(found_in_images(), st.booleans())
def test_the_bytes_are_those_of_cells_written_one_by_one(by_image: dict[str, Detections], numbered: bool) -> None:
    numbers = {name: np.arange(len(found)) + 7 for name, found in by_image.items()} if numbered else None
    header = (*HEADER, OBJECT) if numbered else HEADER
    rows = []
    for name, found in by_image.items():
        rows += list(cell_by_cell(name, found, None if numbers is None else numbers[name].tolist(), False))
    assert detections_bytes(by_image, None, numbers) == old_bytes(header, rows)


def test_places_on_the_ground_are_cells_of_their_own() -> None:
    """Of pixels of 10, two decimals are written (3 beyond their size): 10 * 0 - 0.001 is 0.00, without a sign."""
    found = Detections(np.array([[0.0, 0.0], [2.0, 1.0]]), np.array([0.5, 1.0]), np.array([0, 1]), ("=a", "b"))
    placements = {"p,q": Placement((10.0, 0.0, -0.001, 0.0, -10.0, 50.0), None), "r": None}
    text = detections_bytes({"p,q": found, "r": found[:1]}, placements).decode().splitlines()
    assert text == [
        "image,x,y,w,h,score,label,map_x,map_y,lon,lat",
        '"p,q",0.000,0.000,,,0.500000,\'=a,0.00,50.00,,',
        '"p,q",2.000,1.000,,,1.000000,b,20.00,40.00,,',
        "r,0.000,0.000,,,0.500000,'=a,,,,",
    ]


def test_every_object_has_a_number() -> None:
    found = Detections(np.zeros((2, 2)), np.ones(2), np.zeros(2, int), ("a",))
    with pytest.raises(ValueError, match="2 objects have 1 numbers"):
        detections_bytes({"i": found}, None, {"i": np.array([1])})


@pytest.mark.parametrize("name", ["", " a", "a\n", "\x07"])
def test_names_that_cannot_be_read_back_are_refused(name: str) -> None:
    found = Detections.empty(("a",))
    with pytest.raises(UnwritableError):
        detections_bytes({name: found})
    with pytest.raises(UnwritableError):
        writable(name, "label")

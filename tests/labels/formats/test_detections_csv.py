from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.crs import CRS

from detect.imagery.ground.geodesy import Placement
from detect.labels.annotations import AnnotationError
from detect.labels.detections import Detections
from detect.labels.formats.detections_csv import detections_bytes, read_detections, write_detections

Make = Callable[..., Path]

HEADER = "image,x,y,w,h,score,label\n"
CLASSES = ("tree", "a, b", "NA")


@st.composite
def detections(draw: st.DrawFn) -> Detections:
    number = draw(st.integers(1, 5))
    xy = draw(arrays(np.float64, (number, 2), elements=st.floats(-10, 1e6)))
    wh = draw(st.none() | arrays(np.float64, (number, 2), elements=st.floats(1e-5, 1e3)))
    score = draw(arrays(np.float64, number, elements=st.floats(0, 1)))
    return Detections(xy, score, draw(arrays(np.int64, number, elements=st.integers(0, 2))), CLASSES, wh)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=st.dictionaries(st.sampled_from(["5.jpg", "b/ä, 1.tif", "007"]), detections()))
def test_law_6_detections_come_back_to_their_digits(tmp_path: Path, written: dict[str, Detections]) -> None:
    path = tmp_path / "detections.csv"
    write_detections(written, path)
    read = read_detections(path, CLASSES)
    assert list(read) == list(written)
    for name, before in written.items():
        after = read[name]
        assert after.names == before.names and after.classes == CLASSES
        np.testing.assert_allclose(after.xy, before.xy, rtol=0, atol=0.000501)
        np.testing.assert_allclose(after.score, before.score, rtol=0, atol=0.000000501)
        assert (after.wh is None) == (before.wh is None)
        if before.wh is not None:
            np.testing.assert_allclose(after.wh, before.wh, rtol=0, atol=0.000501)
    write_detections(read, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == path.read_bytes()


def test_the_file_is_as_the_contract_says(tmp_path: Path) -> None:
    point = Detections(np.array([[1, -0.0001]]), np.array([0.5]), np.array([0]), ("t",))
    box = Detections(np.array([[1.23456, 2]]), np.array([1]), np.array([0]), ("t",), np.array([[3, 0.0001]]))
    write_detections({"a.png": point, "b.png": box, "c.png": Detections.empty(("t",))}, tmp_path / "d.csv")
    assert (tmp_path / "d.csv").read_text().splitlines() == [
        "image,x,y,w,h,score,label",
        "a.png,1.000,0.000,,,0.500000,t",
        "b.png,1.235,2.000,3.000,0.0001,1.000000,t",
    ]


def test_nothing_found_is_a_file_too(tmp_path: Path) -> None:
    write_detections({}, tmp_path / "new" / "d.csv")
    assert read_detections(tmp_path / "new" / "d.csv") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,x,y,score\n", r"d\.csv.* w, h, label;"),
        (HEADER + "a,1,1,,,0.5,t\na,1,1,,,1.5,t", r"d\.csv line 3: score .*\[0, 1\].*'1\.5'"),
        (HEADER + "\na,one,1,,,0.5,t", r"d\.csv line 3: x .*'one'"),
        (HEADER + "a,1,1,0,1,0.5,t", r"d\.csv line 2: w .*'0'"),
        (HEADER + "a,1,1,1,,0.5,t", r"d\.csv line 2: h .*w.*''"),
        (HEADER + "a,1,1,1,1,0.5,t\na,1,1,,,0.5,t", r"d\.csv line 3: w .*''"),
        (HEADER + "a,1,1,,,0.5,x", r"d\.csv line 2: label .*\['t'\].*'x'"),
        (HEADER + ",1,1,,,0.5,t\n,1,1,,,0.5,t", r"d\.csv line 2: image .*''.*\b1 more"),
    ],
)
def test_each_problem_names_file_line_and_value(table: Make, text: str, message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        read_detections(table(text, "d.csv"), ["t"])


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("old")
    bad = Detections(np.ones((1, 2)), np.ones(1), np.zeros(1, np.int64), ("two\nlines",))
    with pytest.raises(ValueError, match=r"two\\nlines"):
        write_detections({"a": bad}, path)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_the_place_on_the_ground_is_there_where_an_image_has_a_georeference(tmp_path: Path) -> None:
    """10 pixels of half a metre east and 4 south of 500,000 E on UTM's central meridian, which is 15 degrees east."""
    found = Detections(np.array([[10.0, 4.0]]), np.array([0.5]), np.array([0]), ("cow",))
    utm = CRS.from_epsg(32633).to_wkt()
    placements = {
        "a.tif": Placement((0.5, 0, 500_000, 0, -0.5, 0), utm),
        "b.tif": Placement((0.5, 0, 7, 0, -0.5, 0), None),
        "c.png": None,
    }
    path = tmp_path / "detections.csv"
    path.write_bytes(detections_bytes(dict.fromkeys(placements, found), placements))
    header, *rows = path.read_text().splitlines()
    assert header == "image,x,y,w,h,score,label,map_x,map_y,lon,lat"
    place = rows[0].split(",")[7:]
    assert place[:2] == ["500005.0000", "-2.0000"]
    assert float(place[2]) == pytest.approx(15 + 5 / (111_319.49 * 0.9996), abs=1e-8)
    assert float(place[3]) == pytest.approx(-2 / (110_574.3 * 0.9996), abs=1e-8)
    assert rows[1].split(",")[7:] == ["12.0000", "-2.0000", "", ""]
    assert rows[2].split(",")[7:] == ["", "", "", ""]
    read = read_detections(path)
    assert list(read) == list(placements) and all(each.xy.tolist() == [[10.0, 4.0]] for each in read.values())


def test_without_a_georeference_the_header_is_as_ever() -> None:
    found = Detections(np.array([[10.0, 4.0]]), np.array([0.5]), np.array([0]), ("cow",))
    assert detections_bytes({"a.png": found}, {"a.png": None}) == detections_bytes({"a.png": found})


@pytest.mark.parametrize(("side", "digits"), [(1e-6, 9), (0.05, 5), (30.0, 2), (5000.0, 0), (0.0, 12)])
def test_map_coordinates_have_three_digits_more_than_a_pixel(side: float, digits: int) -> None:
    found = Detections(np.array([[1 / 3, 0]]), np.array([0.5]), np.array([0]), ("cow",))
    text = detections_bytes({"a": found}, {"a": Placement((side, 0, 0.5, 0, side, 0.5), None)}).decode()
    assert len(text.splitlines()[1].split(",")[7].partition(".")[2]) == digits

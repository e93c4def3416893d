"""Lists of defects as CSV: read whatever their columns are called, in the unit named, or refused with a line."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.scenes import SceneError
from detect.imagery.wafers.defect_writing import HEADER
from detect.imagery.wafers.drawn.drawing import Drawing, drawn_by
from detect.imagery.wafers.errors import WaferError
from detect.imagery.wafers.wafer import Wafer
from detect.imagery.wafers.wafer_files import is_wafer_file, read_parts, read_wafers


def read(path: Path, text: str, keep: bool = False) -> list[Wafer]:
    """Read the wafers of a text."""
    path.write_bytes(text.encode())
    assert is_wafer_file(path)
    return [*read_wafers(path, keep)]


@pytest.mark.parametrize(
    "text",
    [
        "x_mm,y_mm,diameter_mm\n1.5,-2,300\n",
        "X (um),Y [µm],Diameter (mm)\r\n1500,-2000,300\r\n",
        "# unit: um\n# diameter_mm = 300\n#\nx,y\n1500,-2000\n",
        "# unit: mm\n# diameter: 300\nx,y_um\n1.5,-2000",
        '\ufeff"x_mm";"y_mm";diameter_mm\n\n 1.5 ; -2e0;"300"\n;;\n',
        "# Diameter_um: 300000\nx_mm\ty_mm\n1.5\t-2\n",
    ],
)
def test_places_are_in_the_unit_that_is_named(tmp_path: Path, text: str) -> None:
    """1,500 and -2,000 um are 1.5 and -2 mm; without a column of wafers the file's name is the wafer's."""
    (found,) = read(tmp_path / "W 7.wafer.csv", text)
    assert (found.lot, found.name, found.diameter_mm, found.die, found.pitch_mm) == ("", "W 7", 300.0, None, None)
    assert found.xy_mm.tolist() == [[1.5, -2.0]]
    assert np.isnan(found.size_mm).all() and found.kinds.tolist() == [0] and found.images == ()


def test_all_columns_and_two_wafers_of_which_one_has_no_defects(tmp_path: Path) -> None:
    text = (
        "wafer_id,Lot,x_mm,y_mm,xindex,yindex,size_um,label,diameter_mm,pitch_x_mm,pitch_y_mm,note\n"
        "01,A,1,2,-3,4,500,ring,200,5,6,n\n"
        "01,A,3,4,0,0,,'=1+1,200,5,6,n\n"
        "02,A,,,,,,,200,5,6,\n"
    )
    one, two = read(tmp_path / "a.csv", text)
    assert (one.lot, one.name, two.name, one.pitch_mm) == ("A", "01", "02", (5.0, 6.0))
    assert one.die is not None and one.die.tolist() == [[-3, 4], [0, 0]]
    np.testing.assert_array_equal(one.size_mm, [0.5, np.nan])
    assert one.kinds.tolist() == [0, 1] and dict(one.kind_names) == {0: "ring", 1: "=1+1"}
    assert len(two) == 0 and one.remarks == ("columns that are not read: 'note'",)


def test_classes_are_numbers_or_names_that_are_counted_over_the_whole_list(tmp_path: Path) -> None:
    head = "# diameter_mm: 300\nwafer,x_mm,y_mm,class,class_name\n"
    (found,) = read(tmp_path / "a.csv", f"{head}1,0,0,7,scratch\n1,0,0,-2,\n")
    assert found.kinds.tolist() == [7, -2] and dict(found.kind_names) == {7: "scratch"}
    one, two = read(tmp_path / "a.csv", f"{head}1,0,0,ring,\n1,0,0,edge,\n2,0,0,edge,\n")
    assert one.kinds.tolist() == [0, 1] and two.kinds.tolist() == [1] and dict(two.kind_names) == {1: "edge"}


HEAD = "# diameter_mm: 300\nwafer,x_mm,y_mm,size_mm,die_col,die_row,class,class_name\n"
ROW = "1,0,0,1,2,3,4,a\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{HEAD}{ROW}1,0,x,1,2,3,4,a\n", "line 4: y must be a number, is 'x'"),
        (f"{HEAD}{ROW}1,nan,0,1,2,3,4,a\n", "line 4: x must be a number, is 'nan'"),
        (f"{HEAD}{ROW}1,,0,1,2,3,4,a\n", "line 4: x must be a number, is ''"),
        (f"{HEAD}{ROW}1,1500,0,1,2,3,4,a\n", "line 4: a defect outside the wafer, whose diameter is 300 mm"),
        (f"{HEAD}{ROW}1,0,0,-1,2,3,4,a\n", "line 4: a size must be 0 or more"),
        (f"{HEAD}{ROW}1,0,0,1e999,2,3,4,a\n", "line 4: a size must be 0 or more"),
        (f"{HEAD}{ROW}1,0,0,1,2.5,3,4,a\n", "line 4: die_col and die_row must be whole"),
        (f"{HEAD}{ROW}1,0,0,1,,,4,a\n", "line 4: die_col and die_row must be whole numbers, of every defect"),
        (f"{HEAD}{ROW}1,0,0,1,9999999999999999999,3,4,a\n", "line 4: die_col and die_row must be whole"),
        (f"{HEAD}{ROW}1,0,0,1,2,3,b,a\n", "line 4: a class must be a number as in rows before, is 'b'"),
        (f"{HEAD}{ROW}1,0,0,1,2,3,4,b\n", "line 4: class 4 is 'b' here, and another in rows before"),
        (f"{HEAD}{ROW}1,0,0\n", "line 4: 3 fields, and the header has 8"),
        (f"{HEAD}{ROW}2{ROW[1:]}{ROW}", "line 5: wafer '1' is there already; sort"),
        (f"{HEAD}", "line 2: the list has no rows"),
        ("x_mm,y_mm\n1,2\n", "line 2: no diameter; give a column diameter_mm or"),
        ("x_mm,y_mm,diameter_mm\n1,2,300\n1,2,200\n", "line 3: another diameter or pitch_x"),
        ("x_mm,y_mm,diameter_mm\n1,2,300000\n", "line 2: a wafer's diameter must be 10 to 1000 mm"),
        ("# pitch_x_mm: 5\nx_mm,y_mm,diameter_mm\n1,2,300\n", "line 3: pitch_x and pitch_y go together"),
        ("# pitch_x_um: 5\n# pitch_y_um: 5\nx_mm,y_mm,diameter_mm\n1,2,300\n", "must be 0.02 to 600 mm on this wafer"),
        (f'{HEAD}{ROW}1,0,0,1,2,3,4,"a"b\n', "line 4: not CSV"),
        (f"{HEAD}{ROW}1,0,0,1,2,3,5,{'a' * 1001}\n", "line 4: more than 100,000 classes, or a name of more than 1,000"),
        (f"{HEAD}{ROW}{'w' * 1001}{ROW[1:]}", "line 4: ids of lot and wafer of more than 1,000 letters"),
        ("#\n" * 1001 + f"{HEAD}{ROW}", "line 1001: "),
        (HEAD + ('"' + "a" * 60_000 + '\n",') * 40, "line 20: a row, or what stands before the header, of more than"),
        (f"{HEAD}{ROW}1,0,0,1,2,3,4,a\0\n", "line 4: a byte of value 0"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(WaferError) as caught:
        read(tmp_path / "a.csv", text)
    assert message in str(caught.value)


@pytest.mark.parametrize("cut", [4, 9, 12])
def test_a_last_row_that_is_cut_off_is_refused_or_left_out(tmp_path: Path, cut: int) -> None:
    text = f"{HEAD}{ROW}1,5,0,1,2,3,4,a"[:-cut]
    with pytest.raises(WaferError, match=r"line 4: the last row is cut off.*truncated=keep"):
        read(tmp_path / "a.csv", text)
    (found,) = read(tmp_path / "a.csv", text, keep=True)
    assert len(found) == 1
    assert found.remarks == ("cut off, and read as far as it goes: line 4, whole defects before: 1",)


@pytest.mark.parametrize(
    "header",
    [
        "image,x,y,label",
        "x,y",
        "x_mm,z_mm",
        "# unit: inch\nx,y",
    ],
)
def test_other_tables_are_none(tmp_path: Path, header: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{header}\n1,2,3,4\n", encoding="utf-8")
    assert not is_wafer_file(path)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("x_mm,x_um,y_mm", "column 'x' is there twice"),
        ("x_mm,y_mm,die_col", "die_col and die_row go together"),
        ("x_mm,y_mm,size", "column 'size' has no unit; name it size_mm"),
    ],
)
def test_a_list_with_a_wrong_header_is_told_what_is_wrong_as_a_list_and_as_an_image(
    tmp_path: Path, header: str, said: str
) -> None:
    path = tmp_path / "a.wafer.csv"
    path.write_text(f"{header}\n1,2,3\n", encoding="utf-8")
    assert is_wafer_file(path)
    with pytest.raises(WaferError, match=f"line 1: {said}"):
        [*read_wafers(path)]
    with drawn_by(Drawing(64, 0.0, 1, False, 255, "as_given")), pytest.raises(SceneError, match=f"line 1: {said}"):
        open_scene(path)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("abc,2,300,1,4,5", "x must be a number, is 'abc'"),
        ("1,2,-300,1,4,5", "diameter must be 10 to 1000 mm, is -300 mm"),
        ("1,2,300,-1.5,4,5", "a size must be 0 or more, or blank for unknown, is '-1.5'"),
        ("1,2,300,1,4.5,5", "die_col and die_row must be whole numbers, .* is '4.5', '5'"),
    ],
)
def test_a_list_that_is_opened_as_an_image_names_the_line_and_the_value(tmp_path: Path, row: str, said: str) -> None:
    path = tmp_path / "a.wafer.csv"
    path.write_text(f"x_mm,y_mm,diameter_mm,size_mm,die_col,die_row\n{row}\n", encoding="utf-8")
    with drawn_by(Drawing(64, 0.0, 1, False, 255, "as_given")), pytest.raises(SceneError, match=f"line 2: .*{said}"):
        open_scene(path)


def test_a_long_line_is_refused_and_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(f"{HEAD}{ROW}".encode() + b"1" * (40 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(WaferError, match="line 4: longer than 65,536 bytes"):
            [*read_parts(path)]
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), keep=st.booleans())
def test_a_damaged_list_is_read_or_refused(tmp_path: Path, data: st.DataObject, keep: bool) -> None:
    damaged = f"{','.join(HEADER)}\nL,W,1,2,3,4,5,6,n,300,5,5,notch,i.png\nL,W,9,9,3,4,,6,n,300,5,5,notch,\n".encode()
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(damaged)))
        piece = data.draw(st.sampled_from([b"", b",", b'"', b"\n", b"\0", b"\xff", b"nan", b"9", b"-", b"#", b"'="]))
        damaged = damaged[:start] + piece + damaged[start + data.draw(st.integers(0, 20)) :]
    path = tmp_path / "a.csv"
    path.write_bytes(damaged)
    try:
        for part in read_parts(path, keep):
            assert (part.xy_mm**2).sum() <= len(part) * (1.05 * part.diameter_mm / 2) ** 2
    except WaferError as error:
        assert "line " in str(error) or "neither KLARF" in str(error)


def test_the_lists_of_a_long_file_come_in_parts(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEAD + ROW * 40_000, encoding="utf-8")
    assert [len(part) for part in read_parts(path)] == [16384, 16384, 40_000 - 2 * 16384, 0]

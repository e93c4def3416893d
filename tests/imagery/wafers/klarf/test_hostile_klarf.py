"""Whatever stands in a file, it is read, or refused with its line, and memory stays bounded."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detect.imagery.wafers.errors import WaferError
from detect.imagery.wafers.wafer_files import is_wafer_file, read_parts
from tests.imagery.wafers.klarf_writer import Defect, Listed, records, statements, write

in_a_folder = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
THREE = Listed(defects=(Defect(100, 200, 2, -1, 1.5, 3), Defect(4000, 3000, -3, 4, 12), Defect(9, 9, 0, 0)))
STATEMENTS, RECORDS = statements([THREE]), records([THREE])


def refused(path: Path, text: str | bytes) -> str:
    """Return the message by which a file is refused."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(WaferError) as caught:
        [*read_parts(path)]
    return str(caught.value).removeprefix(str(path))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("FileVersion 1 2", "FileVersion 1 5", "line 1: KLARF '1 5'; 1.0, 1.1, 1.2"),
        ("SampleType WAFER", "SampleType MASK", "line 4: SAMPLETYPE is 'MASK'; only wafers"),
        (
            "SampleSize 1 300.0",
            "SampleSize 1 300000",
            "line 7: SAMPLESIZE is wrong: a wafer's diameter must be 10 to",
        ),
        ("SampleSize 1 300.0", "SampleSize 2 300 200", "line 7: SAMPLESIZE must be one diameter"),
        (
            "DiePitch 5000.0 4000.0",
            "DiePitch 5 4",
            "line 11: DIEPITCH is wrong: a distance of dies must be 0.02",
        ),
        ("DiePitch 5000.0 4000.0", "DiePitch 5e6 4e6", "gives it in micrometres"),
        ("DiePitch 5000.0 4000.0", "DiePitch 5000.0", "line 11: DIEPITCH must be two numbers"),
        ("DiePitch 5000.0 4000.0;", "", "DIEPITCH is missing"),
        ("SampleCenterLocation 2500.0", "SampleCenterLocation nan", "SAMPLECENTERLOCATION must be numbers"),
        ("ClassLookup 2", "ClassLookup 3", "line 13: ClassLookup says '3' classes, and 2 follow"),
        ("Slot 3;", "SampleTestPlan 2\n 0 0;", "line 10: SampleTestPlan says 2 dies, and 1 follow"),
        ("Slot 3;", "SampleTestPlan 1\n 0 x;", "line 11: 'x' in SampleTestPlan, where a number belongs"),
        ("Slot 3;", "SampleTestPlan 1\n 0 0.5;", "line 10: the sample test plan has a die that is no whole number"),
        ("DefectRecordSpec 8", "DefectRecordSpec 9", "line 17: DEFECTRECORDSPEC says '9' columns and names 8"),
        ("DSIZE", "XREL", "line 17: DEFECTRECORDSPEC names a column twice"),
        ("XINDEX", "COLUMN", "line 18: the list of defects has no column XINDEX"),
        (" 1 100 200 ", " 1 100 ", "line 20: a row begins in the middle of the line"),
        (" 3 9 9 0", " 3 9 9", "line 21: a row of 7 values, and DefectRecordSpec has 8"),
        (" 3 9 9 0", " 3 9 9 0 0", "line 21: a row begins in the middle of the line"),
        (
            " 0 1;\n",
            " 0 1\n",
            "line 22: 'SummarySpec' where the number of a defect belongs; does the list of line 18",
        ),
        (" 1 100 200", " 1 x 200", "line 19: XREL and YREL must be numbers"),
        (" 1 100 200", " 1 1e999 200", "line 19: XREL and YREL must be numbers"),
        (" 2 4000 3000 -3", " 2 4000 3000 -3.5", "line 20: XINDEX and YINDEX must be whole"),
        (" 2 4000 3000 -3", " 2 4000 3000 99", "line 20: a defect outside the wafer, whose diameter is 300 mm"),
        (" 2 4000 3000 -3", " 2 4000 3000 9e30", "line 20: XINDEX and YINDEX must be whole"),
        ("EndOfFile;", "EndOfFile;\nFileVersion 1 2;", "line 26: text after EndOfFile; are these two files in one?"),
        ('LotID "L1"', 'LotID "L1', 'line 3: a quotation mark (") is not closed on its line'),
        ("Slot 3;", '"Slot" 3;', "line 10: 'Slot' where the name of a statement belongs"),
        (" 1 100 200", " 1 100 \0 200", "line 19: a byte of value 0, which no text has"),
    ],
)
def test_what_is_wrong_in_a_statement_is_told_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert STATEMENTS.count(old) >= 1
    assert message in refused(tmp_path / "a.000", STATEMENTS.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"1.8"', '"1.9"', "line 2: KLARF '1.9'"),
        ("Columns 8", "Columns 9", "line 10: List DefectList says 9 columns, and 8 follow"),
        ("Data 3\n{\n1", "Data 4\n{\n1", "the list of line 8 says 4, and 3 follow"),
        ("Field DiePitch 2", "Field DiePitch 3", "Field DiePitch says 3 values, and 2 follow"),
        ("5000000.0, 4000000.0", "5000.0, 4000.0", "this version of KLARF gives it in nanometres"),
        (" 1500.0 3 1 ;", " 1500.0 3 ;", "line 14: a row of 7 values, and the list has 8 columns"),
        (" 1500.0 3 1 ;", " 1500.0 3 1 1 ;", "line 14: a row of more values"),
        (" 1500.0 3 1 ;", " 1500.0 { 1 ;", "List DefectList: a brace wanted after its rows"),
        (" 1500.0 3 1 ;", ' 1500.0 3 Images 2 { "a.png" };', "line 14: Images says 2 images, and 1 follow"),
        ("}\nEndOfFile;", "EndOfFile;", "EndOfFile before the brace that ends FILERECORD"),
        ("}\nEndOfFile;", "}\n}\nEndOfFile;", "'}' where Record, Field, List or EndOfFile belongs"),
        ("Field FileTimestamp", "Feld FileTimestamp", "'Feld' where Record, Field, List or EndOfFile belongs"),
        ('Record LotRecord "L1"', 'Record A "x" {' * 70, "more than 64 records inside each other"),
        ("List DefectList\n{", "List Other\n" + "{" * 500_000, "the file ends in List Other"),
    ],
)
def test_what_is_wrong_in_a_record_is_told(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert RECORDS.count(old) >= 1
    assert message in refused(tmp_path / "a.001", RECORDS.replace(old, new, 1))


@pytest.mark.parametrize("text", [STATEMENTS, RECORDS])
@pytest.mark.parametrize(
    "filled",
    [b" 7" * (20 << 20), b'"' + b"x" * (40 << 20), b"x" * (40 << 20), b"\n" * (40 << 20), b'"a" ' * (10 << 20)],
)
def test_a_long_line_is_refused_and_is_not_held(tmp_path: Path, text: str, filled: bytes) -> None:
    """40 MiB without an end of line in front of the first row; a block of 1 MiB is held, and what is found in it."""
    path = tmp_path / "a.000"
    at = text.index(" 1 100" if text is STATEMENTS else "1 100000.0")
    path.write_bytes(text[:at].encode() + filled + text[at:].encode())
    tracemalloc.start()
    try:
        if filled.isspace():
            assert sum(map(len, read_parts(path))) == 3
        else:
            with pytest.raises(WaferError, match=r"line \d+: longer than 1,048,576 bytes"):
                [*read_parts(path)]
        assert tracemalloc.get_traced_memory()[1] < 48 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('LotID "L1"', f'LotID "{"x" * 5000}"', "a word of 5,002 bytes, and 4,096 are the most"),
        ('LotID "L1"', f"LotID {'x ' * 600_000}", "LOTID has more than 500,000 words"),
        ('LotID "L1"', f"LotID {('y' * 4000 + chr(10)) * 6000}", "fields and tables of more than 16,777,216 bytes"),
        ("DefectList", f"TiffFileName {'x' * 300}; DefectList", "TiffFileName of 300 letters, and 260 are the most"),
    ],
)
def test_what_is_kept_of_a_file_is_bounded(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert message in refused(tmp_path / "a.000", STATEMENTS.replace(old, new, 1))


def test_a_wafer_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    assert "wafer 'W1' of lot 'L1' is there already, from line 9" in refused(
        tmp_path / "a.000", statements([THREE, THREE])
    )


def test_another_centre_at_a_wafers_second_list_is_refused(tmp_path: Path) -> None:
    at = STATEMENTS.index("SummarySpec")
    second = "SampleCenterLocation 0 0;\nDefectList\n 4 9 9 0 0 1 0 1;\n"
    text = STATEMENTS[:at] + second + STATEMENTS[at:]
    assert "line 23: SAMPLECENTERLOCATION is another than at the wafer's first list" in refused(
        tmp_path / "a.000", text
    )


@pytest.mark.parametrize("data", [b"", b"\0" * 5000, b"\x89PNG\r\n", b"FileVersions 1 2;", b"image,x,y,label\n", b"{}"])
def test_other_files_are_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    assert not is_wafer_file(tmp_path / "a")
    assert "neither KLARF" in refused(tmp_path / "a", data)
    assert not is_wafer_file(tmp_path) and not is_wafer_file(tmp_path / "missing")


PIECES = st.sampled_from(
    [
        *(
            b"{",
            b"}",
            b";",
            b'"',
            b"\n",
            b" ",
            b"0",
            b"-",
            b"\0",
            b"\xff",
            b"N",
            b"nan",
            b"1e999",
            b"EndOfFile;",
            b"DefectList",
        )
    ]
)


@in_a_folder
@given(data=st.data(), text=st.sampled_from([STATEMENTS, RECORDS]), keep=st.booleans())
def test_a_damaged_file_is_read_or_refused_with_a_line(
    tmp_path: Path, data: st.DataObject, text: str, keep: bool
) -> None:
    """Pieces are put in, and stretches taken out, anywhere; there is no other error, and no defect beside the wafer."""
    damaged = text.encode()
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(damaged)))
        end = min(len(damaged), start + data.draw(st.integers(0, 40)))
        damaged = damaged[:start] + data.draw(PIECES) + damaged[end:]
    path = tmp_path / "a.000"
    path.write_bytes(damaged)
    try:
        for part in read_parts(path, keep):
            assert (part.xy_mm**2).sum() <= len(part) * (1.05 * part.diameter_mm / 2) ** 2
    except WaferError as error:
        assert "line " in str(error) or "neither KLARF" in str(error)


def test_defects_beside_their_die_and_at_the_rim_are_remarked(tmp_path: Path) -> None:
    """x = 150 + 3 - 2.5 = 150.5 mm is beyond the radius of 150 mm; 6000 um are beyond a die of 5000 um."""
    wafer = replace(THREE, defects=(Defect(3000, 2000, 30, 0), Defect(6000, 0, 0, 0, -1.0)))
    path = write(tmp_path / "a.000", statements([wafer]))
    assert [*read_parts(path)][-1].remarks == (
        "defects outside the die that they name: 1",
        "defects outside the wafer, by 5 % of its radius at most: 1",
        "defects with a size below 0, taken as unknown: 1",
    )

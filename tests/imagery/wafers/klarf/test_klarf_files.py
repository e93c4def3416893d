"""Files of others' tools are read right, or refused with the line and the way out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detect.imagery.wafers.klarf.events import DefectRows
from detect.imagery.wafers.wafer import Wafer
from detect.imagery.wafers.wafer_files import is_wafer_file, read_parts, read_wafers
from tests.imagery.wafers.klarf_writer import Defect, Listed, records, statements, write

in_a_folder = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

DEFECTS = st.builds(
    Defect,
    x=st.floats(0, 5000),
    y=st.floats(0, 4000),
    col=st.integers(-15, 15),
    row=st.integers(-20, 20),
    size=st.floats(0, 900),
    kind=st.sampled_from([0, 3, 77]),
    test=st.integers(1, 2),
)
WAFERS = st.lists(
    st.builds(
        Listed,
        name=st.text("AZ09-;{} ", min_size=1).filter(lambda name: name == name.strip()),
        defects=st.lists(DEFECTS, max_size=5),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda wafer: wafer.name,
)
TWO = Listed(defects=(Defect(100.5, 200.25, 2, -1, 1.5, 3), Defect(4000, 3000, -3, 4, 12, 0, 2)))


def places_mm(wafer: Listed) -> np.ndarray:
    """Return the places by the rule: index times pitch, plus the place in the die, less the centre; 1 mm is 1000 um."""
    return np.array(
        [
            (
                (each.col * wafer.pitch[0] + each.x - wafer.centre[0]) / 1e3,
                (each.row * wafer.pitch[1] + each.y - wafer.centre[1]) / 1e3,
            )
            for each in wafer.defects
        ]
    ).reshape(-1, 2)


def check_read(found: Sequence[Wafer], wanted: Sequence[Listed]) -> None:
    """Check that wafers are those that were written."""
    assert [(each.lot, each.name, each.diameter_mm, each.pitch_mm) for each in found] == [
        ("L1", each.name, 300.0, (5.0, 4.0)) for each in wanted
    ]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one.xy_mm, places_mm(other), atol=1e-9)
        np.testing.assert_allclose(one.size_mm, [each.size / 1e3 for each in other.defects], atol=1e-12)
        assert one.die is not None
        assert one.die.tolist() == [[each.col, each.row] for each in other.defects]
        assert one.kinds.tolist() == [each.kind for each in other.defects]
        assert dict(one.kind_names) == {0: "none", 3: "big scratch"}
        assert one.images == () and one.remarks == ()


@in_a_folder
@given(
    wafers=WAFERS, version=st.sampled_from(["1 0", "1 1", "1 2"]), wrap=st.sampled_from([0, 3, 7]), small=st.booleans()
)
def test_statements_are_read_in_every_version_wrapped_or_not(
    tmp_path: Path, wafers: list[Listed], version: str, wrap: int, small: bool
) -> None:
    text = statements(wafers, version, wrap=wrap)
    path = write(tmp_path / "a.000", text.replace("SampleSize", "samplesize").replace("\n", "\r\n") if small else text)
    assert is_wafer_file(path)
    check_read([*read_wafers(path)], wafers)


@in_a_folder
@given(wafers=WAFERS)
def test_records_are_read_in_nanometres_with_fields_after_the_wafers(tmp_path: Path, wafers: list[Listed]) -> None:
    path = write(tmp_path / "a.001", records(wafers))
    assert is_wafer_file(path)
    check_read([*read_wafers(path)], wafers)


@pytest.mark.parametrize("form", [statements, records])
def test_a_place_by_hand(tmp_path: Path, form: object) -> None:
    """Die (2, -1) of 5 x 4 mm, 0.1005 mm and 0.20025 mm in it, the centre at (2.5, 2): (7.6005, -5.79975) mm."""
    found = next(read_wafers(write(tmp_path / "a.000", form([TWO]))))  # type: ignore[operator]
    np.testing.assert_allclose(found.xy_mm[0], (2 * 5 + 0.1005 - 2.5, -4 + 0.20025 - 2))
    assert found.mark == ("notch down" if form is statements else "notch 0")


@pytest.mark.parametrize("form", [statements, records])
def test_the_dies_that_were_inspected_are_those_of_all_tests(
    tmp_path: Path, form: Callable[[Sequence[Listed]], str]
) -> None:
    """Two tests share a die; a defect lies on one that neither has; the second wafer has no plan of its own."""
    first = replace(TWO, plans=([(2, -1), (0, 0)], [(0, 0), (5, 5)]))
    one, two = read_wafers(write(tmp_path / "a.000", form([first, replace(TWO, name="W2")])))
    assert one.inspected is not None and one.inspected.tolist() == [[0, 0], [2, -1], [5, 5]]
    assert one.remarks == ("defects on dies that the sample test plan has not: 1",)
    assert (two.inspected is None) == (form is records)


def test_fields_may_stand_after_the_defects_and_a_later_wafers_do_not_count_for_it(tmp_path: Path) -> None:
    """The centre follows the first list; the second wafer's DieOrigin and centre stand in front of its WaferID."""
    lines = statements([TWO, replace(TWO, name="W2", centre=(0.0, 0.0))]).splitlines()
    first, second = (at for at, line in enumerate(lines) if line.startswith("SampleCenterLocation"))
    lines.insert(next(at for at, line in enumerate(lines) if line.startswith("SummarySpec")), lines[first])
    del lines[first]
    found = [*read_wafers(write(tmp_path / "a.000", "\n".join(lines)))]
    np.testing.assert_allclose(found[0].xy_mm - found[1].xy_mm, [[-2.5, -2.0]] * 2)
    assert second > first


def test_images_are_kept_as_names(tmp_path: Path) -> None:
    """In statements a file and numbers, two words each; in records words in braces, of which the first is the name."""
    text = statements([TWO]).replace("Spec 8 ", "Spec 9 ").replace("TEST ;", "TEST IMAGELIST ;")
    text = text.replace("DefectList", 'TiffFileName "a b.tif";\nDefectList')
    text = text.replace(" 3 1\n", " 3 1 2\n 7 0\n 9 0\n").replace(" 0 2;", " 0 2 0;")
    assert next(read_wafers(write(tmp_path / "a.000", text))).images == ("a b.tif#7;a b.tif#9", "")
    text = records([TWO]).replace("double TEST }", "double TEST, ImageList I }").replace("Columns 8", "Columns 9")
    text = text.replace("0 2 ;", "0 2 N;")
    text = text.replace("3 1 ;", '3 1 Images 2 { "p/a.png" "PNG" 1 "x", "b}.png" "PNG" 2 "y" };')
    assert next(read_wafers(write(tmp_path / "a.001", text))).images == ("p/a.png;b}.png", "")


def test_numbers_that_are_not_available_matter_only_where_they_are_read(tmp_path: Path) -> None:
    text = records([TWO]).replace("double TEST }", "double TEST, float PHI }").replace("Columns 8", "Columns 9")
    text = text.replace("3 1 ;", "3 1 NA;").replace("0 2 ;", "0 2 0.5;")
    path = write(tmp_path / "a.001", text)
    check_read([*read_wafers(path)], [TWO])
    line = 1 + text[: text.index("100500")].count("\n")
    write(path, text.replace(" 100500.0 ", " NA "))
    with pytest.raises(ValueError, match=rf"a\.001, line {line + 1}: XREL and YREL must be numbers"):
        [*read_wafers(path)]


def many(count: int) -> Listed:
    """A wafer of many defects."""
    return Listed(defects=[Defect(at % 5000, at % 4000, at % 21 - 10, at % 17 - 8, 1.0, 3) for at in range(count)])


@pytest.mark.parametrize("form", [statements, records])
def test_a_long_list_comes_in_parts_and_is_the_same_with_or_without_the_fast_way(
    tmp_path: Path, form: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """50,000 rows are more than a block; read word by word they are the same."""
    path = write(tmp_path / "a.000", form([many(50_000)]))  # type: ignore[operator]
    parts = [*read_parts(path)]
    assert len(parts) > 2 and max(map(len, parts)) < 50_000 and len(parts[-1]) == 0
    fast = next(read_wafers(path))
    monkeypatch.setattr(DefectRows, "_plain", lambda self: None)
    slow = next(read_wafers(path))
    for name in ("xy_mm", "size_mm", "kinds", "die"):
        np.testing.assert_array_equal(getattr(fast, name), getattr(slow, name))
    check_read([fast], [many(50_000)])


@pytest.mark.parametrize("form", [statements, records])
@pytest.mark.parametrize("plain", [True, False])
def test_a_list_that_is_cut_off_is_refused_and_keeps_whole_rows_where_asked_to(
    tmp_path: Path, form: object, plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut in the third of four rows. Of 1.8 the lot's fields are lost too, unless they stand before the wafers."""
    if not plain:
        monkeypatch.setattr(DefectRows, "_plain", lambda self: None)
    wafer = Listed(defects=[Defect(1000.0 + at, 20, 1, 1) for at in range(4)])
    text: str = form([wafer])  # type: ignore[operator]
    cut = text[: text.index("1002000.0" if form is records else "1002.0") + 4]
    path = write(tmp_path / "a.000", cut)
    with pytest.raises(ValueError, match=r"the file ends in the list of defects.*it was cut off.*truncated=keep"):
        [*read_parts(path)]
    if form is records:
        with pytest.raises(ValueError, match=r"SAMPLESIZE is missing"):
            [*read_parts(path, keep=True)]
        lot = "Field DiePitch 2 {5000000, 4000000}\nField SampleSize 2 {300000000, 0}\n"
        write(path, cut.replace("Record WaferRecord", f"{lot}Record WaferRecord"))
    found = next(read_wafers(path, keep=True))
    np.testing.assert_allclose(found.xy_mm, places_mm(replace(wafer, defects=wafer.defects[:2])))
    assert len(found.remarks) == 1 and found.remarks[0].startswith("cut off, and read as far as it goes: line ")
    assert found.remarks[0].endswith("whole defects before: 2")


@pytest.mark.parametrize("end", range(1, 40))
def test_every_cut_near_the_end_is_found(tmp_path: Path, end: int) -> None:
    text = statements([TWO]).rstrip()
    path = write(tmp_path / "a.000", text[:-end])
    if text[-end:] == ";":
        assert len(next(read_wafers(path))) == 2
    else:
        with pytest.raises(ValueError, match=r"line [0-9]+: "):
            [*read_wafers(path)]


def test_counts_that_differ_from_the_summary_are_refused_and_told_where_asked_to(tmp_path: Path) -> None:
    text = statements([TWO]).replace("\n 2 1 0.1", "\n 2 5 0.1")
    line = 1 + text[: text.index("\n 2 5 0.1")].count("\n") + 1
    path = write(tmp_path / "a.000", text)
    with pytest.raises(
        ValueError, match=rf"line {line}: wafer 'W1': defects of test 2: the summary says 5, the list has 1"
    ):
        [*read_wafers(path)]
    assert next(read_wafers(path, keep=True)).remarks == (
        "of other counts than it says, and read as it is: defects of test 2: the summary says 5, the list has 1",
    )
    path = write(tmp_path / "a.001", records([TWO]).replace("Data 2\n{\n1 ", "Data 3\n{\n1 ", 1))
    with pytest.raises(ValueError, match="says 3, and 2 follow"):
        [*read_wafers(path)]

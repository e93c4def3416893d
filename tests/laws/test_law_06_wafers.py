"""Law 6 for wafers: the list of defects that is written is read as the same wafers, from whatever it was converted."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detect.imagery.wafers.defect_writing import write_defects
from detect.imagery.wafers.wafer import Wafer
from detect.imagery.wafers.wafer_files import read_parts, read_wafers

in_a_folder = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=8)


@st.composite
def wafers(draw: st.DrawFn) -> list[Wafer]:
    """Up to three wafers, with dies, pitch, sizes, images, mark and names of classes or without."""
    return [
        one_wafer(draw, lot, name)
        for lot, name in draw(st.lists(st.tuples(NAMES | st.just(""), NAMES), min_size=1, max_size=3, unique=True))
    ]


def one_wafer(draw: st.DrawFn, lot: str, name: str) -> Wafer:
    """A wafer of 25 to 450 mm; defects lie within its inner square."""
    count, diameter = draw(st.integers(0, 4)), draw(st.floats(25, 450))
    places = st.floats(-diameter / 3, diameter / 3)
    kinds = draw(arrays(np.int64, count, elements=st.integers(-(2**53), 2**53)))
    named = {int(kind): draw(NAMES) for kind in kinds if draw(st.booleans())}
    images = draw(st.lists(NAMES | st.just(""), min_size=count, max_size=count))
    dies = arrays(np.int64, (count, 2), elements=st.integers(-1000, 1000))
    return Wafer(
        lot,
        name,
        diameter,
        draw(arrays(np.float64, (count, 2), elements=places)),
        draw(arrays(np.float64, count, elements=st.floats(0, 10) | st.just(np.nan))),
        kinds,
        named,
        draw(dies) if draw(st.booleans()) and count else None,
        draw(st.none() | st.tuples(st.floats(0.1, 20), st.floats(0.1, 20))),
        draw(st.none() | NAMES),
        tuple(images) if any(images) else (),
    )


def check_same(found: Wafer, wanted: Wafer, names: Mapping[int, str]) -> None:
    """Check that a wafer was read as another, to the last bit."""
    for name in ("lot", "name", "diameter_mm", "pitch_mm", "mark", "images"):
        assert getattr(found, name) == getattr(wanted, name)
    for name in ("xy_mm", "size_mm", "kinds"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    assert (found.die is None) == (wanted.die is None)
    if found.die is not None and wanted.die is not None:
        np.testing.assert_array_equal(found.die, wanted.die)
    assert dict(found.kind_names) == dict(names)


@in_a_folder
@given(written=wafers())
def test_wafers_come_back_from_a_list_of_defects(tmp_path: Path, written: list[Wafer]) -> None:
    path = tmp_path / "a.csv"
    write_defects(path, written)
    for one, other in zip(read_wafers(path), written, strict=True):
        check_same(one, other, other.kind_names)
    write_defects(tmp_path / "b.csv", read_parts(path))
    assert (tmp_path / "b.csv").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", [" a", "a\nb", "a\0"])
def test_a_name_that_would_not_come_back_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    wafer = Wafer("L", name, 300.0, np.zeros((1, 2)), np.zeros(1), np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="cannot be written"):
        write_defects(tmp_path / "a.csv", [wafer])
    assert [*tmp_path.iterdir()] == []

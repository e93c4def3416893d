"""The synthetic wafers: whole, seeded, alike in both formats, and clusters where their boxes say."""

import csv
from pathlib import Path

import numpy as np
import pytest

from detect.imagery.wafers.wafer_files import read_wafers
from tools.make_wafers import box, make

SIDE = 3000


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("wafers")
    for ending in ("csv", "klarf"):
        make(folder / ending, 5, ending, 7, SIDE)
    return {ending: folder / ending for ending in ("csv", "klarf")}


def test_every_pattern_is_made_as_often_and_no_lot_is_on_two_sides(made: dict[str, Path]) -> None:
    """5 of each of 8 patterns; 40 wafers in 5 lots, dealt to train three times, val and test."""
    labels = rows(made["csv"] / "labels.csv")
    numbers = [sum(row["label"] == name for row in labels) for name in {row["label"] for row in labels}]
    assert numbers == [5] * 8
    assert len({(row["group"], row["split"]) for row in labels}) == len({row["group"] for row in labels}) == 5
    assert {row["split"] for row in labels} == {"train", "val", "test"}


def test_both_formats_hold_the_same_wafers(made: dict[str, Path]) -> None:
    """KLARF has places in micrometres with one digit: they differ by 0.05 um at most, and rounding."""
    lists = sorted((made["csv"] / "lists").iterdir())
    assert len(lists) == 40
    for path in lists:
        [one] = read_wafers(path)
        [other] = read_wafers(made["klarf"] / "lists" / path.name.replace(".wafer.csv", ".klarf"))
        assert (one.lot, one.name, one.mark) == (other.lot, other.name, other.mark)
        np.testing.assert_allclose(other.xy_mm, one.xy_mm, rtol=0, atol=6e-5)
        np.testing.assert_array_equal(other.die, one.die)


def test_a_box_is_where_its_cluster_is_drawn(made: dict[str, Path]) -> None:
    """300 mm in 3,000 pixels: 10 pixels a mm; a cluster's 60 defects or more, less 4 % of x and of y on either side."""
    for row in rows(made["csv"] / "clusters.csv"):
        if row["label"]:
            [wafer] = read_wafers(made["csv"] / "lists" / row["image"])
            col, row_px = wafer.xy_mm[:, 0] * 10 + 1500, 1500 - wafer.xy_mm[:, 1] * 10
            inside = (float(row["xmin"]) <= col) & (col <= float(row["xmax"]))
            inside &= (float(row["ymin"]) <= row_px) & (row_px <= float(row["ymax"]))
            assert inside.sum() >= 50
    points = np.array([[0.0, 0.0], [30.0, 60.0]])
    assert box(points, SIDE) == pytest.approx([1506, 912, 1794, 1488])


def test_the_same_seed_makes_the_same_files(made: dict[str, Path], tmp_path: Path) -> None:
    make(tmp_path / "again", 5, "klarf", 7, SIDE)
    for path in sorted(made["klarf"].rglob("*.*")):
        if path.is_file():
            assert (tmp_path / "again" / path.relative_to(made["klarf"])).read_bytes() == path.read_bytes()

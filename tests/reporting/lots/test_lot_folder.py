from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from detect.imagery.wafers.drawn.drawing import Drawing, drawn_by
from detect.labels.detections import Detections
from detect.reporting.lots.lot_folder import clear_lots, write_lots
from detect.reporting.lots.places import add_places
from detect.reporting.lots.zones import Disc, LotSettings, Zones
from detect.reporting.tables import read_text_table
from tests.commands import call
from tests.reporting.lots.runs import FAIL, PATTERNS, die_map, klarf, whole, write_run

SETTINGS = LotSettings(Zones((0.4, 0.8), 4, 0), None, None, None, keep=None)


def of_lists(root: Path) -> Path:
    """Two wafers of lot A and one of lot B, with 3, 1 and 2 defects, in lists that a classifier of wholes looked at."""
    files = {
        "x/1.klarf": klarf(root / "in/x/1.klarf", "A", "W1", [(10, 10), (-50, -50), (70, -60)]),
        "x/2.klarf": klarf(root / "in/x/2.klarf", "A", "W2", [(5, -5)]),
        "y/1.klarf": klarf(root / "in/y/1.klarf", "B", "W1", [(0, 90), (0, 91)]),
    }
    shape = (64, 64)
    found = dict(zip(files, [whole(0, 0.9, shape), whole(1, 0.75, shape), whole(-1, 0, shape)], strict=True))
    return write_run(root / "run", files, found, "whole", shape)


def table(folder: Path, name: str) -> pd.DataFrame:
    return read_text_table(folder / "lots" / name)


def test_wafers_have_lot_pattern_confidence_and_defects(tmp_path: Path) -> None:
    """A wafer of 200 mm has 314.159 cm2: three defects are 0.00954930 a cm2."""
    folder = of_lists(tmp_path)
    write_lots(folder, None, SETTINGS, 200)
    rows = table(folder, "wafers.csv")
    assert rows["lot"].tolist() == ["A", "A", "B"] and rows["wafer"].tolist() == ["W1", "W2", "W1"]
    assert rows["pattern"].tolist() == ["ring", "scratch", "no pattern"]
    assert rows["confidence"].tolist() == ["0.9", "0.75", ""]
    assert rows["defects"].tolist() == ["3", "1", "2"] and set(rows["defects_are"]) == {"list"}
    assert rows["area_cm2"][0] == "314.159" and rows["density_per_cm2"][0] == "0.0095493"


def test_every_way_to_part_a_wafer_or_a_lot_has_all_its_defects(tmp_path: Path) -> None:
    """The rings of W1 of lot A have 1, 1 and 1 of its defects, of lot A 2, 1 and 1 (70, -60 is 92.2 mm away)."""
    folder = of_lists(tmp_path)
    write_lots(folder, None, SETTINGS, 200)
    rows = table(folder, "zones.csv").astype({"defects": int})
    sums = rows.groupby(["lot", "wafer", "by"])["defects"].sum()
    wanted = {("A", "W1"): 3, ("A", "W2"): 1, ("B", "W1"): 2, ("A", ""): 4, ("B", ""): 2}
    assert {key: int(value) for key, value in sums.items()} == {
        (*key, by): number for key, number in wanted.items() for by in ("ring", "angle", "ring and angle")
    }
    lot = rows[(rows["lot"] == "A") & (rows["wafer"] == "") & (rows["by"] == "ring")]
    assert dict(zip(lot["ring"], lot["defects"], strict=True)) == {"centre": 2, "middle": 1, "edge": 1, "outside": 0}


def test_lots_add_up_to_the_counts(tmp_path: Path) -> None:
    folder = of_lists(tmp_path)
    write_lots(folder, None, SETTINGS, 200)
    lots, counts = table(folder, "lots.csv"), read_text_table(folder / "counts.csv")
    assert lots["wafers"].tolist() == ["2", "1"] and lots["defects"].tolist() == ["4", "2"]
    for name in (*PATTERNS, "total"):
        assert lots[name].astype(int).sum() == counts[name].astype(int).sum()


def test_density_relative_to_the_wafer(tmp_path: Path) -> None:
    """Both defects of lot B are at the edge, 0.36 of the area, in its quarter from 90 degrees on: 1 / 0.09."""
    folder = of_lists(tmp_path)
    write_lots(folder, None, SETTINGS, 200)
    rows = table(folder, "zones.csv")
    edge = rows[(rows["lot"] == "B") & (rows["wafer"] == "") & (rows["ring"] == "edge")]
    assert float(edge[edge["by"] == "ring"]["relative_density"].iloc[0]) == pytest.approx(1 / 0.36, rel=1e-5)
    both = edge[(edge["by"] == "ring and angle") & (edge["from_degrees"] == "90")]
    assert float(both["relative_density"].iloc[0]) == pytest.approx(1 / 0.09, rel=1e-5)


def test_the_page_shows_each_wafer_and_names_as_text(tmp_path: Path) -> None:
    bad = "<img onerror=x>"
    files = {"1.klarf": klarf(tmp_path / "in/1.klarf", bad, "W1", [(1, 1)])}
    folder = write_run(tmp_path / "run", files, {"1.klarf": whole(0, 0.9, (9, 9))}, "whole", (9, 9))
    page = write_lots(folder, None, SETTINGS, 200).read_text(encoding="utf-8")
    assert bad not in page and "&lt;img onerror=x&gt;" in page
    assert "<b>ring</b> 0.90" in page and "1 defect," in page and page.count("<path") == 12
    assert "data:image/png" in page
    page = write_lots(folder, None, SETTINGS, 0).read_text(encoding="utf-8")
    assert "data:image" not in page and "pictures of none" in page


def test_failing_dies_of_maps_are_defects_where_their_values_are_given(tmp_path: Path) -> None:
    """Of 10 x 10 dies, one in the middle and one in the upper right corner, which is beyond the wafer."""
    files = {"p/1.png": die_map(tmp_path / "in/p/1.png", [(5, 5), (0, 9)])}
    folder = write_run(tmp_path / "run", files, {"p/1.png": whole(0, 0.9, (10, 10))}, "whole", (10, 10))
    write_lots(folder, None, SETTINGS, 200)
    assert table(folder, "wafers.csv")["defects"].tolist() == [""]
    write_lots(folder, None, replace(SETTINGS, diameter_mm=100.0, values=(FAIL, 255)), 200)
    row = table(folder, "wafers.csv").iloc[0]
    assert (row["lot"], row["defects"], row["outside"], row["defects_are"]) == ("p", "2", "1", "map")
    assert row["area_cm2"] == "78.5398"


def test_what_was_found_is_counted_where_there_is_no_list(tmp_path: Path) -> None:
    """In an image of 100 x 200 pixels the wafer has a radius of 50 about (100, 50): one is 10 right and 10 up of it."""
    files = {"1.png": die_map(tmp_path / "in/1.png", [])}
    found = Detections(np.array([[110.0, 40.0], [10, 50]]), np.ones(2), np.zeros(2, int), PATTERNS)
    folder = write_run(tmp_path / "run", files, {"1.png": found}, "grid", (100, 200))
    write_lots(folder, None, SETTINGS, 200)
    row = table(folder, "wafers.csv").iloc[0]
    assert (row["defects"], row["outside"], row["defects_are"], row["pattern"]) == ("2", "1", "found", "2 ring")
    zones = table(folder, "zones.csv")
    first = zones[(zones["by"] == "ring and angle") & (zones["defects"] == "1") & (zones["wafer"] != "")].iloc[0]
    assert (first["ring"], first["from_degrees"], first["to_degrees"]) == ("centre", "0", "90")


def test_a_list_that_changed_or_is_damaged_leaves_its_wafer_without_zones(tmp_path: Path, caplog) -> None:
    folder = of_lists(tmp_path)
    (tmp_path / "in/x/1.klarf").write_text("changed", encoding="utf-8")
    write_lots(folder, None, SETTINGS, 200)
    assert table(folder, "wafers.csv")["defects"].tolist() == ["1", "2", ""]
    assert "of 1 of 3 wafers no defect is counted" in caplog.text
    lots = table(folder, "lots.csv")
    assert lots["lot"].tolist() == ["A", "B", "x"] and lots["wafers_with_defects_known"].tolist() == ["1", "1", "0"]


def test_a_list_that_is_cut_off_is_read_as_far_as_it_goes_where_that_is_asked_for(tmp_path: Path) -> None:
    """Without its end the list has three whole rows."""
    folder = of_lists(tmp_path)
    path = tmp_path / "in/x/1.klarf"
    text = path.read_text(encoding="ascii")
    path.write_text(text[: text.index("SummarySpec")].replace("0 0;", "0 0"), encoding="ascii")
    files = {"1.klarf": path}
    folder = write_run(tmp_path / "cut", files, {"1.klarf": whole(0, 0.9, (9, 9))}, "whole", (9, 9))
    page = write_lots(folder, None, SETTINGS, 200).read_text(encoding="utf-8")
    assert table(folder, "wafers.csv")["defects"].tolist() == [""] and str(tmp_path) not in page and "1.klarf" in page
    write_lots(folder, None, replace(SETTINGS, keep=True), 200)
    assert table(folder, "wafers.csv")["defects"].tolist() == ["3"]


def test_wafers_of_a_lot_that_lie_in_several_ways_are_told(tmp_path: Path, caplog) -> None:
    marks = {"1.klarf": "DOWN", "2.klarf": "LEFT"}
    files = {name: klarf(tmp_path / "in" / name, "A", name, [(1, 1)], mark) for name, mark in marks.items()}
    found = {name: whole(0, 0.9, (9, 9)) for name in files}
    folder = write_run(tmp_path / "run", files, found, "whole", (9, 9))
    write_lots(folder, None, SETTINGS, 200)
    assert "lot A: its wafers lie in several ways" in caplog.text and "zones.notch=down turns them" in caplog.text
    shown = table(folder, "wafers.csv")["mark"].str.lower()
    assert "down" in shown[0] and "left" in shown[1]


def test_zones_by_angle_are_of_wafers_turned_to_one_side(tmp_path: Path, caplog) -> None:
    """The defect at 30 degrees of a wafer whose notch is down lies at 300 degrees where the notch is at the left."""
    places = {"1.klarf": ((86.6, 50.0), "DOWN"), "2.klarf": ((50.0, -86.6), "LEFT"), "3.klarf": ((50.0, -86.6), "90")}
    files = {name: klarf(tmp_path / "in" / name, "A", name, [xy], mark) for name, (xy, mark) in places.items()}
    folder = write_run(tmp_path / "run", files, {name: whole(0, 0.9, (9, 9)) for name in files}, "whole", (9, 9))

    def sectors(settings: LotSettings) -> list[list[str]]:
        write_lots(folder, None, settings, 200)
        rows = table(folder, "zones.csv")
        rows = rows[rows["by"] == "angle"]
        return [rows[rows["wafer"] == name]["defects"].tolist()[:4] for name in files]

    down = ["1", "0", "0", "0"]
    assert sectors(SETTINGS) == [down, ["0", "0", "0", "1"], ["0", "0", "0", "1"]]
    assert sectors(replace(SETTINGS, notch="down")) == [down, down, ["0", "0", "0", "1"]]
    assert "1 of 3 wafers are not turned to zones.notch=down" in caplog.text and "3.klarf" in caplog.text
    with drawn_by(Drawing(90, 3.0, 1, False, 255, "up")):
        assert sectors(SETTINGS)[:2] == [["0", "0", "1", "0"]] * 2
        assert sectors(replace(SETTINGS, notch="as_given"))[1] == ["0", "0", "0", "1"]


def test_lists_of_one_wafer_in_a_lot_are_told_and_wafers_of_one_number_in_two_lots_are_not(
    tmp_path: Path, caplog
) -> None:
    ids = {"1.klarf": ("A", "W1"), "2.klarf": ("A", "W1"), "3.klarf": ("A", "W2"), "4.klarf": ("B", "W1")}
    files = {name: klarf(tmp_path / "in" / name, lot, wafer, [(1, 1)]) for name, (lot, wafer) in ids.items()}
    folder = write_run(tmp_path / "run", files, {name: whole(0, 0.9, (9, 9)) for name in files}, "whole", (9, 9))
    write_lots(folder, None, SETTINGS, 200)
    told = [each.message for each in caplog.records if "one wafer" in each.message]
    assert told == ["lot A: several images are of one wafer, and each is counted: W1 (1.klarf), W1 (2.klarf)"]


def test_a_run_without_images_has_tables_of_a_header_alone(tmp_path: Path, caplog) -> None:
    folder = write_run(tmp_path / "run", {}, {}, "whole", (9, 9))
    write_lots(folder, None, SETTINGS, 200)
    for name in ("wafers.csv", "lots.csv", "zones.csv"):
        assert len(table(folder, name)) == 0 and table(folder, name).columns[0] == "lot"
    assert "no image" in caplog.text


def test_the_map_of_a_list_has_its_defects_where_they_are() -> None:
    """Of a radius of 96 a square is 2 wide: 1 right and 1 up of the middle is row 47, column 48; 95 down the last."""
    counts = np.zeros((96, 96), np.int64)
    add_places(counts, np.array([[1.0, 1.0], [1.0, -95.0], [200.0, 0.0]]), Disc(96.0, 1.0))
    assert np.argwhere(counts).tolist() == [[47, 48], [95, 48]]


def test_a_table_says_the_lots(tmp_path: Path, caplog) -> None:
    folder = of_lists(tmp_path)
    given = tmp_path / "lots.csv"
    given.write_text("image,label,group\nx/1.klarf,ring,L1\nx/2.klarf,ring,L2\nz.klarf,ring,L3\n", encoding="utf-8")
    done = call("report", f"predictions={folder}", f"lots={given}")
    assert done.code == 0, done.log
    assert table(folder, "wafers.csv")["lot"].tolist() == ["", "L1", "L2"]
    assert 'href="lots/index.html"' in (folder / "report.html").read_text(encoding="utf-8")
    assert "1 images are none of the run: z.klarf" in done.log
    assert "1 images have no lot" in done.log and "no lot" in (folder / "lots/index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,lot\nx/1.klarf,A\nx/1.klarf,B\n", "line 3: x/1.klarf is of lot 'B', and of 'A' above"),
        ("image,batch\nx/1.klarf,A\n", "a column 'lot'"),
        ("image,lot\nz.png,A\n", "names no image of the run"),
    ],
)
def test_a_wrong_table_of_lots_is_wrong_use(tmp_path: Path, text: str, said: str) -> None:
    folder = of_lists(tmp_path)
    (tmp_path / "lots.csv").write_text(text, encoding="utf-8")
    done = call("report", f"predictions={folder}", f"lots={tmp_path / 'lots.csv'}")
    assert done.code == 2 and said in done.log
    assert not (folder / "lots").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("zones.rings=[0.8,0.4]", "zones.rings must ascend"),
        ("zones.sectors=0", "sectors"),
        ("zones.exclusion_mm=-1", "exclusion_mm"),
        ("zones.exclusion_mm=100", "as wide as a wafer"),
        ("zones.values=[3,1]", "zones.values"),
        ("lots=nowhere.csv", "no such table"),
    ],
)
def test_zones_that_cannot_be_are_wrong_use(tmp_path: Path, given: str, said: str) -> None:
    done = call("report", f"predictions={of_lists(tmp_path)}", "lots=auto", given)
    assert done.code == 2 and said in done.log, done.log


def test_what_was_written_is_removed_and_what_a_person_changed_is_not_replaced(tmp_path: Path) -> None:
    folder = of_lists(tmp_path)
    write_lots(folder, None, SETTINGS, 200)
    clear_lots(folder)
    assert not (folder / "lots").exists()
    write_lots(folder, None, SETTINGS, 200)
    (folder / "lots/zones.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match=r"zones\.csv was changed"):
        write_lots(folder, None, SETTINGS, 200)

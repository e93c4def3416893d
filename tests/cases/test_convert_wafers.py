"""`detect.convert` of lists of wafers' defects: KLARF to CSV, one file or a file a wafer, and what is refused."""

import shlex
from pathlib import Path

import pandas as pd
import pytest

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.finding.listing import list_images
from detect.imagery.scenes import SceneError
from detect.imagery.wafers.drawn.drawing import Drawing, drawn_by
from detect.imagery.wafers.wafer_files import read_wafers
from tests.commands import call
from tests.imagery.wafers.klarf_writer import Defect, Listed, statements, write


@pytest.fixture
def klarf(tmp_path: Path) -> Path:
    """Two wafers: one with two defects, one with one."""
    first = Listed("W1", (Defect(100.5, 200.25, 2, -1, 1.5, 3), Defect(4000, 3000, -3, 4, 12)))
    return write(tmp_path / "a.klarf", statements([first, Listed("../W2", (Defect(0, 0, 0, 0),))]))


def test_klarf_becomes_a_table_of_a_row_a_defect(klarf: Path, tmp_path: Path) -> None:
    """Die (2, -1) of 5 x 4 mm, 0.1005 and 0.20025 mm in it, the centre at (2.5, 2): (7.6005, -5.79975) mm."""
    done = call("convert", f"source={klarf}", f"target={tmp_path / 'out.csv'}")
    assert done.code == 0, done.log
    assert "wafer 'W1' of lot 'L1', defects: 2" in done.log
    table = pd.read_csv(tmp_path / "out.csv")
    assert table["wafer"].tolist() == ["W1", "W1", "../W2"]
    names = ["x_mm", "y_mm", "size_mm", "die_col", "die_row", "class", "class_name"]
    found = [table[name][0] for name in names]
    assert found[:3] == pytest.approx([7.6005, -5.79975, 0.0015])
    assert found[3:] == [2, -1, 3, "big scratch"]


def test_a_folder_gets_a_file_a_wafer_whatever_their_names_are(klarf: Path, tmp_path: Path) -> None:
    done = call("convert", f"source={klarf}", f"target={tmp_path / 'each'}")
    assert done.code == 0, done.log
    assert sorted(path.name for path in (tmp_path / "each").iterdir()) == ["L1_W1.wafer.csv", "L1__W2.wafer.csv"]
    assert next(read_wafers(tmp_path / "each" / "L1__W2.wafer.csv")).name == "../W2"


def test_a_list_that_is_cut_off_is_refused_or_kept(klarf: Path, tmp_path: Path) -> None:
    text = klarf.read_text(encoding="utf-8")
    write(klarf, text[: text.rindex("SummaryList")])
    done = call("convert", f"source={klarf}", f"target={tmp_path / 'out.csv'}")
    assert done.code == 2 and "it was cut off" in done.log and not (tmp_path / "out.csv").exists()
    done = call("convert", f"source={klarf}", f"target={tmp_path / 'out.csv'}", "truncated=keep")
    assert done.code == 0, done.log
    assert "cut off, and read as far as it goes: line" in done.log and "whole defects before: 1" in done.log
    assert len(pd.read_csv(tmp_path / "out.csv")) == 3


def test_the_command_that_an_image_of_several_wafers_is_refused_with_makes_images_of_it(tmp_path: Path) -> None:
    """It is copied from the message into a shell, whatever the folders are called and wherever one is."""
    folder = tmp_path / "my lots (2), it's=x"
    folder.mkdir()
    path = write(folder / "a b.klarf", statements([Listed("W1", (Defect(0, 0, 0, 0),)), Listed("W2")]))
    with drawn_by(Drawing(100, 3.0, 1, False, 255, "as_given")):
        with pytest.raises(SceneError, match="several wafers") as refused:
            open_scene(path)
        words = shlex.split(str(refused.value).rpartition("python -m detect.")[2].removesuffix(")"))
        done = call(*words)
        assert done.code == 0, done.log
        made = list_images(folder / "a b_wafers")
        assert [name for name, _ in made] == ["L1_W1.wafer.csv", "L1_W2.wafer.csv"]
        assert [open_scene(each).shape for _, each in made] == [(100, 100)] * 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["summary=s.txt"], "has no images and no summary"),
        (["target=out.json"], "must end in .csv, or be a folder"),
        (["target=out.csv", "format=coco"], "defects of wafers are written as csv"),
        ([], "nothing to write"),
    ],
)
def test_what_a_list_of_defects_has_not_is_refused(klarf: Path, given: list[str], message: str) -> None:
    done = call("convert", f"source={klarf}", *given)
    assert done.code == 2 and message in done.log


def test_keep_is_for_lists_of_defects(photographs: Path, tmp_path: Path) -> None:
    done = call("convert", f"source={photographs / 'points.csv'}", f"target={tmp_path / 'o.csv'}", "truncated=keep")
    assert done.code == 2 and "truncated=keep is for lists of wafers' defects" in done.log

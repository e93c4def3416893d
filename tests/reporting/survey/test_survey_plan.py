"""How a survey draws, and the windows that it drew, are read back, or refused with the way out."""

import json

import numpy as np
import pytest

from detect.evaluation.survey.design import SurveyDesign
from detect.evaluation.survey.partition import survey_windows
from detect.reporting.survey.survey_plan import SurveyPlan, check_design, design_bytes, read_plan

PLAN = SurveyPlan(40, 512, 7, 0.03, ("cow",), "plots.gpkg", None, "ab", "cd")
WINDOWS = survey_windows({"a, b.jpg": (100, 300)}, 100)
"""Three windows side by side."""

DESIGN = SurveyDesign(np.array([0.5, 0.25, 0.25]), np.array([1, 0, 1]), np.array([2]))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "survey").mkdir()
    return tmp_path


def write(folder, record):
    (folder / "survey/settings.json").write_text(json.dumps(record))


def test_a_plan_comes_back(folder):
    assert read_plan(folder) is None
    write(folder, PLAN.to_record())
    assert read_plan(folder) == PLAN


@pytest.mark.parametrize(
    "wrong", [{"side": 0}, {"side": True}, {"floor": 2}, {"classes": [1]}, {"guide": None}, {"windows": "40"}]
)
def test_a_damaged_plan_is_refused_with_the_way_out(folder, wrong):
    write(folder, {**PLAN.to_record(), **wrong})
    with pytest.raises(ValueError, match="move the folder survey/ away"):
        read_plan(folder)


def test_a_design_is_a_row_a_draw_and_then_the_windows_taken_for_sure():
    """Repeats are rows of their own; a window taken for sure has no number and the probability 1."""
    assert design_bytes(WINDOWS, DESIGN).decode().splitlines() == [
        "draw,image,row,col,height,width,probability",
        '1,"a, b.jpg",0,100,100,100,0.25',
        '2,"a, b.jpg",0,0,100,100,0.5',
        '3,"a, b.jpg",0,100,100,100,0.25',
        ',"a, b.jpg",0,200,100,100,1',
    ]


def test_a_design_is_recognised(folder):
    path = folder / "survey/design.csv"
    text = design_bytes(WINDOWS, DESIGN).decode()
    path.write_text(text)
    check_design(folder, WINDOWS, DESIGN)
    path.write_text(text + '5,"a, b.jpg",0,0,100,100,0.5\n')  # of a run that was killed while it added some
    check_design(folder, WINDOWS, DESIGN)


@pytest.mark.parametrize(
    ("old", "new"),
    [("0.25\n2", "0.26\n2"), ("0,0,100,100,0.5", "0,1,100,100,0.5"), (",1\n", ",1\n\n"), ("0.5", "x")],
)
def test_another_design_is_refused(folder, old, new):
    text = design_bytes(WINDOWS, DESIGN).decode()
    wrong = text.replace(old, new) if new != ",1\n\n" else text.rsplit("\n", 2)[0] + "\n"
    (folder / "survey/design.csv").write_text(wrong)
    with pytest.raises(ValueError, match="move the folder survey/ away"):
        check_design(folder, WINDOWS, DESIGN)

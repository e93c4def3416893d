"""The columns of counts.csv that a person's look gives, when a run writes its tables anew."""

import logging

import pytest

from detect.assembly.settings.survey_settings import SurveySettings
from detect.assembly.surveys.surveying import drawn_survey, survey
from detect.reporting.survey.person_columns import person_cells, said_cells
from detect.reporting.tables import read_facts
from tests.reporting.survey.runs import review, scene, write_run


@pytest.fixture
def reviewed(tmp_path):
    truth = {"a.jpg": scene(0), "b.jpg": scene(1)}
    folder = write_run(tmp_path / "run", truth)
    settings = SurveySettings(
        folder, 20, None, (), None, None, (), None, 0.03, None, None, None, "", None, None, (), False
    )
    survey(settings, folder)
    review(folder, drawn_survey(folder), truth)
    survey(settings, folder)
    return folder


def cells_of_a_run(folder, digest):
    drawn = drawn_survey(folder)
    return said_cells(folder, digest, drawn.run.records, drawn.ground)


def test_a_run_that_writes_the_same_counts_again_keeps_the_columns(reviewed):
    """Law 7: its tables are those that the survey left."""
    digest = drawn_survey(reviewed).run.counts_digest
    assert cells_of_a_run(reviewed, digest) == read_facts(reviewed / "counts.csv")


def test_of_other_counts_nothing_is_estimated_and_corrections_count(reviewed, caplog):
    with caplog.at_level(logging.INFO):
        found = cells_of_a_run(reviewed, "0" * 64)
    assert set(found) == {"corrected"} and "survey.json is of other counts" in caplog.text


def test_a_damaged_file_of_a_person_does_not_keep_a_run_from_its_tables(reviewed, caplog):
    digest = drawn_survey(reviewed).run.counts_digest
    records = drawn_survey(reviewed).run.records
    (reviewed / "corrections.csv").write_text("image,x\na,b\n")
    with caplog.at_level(logging.WARNING):
        assert said_cells(reviewed, digest, records, drawn_survey(reviewed).ground) == {}
    assert "left out of the counts" in caplog.text


@pytest.mark.parametrize(
    ("entry", "cells"),
    [
        ({"estimate": -1.5, "low": 0, "high": 2}, {"estimate": "-1.500", "low": "0.000", "high": "2.000"}),
        ({"estimate": 1, "low": 0, "high": None}, {"estimate": "1.000", "low": "0.000", "high": ""}),
        ({"estimate": None}, {}),
        ({"estimate": "1"}, {}),
        ([], {}),
    ],
)
def test_estimates_are_read_as_they_are_or_not_at_all(tmp_path, entry, cells):
    import json

    (tmp_path / "survey.json").write_text(json.dumps({"detections": "x", "per_image": {"a.jpg": entry}}))
    assert person_cells(tmp_path, "x") == {name: {"a.jpg": cell} for name, cell in cells.items()}

"""What a survey draws by: sides, and the polygons of the run, of an earlier draw, or given."""

import json
from dataclasses import replace

import geopandas
import pytest
import shapely

from detect.assembly.surveys.planning import automatic_side, survey_areas
from detect.imagery.ground.polygons import read_areas
from detect.reporting.output.layout import PredictionPaths
from detect.reporting.survey.surveyed_run import read_surveyed_run
from tests.reporting.survey.runs import scene, write_run


def plots(path, *outlines):
    geopandas.GeoDataFrame({"name": [str(i) for i in range(len(outlines))]}, geometry=list(outlines)).to_file(path)
    return path


@pytest.fixture
def path(tmp_path):
    return plots(tmp_path / "plots.gpkg", shapely.box(0, 0, 1500, 2048))


@pytest.fixture
def run(tmp_path, path):
    """A run that counted inside of the plots."""
    facts = {"areas": {"file": str(path), "number": 1}}
    folder = write_run(tmp_path / "run", {"a.jpg": scene(0)}, **facts)
    PredictionPaths(folder).settings.write_text(json.dumps({"within": read_areas(path, None).digest}))
    return read_surveyed_run(folder)


@pytest.mark.parametrize(("size", "side"), [(None, 512), (30, 512), (64, 512), (100.4, 803)])
def test_a_window_fits_a_screen_and_eight_objects_across(run, size, side):
    """8 x 100.4 = 803.2."""
    wh = None if size is None else (10.0, float(size))
    records = {name: replace(record, object_wh=wh) for name, record in run.records.items()}
    assert automatic_side(replace(run, records=records)) == side


def test_a_run_that_counted_in_plots_is_surveyed_in_those(run, path):
    assert [each.name for each in survey_areas(run, None, None, None).areas] == ["0"]
    assert survey_areas(run, path, None, None).digest == survey_areas(run, None, None, None).digest


def test_other_plots_than_those_of_the_run_are_refused(run, tmp_path):
    other = plots(tmp_path / "other.gpkg", shapely.box(0, 0, 100, 100))
    with pytest.raises(ValueError, match="the run counted inside of other polygons"):
        survey_areas(run, other, None, None)


def test_plots_that_are_gone_are_asked_for(run, path):
    path.unlink()
    with pytest.raises(FileNotFoundError, match="name it by within=FILE"):
        survey_areas(run, None, None, None)


def test_whole_images_need_no_plots(tmp_path):
    assert survey_areas(read_surveyed_run(write_run(tmp_path / "whole", {"a.jpg": scene(0)})), None, None, None) is None

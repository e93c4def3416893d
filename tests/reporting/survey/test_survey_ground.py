"""The part of images that a survey is of: polygons and what has data."""

from pathlib import Path

import numpy as np
import shapely

from detect.evaluation.survey.partition import survey_windows
from detect.imagery.ground.polygons import Area, Areas
from detect.labels.detections import Detections
from detect.reporting.output.records import Record
from detect.reporting.survey.survey_ground import survey_ground

WINDOWS = survey_windows({"a.jpg": (128, 384)}, 128)
"""Three windows of 128 pixels side by side; a cell of what has data is 384 / 64 = 6 pixels."""


def record(shown=None):
    return Record("a.jpg", 1, 1, 128 * 384, Detections.empty(("x",)), shape=(128, 384), shown=shown)


def points(*xy):
    return {"a.jpg": Detections.truth(np.array(xy, float), ["x"] * len(xy), ("x",))}


def areas(*outlines):
    return Areas(Path("plots"), None, tuple(Area(str(i), each, None) for i, each in enumerate(outlines)), ())


def test_whole_images_are_all_of_it():
    ground = survey_ground({"a.jpg": record()}, None)
    assert ground.pixels(WINDOWS).tolist() == [128 * 128] * 3
    assert len(ground.inside(points((1, 1), (383, 127)))["a.jpg"]) == 2


def test_what_has_no_data_is_not_surveyed_but_for_a_cell_around_what_has():
    """Data in the first 100 columns: 106 with the cell, so that the other windows cannot be drawn."""
    ground = survey_ground({"a.jpg": record("POLYGON ((0 0, 100 0, 100 128, 0 128, 0 0))")}, None)
    assert ground.pixels(WINDOWS).tolist() == [106 * 128, 0, 0]


def test_polygons_share_no_object():
    """Two plots with a common edge at x = 200: one on the edge is in the first, outside of both is none."""
    ground = survey_ground({"a.jpg": record()}, areas(shapely.box(100, 0, 200, 128), shapely.box(200, 0, 300, 128)))
    found = points((50, 5), (150, 5), (200, 5), (250, 5))
    assert ground.pixels(WINDOWS).tolist() == [28 * 128, 128 * 128, 44 * 128]  # 100-128, 128-256, 256-300
    assert len(ground.inside(found)["a.jpg"]) == 3
    assert [len(ground.of_polygon(i, found)["a.jpg"]) for i in (0, 1)] == [2, 1]
    assert ground.meets(0, WINDOWS).tolist() == [True, True, False]

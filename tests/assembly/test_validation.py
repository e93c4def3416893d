"""Builders of what looks at whole scenes while a network learns."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detect.assembly import validation
from detect.assembly.validation import (
    HALO_TOLERANCE,
    exact_halo,
    hard_negative_mining,
    measured_halo,
    scene_validator,
    set_normalisation,
)
from detect.evaluation.matching import Criterion
from detect.imagery.windows import Window
from detect.nets.modelfile import build_net
from detect.samples.values.coverage import Coverage
from tests.assembly.runs_of import grid_settings, material_of, patch_settings


def test_how_far_the_net_looks_is_measured(data: Path) -> None:
    settings = grid_settings(data, "boxes.csv")
    material = material_of(settings)
    net = build_net(material.spec)
    set_normalisation(net, material)
    halo = exact_halo(settings, net, material)
    assert material.spec.align == 16 and halo is not None and halo > 0 and halo % 16 == 0
    assert (net.offset.flatten().tolist(), net.scale.flatten().tolist()) == ([127.0] * 3, [128.0] * 3)
    assert material.scenes is not None
    measured = measured_halo(net, material.spec, material.scenes, halo)
    assert measured.pixels % 16 == 0 and measured.pixels <= halo and measured.error <= HALO_TOLERANCE


def test_how_far_the_net_looks_is_measured_where_there_is_something_to_see(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of scenes whose left half alone is valid a tile is read around the middle of that, at a quarter of the width."""
    material = material_of(grid_settings(data, "boxes.csv"))
    assert material.scenes is not None
    read: list[Window] = []
    monkeypatch.setattr(validation, "effective_halo", lambda *_: (16, 0.0))
    monkeypatch.setattr(material.scenes.source, "read", lambda scene, window: read.append(window) or np.zeros(1))
    halves = []
    for labelled in material.scenes.split.val:
        cells = np.zeros([-(-side // 4) for side in labelled.scene.shape], bool)
        cells[:, : cells.shape[1] // 2] = True
        halves.append(replace(labelled, coverage=Coverage(cells, 4, labelled.scene.shape)))
    scenes = replace(material.scenes, split=replace(material.scenes.split, val=tuple(halves)))
    for chosen, share in ((material.scenes, 1 / 2), (scenes, 1 / 4)):
        read.clear()
        measured_halo(build_net(material.spec), material.spec, chosen, 16)
        for labelled, window in zip(chosen.split.val, read, strict=True):
            height, width = labelled.scene.shape
            assert abs(window.col + window.width / 2 - share * width) <= 4
            assert abs(window.row + window.height / 2 - height / 2) <= 4


@pytest.mark.parametrize(
    ("table", "iou", "wanted"), [("boxes.csv", "0.4", 0.4), ("boxes.csv", "null", None), ("points.csv", "null", None)]
)
def test_validation_goes_by_iou_where_it_is_asked_for(data: Path, table: str, iou: str, wanted: float | None) -> None:
    given = (f"data.matching.iou={iou}", "data.matching.radius=12", "data.matching.select=count")
    settings = grid_settings(data, table, *given)
    material = material_of(settings)
    net = build_net(material.spec)
    validator = scene_validator(settings, material, net, exact_halo(settings, net, material))
    assert validator is not None
    assert (validator.settings.criterion.radius, validator.settings.criterion.iou) == (12, wanted)
    plan = validator.detector.plan(net, 1e-2)
    assert validator.settings.select == "count" and plan.align == 16 and plan.halo % 16 == 0
    assert validator(net)["f1"] >= 0


@pytest.mark.parametrize("scale", ["1", "0.5"])
@pytest.mark.parametrize(("table", "wanted"), [("points.csv", 14.4), ("boxes.csv", 8)])
def test_the_threshold_is_chosen_by_the_radius_that_the_labels_ask_for(
    data: Path, table: str, wanted: float, scale: str
) -> None:
    """The nearest two dots are (20, 30) apart, 36.06 pixels: 0.4 of that. Half of the boxes' 16 pixels is 8.

    Pixels are those of the files, whatever the size at which they are read.
    """
    settings = grid_settings(data, table, f"data.scale={scale}")
    material = material_of(settings)
    net = build_net(material.spec)
    validator = scene_validator(settings, material, net, exact_halo(settings, net, material))
    assert validator is not None and validator.settings.criterion == Criterion(wanted)
    assert material.alarm_distance_file_px == wanted
    assert material.radius is not None and material.radius.sentence(None) in material.samples.notes


def test_a_given_radius_that_reaches_to_the_next_object_is_warned_of(data: Path) -> None:
    """Two of the three in an image are 36 pixels apart; by IoU the radius does not matter."""
    (warning,) = [
        each
        for each in material_of(grid_settings(data, "boxes.csv", "data.matching.radius=30")).samples.warnings
        if "data.matching.radius=8" in each
    ]
    by_iou = material_of(grid_settings(data, "boxes.csv", "data.matching.radius=30", "data.matching.iou=0.5"))
    assert "36.1 px" in warning and warning not in by_iou.samples.warnings


def test_an_iou_is_for_boxes_that_are_found(data: Path) -> None:
    """Points have none, and a patch classifier finds points."""
    for settings in (
        grid_settings(data, "points.csv", "data.matching.iou=0.4"),
        patch_settings(data, "boxes.csv", "data.matching.iou=0.4"),
    ):
        material = material_of(settings)
        net = build_net(material.spec)
        with pytest.raises(ValueError, match=r"data\.matching\.iou=0.4"):
            scene_validator(settings, material, net, 64)


def test_nothing_is_mined_where_no_moment_is_set(data: Path) -> None:
    for at, number in (("[]", 0), ("[0.5]", 1)):
        settings = grid_settings(data, "points.csv", f"data.mining.at={at}")
        material = material_of(settings)
        assert len(hard_negative_mining(settings, material, build_net(material.spec), 64)) == number

"""Headers of the first format."""

from dataclasses import replace
from typing import Any

import pytest

from detect.imagery.resolution import Resolution
from detect.nets.card import ModelCard, ModelFileError
from detect.nets.heads.specs import GridHead, PatchHead
from detect.nets.net_spec import BackboneSpec
from tests.nets.headers import CARD, OLD_GRID, OLD_PATCH, read, without


def test_a_patch_classifier_of_the_first_format_is_read() -> None:
    assert read(OLD_PATCH) == CARD
    alone = read(OLD_PATCH, background=None, halo=None)
    assert alone == replace(CARD, head=PatchHead(48, None), halo=None)
    assert read(OLD_PATCH, image_scale=0.5).resolution == Resolution(0.5)


def test_a_grid_head_of_the_first_format_is_read() -> None:
    """The IoU of its NMS is the separation of boxes; of points it is the radius."""
    wanted = ModelCard(
        head=GridHead(deepest=4, width=8, slots=2, object_size=23.5, typical_size=24),
        backbone=BackboneSpec("lenet5", 2, None, 3),
        classes=("coin", "disc"),
        bands=(1, 2, 3),
        dtype="uint8",
        resolution=Resolution(gsd=0.1),
        offset=(127.0,) * 3,
        scale=(128.0,) * 3,
        halo=24,
        halo_auto=12,
        halo_error=1e-4,
        threshold=0.25,
        separation=0.2,
        calibration=None,
        training={"seed": 1},
    )
    assert read(OLD_GRID) == wanted
    points = read(OLD_GRID, grid={**OLD_GRID["grid"], "object_size": None}, nms_iou=None, radius=9.5)
    head = GridHead(deepest=4, width=8, slots=2, object_size=None, typical_size=24)
    assert points == replace(wanted, head=head, separation=9.5)


def test_a_header_of_the_first_format_from_before_there_were_grids_is_read() -> None:
    assert read(without(OLD_PATCH, "grid", "nms_iou")) == CARD


def test_a_header_of_the_first_format_from_before_images_were_resampled_takes_them_as_they_are() -> None:
    assert read(without(OLD_PATCH, "image_scale", "gsd")) == CARD and CARD.resolution == Resolution(1.0, None)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"kind": "grid"}, "grid"),
        ({"grid": OLD_GRID["grid"]}, "patch"),
        ({"kind": None}, "None"),
        ({"colour": "red"}, "colour"),
        ({"head": {"name": "patch"}}, "head"),
        ({"separation": 3.0}, "separation"),
        ({"backbone": {"name": "test_resnet", "colour": "red"}}, "colour"),
    ],
)
def test_headers_of_the_first_format_that_cannot_be_used(change: dict[str, Any], names: str) -> None:
    with pytest.raises(ModelFileError, match=names):
        read(OLD_PATCH, **change)


@pytest.mark.parametrize("entry", ["classes", "kind", "background", "patch_size", "backbone", "offset", "halo"])
def test_a_header_of_the_first_format_without_an_entry(entry: str) -> None:
    with pytest.raises(ModelFileError, match=entry):
        read(without(OLD_PATCH, entry))

"""The card of a model: what it says, and headers of all formats."""

import json
from dataclasses import replace
from typing import Any

import pytest

from detect.imagery.resolution import Resolution
from detect.imagery.wafers.drawn.drawing import Drawing
from detect.nets.card import LONGEST, ModelCard, ModelFileError
from detect.nets.heads.specs import PatchHead
from tests.grids import grid_card
from tests.nets.headers import CARD, OLD_GRID, OLD_PATCH, header_of, read, without


@pytest.mark.parametrize(
    "card",
    [
        CARD,
        replace(CARD, head=PatchHead(48, None), halo=None, calibration=None),
        replace(CARD, resolution=Resolution(scale=1 / 3)),
        replace(CARD, resolution=Resolution(gsd=0.1)),
        replace(CARD, drawing=Drawing(20_000, 2.5, 3, True, 64, "as_given")),
        grid_card(31.25, 2, separation=0.1 + 0.2, halo_auto=48, halo_error=1e-4),
        grid_card(None, separation=31.4),
    ],
)
def test_a_card_is_read_as_it_was_written(card: ModelCard) -> None:
    assert ModelCard.from_json(card.to_json()) == card


def test_a_header_is_plain_json_that_names_its_head() -> None:
    header = header_of(CARD)
    assert header["format"] == "detect/4"
    assert header["head"] == {"name": "patch", "patch_size": 48, "background": "ground"}
    assert header["backbone"] == {"name": "test_resnet", "stride": 16, "stages": 5, "bands": 4}
    assert header["classes"] == ["cow", "Trøndersau"]
    head = {"name": "grid", "deepest": 32, "width": 16, "slots": 2, "object_size": 24.0, "typical_size": 24}
    assert header_of(grid_card(24.0, 2))["head"] == head


def test_a_separation_is_an_iou_of_boxes_and_a_radius_of_points() -> None:
    assert (CARD.radius, CARD.nms_iou) == (31.4, None)
    boxes, points = grid_card(24.0, separation=0.35), grid_card(None, separation=7.0)
    assert (boxes.radius, boxes.nms_iou) == (0.0, 0.35)
    assert (points.radius, points.nms_iou) == (7.0, None)


@pytest.mark.parametrize("grid", [None, OLD_GRID["grid"]])
def test_a_kind_of_network_that_is_not_known_is_refused_by_name(grid: dict[str, Any] | None) -> None:
    """It must not be decoded as if it were a patch's map, nor a grid's."""
    with pytest.raises(ModelFileError, match="density"):
        read(OLD_PATCH, kind="density", grid=grid)


def test_a_head_that_is_not_known_is_refused_by_name_with_those_that_are() -> None:
    header = header_of(CARD)
    with pytest.raises(ModelFileError, match=r"density.*patch.*grid"):
        read(header, head={**header["head"], "name": "density"})
    with pytest.raises(ModelFileError, match="density"):
        read(header, head={"name": "density"})


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"format": "detect/99"}, r"'detect/99'.*detect/4.*detect/3.*detect/2.*detect/1"),
        ({"format": None}, r"None.*detect/4"),
        ({"colour": "red"}, "colour"),
        ({"kind": "patch"}, "kind"),
        ({"backbone": {"name": "test_resnet", "stride": 16, "colour": "red"}}, "colour"),
        ({"backbone": None}, "header cannot be read"),
        ({"head": None}, "header cannot be read"),
        ({"head": {"patch_size": 48, "background": None}}, "name"),
        ({"head": {"name": "patch", "patch_size": 48}}, "background"),
        ({"head": {"name": "patch", "patch_size": 48, "background": None, "colour": "red"}}, "colour"),
        ({"head": {"name": "grid", "patch_size": 48, "background": None}}, "patch_size"),
    ],
)
def test_headers_that_cannot_be_used(change: dict[str, Any], names: str) -> None:
    with pytest.raises(ModelFileError, match=names):
        read(header_of(CARD), **change)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"deepest": 16, "colour": "red"}, "colour"),
        ({"deepest": 16}, "width"),
        ({"slots": 0}, r"net\.slots.*0"),
        ({"width": 4}, r"net\.width.*4"),
        ({"deepest": 0}, r"net\.deepest.*0"),
    ],
)
def test_grid_heads_that_cannot_be_made(change: dict[str, Any], names: str) -> None:
    """In either format."""
    head = change if change.get("deepest") else {**OLD_GRID["grid"], **change}
    with pytest.raises(ValueError, match=names):
        read(OLD_GRID, grid=head)
    with pytest.raises(ValueError, match=names):
        read(header_of(read(OLD_GRID)), head={"name": "grid", "typical_size": 24, **head})


@pytest.mark.parametrize("header", ["{", "[]", "3", "{}"])
def test_texts_that_are_no_header(header: str) -> None:
    with pytest.raises(ModelFileError, match="the header"):
        ModelCard.from_json(header)


@pytest.mark.parametrize("entry", ["classes", "head", "backbone", "offset", "resolution", "separation", "halo_auto"])
def test_a_header_without_an_entry(entry: str) -> None:
    with pytest.raises(ModelFileError, match=entry):
        read(without(header_of(CARD), entry))


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"scale": 0}, r"data\.scale.*got 0"),
        ({"gsd": -1}, r"data\.gsd.*got -1"),
        ({"gsd": 1, "scale": 2}, r"data\.gsd=1.*data\.scale=2"),
        ({"scale": "half"}, "header cannot be read"),
    ],
)
def test_images_that_cannot_be_resampled(change: dict[str, Any], names: str) -> None:
    """In either format; the first named the factor `image_scale`."""
    with pytest.raises(ValueError, match=names):
        read(header_of(CARD), resolution={"scale": 1.0, "gsd": None, **change})
    old = {"image_scale" if name == "scale" else name: value for name, value in change.items()}
    with pytest.raises(ValueError, match=names):
        read(OLD_PATCH, **old)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"classes": ()}, "class"),
        ({"bands": (1, 2)}, r"bands \[1, 2\]"),
        ({"scale": (1.0,)}, "scale"),
        ({"halo": -1}, "halo.*got -1"),
        ({"threshold": 1.5}, "threshold.*got 1.5"),
        ({"separation": -1.0}, "separation.*got -1.0"),
    ],
)
def test_a_card_is_checked_when_it_is_made(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        replace(CARD, **change)


@pytest.mark.parametrize(
    ("place", "values"),
    [
        ("head.patch_size", [0, -48, 10**9, 48.0, True, "48", None]),
        ("head.background", ["", "a\nb", "\ud800", "x" * 2000, 3, "cow"]),
        ("backbone.stride", [0, 10**9, 16.0, "16", None]),
        ("backbone.stages", [0, 10**6, 5.0]),
        ("backbone.bands", [0, 10**9, 3]),
        ("classes", [[], "cow", ["cow", "cow"], ["cow", 3], ["a\nb"], ["a"] * 10**5, None]),
        ("bands", [[], "1234", [0, 1, 2, 3], [1, 2, 3, 4.0], [1, 2, 3, 10**9], [1] * 10**5]),
        ("dtype", ["float128", "object", "", None, ["uint8"]]),
        ("offset", [[0, 0, 0], [0, 0, 0, "0"], [0, 0, 0, float("nan")], [0, 0, 0, 10**400], 3]),
        ("scale", [[1, 1, 1, 0], [1, 1, 1, -1], [1, 1, 1, float("inf")], [1, 1, 1, 1e-300], ["1"] * 4]),
        ("halo", [-1, 10**9, 96.0, "96"]),
        ("halo_auto", [-1, 10**9, False]),
        ("threshold", [-0.1, 1.1, float("nan"), None, "0.5"]),
        ("separation", [-1, float("nan"), float("inf"), 1e9, None]),
        (
            "calibration",
            [3, {"slope": "1"}, {"slope": float("nan")}, {"slope": 1.0}, {"slope": -1.0, "intercept": 0.0}],
        ),
        (
            "training",
            [None, [], {"notes": 3}, {"notes": [3]}, {"val": [{}]}, {"negative_labels": "cow"}, {"label_names": ["a"]}],
        ),
    ],
)
def test_a_header_out_of_its_bounds_is_refused_by_what_is_wrong(place: str, values: list[Any]) -> None:
    """By kind and by size, before anything is made of it; the message is short, however long the value."""
    group, _, entry = place.rpartition(".")
    for value in values:
        header = header_of(CARD)
        (header[group] if group else header)[entry] = value
        with pytest.raises(ModelFileError, match=entry.rstrip("es")) as raised:
            ModelCard.from_json(json.dumps(header))
        assert len(str(raised.value)) < 500


@pytest.mark.parametrize(
    "change",
    [
        *({"width": value} for value in (20_000, 10**9, 16.0, None)),
        *({"slots": value} for value in (65, 10**9, True)),
        *({"deepest": value} for value in (10**9, 2**5000, 32.0)),
        *({"object_size": value} for value in (-1, 1e9, float("nan"), "24")),
        *({"typical_size": value} for value in (-1, 10**9, None)),
    ],
)
def test_a_grid_head_out_of_its_bounds_is_refused(change: dict[str, Any]) -> None:
    header = header_of(grid_card(24.0))
    with pytest.raises(ModelFileError, match=next(iter(change))):
        read(header, head={**header["head"], **change})


def test_a_separation_of_boxes_is_a_share() -> None:
    with pytest.raises(ModelFileError, match=r"separation must be in \[0, 1\]"):
        read(header_of(grid_card(24.0)), separation=3.0)


@pytest.mark.parametrize(
    "name",
    [
        "hf-hub:timm/resnet18",
        "hf_hub:timm/resnet18",
        "resnet18.hf-hub:x",
        "local-dir:/tmp",
        "https://localhost/a",
        "timm/resnet18",
        "../resnet18",
        "resnet18.",
        "",
        "x" * 10**6,
        None,
        ["resnet18"],
    ],
)
def test_the_name_of_a_backbone_is_no_address_or_path(name: Any) -> None:
    """timm would fetch `hf-hub:` names, and read `local-dir:` ones."""
    with pytest.raises(ModelFileError, match=r"net\.backbone"):
        read(header_of(CARD), backbone={"name": name, "stride": 16, "stages": 5, "bands": 4})


@pytest.mark.parametrize("levels", [100, 5000])
def test_a_header_is_not_nested_without_end(levels: int) -> None:
    header = header_of(CARD)
    nested = '{"a":' * levels + "1" + "}" * levels
    text = json.dumps({**header, "training": 0}).replace('"training": 0', f'"training": {nested}')
    with pytest.raises(ModelFileError, match="header cannot be read"):
        ModelCard.from_json(text)


def test_a_header_has_a_greatest_length() -> None:
    with pytest.raises(ModelFileError, match="12,582,913 characters"):
        ModelCard.from_json("[" * (LONGEST + 1))

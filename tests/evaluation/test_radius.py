"""The radius of a match: by the labels, and a given one compared with them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detect.evaluation.matching import Criterion
from detect.evaluation.radius import (
    MatchRadius,
    auto_radius,
    label_spacing,
    match_radius,
    recorded_radius,
)
from detect.evaluation.scores import score_points
from detect.evaluation.selection import select_threshold
from detect.labels.detections import Detections

ONE = ("a",)


def points(*xy: tuple[float, float]) -> Detections:
    return Detections.truth(np.array(xy).reshape(-1, 2), ["a"] * len(xy), ONE)


def boxes(w: float, h: float, *xy: tuple[float, float]) -> Detections:
    return Detections.truth(np.array(xy).reshape(-1, 2), ["a"] * len(xy), ONE, np.full((len(xy), 2), (w, h)))


def grid(step: float, side: int = 6) -> list[tuple[float, float]]:
    """Places in rows and columns, `side` of each."""
    return [(100 + step * i, 100 + step * j) for i in range(side) for j in range(side)]


def auto(*tables: Detections, size: float | None = 64) -> float:
    return auto_radius(label_spacing(tables), size).file_px


@pytest.mark.parametrize("given_px", [None, 30.0])
def test_what_lies_beside_the_objects_is_right_within_thirty_pixels_and_wrong_by_the_labels(
    given_px: float | None,
) -> None:
    """36 dots 14 pixels apart: 0.4 of 14 is 5.6. Twelve are found, the other 24 detections lie 6 pixels beside a dot.

    F1 is then 2 * 12 / (36 + 36) = 1/3, and 1 if 30 pixels count. The threshold keeps the twelve, which score 0.9, and
    where all is right, the others of 0.5 too: it lies between 0.5 and 0.9, or below 0.5.
    """
    truth = {"1.png": points(*grid(14))}
    beside = np.arange(36) >= 12
    found = Detections(truth["1.png"].xy + np.outer(beside, (6, 0)), np.where(beside, 0.5, 0.9), [0] * 36, ONE)
    radius = match_radius(given_px, label_spacing(truth.values()), 64, "radius").file_px
    assert radius == (given_px or 5.6)
    scores = score_points({"1.png": found}, truth, ONE, radius)
    chosen = select_threshold({0.0: {"1.png": found}}, truth, Criterion(radius), "f1")
    if given_px is None:
        assert scores["f1"] == pytest.approx(1 / 3) and 0.5 < chosen.threshold <= 0.9
    else:
        assert scores["f1"] == 1 and chosen.threshold <= 0.5


scattered = st.lists(st.tuples(st.floats(0, 300), st.floats(0, 300)), max_size=40)


@given(images=st.lists(scattered, max_size=4), side=st.none() | st.floats(1, 90), size=st.none() | st.floats(8, 200))
def test_at_most_one_object_in_ten_shares_a_place_with_another(
    images: list[list[tuple[float, float]]], side: float | None, size: float | None
) -> None:
    """Where two circles of the radius overlap, a detection would be either's; and no radius is below a pixel."""
    spacing = label_spacing([points(*xy) if side is None else boxes(side, side, *xy) for xy in images])
    radius = auto_radius(spacing, size).file_px
    assert radius >= 1 and spacing.share_nearer(2 * radius) <= 0.1
    assert match_radius(radius, spacing, size, "radius").warning is None


def test_boxes_match_within_half_of_their_shorter_side() -> None:
    """12 x 30 pixels, far apart: 6. Side by side, 8 apart, half of that. Large ones are not held to 30 pixels."""
    apart = [(100.0 * i, 50.0) for i in range(5)]
    assert auto(boxes(12, 30, *apart)) == 6
    assert auto(boxes(12, 30, *grid(8))) == 4
    assert auto(boxes(300, 200, (500, 500)), size=64) == 100
    assert auto(boxes(12, 12, *apart[:2]), boxes(20, 20, *apart[:3])) == 10  # the median of 12, 12, 20, 20, 20


@pytest.mark.parametrize(
    ("tables", "size", "wanted"),
    [
        ([points((50, 50)), points((9, 9)), points()], 24.0, 12),  # one object an image
        ([points((50, 50)), points((9, 9))], 64.0, 30),
        ([points((50, 50))], None, 30),
        ([points()], None, 30),
        ([], 40.0, 20),
        ([points((0, 0), (3000, 4000))], 48.0, 24),  # two objects, 5,000 pixels apart
        ([points((0, 0), (30, 40))], 64.0, 20),  # 0.4 of 50
    ],
)
def test_labels_that_do_not_tell_leave_it_to_the_network_and_to_thirty_pixels(
    tables: list[Detections], size: float | None, wanted: float
) -> None:
    assert auto(*tables, size=size) == wanted


def test_two_clicks_on_an_object_are_no_neighbours() -> None:
    """36 dots 14 apart, each clicked again 1 pixel beside: the next that is another is 13 away at least."""
    twice = grid(14) + [(x + 1, y) for x, y in grid(14)]
    assert label_spacing([points(*twice)]).spacing_file_px == 13
    assert auto(points(*twice, *grid(14))) == 5.2
    assert auto(points(*grid(14), *[(x, y) for x, y in grid(14)])) == 5.6
    assert auto(points(*[(i / 8, 0) for i in range(16)])) == 1  # one place all over: the least radius there is


def test_a_tenth_of_the_objects_may_stand_closer() -> None:
    """Two dots 4 apart among 20 that are 50 apart are a tenth: 0.4 of 50. Among 18 they are more: 0.4 of 4."""
    row = [(50.0 * i, 0.0) for i in range(20)]
    assert auto(points(*row[:18], (0, 500), (4, 500))) == 20
    assert auto(points(*row[:16], (0, 500), (4, 500))) == 1.6


def test_neighbours_are_of_the_same_image_and_crowds_decide_over_many_images_of_one() -> None:
    """36 dots 14 apart beside 36 images of one dot each: half of the objects are crowded. Among 360 they are 9 %."""
    alone = [points((50, 50))] * 360
    assert auto(points(*grid(14)), *alone[:36]) == 5.6
    assert auto(points(*grid(14)), *alone) == 30
    assert label_spacing([points((0, 0)), points((1, 0))]).spacing_file_px is None


def test_a_given_radius_above_half_of_the_spacing_is_warned_of_with_both_numbers_and_the_share() -> None:
    """Of 24 dots, 16 are 14 apart and 8 are 100 apart, so that 30 pixels reach from one to another for two thirds."""
    table = points(*grid(14, 4), *[(100.0 * i, 900) for i in range(8)])
    warning = match_radius(30, label_spacing([table]), None, "data.matching.radius").warning
    assert warning is not None
    assert all(part in warning for part in ("radius 30 px", "the 14 px", "67%", "60 px", "data.matching.radius=5.6"))
    for small in (7.0, 5.6, None):
        assert match_radius(small, label_spacing([table]), None, "radius").warning is None
    assert match_radius(30, label_spacing([points((5, 5))]), None, "radius").warning is None


def test_with_an_iou_the_radius_is_said_to_be_for_centres_alone_and_not_warned_of() -> None:
    wide = match_radius(30, label_spacing([boxes(12, 12, *grid(14))]), None, "radius")
    assert wide.warnings(None) == (wide.warning,) and wide.warnings(0.5) == ()
    assert "radius 30 px" in wide.sentence(None) and "IoU" not in wide.sentence(None)
    assert "IoU 0.5" in wide.sentence(0.5) and "f1_points" in wide.sentence(0.5)


def test_a_models_radius_goes_before_other_labels_and_a_given_one_before_both() -> None:
    crowd = label_spacing([points(*grid(14))])
    record = MatchRadius(12.0, "half of something").to_record()
    trained = recorded_radius({"matching": record})
    assert trained is not None and trained.file_px == 12 and "half of something" in trained.how
    chosen = match_radius(None, crowd, 64, "radius", trained)
    assert chosen.file_px == 12 and chosen.warning is not None and "radius=5.6" in chosen.warning
    assert match_radius(3, crowd, 64, "radius", trained).file_px == 3
    assert recorded_radius({}) is None and recorded_radius({"matching": None}) is None


@pytest.mark.parametrize(
    "entry", ["30", 30, {}, {"radius_file_px": "x"}, {"radius_file_px": 0}, {"radius_file_px": True}]
)
def test_a_record_that_holds_no_radius_is_refused(entry: object) -> None:
    with pytest.raises(ValueError, match="radius=PIXELS"):
        recorded_radius({"matching": entry})


def test_words_of_a_models_record_have_a_bound() -> None:
    found = recorded_radius({"matching": {"radius_file_px": 4.0, "how": "x" * 10**6}})
    assert found is not None and len(found.sentence(None)) < 400

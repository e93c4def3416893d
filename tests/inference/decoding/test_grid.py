import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax

from detect.inference.decoding.grid import combined_grids, grid_heat, turned_channels
from detect.nets.card import ModelCard
from tests.grids import D4, decode, grid_card

SHAPE = (48, 64)
"""6 x 8 cells of 8 pixels."""


def blank(slots: int = 1, shape: tuple[int, int] = (6, 8)) -> np.ndarray:
    """A map that says no everywhere."""
    logits = np.zeros((5 * slots + 2, *shape), np.float32)
    logits[: 5 * slots : 5] = -9
    return logits


def put(
    logits: np.ndarray,
    cell: tuple[int, int],
    odds: float,
    *,
    slot: int = 0,
    away: tuple[float, float] = (0, 0),
    size: tuple[float, float] = (24, 24),
    kind: int = 0,
) -> None:
    """Write an object into a cell: offset in cells, size in pixels where 24 is the typical one, and class."""
    row, col = cell
    logits[5 * slot : 5 * slot + 5, row, col] = (odds, *away, *np.log(np.array(size) / 24))
    logits[-2 + kind, row, col] = 5


def rows_of(found) -> list[tuple[float, ...]]:
    return [tuple(row) for row in np.round(np.concatenate([found.xy, found.wh], axis=1), 3).tolist()]


def test_a_cell_by_hand() -> None:
    """Cell (2, 3) of 8 pixels: middle (28, 20), moved by 0.25 and -0.5 cells; 12 x 16 pixels; log odds 2 of class b."""
    logits = blank()
    put(logits, (2, 3), 2.0, away=(0.25, -0.5), size=(12, 16), kind=1)
    found = decode(logits, grid_card(24.0), SHAPE)
    assert rows_of(found) == [(30, 16, 12, 16)]
    assert found.names == ["b"] and found.score[0] == pytest.approx(expit(2.0))
    points = decode(logits, grid_card(None), SHAPE)
    assert points.wh is None and points.xy.tolist() == [[30, 16]]


@pytest.mark.parametrize(("away", "number"), [(-1.0, 1), (-0.05, 1), (0.05, 2), (0.5, 2)])
@pytest.mark.parametrize(("first", "second"), [(2.0, 1.0), (1.0, 2.0), (2.0, 2.0), (2.0, 2.0004)])
def test_a_neighbour_gives_way_where_both_mean_the_same_place(
    first: float, second: float, away: float, number: int
) -> None:
    """Cell (2, 2) means its middle, (2, 3) a place 1 + `away` cells to the right of that: less than 1 is the same.

    The likelier one remains; levels are 1/1024 of log odds, so 2.0004 and 2 are equal, and the first in reading order
    remains. The same holds for a cell and the one below it, and for one diagonally below to the left.
    """
    for cell, towards in (((2, 3), (1, 0)), ((3, 2), (0, 1))):
        logits = blank()
        put(logits, (2, 2), first, size=(2, 2))
        put(logits, cell, second, away=(away * towards[0], away * towards[1]), size=(2, 2))
        found = decode(logits, grid_card(24.0), SHAPE)
        assert len(found) == number
        if number == 1:
            at = 20.0 if first > second - 0.001 else 28 + 8 * away
            assert found.xy[0, 0 if towards[0] else 1] == pytest.approx(at)
    logits = blank()
    put(logits, (2, 2), first, size=(2, 2))
    put(logits, (3, 1), second, away=(1.0, -1.0), size=(2, 2))
    assert decode(logits, grid_card(24.0), SHAPE).xy.tolist() == [[20, 20]]


def test_cells_two_apart_do_not_give_way_to_one_another() -> None:
    """They reach the same place, 1.5 cells from the one and half a cell from the other: the NMS parts them."""
    logits = blank()
    put(logits, (2, 2), 2.0, away=(1.5, 0))
    put(logits, (2, 4), 1.0, away=(-0.5, 0))
    assert len(decode(logits, grid_card(24.0, separation=1.0), SHAPE)) == 2
    assert len(decode(logits, grid_card(24.0), SHAPE)) == 1
    assert len(decode(logits, grid_card(None, separation=0.0), SHAPE)) == 2
    assert len(decode(logits, grid_card(None, separation=4.0), SHAPE)) == 1


@pytest.mark.parametrize(("threshold", "number"), [(0.01, 3), (expit(1.0), 2), (expit(1.0) + 1e-9, 1), (1.0, 0)])
def test_the_threshold_is_the_least_score(threshold: float, number: int) -> None:
    """Log odds of 3, 1 and 0.1; -9 elsewhere."""
    logits = blank()
    for cell, odds in {(2, 2): 3.0, (2, 4): 1.0, (4, 6): 0.1}.items():
        put(logits, cell, odds, size=(4, 4))
    assert len(decode(logits, grid_card(24.0), SHAPE, threshold=threshold)) == number


@pytest.mark.parametrize(("shift", "number"), [(7.9, 1), (8.1, 2)])
def test_boxes_that_overlap_by_more_than_the_iou_are_one(shift: float, number: int) -> None:
    """24 x 24 boxes `shift` apart: (24 - 8) / (24 + 8) = 0.5 at 8; the likelier one remains, whichever comes first."""
    for first, second in ((2.0, 1.0), (1.0, 2.0)):
        logits = blank()
        put(logits, (2, 2), first, away=(0.5, 0))
        put(logits, (2, 4), second, away=((shift - 12) / 8, 0))
        found = decode(logits, grid_card(24.0, separation=0.5), SHAPE)
        assert len(found) == number
        if number == 1:
            assert found.score[0] == pytest.approx(expit(2.0))
            assert found.xy[0, 0] == pytest.approx(24 if first > second else 24 + shift, abs=1e-5)
    logits = blank()
    put(logits, (2, 2), 2.0)
    put(logits, (2, 4), 1.0, away=(-1.5, 0), kind=1)
    assert len(decode(logits, grid_card(24.0, separation=0.5), SHAPE)) == 2  # one of another class remains


def test_a_box_falls_to_one_that_stands_alone() -> None:
    """A over B over C, A and B overlap, B and C too, A and C do not: A removes B, and C remains."""
    logits = blank()
    for col, odds, x in ((1, 3.0, 12.0), (3, 2.0, 19.0), (5, 1.0, 32.0)):
        put(logits, (2, col), odds, away=((x - 8 * col - 4) / 8, 0))
    found = decode(logits, grid_card(24.0, separation=0.25), SHAPE)
    assert found.xy[:, 0].tolist() == [12, 32]


def spots(places: list[tuple[float, float]], odds: list[float], kinds: list[int] | None = None) -> np.ndarray:
    """A map with points at places (x, y), each in a cell of its own."""
    logits = blank(1, (16, 16))
    for i, (x, y) in enumerate(places):
        cell = (int(y // 8), int(x // 8))
        away = (x / 8 - cell[1] - 0.5, y / 8 - cell[0] - 0.5)
        put(logits, cell, odds[i], away=away, kind=kinds[i] if kinds else 0)
    return logits


@pytest.mark.parametrize(("x", "number"), [(40.0, 2), (39.98, 1)])
def test_points_closer_than_the_radius_are_one_whatever_their_class(x: float, number: int) -> None:
    """At the radius itself, 20 pixels, both stand."""
    logits = spots([(20.0, 20.0), (x, 20.0)], [2.0, 1.0], [0, 1])
    found = decode(logits, grid_card(None, separation=20.0), (128, 128))
    assert len(found) == number and found.names[0] == "a"


def test_of_equal_points_the_first_in_reading_order_stands() -> None:
    """Three in a row, 17 pixels apart, of one level: the first drops the second, which no longer drops the third.

    Differences below 1/1024 are the digits that depend on tiles, and decide nothing.
    """
    for odds in ([1.0, 1.0, 1.0], [1.0, 1.0002, 1.0001]):
        found = decode(spots([(20, 20), (37, 20), (54, 20)], odds), grid_card(None, separation=20.0), (128, 128))
        assert found.xy[:, 0].tolist() == [20, 54]
    found = decode(spots([(20, 20), (37, 20), (54, 20)], [1.0, 1.1, 1.0]), grid_card(None, separation=20.0), (128, 128))
    assert found.xy[:, 0].tolist() == [37]


@st.composite
def crowds(draw: st.DrawFn) -> tuple[list[tuple[float, float]], list[float]]:
    cells = draw(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=20, unique=True))
    fine = st.integers(0, 7)
    places = [(16.0 * col + draw(fine), 16.0 * row + draw(fine)) for row, col in cells]
    return places, [draw(st.sampled_from([0.5, 1.0, 1.5, 2.0])) for _ in cells]


@given(case=crowds(), radius=st.sampled_from([12.0, 20.0, 33.5]), boxes=st.booleans())
@settings(deadline=None, max_examples=60)
def test_what_stands_is_what_a_plain_loop_leaves(
    case: tuple[list[tuple[float, float]], list[float]], radius: float, boxes: bool
) -> None:
    """From the highest score down, of equals in reading order: whatever is near one that remains is removed.

    Points by their distance; boxes of 24 x 24 by an IoU of 0.32. Cells two apart do not give way to one another.
    """
    places, odds = case
    card: ModelCard = grid_card(24.0 if boxes else None, separation=0.3183 if boxes else radius)
    found = decode(spots(places, odds), card, (1000, 1000))
    order = sorted(range(len(places)), key=lambda i: (-odds[i], places[i][1] // 8, places[i][0] // 8))
    standing: list[int] = []
    for i in order:
        if not any(_clash(places[i], places[j], radius, boxes) for j in standing):
            standing.append(i)
    wanted = sorted((places[i] for i in standing), key=lambda at: (at[1] // 8, at[0] // 8))
    low = [(max(x - 12, 0), max(y - 12, 0), x + 12, y + 12) for x, y in wanted]
    if boxes:
        np.testing.assert_allclose(found.boxes_xyxy, low, atol=1e-3)
    else:
        np.testing.assert_allclose(found.xy, wanted, atol=1e-3)


def _clash(one: tuple[float, float], other: tuple[float, float], radius: float, boxes: bool) -> bool:
    if not boxes:
        return math.dist(one, other) < radius
    spans = [[(max(at[axis] - 12, 0), at[axis] + 12) for axis in (0, 1)] for at in (one, other)]
    sides = [max(0, min(a[1], b[1]) - max(a[0], b[0])) for a, b in zip(*spans, strict=True)]
    areas = [(x[1] - x[0]) * (y[1] - y[0]) for x, y in spans]
    shared = sides[0] * sides[1]
    return shared / (sum(areas) - shared) > 0.3183


@pytest.mark.parametrize("kind", ["boxes", "points"])
def test_the_outcome_does_not_depend_on_the_rows_at_once_or_the_order_of_reading(kind: str) -> None:
    """Noise with many equals, in strips of 1 to 17 rows, and mirrored top to bottom where no two are equal."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1, (7, 17, 23)).astype(np.float32)
    logits[0] = np.round(logits[0])
    card = grid_card(24.0, separation=0.5) if kind == "boxes" else grid_card(None, separation=13.0)
    whole = decode(logits, card, (17 * 8, 23 * 8), threshold=0.3)
    assert len(whole) > 15
    for rows in (1, 2, 3, 5, 8, 17, 40):
        strips = decode(logits, card, (17 * 8, 23 * 8), threshold=0.3, rows=rows)
        np.testing.assert_array_equal(strips.xy, whole.xy)
        np.testing.assert_array_equal(strips.score, whole.score)
    logits[0] = rng.permutation(logits[0].size).reshape(17, 23) / 50 - 4
    whole = decode(logits, card, (17 * 8, 23 * 8), threshold=0.3)
    mirrored = turned_channels(logits[None, :, ::-1], 1, (False, True, False))[0]
    back = decode(mirrored, card, (17 * 8, 23 * 8), threshold=0.3)
    np.testing.assert_allclose(
        sorted(map(tuple, back.xy * (1, -1) + (0, 17 * 8))), sorted(map(tuple, whole.xy)), atol=1e-4
    )


def test_two_slots_find_two_objects_in_a_cell_and_do_not_give_way_to_one_another() -> None:
    """They share the cell's class; of boxes that overlap the less likely one still falls."""
    logits = blank(2)
    put(logits, (2, 2), 2.0, slot=1, away=(0.4, 0), size=(4, 12))
    put(logits, (2, 2), 3.0, away=(-0.4, 0), size=(4, 12))
    put(logits, (4, 5), 1.0, slot=1, away=(-0.5, 0), size=(4, 12), kind=1)
    put(logits, (4, 4), 3.0, away=(0.0, 0), size=(3, 12), kind=1)
    found = decode(logits, grid_card(24.0, 2), SHAPE)
    assert rows_of(found) == [(16.8, 20, 4, 12), (23.2, 20, 4, 12), (36, 36, 3, 12), (40, 36, 4, 12)]
    assert found.names == ["a", "a", "b", "b"]
    put(logits, (2, 2), 2.0, slot=1, away=(-0.4, 0), size=(4, 10))
    assert rows_of(decode(logits, grid_card(24.0, 2), SHAPE))[:2] == [(16.8, 20, 4, 12), (36, 36, 3, 12)]


def test_boxes_are_cut_at_the_scenes_edge_and_points_lie_in_it() -> None:
    """A scene of 45 x 61 pixels, whose last cells hang over: a box around (62, 46) is cut to x 52..61, y 36..45."""
    logits = blank()
    put(logits, (5, 7), 2.0, away=(0.25, 0.25), size=(20, 20))
    put(logits, (0, 0), 2.0, away=(-1.5, -1.5), size=(48, 24))
    found = decode(logits, grid_card(24.0), (45, 61))
    boxes = found.boxes_xyxy
    np.testing.assert_allclose(boxes, [(0, 0, 24, 12), (51, 35, 61, 45)], atol=1e-6)
    points = decode(logits, grid_card(None), (45, 61))
    assert (points.xy >= 0).all() and (points.xy < (61, 45)).all()
    np.testing.assert_allclose(points.xy, [(0, 0), (61, 45)], atol=1e-9)


def test_wild_sizes_of_an_untrained_net_stay_numbers() -> None:
    logits = blank()
    put(logits, (2, 2), 2.0)
    logits[3:5, 2, 2] = (900, -900)
    found = decode(logits, grid_card(24.0), SHAPE)
    assert np.isfinite(found.wh).all() and (found.wh > 0).all()


def test_no_number_is_too_large() -> None:
    """60 x 70 objects in every second cell, all found."""
    logits = blank(1, (120, 140))
    logits[0, ::2, ::2] = 3.0
    logits[3:5] = math.log(16 / 24)
    assert len(decode(logits, grid_card(24.0), (960, 1120))) == 60 * 70


def test_nothing_is_found_in_a_map_that_says_no() -> None:
    found = decode(blank(), grid_card(24.0), SHAPE)
    assert len(found) == 0 and found.wh is not None and found.classes == ("a", "b")
    assert decode(blank(), grid_card(None), SHAPE).wh is None


def test_heat_is_the_chance_of_an_object_times_that_of_its_class() -> None:
    logits = blank(2)
    put(logits, (1, 1), 1.0)
    put(logits, (1, 1), 2.0, slot=1)
    heat = grid_heat(logits, 2)
    assert heat.shape == (2, 6, 8) and heat.dtype == np.float32
    np.testing.assert_allclose(heat[:, 1, 1], expit(2.0) * softmax([5.0, 0.0]), rtol=1e-6)
    np.testing.assert_allclose(heat.sum(axis=0)[0, 0], expit(-9.0), rtol=1e-5)


@pytest.mark.parametrize("turn", D4)
@pytest.mark.parametrize("slots", [1, 2])
def test_offsets_and_sizes_are_turned_as_points_are(slots: int, turn: tuple[bool, bool, bool]) -> None:
    """A cell with its centre 0.3 right and 0.1 up, 2 wide and 3 high, is turned; turned back it is the same again."""
    swap, rows, cols = turn
    x, y, w, h = 0.3, -0.1, 2.0, 3.0
    shown = [(y, x, h, w) if swap else (x, y, w, h)][0]
    shown = (-shown[0] if cols else shown[0], -shown[1] if rows else shown[1], *shown[2:])
    maps = np.zeros((1, 5 * slots + 2, 1, 1), np.float32)
    for slot in range(slots):
        maps[0, 5 * slot : 5 * slot + 5, 0, 0] = (7 + slot, *shown)
    maps[0, -2:, 0, 0] = (4, 5)
    before = maps.copy()
    found = turned_channels(maps, slots, turn)
    for slot in range(slots):
        np.testing.assert_allclose(found[0, 5 * slot : 5 * slot + 5, 0, 0], (7 + slot, x, y, w, h), rtol=1e-6)
    assert found[0, -2:, 0, 0].tolist() == [4, 5]
    np.testing.assert_array_equal(maps, before)


def views_of(*cells: tuple[float, ...]) -> np.ndarray:
    """Maps of one cell, a view each: (V, 1, K, 1, 1)."""
    return np.array(cells, np.float32)[:, None, :, None, None]


def test_the_mean_of_views_by_hand() -> None:
    """Objectness 0.8 and 0.4, mean 0.6; the rest by their weight, two thirds and a third; classes by mean posterior."""
    first, second = math.log(4), math.log(2 / 3)
    maps = views_of((first, 0.3, 0.0, 1.0, 0.0, 0.0, 2.0), (second, -0.3, 0.6, 0.0, 3.0, 1.0, 0.0))
    found = combined_grids(maps, 1, "mean")[0, :, 0, 0]
    np.testing.assert_allclose(expit(found[0]), 0.6, rtol=1e-6)
    np.testing.assert_allclose(found[1:5], [0.1, 0.2, 2 / 3, 1.0], rtol=1e-5)
    wanted = (softmax([0.0, 2.0]) + softmax([1.0, 0.0])) / 2
    np.testing.assert_allclose(softmax(found[5:]), wanted, rtol=1e-5)


def test_a_vote_of_views_by_hand() -> None:
    """Three of four views see it, 0.6, 0.6 and 0.6, one does not, 0.1: (3 + 0.475) / 5, where the mean says no."""
    odds = [math.log(1.5)] * 3 + [math.log(1 / 9)]
    maps = views_of(*[(each, 0, 0, 0, 0, 0, 0) for each in odds])
    assert expit(combined_grids(maps, 1, "vote")[0, 0, 0, 0]) == pytest.approx((3 + 0.475) / 5, rel=1e-5)
    assert expit(combined_grids(maps, 1, "mean")[0, 0, 0, 0]) == pytest.approx(0.475, rel=1e-5)


@pytest.mark.parametrize("how", ["mean", "vote"])
def test_the_order_of_views_does_not_matter_and_equal_views_say_what_one_says(how: str) -> None:
    maps = np.random.default_rng(0).normal(0, 2, (3, 2, 12, 4, 5)).astype(np.float32)
    found = combined_grids(maps, 2, how)
    for order in itertools.permutations(range(3)):
        np.testing.assert_allclose(combined_grids(maps[list(order)], 2, how), found, atol=1e-5)
    same = combined_grids(np.stack([maps[0]] * 4), 2, "mean")
    np.testing.assert_allclose(same[:, :10], maps[0][:, :10], atol=1e-4)
    np.testing.assert_allclose(softmax(same[:, 10:], axis=1), softmax(maps[0][:, 10:], axis=1), atol=1e-5)


def test_views_that_are_sure_stay_finite() -> None:
    """All views say 1 or all say 0, far beyond the digits of a probability: their mean keeps the log odds."""
    for odds in (500.0, -500.0, 5000.0, -5000.0):
        maps = views_of(*[(odds, 0.1, 0.2, 0.3, 0.4, 0, 0)] * 4)
        for how in ("mean", "vote"):
            found = combined_grids(maps, 1, how)[0, :, 0, 0]
            assert np.isfinite(found).all() and bool(found[0] > 0) is (odds > 0)
            assert how == "vote" or found[0] == odds
            np.testing.assert_allclose(found[1:5], [0.1, 0.2, 0.3, 0.4], rtol=1e-5)

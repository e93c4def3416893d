from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detect.imagery.windows import Tiling, Window
from detect.inference.decoding.geometry import CellGeometry
from detect.inference.decoding.patch import ADDED_CURVATURE, decode_patches, find_peaks, foreground, posteriors
from detect.inference.stitching import Stitcher
from detect.labels.detections import Detections

TWO = ("a", "b")
ONE = ("a",)


def slow_peaks(heat: np.ndarray, radius: int) -> list[tuple[int, int]]:
    """By the words: cells that none within reach exceeds; of equal ones within reach, the first in reading order."""

    def around(cell: tuple[int, int]) -> list[tuple[int, int]]:
        return [other for other in np.ndindex(heat.shape) if np.abs(np.subtract(cell, other)).max() <= radius]

    highest = [
        cell
        for cell in np.ndindex(heat.shape)
        if heat[cell] > -np.inf and all(heat[cell] >= heat[o] for o in around(cell))
    ]
    return [cell for cell in highest if not any(other in highest for other in around(cell) if other < cell)]


@given(
    heat=arrays(
        np.float32, st.tuples(st.integers(1, 8), st.integers(1, 8)), elements=st.sampled_from([-np.inf, 0, 1, 2])
    ),
    radius=st.integers(1, 4),
)
@settings(deadline=None)
def test_peaks_are_those_found_by_looking_at_every_cell(heat: np.ndarray, radius: int) -> None:
    found = find_peaks(heat, radius)
    assert found.shape[1:] == (2,)
    assert [tuple(cell) for cell in found.tolist()] == slow_peaks(heat, radius)


def test_of_equal_neighbours_the_first_in_reading_order_stands() -> None:
    heat = np.full((5, 5), -np.inf, np.float32)
    heat[1, 3] = heat[2, 2] = heat[4, 0] = 1
    assert find_peaks(heat, 1).tolist() == [[1, 3], [4, 0]]
    assert find_peaks(heat, 2).tolist() == [[1, 3]]


def test_nothing_and_nowhere() -> None:
    assert find_peaks(np.full((3, 4), -np.inf, np.float32), 1).shape == (0, 2)
    assert find_peaks(np.zeros((1, 1), np.float32), 9).tolist() == [[0, 0]]


def test_flat_ground_costs_no_more_than_any_other() -> None:
    """Every cell of a black border equals its neighbours: 10^6 cells are 4 * 10^7 pairs within a reach of 4."""
    assert find_peaks(np.zeros((1000, 1000), np.float32), 4).tolist() == [[0, 0]]


@pytest.mark.parametrize("radius", [0, -1])
def test_a_reach_of_less_than_a_cell(radius: int) -> None:
    with pytest.raises(ValueError, match=rf"radius .*1 .*got {radius}"):
        find_peaks(np.zeros((3, 3), np.float32), radius)


@given(data=st.data(), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_a_peak_depends_on_its_neighbourhood_alone(data: st.DataObject, seed: int) -> None:
    """Ties reach no further than to the cells that others in reach exceed: twice the radius."""
    heat = np.random.default_rng(seed).integers(0, 4, (30, 30)).astype(np.float32)
    radius = data.draw(st.integers(1, 3))
    row, col = data.draw(st.integers(0, 15)), data.draw(st.integers(0, 15))
    part = find_peaks(heat[row : row + 15, col : col + 15], radius) + np.array([row, col])
    inner = Window(row, col, 15, 15).grown(-2 * radius)
    of_part, of_whole = (
        {
            tuple(c)
            for c in cells.tolist()
            if Window(*c, 1, 1).shifted(-inner.row, -inner.col).inside((inner.height, inner.width))
        }
        for cells in (part, find_peaks(heat, radius))
    )
    assert of_part == of_whole


def test_foreground_and_posteriors_by_hand() -> None:
    """Odds of 1 : 2 : 5 against each other: 7 to 1 for any class, posteriors 2 / 8 and 5 / 8."""
    logits = np.log(np.array([1, 2, 5], np.float32)).reshape(3, 1, 1)
    assert foreground(logits)[0, 0] == pytest.approx(np.log(7), abs=1e-6)
    np.testing.assert_allclose(posteriors(logits)[:, 0, 0], [0.25, 0.625], rtol=1e-6)


def test_confident_maps_still_have_one_peak() -> None:
    """A probability of 1 - e^-40 is 1 in floating point, all over the object; its log odds still tell the middle."""
    rows, cols = np.mgrid[:9, :9]
    logits = np.stack([np.zeros((9, 9)), 60 - 0.5 * ((rows - 4) ** 2 + (cols - 5) ** 2)]).astype(np.float32)
    assert (posteriors(logits) == 1).sum() > 9
    found = decode_patches(logits, ONE, CellGeometry(1, 0.0, (9, 9)), radius=1, threshold=0.5)
    np.testing.assert_allclose(found.xy, [[5, 4]], atol=1e-9)


@given(
    x=st.floats(10, 20),
    y=st.floats(10, 15),
    width=st.floats(1, 3),
    height=st.floats(1.5, 8),
    cells=st.sampled_from([0.0, 0.5]),
)
@settings(deadline=None)
def test_a_hill_is_found_to_a_tenth_of_a_cell(x: float, y: float, width: float, height: float, cells: float) -> None:
    """A round hill of log odds on low ground, its middle between the cells; stride 16.

    Its curvature is height / width^2 or more than 1 in 6, of which `ADDED_CURVATURE` is an eighth: of a shift of at
    most half a cell no more than a sixteenth of a cell is lost.
    """
    rows, cols = np.mgrid[:25, :30]
    hill = height * np.exp(-((cols - x) ** 2 + (rows - y) ** 2) / (2 * width**2)) - height / 4
    logits = np.stack([np.zeros((25, 30)), hill]).astype(np.float32)
    geometry = CellGeometry(16, 16 * cells, (400, 480))
    found = decode_patches(logits, ONE, geometry, radius=64, threshold=0.5)
    assert len(found) == 1
    assert np.abs(found.xy[0] - 16 * (np.array([x, y]) + cells)).max() < 1.6


def test_a_parabola_is_found_exactly() -> None:
    """Log odds 5 - (j - 3.25)^2 - (i - 2)^2: at x = 3.25 and y = 2 cells of 8 pixels, from 4 on: 30 and 20.

    The curvature of 2 gets `ADDED_CURVATURE` more, so that a flat top does not move; so much of the 2 pixels is lost.
    """
    rows, cols = np.mgrid[:6, :7]
    logits = np.stack([np.zeros((6, 7)), 5 - (cols - 3.25) ** 2 - (rows - 2.0) ** 2]).astype(np.float32)
    found = decode_patches(logits, ONE, CellGeometry(8, 4.0, (48, 56)), radius=16, threshold=0.5)
    np.testing.assert_allclose(found.xy, [[28 + 2 * 2 / (2 + ADDED_CURVATURE), 20]], atol=1e-4)
    assert abs(found.xy[0, 0] - 30) < 0.025
    assert found.xy[0, 1] == 20
    assert found.score[0] == pytest.approx(1 / (1 + np.exp(-(5 - 0.25**2))), abs=1e-6)


def spikes(*cells: tuple[int, int, float, float], shape: tuple[int, int] = (8, 8)) -> np.ndarray:
    """Log odds of classes a and b at (row, column), -20 for both elsewhere; the background's logit is 0."""
    logits = np.full((3, *shape), -20, np.float32)
    logits[0] = 0
    for row, col, a, b in cells:
        logits[1:, row, col] = a, b
    return logits


def decoded(logits: np.ndarray, threshold: float = 0.5, radius: float = 10.0, shape: tuple[int, int] = (80, 80)):
    return decode_patches(logits, TWO, CellGeometry(10, 5.0, shape), radius=radius, threshold=threshold)


def test_the_class_is_the_likeliest_one_and_the_score_is_that_of_any_class() -> None:
    """Odds of 1 and 3 for a and b against 1 for the ground: 4 / 5."""
    found = decoded(spikes((2, 5, 0.0, np.log(3)), (6, 1, 2.0, -1.0)))
    assert found.names == ["b", "a"]
    np.testing.assert_allclose(found.xy, [[55, 25], [15, 65]])
    assert found.score[0] == pytest.approx(0.8, abs=1e-6)


def test_the_threshold_itself_is_enough() -> None:
    """Log odds of 0 are a score of exactly 1 / 2; class b adds e^-200, which is nothing."""
    logits = spikes((3, 3, 0.0, -200.0))
    assert decoded(logits, 0.5).score.tolist() == [0.5]
    assert len(decoded(logits, np.nextafter(0.5, 1))) == 0


def test_two_objects_closer_than_the_radius_are_one() -> None:
    """Cells 2 apart: within reach of a radius of 20 pixels, not of 14, which is 1 cell."""
    logits = spikes((3, 3, 2.0, -20.0), (3, 5, 3.0, -20.0))
    assert len(decoded(logits, radius=14)) == 2
    found = decoded(logits, radius=20)
    np.testing.assert_allclose(found.xy, [[55, 35]], atol=0.5)
    assert len(decoded(logits, radius=0)) == 2


def test_cells_whose_centre_hangs_over_the_scene_are_left_out() -> None:
    """Centres at 5, 15, ... 75: in 75 pixels the last one, at the far edge, is outside; in 76 it is in."""
    logits = spikes((7, 2, 3.0, -20.0), (2, 7, 3.0, -20.0), (0, 0, 3.0, -20.0))
    assert len(decoded(logits, shape=(76, 76))) == 3
    np.testing.assert_allclose(decoded(logits, shape=(75, 76)).xy, [[5, 5], [75, 25]])
    np.testing.assert_allclose(decoded(logits, shape=(76, 75)).xy, [[5, 5], [25, 75]])


def test_a_hill_at_the_edge_is_placed_inside_the_scene() -> None:
    """With an offset of 0 the top row's hill may lean outwards; its point stays on the image."""
    logits = spikes((0, 3, 3.0, -20.0), (1, 3, 1.0, -20.0), (4, 0, 3.0, -20.0), (4, 1, 2.0, -20.0))
    found = decode_patches(logits, TWO, CellGeometry(10, 0.0, (80, 80)), radius=20, threshold=0.5)
    assert len(found) == 2 and Window(0, 0, 80, 80).contains_xy(found.xy).all()


def test_nothing_found_is_an_empty_table_with_the_classes() -> None:
    found = decoded(spikes())
    assert (len(found), found.counts()) == (0, {"a": 0, "b": 0})


def hilly(seed: int, height: int, width: int, steps: int) -> np.ndarray:
    """Logits (3, h, w) of smooth noise in `steps` levels, so that hilltops are flat and many cells are equal."""
    small = np.random.default_rng(seed).normal(0, 3, (3, height // 3 + 2, width // 3 + 2))
    wide = np.repeat(np.repeat(small, 3, axis=1), 3, axis=2)[:, :height, :width]
    return (np.round(wide * steps) / steps).astype(np.float32)


def assert_identical(found: Detections, wanted: Detections) -> None:
    assert found.names == wanted.names
    np.testing.assert_array_equal(found.xy, wanted.xy)
    np.testing.assert_array_equal(found.score, wanted.score)


@given(
    seed=st.integers(0, 99),
    shape=st.tuples(st.integers(1, 60), st.integers(1, 40)),
    rows=st.integers(1, 70),
    cells=st.integers(1, 4),
    steps=st.sampled_from([1, 4, 1000]),
)
@settings(deadline=None)
def test_the_height_of_a_strip_changes_nothing(
    seed: int, shape: tuple[int, int], rows: int, cells: int, steps: int
) -> None:
    """Plateaus of 3 x 3 equal cells and more, which strips cut; every field is equal to the last bit."""
    logits = hilly(seed, *shape, steps)
    geometry = CellGeometry(8, 4.0, (8 * shape[0] - 3, 8 * shape[1] - 5))
    options = {"radius": 8.0 * cells, "threshold": 0.3}
    whole = decode_patches(logits, TWO, geometry, **options)
    assert_identical(decode_patches(logits, TWO, geometry, **options, rows=rows), whole)


def test_hills_are_many_and_equal_ones_too() -> None:
    """What the test above is about: in 60 x 40 cells there are dozens of peaks, most of them of more than one cell."""
    logits = hilly(0, 60, 40, 4)
    heat = np.round(foreground(logits) * 1024)
    cells = find_peaks(heat, 1)
    twins = [(heat[r : r + 2, c : c + 2] == heat[r, c]).all() for r, c in cells.tolist() if r < 59 and c < 39]
    assert len(cells) > 30 and sum(twins) > 20


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 7, 20])
def test_of_equal_cells_the_first_in_reading_order_stands_whatever_the_strip(rows: int) -> None:
    """A ridge along column 3 and a plateau of 6 x 6 cells, each higher than all around; a reach of 2 cells.

    On the ridge, rows 1 to 9, the first cell has none before it; each of the rest has one within two rows above, so it
    is one object. So is the plateau: its corner at (12, 2) is the first, every other has an equal one before it.
    """
    spots = [(row, 3, 3.0, -20.0) for row in range(1, 10)]
    spots += [(row, col, 2.0, -20.0) for row in range(12, 18) for col in range(2, 8)]
    logits = spikes(*spots, shape=(20, 12))
    found = decode_patches(logits, TWO, CellGeometry(10, 5.0, (200, 120)), radius=20, threshold=0.5, rows=rows)
    assert np.floor(found.xy / 10).astype(int).tolist() == [[3, 1], [2, 12]]


def test_last_digits_do_not_decide_on_flat_ground() -> None:
    """Noise of 1e-6, as other tiles make it, on a plateau of log odds 2: steps of 1/1024 are coarser.

    The parabola divides the noise by no less than `ADDED_CURVATURE`, the A of the bound: the peak moves by less than
    0.5 * 2e-6 / A cells.
    """
    logits = spikes(*[(row, col, 2.0, -20.0) for row in range(2, 6) for col in range(2, 6)])
    still = decoded(logits)
    rng = np.random.default_rng(0)
    for _ in range(20):
        shaken = decoded(logits + rng.uniform(-1e-6, 1e-6, logits.shape).astype(np.float32))
        np.testing.assert_allclose(shaken.xy, still.xy, rtol=0, atol=10 * 1e-6 / ADDED_CURVATURE)
        np.testing.assert_allclose(shaken.score, still.score, rtol=0, atol=1e-6)
    assert len(still) == 1


def test_a_map_in_a_file_is_decoded_as_one_in_memory(tmp_path: Path) -> None:
    logits = hilly(1, 50, 70, 4)
    grid = Tiling((400, 560), 64, 0, 8)
    maps = []
    for folder in (None, tmp_path):
        stitcher = Stitcher(grid, 3, folder)
        whole = np.pad(logits, ((0, 0), (0, 8), (0, 8)))
        for core in grid:
            at = Window(core.row // 8, core.col // 8, 8, 8)
            stitcher.put(core, whole[:, at.row : at.row_stop, at.col : at.col_stop])
        maps.append(stitcher.finished())
    assert isinstance(maps[1], np.memmap) and not isinstance(maps[0], np.memmap)
    geometry = CellGeometry(8, 4.0, (400, 560))
    in_memory = decode_patches(maps[0], TWO, geometry, radius=16, threshold=0.3)
    to_file_pixels = decode_patches(maps[1], TWO, geometry, radius=16, threshold=0.3, rows=7)
    assert len(in_memory) > 20
    assert_identical(to_file_pixels, in_memory)
    np.testing.assert_array_equal(maps[1], logits)

"""Scenes cut into windows: every pixel once, every object in one window."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.evaluation.survey.partition import survey_windows
from detect.labels.detections import Detections

SHAPES = st.dictionaries(
    st.sampled_from("abc"), st.tuples(st.integers(1, 90), st.integers(1, 90)), min_size=1, max_size=3
)


def objects(*xy: tuple[float, float], score: float = 1) -> Detections:
    return Detections(np.array(xy).reshape(-1, 2), np.full(len(xy), score), np.zeros(len(xy), int), ("cow",))


@settings(deadline=None)
@given(SHAPES, st.integers(8, 50))
def test_windows_cover_every_pixel_once(shapes: dict[str, tuple[int, int]], side: int) -> None:
    windows = survey_windows(shapes, side)
    for name, shape in shapes.items():
        times = np.zeros(shape, int)
        for row, col, height, width in windows.bounds[windows.of_image(name)].tolist():
            times[row : row + height, col : col + width] += 1
        assert (times == 1).all()


@settings(deadline=None)
@given(SHAPES, st.integers(8, 50))
def test_sides_are_equal_to_a_pixel_and_near_what_was_asked(shapes: dict[str, tuple[int, int]], side: int) -> None:
    windows = survey_windows(shapes, side)
    for name, shape in shapes.items():
        sides = windows.bounds[windows.of_image(name)][:, 2:]
        assert (np.ptp(sides, axis=0) <= 1).all()
        for axis in (0, 1):
            assert sides[:, axis].min() + 1 >= min(shape[axis], 0.75 * side)
            assert sides[:, axis].max() - 1 <= 1.5 * side


@settings(deadline=None)
@given(SHAPES, st.integers(8, 50), st.integers(0, 1000))
def test_every_object_is_in_the_window_that_holds_it(shapes: dict[str, tuple[int, int]], side: int, seed: int) -> None:
    windows, rng = survey_windows(shapes, side), np.random.default_rng(seed)
    found = {}
    for name, (height, width) in shapes.items():
        points = rng.uniform((0, 0), (width, height), (20, 2))
        found[name] = objects(*points.tolist(), *np.floor(points).tolist())
        at = windows.find(name, found[name].xy)
        inside = [windows.window(i).contains_xy(xy[None])[0] for i, xy in zip(at, found[name].xy, strict=True)]
        assert all(inside)
        assert (windows.image[at] == list(shapes).index(name)).all()
    assert windows.sums(found, ("cow",)).sum() == 40 * len(shapes)


def test_an_object_on_the_far_edge_is_in_the_last_window() -> None:
    windows = survey_windows({"a": (10, 20)}, 10)
    assert windows.sums({"a": objects((20, 10), (10, 0), (9.99, 0))}, ("cow",)).tolist() == [[1], [2]]


def test_an_object_outside_its_image_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"a: a point at x 20.5, y 1.0 is outside of the image of 20 x 10"):
        survey_windows({"a": (10, 20)}, 10).sums({"a": objects((20.5, 1))}, ("cow",))


def test_weights_are_sums_of_scores_from_the_floor_on() -> None:
    windows = survey_windows({"a": (10, 20)}, 10)
    weak, strong = objects((15, 5), (3, 3), score=0.25), objects((15, 5), score=0.75)
    both = Detections(
        np.concatenate([weak.xy, strong.xy]), np.append(weak.score, strong.score), np.zeros(3, int), ("cow",)
    )
    assert windows.weights({"a": both}, 0.25).tolist() == [0.25, 1.0]
    assert windows.weights({"a": both}, 0.3).tolist() == [0.0, 0.75]


def test_neighbours_are_those_of_the_same_scene() -> None:
    windows = survey_windows({"a": (20, 20), "b": (10, 10)}, 10)
    assert windows.neighbour_sums(np.array([1.0, 2, 4, 8, 16])).tolist() == [6, 9, 9, 6, 0]


@pytest.mark.parametrize(
    ("shapes", "side", "words"),
    [({"a": (9, 9)}, 0, "side"), ({}, 5, "an image at least"), ({"a": (0, 9)}, 5, "a: an image needs")],
)
def test_what_cannot_be_cut(shapes: dict[str, tuple[int, int]], side: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        survey_windows(shapes, side)


def test_windows_that_are_too_many_say_how_wide_they_must_be() -> None:
    """20,000 x 20,000 pixels at a side of 10 are 4 million: twice the side, a quarter."""
    with pytest.raises(ValueError, match=r"side=10 makes 4,000,000 windows, .*give 20 or more"):
        survey_windows({"a": (20_000, 20_000)}, 10)
    assert len(survey_windows({"a": (20_000, 20_000)}, 20)) == 1_000_000

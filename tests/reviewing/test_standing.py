"""What is kept of an image's objects is what acts leave of them, and the latest window that an object is in holds."""

import numpy as np
import pytest

from detect.imagery.windows import Window
from detect.reviewing.review_objects import ReviewObject
from detect.reviewing.session import ReviewSession
from detect.reviewing.standing import Finished, _Latest
from tests.reviewing.small_run import A, B, small_run
from tests.reviewing.test_session import random_act


@pytest.mark.parametrize("seed", range(4))
def test_objects_that_are_kept_are_those_that_the_acts_leave(tmp_path, seed):
    rng, session = np.random.default_rng(seed), ReviewSession(small_run(tmp_path))
    for _ in range(40):
        random_act(rng, session)
        for name in (A, B):
            tables, standing = session._tables(name), session._standing[name]
            assert dict(standing.by_id(tables)) == {each.id: each for each in standing.objects(tables)}


@pytest.mark.parametrize("seed", range(5))
def test_the_latest_window_of_an_object_is_found(seed):
    """As by looking at every window, in windows of all sizes that lie on each other; far edges are in the last ones."""
    rng, shape = np.random.default_rng(seed), (80, 100)
    windows = {}
    for number in range(12):
        row, col = (int(rng.integers(0, side)) for side in shape)
        window = Window(row, col, *(int(each) for each in rng.integers(1, 90, 2))).within(shape)
        windows[window] = Finished(number, {})
    latest = _Latest(windows, shape)
    for x in (0, 12.5, 50, 99.999, 100):
        for y in (0, 40, 79.5, 80):
            each = ReviewObject("d", x, y, None, None, "cow", 0.5, "found")
            inside = [done for window, done in windows.items() if each.inside(window, shape)]
            wanted = max(inside, key=lambda done: done.number, default=None)
            assert latest.of(each) is wanted

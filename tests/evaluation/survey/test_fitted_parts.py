"""Parts of a total: none below what was seen, and together what they were."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detect.evaluation.survey.estimates import Estimate
from detect.evaluation.survey.fitted_parts import fitted_parts, not_below_seen


def part(total: float, seen: int, high: float | None = 100) -> Estimate:
    return Estimate(total, seen, high, 0, seen, 30, 1.0, "t", "", None)


def totals(parts: dict[str, Estimate]) -> dict[str, float]:
    return {name: each.total for name, each in parts.items()}


def test_what_is_above_what_was_seen_makes_room_for_what_is_below() -> None:
    """12 - 20 is raised by 8; the others are 30 and 10 above what was seen, and keep (30 + 10 - 8) / 40 of that."""
    parts = {"cow": part(12, 20), "sheep": part(40, 10), "goat": part(10, 0)}
    assert totals(fitted_parts(parts)) == pytest.approx({"cow": 20, "sheep": 10 + 24, "goat": 8})


def test_parts_above_what_was_seen_stay() -> None:
    parts = {"cow": part(21, 20), "sheep": part(40, 10)}
    assert totals(fitted_parts(parts)) == pytest.approx({"cow": 21, "sheep": 40})


def test_what_was_reviewed_whole_is_what_was_counted_there() -> None:
    """5 of the first's 12 are there; the 7 others are of images that were not reviewed, as 10 to 4 of the estimates."""
    found = fitted_parts({"a": part(12, 5), "b": part(10, 0), "c": part(4, 0)}, ["a"])
    assert totals(found) == pytest.approx({"a": 5, "b": 15, "c": 6})
    assert (found["a"].low, found["a"].high, found["a"].method) == (5, 5, "counted")


def test_where_nothing_is_estimated_elsewhere_the_rest_is_spread_evenly() -> None:
    assert totals(fitted_parts({"a": part(12, 5), "b": part(0, 0), "c": part(0, 0)}, ["a"])) == pytest.approx(
        {"a": 5, "b": 3.5, "c": 3.5}
    )


def test_an_interval_holds_what_is_told() -> None:
    found = fitted_parts({"a": part(12, 5), "b": part(1, 0, 2), "c": part(0, 0, None)}, ["a"])
    assert (found["b"].total, found["b"].high, found["c"].high) == (8, 8, None)


def test_before_an_estimate_nothing_is_changed() -> None:
    parts = {"a": part(float("nan"), 5), "b": part(3, 4)}
    assert fitted_parts(parts, ["a"]) == parts
    assert np.isnan(not_below_seen(parts["a"]).total)


@given(st.lists(st.tuples(st.floats(-50, 50), st.integers(0, 20), st.booleans()), min_size=1, max_size=6))
def test_parts_add_up_and_none_is_below_what_was_seen(made: list[tuple[float, int, bool]]) -> None:
    parts = {str(i): part(total, seen) for i, (total, seen, _) in enumerate(made)}
    sure = [str(i) for i, (*_, whole) in enumerate(made) if whole]
    found = fitted_parts(parts, sure)
    assert all(each.total >= each.seen - 1e-9 and each.low <= each.total for each in found.values())
    if len(sure) < len(made):
        whole = not_below_seen(part(sum(each.total for each in parts.values()), sum(seen for _, seen, _ in made)))
        assert sum(each.total for each in found.values()) == pytest.approx(whole.total)

from types import SimpleNamespace
from typing import Any, cast

import pytest

from detect.assembly.prediction.told_counts import counted_things, expected_text, total_text


def sink_of(expected: list[float | None], seen: object) -> Any:
    records = {str(i): SimpleNamespace(expected=number) for i, number in enumerate(expected)}
    return cast(Any, SimpleNamespace(found=records, ground=SimpleNamespace(seen=seen)))


@pytest.mark.parametrize(
    ("expected", "seen", "said"),
    [
        ([None, None], None, ""),
        ([0.5, 2.0], None, ", 2.5 expected by their probabilities,"),
        ([0.5, 2.0], object(), ", 2.5 expected by their probabilities with repeats,"),
        ([0.5, None], None, ", 0.5 expected by their probabilities (of 1 of the images),"),
    ],
)
def test_what_is_expected_says_of_what(expected: list[float | None], seen: object, said: str) -> None:
    """A sum over images has an object that two of them show twice, and nothing of one with too many candidates."""
    assert expected_text(sink_of(expected, seen)) == said


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([], "0 objects"),
        ([{"cow": 3}, {"cow": 4}], "7 objects"),
        ([{"cow": 3, "pig": 0}, {"cow": 4, "pig": 0}], "7 objects (7 cow, no pig)"),
        ([{f"c{i}": 9 - i for i in range(10)}], "45 objects (9 c0, 8 c1, 7 c2, 6 c3, 5 c4, 4 more classes, no c9)"),
    ],
)
def test_the_sum_of_a_prediction_tells_its_classes(counts: list[dict[str, int]], said: str) -> None:
    assert total_text(counts) == said


def test_patterns_of_whole_images_are_called_so() -> None:
    assert total_text([{"ring": 1}], counted_things({"model": {"kind": "whole"}})) == "1 patterns"
    assert total_text([{"ring": 1}], counted_things({"model": {"kind": "grid"}})) == "1 objects"

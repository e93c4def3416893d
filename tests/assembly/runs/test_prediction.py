from types import SimpleNamespace
from typing import Any, cast

import pytest

from detect.assembly.runs.prediction import expected_text


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

"""Surveys of a few windows, made by hand for tests."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.survey.design import SurveyDesign


def design(probability: Sequence[float], draws: Sequence[int], added: Sequence[int] = ()) -> SurveyDesign:
    """Make a design of these draws."""
    return SurveyDesign(np.array(probability, float), np.array(draws, int), np.array(added, int))


def marks(number: int, places: Sequence[int]) -> NDArray[np.bool_]:
    """Mark places among a number of windows."""
    marked = np.zeros(number, bool)
    marked[list(places)] = True
    return marked

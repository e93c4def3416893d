import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detect.nets.facts.probabilities import Calibration, told_unknown


def test_a_line_on_log_odds() -> None:
    """The log odds of 0.5 are 0: with the intercept log 3 the odds are 3 to 1."""
    assert Calibration(2.0, np.log(3))(0.5) == pytest.approx(0.75)
    assert Calibration(1.0, 0.0)(np.array([0.1, 0.9])) == pytest.approx([0.1, 0.9])


@given(st.floats(0.2, 5), st.floats(-3, 3), st.lists(st.floats(0.01, 0.99), min_size=1, max_size=9))
def test_the_inverse_gives_back_scores_and_order_stays(slope: float, intercept: float, scores: list[float]) -> None:
    calibration, ordered = Calibration(slope, intercept), np.sort(scores)
    made = calibration(ordered)
    assert ((made >= 0) & (made <= 1)).all()
    assert (np.diff(made) >= 0).all()
    inside = (made > 1e-6) & (made < 1 - 1e-6)
    assert calibration.inverse(made)[inside] == pytest.approx(ordered[inside], abs=1e-6)


def test_a_record_gives_it_back() -> None:
    calibration = Calibration(1.5, -0.25)
    assert Calibration.from_record(calibration.to_record()) == calibration


def test_what_is_no_calibration_is_an_error() -> None:
    with pytest.raises(ValueError, match="slope above 0"):
        Calibration(0.0, 1.0)
    with pytest.raises(ValueError, match="slope and intercept"):
        Calibration.from_record({"slope": 1.0, "offset": 0.0})


def test_a_threshold_comes_back_unless_its_probability_says_nothing() -> None:
    """At slope 10 the log odds of 0.5, 0.8 and 0.95 are 0, 13.9 and 29.4; those of 1 - 1e-9 are 20.7."""
    steep, scores = Calibration(10.0, 0.0), np.linspace(0.02, 0.98, 97)
    assert [steep.keeps(scores, each) for each in (0.5, 0.8, 0.95)] == [True, True, False]
    assert steep.threshold_of(float(steep(0.8))) == pytest.approx(0.8, abs=1e-7)
    assert steep.threshold_of(0.0) == 0.0


@pytest.mark.parametrize(
    ("sureness", "threshold", "unknown"),
    [(0.0, 0.0, True), (0.0, 0.9, True), (0.4, 0.0, False), (0.4, 0.4, False), (0.4, 0.41, True)],
)
def test_a_scene_is_unknown_below_the_threshold_and_with_no_sureness_at_all(
    sureness: float, threshold: float, unknown: bool
) -> None:
    assert told_unknown(sureness, threshold) is unknown

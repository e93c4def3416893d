import pytest

from detect.inference.scene_result import told_unknown


@pytest.mark.parametrize(
    ("sureness", "threshold", "unknown"),
    [(0.0, 0.0, True), (0.0, 0.9, True), (0.4, 0.0, False), (0.4, 0.4, False), (0.4, 0.41, True)],
)
def test_a_scene_is_unknown_below_the_threshold_and_with_no_sureness_at_all(
    sureness: float, threshold: float, unknown: bool
) -> None:
    assert told_unknown(sureness, threshold) is unknown

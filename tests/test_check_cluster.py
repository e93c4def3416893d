"""What `tools/check_cluster.py` says of runs: rates of long ones, none of a handful of images."""

from dataclasses import replace

import pytest

from tools.cluster_checks.judged import TOO_FEW, Told, judged, steady_rate


def told(scale: float) -> list[Told]:
    """Starts of 5 and 8 seconds; runs of 100, 108 and 60 seconds beyond, of which Ray itself has 3, times a scale."""
    local, one = Told("local", 5.0, 5.0, 0.0, ()), Told("one", 8.0, 9.0, 1.0, (400,))
    return [
        local,
        replace(local, wall=5 + 100 * scale, cpu=5 + 100 * scale),
        one,
        replace(one, wall=8 + 110 * scale, cpu=9 + 108 * scale, rays=1 + 3 * scale, peaks=(900,), rate=2.0),
        Told("two", 8 + 60 * scale, 12 + 111 * scale, 4.0, (900, 800), rate=3.5),
    ]


def test_rates_of_long_runs_are_told_beside_their_bounds() -> None:
    lines = {name: (value, within) for name, value, within in judged(told(1.0), 1 << 30)}
    assert lines["one worker against local, processor"] == ("+8.0 %", True)
    assert lines["that without Ray's own processes"] == ("+5.0 %", True)
    assert lines["one worker against local, clock"] == ("+10.0 %", True)
    assert lines["two workers against one, images a second"] == ("1.75 times", False)
    assert lines["two workers against one, clock of the whole run"] == ("1.83 times", True)
    assert lines["most memory of a worker"] == ("500 MiB of 1024 beyond 400", True)


def test_of_a_handful_of_images_no_rate_is_told_and_none_is_broken() -> None:
    """A second beyond the start: the same shares as above would be noise."""
    lines = judged(told(0.01), 1 << 30)
    values = {name: value for name, value, _ in lines}
    assert (
        values["one worker against local, processor"] == values["two workers against one, images a second"] == TOO_FEW
    )
    assert not any("%" in value or "times" in value for value in values.values())
    assert all(within for _, _, within in lines)


@pytest.mark.parametrize(("images", "rate"), [(5, 0.0), (39, 0.0), (100, 2.0), (0, 0.0)])
def test_images_a_second_are_told_from_forty_on(images: int, rate: float) -> None:
    """One every half a second."""
    assert steady_rate([(number / 2, number) for number in range(images + 1)]) == pytest.approx(rate)
    assert steady_rate([]) == 0

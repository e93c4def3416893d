import pytest

from detect.samples.feeding.workers import Machine, SampleClock, is_measured, workers_for


@pytest.mark.parametrize(
    ("machine", "number"),
    [
        (Machine(1, "cpu", 1), 0),
        (Machine(2, "cpu", 1), 0),
        (Machine(3, "cpu", 1), 1),
        (Machine(16, "cpu", 1), 4),
        (Machine(64, "cpu", 1), 8),
        (Machine(1, "cuda", 1), 0),
        (Machine(4, "cuda", 1), 3),
        (Machine(16, "cuda", 1), 8),
        (Machine(8, "mps", 1), 7),
        (Machine(16, "cuda", 4), 3),
    ],
)
def test_cores_less_one_beside_a_gpu_and_a_quarter_of_those_that_compute(machine: Machine, number: int) -> None:
    """16 cores for 4 devices are 4 for each; two cores that compute the network make its samples meanwhile."""
    assert workers_for(machine, in_parts=True)[0] == number
    assert workers_for(machine, in_parts=False)[0] == 0


def test_two_cores_that_compute_the_network_are_measured() -> None:
    assert is_measured(Machine(2, "cpu", 1))
    assert not any(
        map(is_measured, (Machine(1, "cpu", 1), Machine(4, "cpu", 1), Machine(2, "cpu", 2), Machine(2, "cuda", 1)))
    )


def test_the_share_of_the_samples_is_of_the_time_after_the_first_ones() -> None:
    """The first sample takes 50 s, which decode an image; of the next, 1 s each begins at 60, 64 and 68 s: 3 of 9 s."""
    times = iter([0.0, 50.0, 60.0, 61.0, 64.0, 65.0, 68.0, 69.0])
    clock = SampleClock(1, lambda: next(times))
    for made in range(4):
        assert (clock.share is None) == (made < 3)
        with clock:
            pass
    assert clock.share == pytest.approx(3 / 9)

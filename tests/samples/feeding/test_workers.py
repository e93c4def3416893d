import pytest

from detect.samples.feeding.workers import Machine, workers_for


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

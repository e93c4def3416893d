"""Which samples are in whose batches."""

import pytest

from detect.samples.feeding.parts import Share, batches_of


def test_one_process_takes_all_in_order() -> None:
    assert [list(b) for b in batches_of(7, 3, Share(), whole=False)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [list(b) for b in batches_of(7, 3, Share(), whole=True)] == [[0, 1, 2], [3, 4, 5]]
    assert batches_of(0, 3, Share(), whole=False) == batches_of(0, 3, Share(), whole=True) == []


def test_whole_batches_of_two_are_those_of_twice_the_size() -> None:
    """Of 14 samples in batches of 3: two batches each, of 0 to 5 and 6 to 11; 12 and 13 are too few."""
    assert [list(b) for b in batches_of(14, 3, Share(0, 2), whole=True)] == [[0, 2, 4], [6, 8, 10]]
    assert [list(b) for b in batches_of(14, 3, Share(1, 2), whole=True)] == [[1, 3, 5], [7, 9, 11]]


@pytest.mark.parametrize("of", [1, 2, 3, 5])
@pytest.mark.parametrize("number", range(24))
def test_each_process_has_as_many_batches_and_every_sample_is_in_one(number: int, of: int) -> None:
    """As processes wait for one another at each batch; fewer samples than processes are in all of them."""
    shared = [batches_of(number, 3, Share(place, of), whole=False) for place in range(of)]
    assert len({len(batches) for batches in shared}) == 1
    assert all(1 <= len(batch) <= 3 for batches in shared for batch in batches)
    every = sorted(i for batches in shared for batch in batches for i in batch)
    assert every == sorted(list(range(number)) * (of if number < of else 1))

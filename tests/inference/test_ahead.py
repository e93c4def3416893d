import threading
from collections.abc import Iterator
from functools import partial

import pytest

from detect.inference.ahead import Work, made_ahead, mapped_ahead


class Folder:
    """Works of so many parts each, and how many of them were begun, alive and closed."""

    def __init__(self, parts: list[int], nbytes: int = 1) -> None:
        self.begun: list[int] = []
        self.alive, self.most, self.closed = 0, 0, 0
        self._lock = threading.Lock()
        self.works = [Work(partial(self._make, number, count), nbytes) for number, count in enumerate(parts)]

    def _make(self, number: int, count: int) -> Iterator[tuple[int, int]]:
        with self._lock:
            self.begun.append(number)
            self.alive += 1
            self.most = max(self.most, self.alive)
        try:
            yield from ((number, part) for part in range(count))
        finally:
            with self._lock:
                self.alive -= 1
                self.closed += 1


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("depth", [1, 3])
def test_parts_come_in_their_order_whatever_the_threads(workers: int, depth: int) -> None:
    parts = [3, 0, 1, 7, 2, 0, 5]
    made = Folder(parts)
    wanted = [(number, part) for number, count in enumerate(parts) for part in range(count)]
    assert list(made_ahead(made.works, workers, room=100, depth=depth)) == wanted
    assert made.closed == len(parts)


def test_works_that_are_begun_fit_into_the_room_and_one_larger_than_it_goes_alone() -> None:
    """Of 10 bytes each, two fit into 25; of 30 bytes none does, so that one is done at a time."""
    for nbytes, most in ((10, 2), (30, 1)):
        made = Folder([2] * 12, nbytes)
        assert len(list(made_ahead(made.works, 4, room=25, depth=1))) == 24
        assert made.most <= most


@pytest.mark.parametrize("workers", [1, 3])
def test_what_is_made_at_once_waits_for_nobody_and_one_more_than_the_threads_is_begun(workers: int) -> None:
    """While one part alone was taken of 100, other works are finished: one more than there are threads, of nine."""
    begun, made = threading.Semaphore(0), threading.Semaphore(0)

    def make(number: int) -> Iterator[int]:
        begun.release()
        yield from [number] * 100
        made.release()

    works = [Work(partial(make, number), 1, at_once=True) for number in range(9)]
    parts = made_ahead(works, workers, room=100, depth=1)
    assert next(parts) == 0
    for _ in range(workers + 1):
        assert made.acquire(timeout=10)
    for _ in range(workers + 1):
        assert begun.acquire(timeout=10)
    assert not begun.acquire(timeout=0.05)
    assert list(parts) == [0] * 99 + [number for number in range(1, 9) for _ in range(100)]


def test_an_error_comes_when_its_turn_does() -> None:
    def broken() -> Iterator[str]:
        yield "b"
        raise OSError("no more")

    works = [Work(lambda: iter("a"), 1), Work(broken, 1), Work(lambda: iter("c"), 1)]
    made = made_ahead(works, 3, room=10, depth=2)
    assert [next(made), next(made)] == ["a", "b"]
    with pytest.raises(OSError, match="no more"):
        next(made)


def test_a_work_that_cannot_even_begin_is_an_error_too() -> None:
    def broken() -> Iterator[str]:
        raise OSError("not at all")

    with pytest.raises(OSError, match="not at all"):
        list(made_ahead([Work(broken, 1)], 2, room=10, depth=1))


def test_a_consumer_that_stops_ends_the_threads_and_closes_what_they_were_making() -> None:
    made = Folder([1000] * 3)
    parts = made_ahead(made.works, 2, room=10, depth=1)
    assert next(parts) == (0, 0)
    parts.close()
    assert made.alive == 0 and made.closed == len(made.begun) <= 3
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read")]


def test_mapped_items_keep_their_order_and_no_more_are_taken_than_are_allowed() -> None:
    """Two results may exist before they are asked for: of six items, three are taken when the first is handed over."""
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(6):
            taken.append(number)
            yield number

    squares = mapped_ahead(lambda number: number**2, items(), workers=3, ahead=2)
    assert next(squares) == 0 and taken == [0, 1, 2]
    assert list(squares) == [1, 4, 9, 16, 25]

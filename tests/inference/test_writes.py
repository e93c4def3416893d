"""What is recorded of results that threads write, and what is not where a run ends early."""

import errno
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain

import pytest

from detect.imagery.scratch import DISK_ERRORS
from detect.inference import writes as writes_file
from detect.inference.failures import Failure
from detect.inference.writes import MAX_WAITING_WRITES, Writes

PATIENCE_S = 5.0


class Shelf:
    """What was written, in any order, and recorded, in its order."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.recorded: list[str] = []

    def put(self, name: str) -> Callable[[], None]:
        self.written.append(name)
        return partial(self.recorded.append, name)


def refused(number: int) -> Callable[[], None]:
    raise OSError(number, os.strerror(number))


class ToldPool(writes_file.ThreadPoolExecutor):
    """Threads of which is told when nothing more may be begun."""

    told = threading.Event()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if not wait:
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            self.told.set()
        else:
            super().shutdown(wait=True, cancel_futures=cancel_futures)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    ToldPool.told = threading.Event()
    monkeypatch.setattr(writes_file, "ThreadPoolExecutor", ToldPool)
    return ToldPool.told


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_images_are_recorded_in_their_order_whatever_the_threads(workers: int) -> None:
    """The first one takes longest: it waits until another one was written, where there are threads for it."""
    shelf, other = Shelf(), threading.Event()

    def prepare(name: str) -> Callable[[], None]:
        if name == "0":
            other.wait(PATIENCE_S if workers > 1 else 0)
        else:
            other.set()
        return shelf.put(name)

    with Writes(workers, room=10) as writes:
        for number in range(7):
            assert list(writes.ended(1)) == []
            writes.add(str(number), 1, partial(prepare, str(number)))
        assert list(writes.rest()) == []
    assert shelf.recorded == [str(number) for number in range(7)]


@pytest.mark.parametrize("number", DISK_ERRORS)
@pytest.mark.parametrize("workers", [1, 3])
def test_nothing_is_recorded_after_the_image_at_which_the_disk_was_full(workers: int, number: int) -> None:
    shelf = Shelf()

    def end(writes: Writes) -> None:
        for _ in writes.rest():
            pass

    with pytest.raises(OSError, match=r".") as raised, Writes(workers, room=10) as writes:
        writes.add("0", 1, lambda: shelf.put("0"))
        writes.add("1", 1, lambda: refused(number))
        writes.add("2", 1, lambda: shelf.put("2"))
        end(writes)
    assert raised.value.errno == number and shelf.recorded == ["0"]


def test_a_record_that_finds_the_disk_full_is_the_last_one_too() -> None:
    shelf = Shelf()
    with pytest.raises(OSError, match="space"), Writes(2, room=10) as writes:
        writes.add("0", 1, lambda: partial(refused, errno.ENOSPC))
        writes.add("1", 1, lambda: shelf.put("1"))
        list(writes.rest())
    assert shelf.recorded == []


def test_an_error_of_one_image_is_its_failure_and_the_next_one_is_recorded() -> None:
    shelf = Shelf()
    with Writes(2, room=10) as writes:
        writes.add("0", 1, lambda: refused(errno.ENAMETOOLONG))
        writes.add("1", 1, lambda: shelf.put("1"))
        failures = list(writes.rest())
    assert [failure.name for failure in failures] == ["0"] and "too long" in failures[0].error
    assert isinstance(failures[0], Failure) and shelf.recorded == ["1"]


def test_an_interrupted_run_finishes_what_is_being_written_and_begins_nothing_more(told: threading.Event) -> None:
    """The first image is being written until the run has ended; three wait behind it in the one thread."""
    shelf, begun = Shelf(), threading.Event()

    def slow() -> Callable[[], None]:
        begun.set()
        told.wait(PATIENCE_S)
        return shelf.put("0")

    with pytest.raises(KeyboardInterrupt), Writes(1, room=10) as writes:
        writes.add("0", 1, slow)
        for name in "123":
            writes.add(name, 1, partial(shelf.put, name))
        begun.wait(PATIENCE_S)
        raise KeyboardInterrupt
    assert shelf.written == shelf.recorded == ["0"]


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="a signal cannot be sent to one thread here")
def test_a_second_interruption_does_not_wait_and_tears_nothing(told: threading.Event) -> None:
    """It comes while the run waits for the image that is being written, which is finished when the run is over."""
    shelf, begun, over, finished = Shelf(), threading.Event(), threading.Event(), threading.Event()

    def record() -> None:
        shelf.recorded.append("0")
        finished.set()

    def slow() -> Callable[[], None]:
        begun.set()
        told.wait(PATIENCE_S)
        for _ in range(5):  # one that comes a moment before the first thread begins to wait does not wake it
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            if over.wait(1.0):
                return record
        shelf.recorded.append("the run still waits")
        return record

    writes, before = Writes(1, room=10), signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), writes:
            writes.add("0", 1, slow)
            writes.add("1", 1, partial(shelf.put, "1"))
            begun.wait(PATIENCE_S)
            raise KeyboardInterrupt
        over.set()
    finally:
        signal.signal(signal.SIGINT, before)
    assert finished.wait(PATIENCE_S) and shelf.recorded == ["0"]


@pytest.mark.parametrize(("nbytes", "most"), [(0, MAX_WAITING_WRITES), (4, 2), (100, 1)])
def test_results_that_wait_are_bounded_in_number_and_bytes(nbytes: int, most: int) -> None:
    """Room for 10 bytes holds two results of 4; one that is larger waits alone."""
    free, waiting, added = threading.Event(), [], []

    def add() -> None:
        with Writes(1, room=10) as writes:
            for number in range(MAX_WAITING_WRITES + 20):
                added.append(number)
                list(writes.ended(nbytes))
                waiting.append(number)
                writes.add(str(number), nbytes, lambda: free.wait(PATIENCE_S) and None)
            list(writes.rest())

    adding = threading.Thread(target=add)
    adding.start()
    while len(added) <= most:
        time.sleep(0.001)
    assert len(waiting) == most
    free.set()
    adding.join()
    assert len(waiting) == MAX_WAITING_WRITES + 20


def test_what_is_written_while_the_disk_is_waited_for_is_recorded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first block lasts until all others are written: they are recorded in a second one, in their order."""
    shelf, blocks, others = Shelf(), [], threading.Semaphore(0)

    @contextmanager
    def together() -> Iterator[None]:
        before = len(shelf.recorded)
        yield
        blocks.append(shelf.recorded[before:])
        for _ in range(6 if len(blocks) == 1 else 0):
            others.acquire(timeout=PATIENCE_S)

    def prepare(name: str) -> Callable[[], None]:
        if name != "0":
            others.release()
        return shelf.put(name)

    with Writes(2, room=10, together=together) as writes:
        for number in range(7):
            writes.add(str(number), 1, partial(prepare, str(number)))
        assert list(writes.rest()) == []
    assert blocks[0] == ["0"] and list(chain(*blocks)) == [str(number) for number in range(7)] and len(blocks) <= 3


def test_a_block_that_finds_the_disk_full_ends_the_run_and_any_other_error_is_of_its_images() -> None:
    """A disk that is full says so when what was gathered is written, at the end of a block."""

    @contextmanager
    def together(number: int) -> Iterator[None]:
        yield
        raise OSError(number, os.strerror(number))

    with pytest.raises(OSError, match="space"), Writes(1, 10, lambda: together(errno.ENOSPC)) as writes:
        writes.add("0", 1, lambda: lambda: None)
        list(writes.rest())
    with Writes(1, 10, lambda: together(errno.ENAMETOOLONG)) as writes:
        writes.add("0", 1, lambda: lambda: None)
        assert [failure.name for failure in writes.rest()] == ["0"]

"""Results that threads write while the next ones are computed, recorded in their order."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Self, TypeVar

from detect.imagery.scratch import DISK_ERRORS
from detect.inference.failures import Failure
from detect.inference.plan import MAX_BATCH_TILES

T = TypeVar("T")

MAX_WAITING_WRITES = 2 * MAX_BATCH_TILES
"""Most images whose results wait to be written while the network computes the next ones.

Two batches of images of one tile: with fewer the network stood still while those of a batch were written.
"""


Record = Callable[[], None]
"""Records an image whose files are written."""


@dataclass(eq=False)
class _Result:
    """The result of an image.

    Attributes:
        name: of the image.
        nbytes: that it keeps in memory until it is recorded.
        written: what records it, or its failure; None where it is recorded already.
        error: that ended its writing, and ends the run.
        is_written: whether one of both is known.
        outcome: its failure, or None, when it is recorded.
    """

    name: str
    nbytes: int
    written: Record | Failure | None = None
    error: BaseException | None = None
    is_written: bool = False
    outcome: Future[Failure | None] = field(default_factory=Future)


class Writes:
    """A context manager of threads that write the results of images; what is recorded does not depend on their number.

    A thread that has written what all wait for records it, with what others have written meanwhile after it: so the
    disk is waited for once for several images where it is slow. An error that ends the run ends what comes after its
    image: nothing later is recorded. Where the block ends by an error, as by Ctrl-C, what waits is not begun, and what
    is being written is finished.

    Args:
        workers: threads.
        room: most bytes that results which wait may keep together; a single one may keep more.
        together: a block in which several images are recorded; by default each is recorded alone.
    """

    def __init__(
        self, workers: int, room: int, together: Callable[[], AbstractContextManager[object]] = nullcontext
    ) -> None:
        self._pool = ThreadPoolExecutor(workers, "write")
        self._room = room
        self._together = together
        self._waiting: deque[_Result] = deque()
        self._kept_bytes = 0
        self._turn = threading.Lock()
        self._unrecorded: deque[_Result] = deque()
        self._recording = False
        self._ended: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool.shutdown()

    def add(self, name: str, nbytes: int, prepare: Callable[[], Record | None]) -> None:
        """Have the result of an image written.

        Args:
            name: of the image.
            nbytes: that the result keeps in memory until it is written.
            prepare: writes it, in a thread, and returns what records it; None where it is recorded already.
        """
        result = _Result(name, nbytes)
        self._waiting.append(result)
        self._kept_bytes += nbytes
        with self._turn:
            self._unrecorded.append(result)
        self._pool.submit(self._write, result, prepare)

    def ended(self, nbytes: int) -> Iterator[Failure]:
        """Yield the failures of images that are done, and wait until there is room for some more bytes."""
        while self._waiting and (
            self._waiting[0].outcome.done()
            or len(self._waiting) >= MAX_WAITING_WRITES
            or self._kept_bytes + nbytes > self._room
        ):
            yield from self._next()

    def rest(self) -> Iterator[Failure]:
        """Yield the failures of the images that are left, when they are done."""
        while self._waiting:
            yield from self._next()

    def _next(self) -> Iterator[Failure]:
        result = self._waiting.popleft()
        self._kept_bytes -= result.nbytes
        failure = result.outcome.result()
        if failure is not None:
            yield failure

    def _write(self, result: _Result, prepare: Callable[[], Record | None]) -> None:
        """Write the result of an image; then record all that is written, unless another thread does."""
        try:
            result.written = alone(result.name, prepare)
        except BaseException as error:
            result.error = error
        with self._turn:
            result.is_written = True
            if self._recording:
                return
            self._recording = True
        while group := self._taken():
            self._record(group)

    def _taken(self) -> list[_Result]:
        """Return the results that are next to be recorded; where there are none, another thread may record more."""
        with self._turn:
            group = list(takewhile(lambda each: each.is_written, self._unrecorded))
            for _ in group:
                self._unrecorded.popleft()
            self._recording = bool(group)
            return group

    def _record(self, group: Sequence[_Result]) -> None:
        """Record results in their order, up to one whose error ends the run."""
        recorded = list(takewhile(lambda each: each.error is None, group)) if self._ended is None else []
        try:
            outcomes = self._outcomes(recorded)
            self._ended = self._ended or next((each.error for each in group if each.error is not None), None)
        except BaseException as error:
            self._ended, outcomes = error, []
        for number, each in enumerate(group):
            each.written = None
            if number < len(outcomes):
                each.outcome.set_result(outcomes[number])
            else:
                each.outcome.set_exception(self._ended or RuntimeError("a result was not recorded"))

    def _outcomes(self, group: Sequence[_Result]) -> list[Failure | None]:
        """Record results together, and return the failure of each, None of one that is recorded."""
        outcomes: list[Failure | None] = []

        def record() -> None:
            with self._together():
                for each in group:
                    done = each.written
                    failed = alone(each.name, done) if callable(done) else done
                    outcomes.append(failed)

        failed = alone("", record) if group else None
        if isinstance(failed, Failure):
            return [Failure(each.name, failed.error) for each in group]
        return outcomes


def alone(name: str, work: Callable[[], T]) -> T | Failure:
    """Return what a work gives, or an error of its image alone as a failure."""
    try:
        return work()
    except OSError as error:
        if error.errno in DISK_ERRORS:
            raise
        return Failure(name, f"its results could not be written ({error})")
    except ValueError as error:
        return Failure(name, str(error))
    except MemoryError as error:
        return Failure(name, f"there is not enough memory for its results ({error})")

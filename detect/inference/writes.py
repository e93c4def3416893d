"""Results that threads write while the next ones are computed, recorded in their order."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self, TypeVar

from detect.imagery.scratch import DISK_ERRORS
from detect.inference.failures import Failure
from detect.inference.plan import MAX_BATCH_TILES

T = TypeVar("T")

MAX_WAITING_WRITES = 2 * MAX_BATCH_TILES
"""Most images whose results wait to be written while the network computes the next ones.

Two batches of images of one tile: with fewer the network stood still while those of a batch were written.
"""


@dataclass(frozen=True, eq=False)
class _Waiting:
    """An image whose result is written, or waits for it, and the bytes that it keeps in memory until then."""

    outcome: Future[Failure | None]
    nbytes: int


class Writes:
    """A context manager of threads that write the results of images; what is recorded does not depend on their number.

    An error that ends the run ends what comes after its image: nothing later is recorded. Where the block ends by an
    error, as by Ctrl-C, what waits is not begun, and what is being written is finished.

    Args:
        workers: threads.
        room: most bytes that results which wait may keep together; a single one may keep more.
    """

    def __init__(self, workers: int, room: int) -> None:
        self._pool = ThreadPoolExecutor(workers, "write")
        self._room = room
        self._waiting: deque[_Waiting] = deque()
        self._last: Future[Failure | None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool.shutdown()

    def add(self, name: str, nbytes: int, prepare: Callable[[], Callable[[], None] | None]) -> None:
        """Have the result of an image written.

        Args:
            name: of the image.
            nbytes: that the result keeps in memory until it is written.
            prepare: writes it, in a thread, and returns what records it; None where it is recorded already.
        """
        self._last = self._pool.submit(_write, name, prepare, self._last)
        self._waiting.append(_Waiting(self._last, nbytes))

    def ended(self, nbytes: int) -> Iterator[Failure]:
        """Yield the failures of images that are done, and wait until there is room for some more bytes."""
        while self._waiting and (
            self._waiting[0].outcome.done()
            or len(self._waiting) >= MAX_WAITING_WRITES
            or sum(each.nbytes for each in self._waiting) + nbytes > self._room
        ):
            yield from self._next()

    def rest(self) -> Iterator[Failure]:
        """Yield the failures of the images that are left, when they are done."""
        while self._waiting:
            yield from self._next()

    def _next(self) -> Iterator[Failure]:
        failure = self._waiting.popleft().outcome.result()
        if failure is not None:
            yield failure


def _write(
    name: str, prepare: Callable[[], Callable[[], None] | None], before: Future[Failure | None] | None
) -> Failure | None:
    """Write the result of an image, and record it when the images `before` it are; return an error of it alone."""
    record = alone(name, prepare)
    if before is not None:
        before.result()
    return record if record is None or isinstance(record, Failure) else alone(name, record)


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

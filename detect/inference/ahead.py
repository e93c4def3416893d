"""Work that threads do ahead of those who ask for it, handed over in its order."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
S = TypeVar("S")

AHEAD_PER_WORKER = 2
"""Pieces of work a thread that are begun or wait to be: the next one begins without anybody asking for it."""

STOP_SECONDS = 0.1
"""How long a thread that waits to hand something over sleeps before it looks whether anybody wants it."""


@dataclass(frozen=True, eq=False)
class Work(Generic[T]):
    """Something that is made part by part.

    Attributes:
        make: makes the parts, in a thread of its own.
        nbytes: of memory that it takes until its parts are taken.
        at_once: whether the first part is there when all are: its thread then waits for nobody to take them, and one
            more than there are threads is begun at most.
    """

    make: Callable[[], Iterator[T]]
    nbytes: int
    at_once: bool = False


@dataclass(frozen=True, eq=False)
class _End:
    """The last part is made; or an error ended it."""

    error: BaseException | None = None


@dataclass(eq=False)
class _Begun(Generic[T]):
    """A work that a thread does, and its parts that nobody has taken yet."""

    work: Work[T]
    made: "queue.Queue[T | _End]"
    stopped: threading.Event = field(default_factory=threading.Event)

    def put(self, part: "T | _End") -> bool:
        """Hand a part over as soon as there is room for it; return whether anybody wants more."""
        while not self.stopped.is_set():
            try:
                self.made.put(part, timeout=STOP_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def run(self) -> None:
        """Make the parts until all are made, or nobody wants more."""
        if self.stopped.is_set():
            return
        parts: Iterator[T] | None = None
        try:
            parts = self.work.make()
            for part in parts:
                if not self.put(part):
                    return
            self.put(_End())
        except BaseException as error:
            self.put(_End(error))
        finally:
            if isinstance(parts, Generator):
                parts.close()


def made_ahead(works: Iterable[Work[T]], workers: int, room: int, depth: int) -> Generator[T]:
    """Yield the parts of works, one work after the other, which threads make before they are asked for.

    What is yielded does not depend on the number of threads. An error in a thread is raised here, when its turn comes;
    where the consumer stops, the threads end after their current part.

    Args:
        works: asked for one by one, when there is room for the next.
        workers: threads.
        room: most bytes that the works which are begun may take together; a single one is begun in any case.
        depth: parts of each that are kept until they are asked for, of one that is not made at once.
    """
    coming = iter(works)
    following = next(coming, None)
    begun: deque[_Begun[T]] = deque()
    pool = ThreadPoolExecutor(workers, "read")
    try:
        while True:
            while following is not None and (
                not begun
                or (
                    len(begun) < (workers + 1 if following.at_once else AHEAD_PER_WORKER * workers)
                    and sum(each.work.nbytes for each in begun) + following.nbytes <= room
                )
            ):
                begun.append(_Begun(following, queue.Queue(0 if following.at_once else depth)))
                pool.submit(begun[-1].run)
                following = next(coming, None)
            if not begun:
                return
            part = begun[0].made.get()
            if not isinstance(part, _End):
                yield part
            elif part.error is not None:
                raise part.error
            else:
                begun.popleft()
    finally:
        for each in begun:
            each.stopped.set()
        pool.shutdown(cancel_futures=True)


def mapped_ahead(
    function: Callable[[S], T], items: Iterable[S], workers: int, ahead: int, name: str = "map"
) -> Generator[T]:
    """Yield what a function makes of items, in their order; threads work on the next ones.

    Args:
        function: called in several threads at once.
        items: taken when there is room for their results.
        workers: threads; with one the next result is made while this one is looked at.
        ahead: results that are made, or are being made, before they are asked for.
        name: of the threads.
    """
    coming = iter(items)
    pool = ThreadPoolExecutor(workers, name)
    waiting: deque[Future[T]] = deque()
    try:
        for item in coming:
            waiting.append(pool.submit(function, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)

"""How long the tasks of a run take: which of those that are being counted is slow."""

from collections import deque

LEAST_SECONDS = 10.0
"""How long a worker has a task, at least, before one that has nothing to do counts it too."""

TIMES = 2.0
"""How many times as long as others a task takes that is slow."""

REMEMBERED = 101
"""Tasks, the last that were done, by which others are judged."""


class Pace:
    """The time that tasks took which are done, from when they were given: some wait at their worker for the one before.

    Large tasks are compared with small ones by their pixels. What half of all pixels took at most is the measure, and
    not what half of the tasks did: of small ones most of the time is spent otherwise.
    """

    def __init__(self) -> None:
        self._done: deque[tuple[float, int]] = deque(maxlen=REMEMBERED)

    def note(self, seconds: float, pixels: int) -> None:
        """Note what a task took."""
        if pixels:
            self._done.append((seconds / pixels, pixels))

    def slow_after(self, pixels: int) -> float:
        """Return the seconds after which a task of so many pixels is slow; where none is done, the least."""
        return max(LEAST_SECONDS, TIMES * self._seconds_a_pixel() * pixels)

    def _seconds_a_pixel(self) -> float:
        left = sum(pixels for _, pixels in self._done) / 2
        for rate, pixels in sorted(self._done):
            left -= pixels
            if left <= 0:
                return rate
        return 0.0

"""The places of a crew, and who is at each."""

import logging
from collections import Counter
from typing import TYPE_CHECKING

from detect.inference.devices.hands import Hand
from detect.inference.devices.open_tasks import OpenTask

if TYPE_CHECKING:
    from detect.inference.devices.crew import Crew

logger = logging.getLogger(__name__)

MOST_STARTS = 3
"""How many workers may fail to start at a place before it stays empty."""


class Places:
    """Those that count, each at its place.

    Args:
        crew: has them.

    Attributes:
        hands: in the order of their places.
        counting: whether one has ever been ready.
    """

    def __init__(self, crew: "Crew") -> None:
        self.hands: list[Hand[OpenTask]] = []
        self.counting = False
        self._crew = crew
        self._left: list[int] = []
        self._failed: Counter[int] = Counter()
        self._error: BaseException | None = None

    def begin(self, number: int) -> None:
        """Start as many workers."""
        for place in range(number):
            self.hands.append(self._hired(place))
        logger.info("%d processes count the images: %s", len(self.hands), ", ".join(hand.device for hand in self.hands))

    def _hired(self, place: int) -> Hand[OpenTask]:
        device, start = self._crew.starts[place]
        return self._crew.hiring.hire(place, device, start, self._crew.cores[place])

    def check(self) -> None:
        """Check that somebody is there.

        Raises:
            ChildProcessError: every worker has ended; or the error by which the last one could not start.
        """
        if not self.hands:
            raise self._error or ChildProcessError("every process of the run has ended; the same command goes on")

    def end_lost(self, hand: Hand[OpenTask]) -> None:
        """End a worker at once, perhaps while it writes."""
        hand.lost = True
        hand.end(now=True)

    def remove(self, hand: Hand[OpenTask]) -> None:
        """Leave the place of a worker empty."""
        self.hands.remove(hand)

    def fill(self, place: int) -> None:
        """Have another worker at a place that is empty."""
        self.hands.append(self._hired(place))
        self.hands.sort(key=lambda hand: hand.place)

    def note_ready(self, most: int) -> None:
        """Note that one is ready, and have others at the places that were left empty before the first was.

        Args:
            most: how many there are tasks for.
        """
        self.counting = True
        for place in self._left[:most]:
            self.fill(place)
        self._left.clear()

    def fail(self, hand: Hand[OpenTask], error: BaseException, more: bool) -> None:
        """Go on without a worker that could not start.

        Another one takes its place as soon as one has ever been ready. Before that the others that start are waited
        for, and where they all fail, the first error is the run's.

        Args:
            hand: the worker.
            error: by which it ended, with the way out.
            more: whether there are tasks for another one.

        Raises:
            BaseException: none has ever been ready, and this was the last one.
        """
        if self.counting or self._error is None:
            self._error = error
        if not self.counting and self.hands == [hand]:
            raise self._error
        self.end_lost(hand)
        self.remove(hand)
        self._failed[hand.place] += 1
        again = more and self._failed[hand.place] < MOST_STARTS
        then = "another one is started in its place" if again else "its place stays empty"
        when = "" if self.counting or not again else " as soon as one is ready"
        logger.warning("%s cannot count, and the run goes on without it (%s%s): %s", hand.device, then, when, error)
        if again and self.counting:
            self.fill(hand.place)
        elif again:
            self._left.append(hand.place)

    def end(self, now: bool) -> None:
        """End all: at once, or when they have seen that there is nothing more."""
        for hand in self.hands:
            hand.lost = hand.lost or any(not each.complete for each in hand.tasks)
            hand.leave(now)
        for hand in self.hands:
            hand.end(now)

"""Workers that tell nothing: one that is alive and hangs is noticed by nobody else.

One that writes a large file, joins the strips of a raster or sends to a store tells that it lives as often as a block
of it is done (`detect.imagery.liveness`).
"""

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from detect.inference.devices.hands import Hand
from detect.inference.devices.open_tasks import OpenTask, image_names

logger = logging.getLogger(__name__)

WARNED_SECONDS = 300.0
"""After which a worker that tells nothing is warned of."""

WAY_OUT = "if it was at work, a greater launcher.silent_minutes gives it the time"
"""What may help where one is ended that tells nothing."""

MOST_NAMED = 3
"""Images that are named of those that a worker has."""


@dataclass(frozen=True)
class Silence:
    """How long a worker may tell nothing while it makes its station or has tasks.

    Attributes:
        most: seconds after which it is ended; None waits for it.
    """

    most: float | None

    def __str__(self) -> str:
        return "" if self.most is None else f"silence for {_minutes(self.most)}, launcher.silent_minutes"

    def broken_by(self, hands: Iterable[Hand[OpenTask]]) -> Iterator[Hand[OpenTask]]:
        """Yield those that have told nothing for too long, and warn once of those that have for long."""
        now = time.monotonic()
        for hand in hands:
            if hand.stirred is None or hand.asks:
                continue
            silent = now - hand.stirred
            if self.most is not None and silent >= self.most:
                yield hand
            elif silent >= WARNED_SECONDS and not hand.warned:
                hand.warned = True
                logger.warning("%s; it %s", self._said(hand, silent), self._then())

    def _said(self, hand: Hand[OpenTask], silent: float) -> str:
        names = image_names(each for each in hand.tasks if each.wanted)
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        doing = f"counts {', '.join(names[:MOST_NAMED])}{more}" if hand.ready else "makes its network ready"
        return f"{hand.device} {doing}, and has told nothing for {_minutes(silent)}"

    def _then(self) -> str:
        if self.most is None:
            return "is waited for (launcher.silent_minutes=null)"
        return f"is ended after {_minutes(self.most)} (launcher.silent_minutes)"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 60 else f"{seconds:.2g} seconds"

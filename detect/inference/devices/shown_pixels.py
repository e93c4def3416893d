"""How many pixels of a run are done, as its progress shows them: each once, whoever counts it how often."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from detect.inference.devices.hands import Hand
from detect.inference.devices.open_tasks import OpenTask
from detect.inference.devices.tasks import Key

if TYPE_CHECKING:
    from detect.inference.run import Progress
    from detect.inference.tiles import Source


class ShownPixels:
    """All pixels of what is told of, and of the rest those under way, as far as a worker has so many to tell of.

    Args:
        units: of the run.
        progress: shows them.
    """

    def __init__(self, units: "Sequence[Sequence[Source]]", progress: "Progress") -> None:
        self._sizes = {source.key: source.pixels for unit in units for source in unit}
        self._progress = progress
        self._told = self._shown = 0

    def give(self, hand: Hand, each: OpenTask) -> None:
        """Note that a worker has a task, as the only one."""
        hand.owed += sum(self._sizes[source.key] for source in each.task.unit)

    def advance(self, hand: Hand, pixels: int) -> None:
        """Note pixels that a worker has done."""
        hand.unfinished += pixels

    def end(self, hand: Hand, key: Key) -> None:
        """Note that a worker has told of an image or a strip."""
        hand.unfinished = max(0, hand.unfinished - self._sizes[key])

    def tell(self, each: OpenTask, key: Key, holders: Iterable[Hand]) -> None:
        """Note that an image or a strip of a task is told of for the first time.

        Args:
            each: the task; with its last image go those that an earlier run has.
            key: of the image or strip.
            holders: those that have the task.
        """
        size, whole = self._sizes[key], each.whole or each
        if whole.complete:
            size += sum(self._sizes[source.key] for source in whole.task.unit if source.name in whole.task.done)
        self._told += size
        for holder in holders:
            holder.owed = max(0, holder.owed - size)

    def take_back(self, each: OpenTask) -> None:
        """Note that what was told of a task is thrown away."""
        self._told -= sum(self._sizes[key] for key in each.told)

    def show(self, hands: Iterable[Hand]) -> None:
        """Show what is done now, with what is under way at workers."""
        done = self._told + sum(min(hand.unfinished, hand.owed) for hand in hands)
        if done != self._shown:
            self._progress.advance(done - self._shown)
        self._shown = done

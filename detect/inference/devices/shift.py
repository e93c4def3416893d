"""A crew at work: who has which task, what is told of it, and who is lost, too slow or silent."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from detect.inference.devices import silence
from detect.inference.devices.crew_places import Places
from detect.inference.devices.hands import Ending, Hand
from detect.inference.devices.open_tasks import OpenTask, OpenTasks, image_names
from detect.inference.devices.shown_pixels import ShownPixels
from detect.inference.devices.silence import Silence
from detect.inference.devices.task_recording import Recording
from detect.inference.devices.tasks import (
    Advanced,
    Begun,
    Broken,
    Done,
    Event,
    Failed,
    Found,
    Key,
    Rested,
    Task,
    Told,
)
from detect.inference.failures import Failure

if TYPE_CHECKING:
    from detect.inference.devices.crew import Crew, Keeper
    from detect.inference.run import Progress
    from detect.inference.tiles import Source

logger = logging.getLogger(__name__)

MOST_LAST_STRIPS = 2
"""Strips that a worker has at once when few are left: one that it counts, and one that it reads."""

MOST_GIVEN = 2
"""How often a task is given: where the second worker ends too, the images left are given one by one, and one fails."""

WAKE_SECONDS = 5.0
"""How often is looked for what is slow or silent, where nobody tells anything."""

STOOD_SECONDS = 60.0
"""After which this process stood still, if it has not looked for so long."""


class Shift:
    """A crew at work."""

    def __init__(
        self,
        crew: "Crew",
        units: "Sequence[Sequence[Source]]",
        progress: "Progress",
        fail: Callable[[Failure], None],
    ) -> None:
        self.places = Places(crew)
        self._crew = crew
        self._progress = progress
        self.tasks = OpenTasks(_tasks(units, crew.keeper))
        self.recording = Recording(self.tasks, crew.keeper, fail)
        self._pixels = ShownPixels(units, progress)
        self._silence = Silence(crew.silent_seconds)
        self._begun_strips: set[str] = set()

    def work(self) -> None:
        """Hand out tasks and record what is told, until every task is recorded.

        Raises:
            ChildProcessError: every worker has ended; or the error by which the last ones could not start.
        """
        looked = time.monotonic()
        while self.tasks:
            self.places.check()
            for hand in self._crew.hiring.wait(self.places.hands, WAKE_SECONDS):
                if hand in self.places.hands:  # not one that was ended a moment ago, as the slower of two
                    self._hear(hand)
            looked = self._back_after(looked)
            for hand in list(self._silence.broken_by(self.places.hands)):
                if not self._crew.hiring.wait([hand], 0.0):  # what it told may have had to wait for this process
                    self.places.end_lost(hand)
                    self._lose(hand, Ending(str(self._silence), blameless=False, way_out=silence.WAY_OUT))
            self._pixels.show(self.places.hands)
            self.recording.record()
            for hand in self.places.hands:
                if hand.asks:
                    self._answer(hand)

    def _back_after(self, looked: float) -> float:
        """Return the time, after which workers are not silent for as long as this process stood still, as by Ctrl-Z.

        Args:
            looked: when it was looked for those that are silent the last time.
        """
        now = time.monotonic()
        if now - looked > STOOD_SECONDS:
            for hand in self.places.hands:
                hand.stirred = None if hand.stirred is None else min(now, hand.stirred + now - looked)
        return now

    def _hear(self, hand: Hand[OpenTask]) -> None:
        event = hand.heard()
        if hand.ready:
            self.places.note_ready(self.tasks.unheld)
        if event is None:
            how = hand.end(now=True)
            way_out = "as without memory; lower max_memory" if hand.ready else hand.way_out
            self._lose(hand, Ending(how, hand.blameless, way_out))
        else:
            self._take(hand, event)

    def _take(self, hand: Hand[OpenTask], event: Event) -> None:
        match event:
            case Done(name=name):
                self._tell(hand, (name, None), event)
            case Found(name=name, strip=strip):
                self._tell(hand, (name, strip), event)
            case Failed(failure=failure) if (failure.name, failure.strip) in self.tasks.of:
                self._tell(hand, (failure.name, failure.strip), event)
            case Failed(failure=failure):
                self.recording.fail_again(failure)
            case Begun(name=name):
                self._begin(name)
            case Advanced(pixels=pixels):
                self._pixels.advance(hand, pixels)
            case Told(level=level, text=text):
                logger.log(level, "%s: %s", hand.device, text)
            case Rested(peak_mib=peak):
                self._crew.peaks[hand.place] = max(self._crew.peaks.get(hand.place, 0), peak or 0)
                if any(not each.complete for each in hand.tasks):
                    raise RuntimeError(f"the process of {hand.device} tells nothing of some of its images")
                hand.rest()
            case Broken(error=error):
                if hand.ready:
                    raise error
                self._crew.hiring.avoid(hand)
                self.places.fail(hand, error, self.tasks.unheld > 0)

    def _begin(self, name: str) -> None:
        """Show the name of an image that begins, once of all its strips."""
        whole = self.tasks.of.get((name, None))
        if whole is not None and whole.after:
            if name in self._begun_strips:
                return
            self._begun_strips.add(name)
        self._progress.start(name)

    def _tell(self, hand: Hand[OpenTask], key: Key, event: Done | Found | Failed) -> None:
        """Keep what a worker tells of an image or a strip, unless another one was first."""
        self._pixels.end(hand, key)
        if key in self.tasks.of[key].told:
            return
        each = self.tasks.tell(key, event)
        others = self._others_with(each, hand)
        self._pixels.tell(each, key, [hand, *others])
        for other in others if each.complete else ():
            self._end_slower(other, each)

    def _others_with(self, each: OpenTask, hand: Hand[OpenTask]) -> list[Hand[OpenTask]]:
        """Return those that have a task beside a worker."""
        return (
            [other for other in self.places.hands if other is not hand and each in other.tasks] if each.copied else []
        )

    def _end_slower(self, hand: Hand[OpenTask], each: OpenTask) -> None:
        """End a worker of two with a task, of which the other one has told: what it would write comes too late."""
        logger.info("%s is ended: another one was faster with %s", hand.device, image_names([each])[0])
        self.places.end_lost(hand)
        self._take_back(hand, Ending("another one that was faster", blameless=True))
        if self.tasks.unheld > len(self.places.hands):
            self.places.fill(hand.place)

    def _lose(self, hand: Hand[OpenTask], ending: Ending) -> None:
        """Hand the tasks of a worker that has ended to others, and start another one in its place."""
        if not hand.ready and not ending.blameless:
            said = f"the process of {hand.device} ended while it started ({ending.how}), {ending.way_out}"
            self.places.fail(hand, ChildProcessError(f"{said}: the same command goes on"), self.tasks.unheld > 0)
            return
        names = image_names(each for each in hand.tasks if each.wanted)
        such_as = f", such as {names[0]}" if names else ""
        logger.warning(
            "the process of %s ended (%s) while it counted %d images%s", hand.device, ending.how, len(names), such_as
        )
        self._take_back(hand, ending)
        if (hand.served or ending.blameless) and self.tasks.unheld:
            self.places.fill(hand.place)

    def _take_back(self, hand: Hand[OpenTask], ending: Ending) -> None:
        """Have the tasks of a worker given again, unless another one has them; those that ended two may have failed."""
        self.places.remove(hand)
        for each in [each for each in hand.tasks if each.wanted]:
            each.deaths += not ending.blameless
            if self._others_with(each, hand):
                continue
            if each.deaths < MOST_GIVEN:
                self._pixels.take_back(each)
                self.tasks.give_back(each)
            elif len(each.task.unit) - len(each.told) > 1:  # it may have been another one
                self.tasks.split(each)
            else:
                self._fail(each, ending)

    def _fail(self, each: OpenTask, ending: Ending) -> None:
        """Have the image, or the strip, of a task fail, which has ended its workers."""
        times = "twice" if each.whole is None else "twice with others and then alone"
        said = f"the processes that counted it ended, {times} (the last by {ending.how})"
        for name, strip in each.task.expected - each.told.keys():
            failure = Failure(name, ", ".join(filter(None, (said, ending.way_out))), strip)
            self.tasks.tell((name, strip), Failed(failure))

    def _answer(self, hand: Hand[OpenTask]) -> None:
        """Answer a worker that asks: a task, or the word that there is none before it has told all that it has."""
        hand.tasks = [each for each in hand.tasks if not each.complete]
        fresh = self.tasks.next(len(self.places.hands))
        if hand.tasks and (hand.alone or fresh is None or self._has_its_share(hand)):
            hand.give(None)
        elif fresh is not None:
            self._give(hand, fresh, alone=False)
        elif not hand.tasks:
            other = self.tasks.next_again() or (self.tasks.slow() if self._crew.hiring.copies else None)
            if other is not None:
                self._give(hand, other, alone=True)

    def _has_its_share(self, hand: Hand[OpenTask]) -> bool:
        """Return whether the last strips are left to others, as a worker has some that it has not begun."""
        return len(hand.tasks) >= MOST_LAST_STRIPS and self.tasks.few_strips(len(self.places.hands))

    def _give(self, hand: Hand[OpenTask], each: OpenTask, alone: bool) -> None:
        self.tasks.give(each)
        if not each.copied:
            self._pixels.give(hand, each)
        hand.tasks.append(each)
        hand.alone = alone
        hand.give(each.task)


def _tasks(units: "Sequence[Sequence[Source]]", keeper: "Keeper") -> Iterator[Task]:
    for number, unit in enumerate(units):
        done = frozenset(s.name for s in unit if keeper.has(s.name, s.scene.path))
        yield Task(number, unit, done, tuple(None if s.name in done else keeper.origin(s.name) for s in unit))

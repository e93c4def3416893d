"""What is told of tasks, recorded in their order."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from detect.inference.devices.open_tasks import OpenTask, OpenTasks
from detect.inference.devices.tasks import Done, Failed
from detect.inference.failures import Failure
from detect.inference.strips.strip import Strip

if TYPE_CHECKING:
    from detect.inference.devices.crew import Keeper


class Recording:
    """Records tasks that are complete.

    Args:
        tasks: of the run.
        keeper: records the images.
        fail: receives the failure of an image.

    Attributes:
        pixels: done, of the files of images.
    """

    def __init__(self, tasks: OpenTasks, keeper: "Keeper", fail: Callable[[Failure], None]) -> None:
        self.pixels = 0
        self._tasks = tasks
        self._keeper = keeper
        self._fail = fail
        self._failed_again: set[str] = set()

    def fail_again(self, failure: Failure) -> None:
        """Record that an image of an earlier run cannot be read any more; once, though its task may be given again."""
        if failure.name not in self._failed_again:
            self._failed_again.add(failure.name)
            self._fail(failure)

    def record(self) -> None:
        """Record the tasks that are complete, as far as all before them are; the disk is waited for once."""
        if not self._tasks.recordable():
            return
        from detect.inference.writes import alone

        kept: list[str] = []

        def record() -> None:
            with self._keeper.together():
                while self._tasks.recordable():
                    self._record_task(self._tasks.taken(), kept)

        failed = alone("", record)
        if isinstance(failed, Failure):
            for name in kept:
                self._fail(Failure(name, failed.error))

    def _record_task(self, each: OpenTask, kept: list[str]) -> None:
        """Record a task, in a block in which several are; add the names of the images that it gives to keep."""
        failed = set()
        for name, event in ((source.name, each.told.get(source.key)) for source in each.task.unit):
            if isinstance(event, Failed):
                failed.add(name)
                self._fail(event.failure)
                if each.is_strip:
                    self._tasks.drop(name)
            elif isinstance(event, Done):
                kept.append(name)
                self._keeper.keep(name, event.kept)
        done = (s for s in each.task.unit if s.name not in failed and not isinstance(s.part, Strip))
        self.pixels += sum(source.scene.file_pixels for source in done)

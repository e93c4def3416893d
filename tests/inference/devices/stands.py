"""Stations without a network, which are quick to start: they tell the name of each image, or end as they are told."""

import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from detect.inference.devices.tasks import Advanced, Begun, Done, Event, Failed, Task
from detect.inference.failures import Failure


@dataclass(frozen=True)
class Shown:
    """What a crew asks of a scene: 10 x 10 pixels."""

    path: Path = Path("none")
    shape: tuple[int, int] = (10, 10)
    file_pixels: int = 100


@dataclass(frozen=True)
class Image:
    """What a crew asks of a source."""

    name: str
    scene: Shown = field(default=Shown())


@dataclass(frozen=True)
class Stand:
    """A station that takes three tasks before it tells of the first, and has a marker in its folder for each death.

    An image `killer...` kills its process each time, `once...` the first time; `slow...` takes its time; `bad...`
    fails, `error...` is an error of the run, `silent...` is not told of; `last...` kills its process the first time it
    is told of, and `gone...` is done and cannot be read any more.
    """

    folder: Path

    def __call__(self) -> "Stand":
        if self.folder.name == "unusable":
            raise ValueError("there is no such device")
        if self.folder.name == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        return self

    def run(self, tasks: Iterable[Task], tell: Callable[[Event], None]) -> None:
        begun: list[Task] = []
        for task in tasks:
            begun.append(task)
            if len(begun) == 3:
                self._count(begun.pop(0), tell)
        for task in begun:
            self._count(task, tell)

    def _count(self, task: Task, tell: Callable[[Event], None]) -> None:
        for name in (source.name for source in task.unit):
            if name in task.done:
                if name.startswith("gone"):
                    tell(Failed(Failure(name, "it is gone")))
                continue
            tell(Begun(name))
            tell(Advanced(100))
            self._perhaps_end(name)
            if name.startswith("bad"):
                tell(Failed(Failure(name, "it is bad")))
            elif not name.startswith("silent"):
                tell(Done(name, f"{name} of {len(task.unit)}"))
            if name.startswith("last"):
                self._end_once(name)

    def _perhaps_end(self, name: str) -> None:
        if name.startswith("slow"):
            time.sleep(0.3)
        if name.startswith("error"):
            raise OSError(28, "No space left on device")
        if name.startswith("killer"):
            _end()
        if name.startswith("once"):
            self._end_once(name)

    def _end_once(self, name: str) -> None:
        marker = self.folder / name
        if not marker.exists():
            marker.touch()
            _end()


def _end() -> None:
    time.sleep(0.05)  # what was told before is on its way
    os.kill(os.getpid(), signal.SIGKILL)

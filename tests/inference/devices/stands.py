"""Stations without a network, which are quick to start: they tell the name of each image, or end as they are told.

One that ends its process waits until the run has heard all that it told before, as `heard` marks it: what a process
tells is on its way when it ends, and of a cluster's it is lost with it.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from detect.inference.devices.tasks import Advanced, Begun, Done, Event, Failed, Found, Task
from detect.inference.failures import Failure
from detect.inference.strips.strip import Joint, Part, Strip, strip_number


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
    part: Part | None = None

    @property
    def key(self) -> tuple[str, int | None]:
        """The name and the number of the strip."""
        return self.name, strip_number(self.part)

    @property
    def pixels(self) -> int:
        """Those of a strip are the joint's: a hundred all together."""
        return self.part.pixels if isinstance(self.part, Strip) else 0 if self.part else 100


MOST_WAITING_SECONDS = 60.0
"""How long a station waits to be heard, before it raises what the test fails by."""


def heard(folder: Path, name: str) -> Path:
    """Return the marker of an image of which the run has heard that it begins, and so all that was told before."""
    return folder / f"heard {name}"


@dataclass(frozen=True)
class Stand:
    """A station that takes three tasks before it tells of the first, and has a marker in its folder for each death.

    An image `killer...` kills its process each time, `once...` the first time; `slow...` takes its time, `stuck...` for
    ever the first time; `bad...` fails, `error...` is an error of the run, `silent...` is not told of; `last...` kills
    its process the first time it is told of, and `gone...` is done and cannot be read any more.
    """

    folder: Path

    def __call__(self) -> "Stand":
        if self.folder.name == "unusable":
            raise ValueError("there is no such device")
        if self.folder.name == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.folder.name == "single" and not self._first("started"):
            raise ValueError("another one has started before")
        return self

    def _first(self, name: str) -> bool:
        """Return whether this is the first time for a name, and leave a marker."""
        marker = self.folder / name
        try:
            marker.touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def run(self, tasks: Iterable[Task], tell: Callable[[Event], None]) -> None:
        begun: list[Task] = []
        for task in tasks:
            begun.append(task)
            if len(begun) == 3:
                self._count(begun.pop(0), tell)
        for task in begun:
            self._count(task, tell)

    def _count(self, task: Task, tell: Callable[[Event], None]) -> None:
        if isinstance(task.unit[0].part, Strip | Joint):
            self._count_part(task.unit[0].key, task.unit[0].part, tell)
            return
        for name in (source.name for source in task.unit):
            if name in task.done:
                tell(Advanced(100))
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

    def _count_part(self, key: tuple[str, int | None], part: Part, tell: Callable[[Event], None]) -> None:
        """Find a strip: a file in its folder; or join them, which needs all files.

        Of `bad...` strips 2 and 4 fail, the later one first; of `once...` strip 3 kills its process once.
        """
        name, number = key
        if isinstance(part, Joint):
            there = [strip.file.exists() for strip in part.strips]
            tell(Done(name, f"{name} of {sum(there)} strips"))
            return
        tell(Begun(name))
        tell(Advanced(part.pixels))
        if name.startswith("bad") and number in (2, 4):
            time.sleep(0.2 if number == 2 else 0)
            tell(Failed(Failure(name, f"strip {number} is bad", number)))
            return
        if number == 3 and name.startswith("once"):
            self._end_once(name)
        part.file.touch()
        tell(Found(name, number))

    def _perhaps_end(self, name: str) -> None:
        if name.startswith("slow"):
            time.sleep(0.3)
        if name.startswith("stuck") and self._first(name):
            time.sleep(3600)
        if name.startswith("error"):
            raise OSError(28, "No space left on device")
        if name.startswith("killer"):
            self._end(name)
        if name.startswith("once"):
            self._end_once(name)

    def _end_once(self, name: str) -> None:
        marker = self.folder / name
        if not marker.exists():
            marker.touch()
            self._end(name)

    def _end(self, name: str) -> None:
        """End the process of an image that it has begun."""
        until, marker = time.monotonic() + MOST_WAITING_SECONDS, heard(self.folder, name)
        while not marker.exists():
            if time.monotonic() > until:
                raise RuntimeError(f"the run has not heard of {name}")
            time.sleep(0.01)
        marker.unlink()  # the next process that begins it waits too
        os.kill(os.getpid(), signal.SIGKILL)

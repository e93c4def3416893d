"""What a run and its processes tell each other; plain data over a pipe, that any launcher may carry.

A task is a unit of images, as `tiles.grouped` makes it of all images of a run: their tiles share batches, so that it is
counted with the same bytes wherever that is done, and as often as it is done, by two at once too. Who counts it
(`Station.run`) writes the pictures of its images itself and tells of each what is kept, or its failure; who gave it
records that in the order of the tasks. A task that was lost is given again as a whole: what was told of it is thrown
away, its pictures are written over. The images of one that ended two workers are given alone, as where the others of
their unit cannot be read: else one that ends workers would take them with it.

A raster that is too large for one process is a task for each of its strips, in the order of its tiles, and one behind
them that joins them, given when all strips are found. What is found of a strip lies in a file in the state folder of
the output, or in the object store of an output at an address, which all processes must reach; nothing of it is in a
task or an event.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from detect.inference.failures import Failure
    from detect.inference.tiles import Source


Key = tuple[str, int | None]
"""An image's name, and the first batch of a strip of it; None for the image."""


@dataclass(frozen=True, eq=False)
class Task:
    """A unit of images; or a strip of one large raster, or the joining of all its strips.

    Attributes:
        number: of the unit in the run, from 0.
        unit: the images, at the network's resolution.
        done: names of those that an earlier run has: their tiles are in the batches, and nothing is told of them.
        origins: what the writer of its files is to know of each image of the unit, None of those that are done.
    """

    number: int
    unit: "Sequence[Source]"
    done: frozenset[str] = frozenset()
    origins: "Sequence[Any]" = ()

    @property
    def expected(self) -> "set[Key]":
        """The images, or the strip of one, of which something is to be told."""
        return {source.key for source in self.unit if source.name not in self.done}


@dataclass(frozen=True)
class Begun:
    """The first tile of an image is there."""

    name: str


@dataclass(frozen=True)
class Advanced:
    """Some pixels are done; 0 says that what is done with some that are done goes on, as long files are written."""

    pixels: int


@dataclass(frozen=True, eq=False)
class Done:
    """The files of an image are written.

    Attributes:
        name: of the image.
        kept: what the sink of the run is to keep of it.
    """

    name: str
    kept: Any


@dataclass(frozen=True, eq=False)
class Failed:
    """An image without a result, or a strip of one, by which the image has none."""

    failure: "Failure"


@dataclass(frozen=True)
class Found:
    """What is found of a strip lies in its file.

    Attributes:
        name: of the image.
        strip: the first batch of the strip.
    """

    name: str
    strip: int | None


@dataclass(frozen=True)
class Told:
    """A line of the log of a process, with its level."""

    level: int
    text: str


@dataclass(frozen=True)
class Wanted:
    """A process asks for a task; the answer None means that there is none before it has told all of the others."""


@dataclass(frozen=True)
class Rested:
    """All tasks that a process had are told of; it has held so much memory at most, None where that is not known."""

    peak_mib: int | None


@dataclass(frozen=True, eq=False)
class Broken:
    """A process ends by an error that is none of an image alone."""

    error: BaseException


Event = Begun | Advanced | Done | Found | Failed | Told | Wanted | Rested | Broken


class Station(Protocol):
    """Counts the images of tasks: a model on a device."""

    def run(self, tasks: Iterable[Task], tell: Callable[[Event], None]) -> None:
        """Report what is kept of each image of the tasks, or its failure; the next task is asked for ahead of that.

        Args:
            tasks: asking for one may wait.
            tell: may be called in any thread.
        """


class Start(Protocol):
    """Makes a station; it is sent to the process that has one."""

    def __call__(self) -> Station:
        """Make the station.

        Raises:
            ValueError: it cannot be made on this machine.
        """

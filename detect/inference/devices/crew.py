"""The workers of a run, processes or actors of a cluster, which share its images."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from detect.inference.devices.hands import Hiring
from detect.inference.devices.processes import Processes
from detect.inference.devices.shift import Shift
from detect.inference.devices.tasks import Start
from detect.inference.failures import Failure

if TYPE_CHECKING:
    from detect.inference.run import Progress
    from detect.inference.tiles import Source


class Keeper(Protocol):
    """What records images, in their order."""

    def has(self, name: str, path: Any) -> bool:
        """Return whether an earlier run recorded an image."""

    def origin(self, name: str) -> Any:
        """Return what the writer of an image's files is to know of it; it can be pickled."""

    def keep(self, name: str, kept: Any) -> None:
        """Record an image with what was kept of it."""

    def together(self) -> AbstractContextManager[object]:
        """Return a block in which images are recorded together: they are recorded when it ends."""


@dataclass(frozen=True, eq=False)
class Crew:
    """Counts units of images in several workers.

    Tasks are given as workers ask for them. A worker that ends without being told to (killed, or without memory), or
    that is silent for too long, is replaced; its tasks are given once more, each to a worker that has nothing else, so
    that one that ends workers takes no other with it. One that does so again is given image by image, so that an image
    takes no other with it, which is counted in batches of its own then. One that cannot be made ready ends the run
    where none has ever been; else the others go on. Of a cluster, one that has nothing to do counts what another one is
    slow with.

    Attributes:
        starts: one a worker, by the name of its device.
        keeper: records the images.
        cores: of each worker; None leaves all cores to each.
        peaks: most MiB that each worker has held, by its place.
        hiring: how they are had.
        silent_seconds: after which a worker that tells nothing is ended; None waits for it.
    """

    starts: Sequence[tuple[str, Start]]
    keeper: Keeper
    cores: Sequence[frozenset[int] | None]
    peaks: dict[int, int] = field(default_factory=dict)
    hiring: Hiring = field(default_factory=Processes)
    silent_seconds: float | None = None

    @property
    def processes(self) -> int:
        """The number of workers."""
        return len(self.starts)

    def __call__(
        self, units: "Sequence[Sequence[Source]]", progress: "Progress", fail: Callable[[Failure], None]
    ) -> int:
        """Have all images of units recorded or failed, in their order; return the pixels done, of the files.

        Raises:
            ChildProcessError: a worker ended while it started, and none has ever been ready; or every one has ended.
            RuntimeError: a worker tells other things than it should.
            OSError, MemoryError, ...: the error by which a worker ended.
        """
        if not units:
            return 0
        shift = Shift(self, units, progress, fail)
        try:
            shift.places.begin(min(len(self.starts), len(units)))
            shift.work()
        except BaseException:
            shift.places.end(now=True)
            raise
        shift.places.end(now=False)
        for place, peak in self.hiring.peaks().items():
            self.peaks[place] = max(self.peaks.get(place, 0), peak)
        return shift.recording.pixels

"""What a worker on another machine checks before it counts: that it has the same folders, model and version."""

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detect import __version__
from detect.assembly.machine.output_probe import OutputProbe
from detect.assembly.machine.several_devices import StationStart
from detect.imagery.remote.address import Address
from detect.imagery.remote.store import facts_of

if TYPE_CHECKING:
    from detect.inference.devices.counting_station import CountingStation
    from detect.inference.engine import Engine


@dataclass(frozen=True)
class Computing:
    """How a network is computed, which has to be the same on all machines for the same bytes."""

    runtime: str
    precision: str
    device: str
    tile_pixels: int
    halo: int

    @classmethod
    def of(cls, engine: "Engine") -> "Computing":
        """Return how an engine computes."""
        runtime: Any = getattr(engine.runtime, "runtime", engine.runtime)
        return cls(runtime.name, runtime.precision, runtime.device.type, engine.plan.area, engine.plan.halo)

    def __str__(self) -> str:
        return (
            f"{self.runtime} on {self.device} in {self.precision} bits, tiles of {self.tile_pixels} pixels with a halo "
            f"of {self.halo}"
        )


@dataclass(frozen=True, eq=False)
class CheckedStart:
    """Makes a station on a machine that sees what the run's own sees; sent there.

    Attributes:
        start: makes the station.
        here: the working folder of the run, to which paths are relative.
        probe: by which the machine knows that it reaches the same output.
        image: one of the run's, which the machine must reach as well; None where the run itself has none.
        version: of this package.
        computing: how the run would compute.
    """

    start: StationStart
    here: Path
    probe: OutputProbe
    image: Path | None
    version: str
    computing: Computing

    def __call__(self) -> "CountingStation":
        """Make the station.

        Raises:
            ValueError: the machine has another version or model, does not reach the images or the output, cannot write
                there, or would compute otherwise.
        """
        node = socket.gethostname()
        if self.version != __version__:
            raise ValueError(
                f"node {node} has detect {__version__}, and the run is of {self.version}; install the same on all nodes"
            )
        self._go_to(node)
        self.probe.check(node)
        self._check_images(node)
        self._check_model(node)
        station = self.probe.at_worker(self.start)()
        computing = Computing.of(station.engine)
        if computing != self.computing:
            raise ValueError(
                f"node {node} computes with {computing}, and the run with {self.computing}: results would depend on "
                "who counts; name runtime, runtime.device, runtime.precision and tile, or take machines of one kind"
            )
        return station

    def _go_to(self, node: str) -> None:
        """Make the working folder of the run this process's, where paths are relative to it."""
        settings = self.start.settings
        try:
            os.chdir(self.here)
        except OSError as error:
            paths = (settings.images, settings.model, settings.output)
            given = [path for path in paths if not (path.is_absolute() or isinstance(path, Address))]
            if given:
                raise ValueError(
                    f"node {node} has no folder {self.here} ({error.strerror}), to which {given[0]} is relative; give "
                    "paths from / that all nodes have"
                ) from error

    def _check_images(self, node: str) -> None:
        """Check that images are seen: else each would be one that failed."""
        image, said = self.image, "no such file"
        if image is None:
            return
        try:
            if image.is_file() if not isinstance(image, Address) else facts_of(image) is not None:
                return
        except (OSError, ValueError) as error:
            said = str(error)
        raise ValueError(
            f"node {node} does not see the images of the run, such as {image} ({said}); put them where all nodes have "
            "them, or in a store (images=s3://...) for which all nodes have the credentials"
        )

    def _check_model(self, node: str) -> None:
        from detect.imagery.remote.model_copies import digest

        model = self.start.settings.model
        try:
            found = digest(model)
        except (OSError, ValueError) as error:
            said = f"{error.strerror}: {model}" if isinstance(error, OSError) and error.filename else str(error)
            raise ValueError(
                f"node {node} does not see the model: {said}; put it where all nodes have it, or in a store "
                "(model=s3://...)"
            ) from error
        if found != self.start.model:
            raise ValueError(f"node {node} has another model={model} than the run; put one where all nodes have it")


def checked_start(
    start: StationStart, engine: "Engine", probe: OutputProbe, images: Iterable[Path] = ()
) -> CheckedStart:
    """Return what makes a station on other machines.

    Args:
        start: makes the station.
        engine: of the run.
        probe: put where its output is.
        images: of the run.
    """
    seen = next((path for path in images if isinstance(path, Address) or path.is_file()), None)
    return CheckedStart(start, Path.cwd(), probe, seen, __version__, Computing.of(engine))

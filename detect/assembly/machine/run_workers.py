"""Who counts the images of a run: this process, several of this machine, or workers on the machines of a cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, assert_never

from detect.assembly.machine.run_memory import with_memory
from detect.assembly.machine.several_devices import crew_of, devices_of, settings_of_one
from detect.assembly.settings.launcher_settings import LocalLauncher, RayLauncher
from detect.assembly.settings.predict_settings import PredictSettings

if TYPE_CHECKING:
    from detect.inference.devices.crew import Crew
    from detect.inference.engine import Engine
    from detect.reporting.output.prediction_folder import PredictionFolder


class Workers(Protocol):
    """Those that count the images of a run."""

    def with_memory(self, settings: PredictSettings, earlier: Path | None) -> PredictSettings:
        """Return settings whose `max_memory` is a number of bytes; see `run_memory.with_memory`."""

    def settings_of_one(self, settings: PredictSettings) -> PredictSettings:
        """Return the settings of one of them, by which images are put into tasks too."""

    def crew(
        self, settings: PredictSettings, engine: "Engine", sink: "PredictionFolder", folder: Path, model: str
    ) -> "Crew | None":
        """Return what has them count the images of a run; None where this process does.

        Args:
            settings: of one of them.
            engine: of the run, by which images are put into units.
            sink: of the run.
            folder: for maps that are too large for memory.
            model: the digest of its file.
        """


@contextmanager
def workers_of(settings: PredictSettings) -> Iterator[Workers]:
    """Yield those that count the images of a run; workers of a cluster are let go when the block ends.

    Raises:
        ValueError: devices or a cluster that are not there, or cannot be shared.
    """
    match settings.launcher:
        case LocalLauncher():
            yield LocalWorkers(devices_of(settings))
        case RayLauncher() as launcher:
            from detect.assembly.machine.cluster_workers import cluster_workers

            with cluster_workers(settings, launcher) as workers:
                yield workers
        case _:
            assert_never(settings.launcher)


@dataclass(frozen=True)
class LocalWorkers:
    """One process a device of this machine, the only one being this process.

    Attributes:
        devices: their names.
    """

    devices: list[str]

    def with_memory(self, settings: PredictSettings, earlier: Path | None) -> PredictSettings:
        """Return settings with a share of this machine's memory; see `Workers`."""
        return with_memory(settings, earlier, self.devices)

    def settings_of_one(self, settings: PredictSettings) -> PredictSettings:
        """Return the settings of one process; see `Workers`."""
        return settings_of_one(settings, self.devices)

    def crew(
        self, settings: PredictSettings, engine: "Engine", sink: "PredictionFolder", folder: Path, model: str
    ) -> "Crew | None":
        """Return the processes; see `Workers`."""
        return crew_of(settings, self.devices, engine, sink, folder, model)

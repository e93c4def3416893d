"""A run on several devices: what of the settings each process has, and how it makes its model ready."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from detect.assembly.fields.byte_sizes import byte_size
from detect.assembly.settings.launcher_settings import LauncherSettings
from detect.assembly.settings.predict_settings import PredictSettings

if TYPE_CHECKING:
    from detect.inference.devices.counting_station import CountingStation
    from detect.inference.devices.crew import Crew
    from detect.inference.engine import Engine
    from detect.reporting.output.prediction_folder import PredictionFolder
    from detect.reporting.pictures.scene_files import SceneWriter

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class StationStart:
    """Makes the station of a device in its process, of plain settings and the model's file.

    Attributes:
        settings: of this process.
        model: the digest of the model's file when the run began.
        threshold: least score that is looked for.
        scale: at which all images are read, where the run chose one; None leaves it to the settings.
        undecided, candidates: as of the engine of the run.
        processes: that share this machine's memory for what is read and written.
        folder: for maps that are too large for memory.
        writer: of the images' files.
    """

    settings: PredictSettings
    model: str
    threshold: float
    scale: float | None
    undecided: bool
    candidates: bool
    processes: int
    folder: Path
    writer: "SceneWriter"

    def __call__(self) -> "CountingStation":
        """Make the station.

        Raises:
            ValueError: the settings do not go with the model or this machine, or another model is at its place.
        """
        from detect.assembly.command import keep_freed_memory
        from detect.assembly.engine.ready_engine import make_engine
        from detect.assembly.prediction.run_threshold import thresholds_by_class
        from detect.inference.devices.counting_station import CountingStation
        from detect.inference.failures import MAX_PREVIEW_SIDE
        from detect.nets.modelfile import load_model

        keep_freed_memory()
        net, card = load_model(self.settings.model)
        self._check_model()
        engine = make_engine(self.settings, net, card, self.threshold, self.folder)
        engine = replace(engine, undecided=self.undecided, plan=engine.plan.shared(self.processes))
        engine = replace(engine, by_class=thresholds_by_class(self.settings, card))
        engine = engine.with_candidates() if self.candidates else engine
        if self.scale is not None and engine.meeting is not None:
            engine = replace(engine, meeting=replace(engine.meeting, scale=self.scale))
        return CountingStation(engine, self.writer, MAX_PREVIEW_SIDE if self.writer.previewed else None)

    def _check_model(self) -> None:
        """Check that what was read is the model of the run, and not one that has taken its place since it began."""
        from detect.imagery.remote.model_copies import digest

        if digest(self.settings.model) != self.model:
            raise ValueError(
                f"model={self.settings.model} is another file than when the run began, and counts of two models are "
                "none: put the first one back, or start afresh (overwrite=true)"
            )


def devices_of(settings: PredictSettings) -> list[str]:
    """Return the names of the run's devices, one for each process.

    Raises:
        ValueError: devices that are not there, or cannot be shared.
    """
    from detect.inference.devices.device_choice import chosen_devices

    return chosen_devices(settings.runtime.device, settings.runtime.devices)


def settings_of_one(settings: PredictSettings, devices: list[str]) -> PredictSettings:
    """Return the settings of a process on the first of the devices.

    On the CPU each has its part of `max_memory`, from which its tiles follow. A CUDA device has memory of its own for
    the tiles, which are the same on any number of them; memory for what is read and written, and threads, are shared
    by `StationStart.processes`.
    """
    number = len(devices)
    one = replace(settings, runtime=replace(settings.runtime, device=devices[0], devices=1))
    if number == 1:
        return one
    if devices[0] != "cpu":
        return one
    workers = None if settings.workers is None else max(1, settings.workers // number)
    assert settings.max_memory is not None
    share = byte_size(int(settings.max_memory) // number)
    logger.info(
        "runtime.devices=%d: each process on the CPU has %d MiB of max_memory=%s, from which its tiles follow: "
        "devices=1 with that much, or any with tile=, gives the same bytes",
        number,
        share >> 20,
        settings.max_memory.text,
    )
    return replace(one, workers=workers, max_memory=share)


def crew_of(
    settings: PredictSettings,
    devices: list[str],
    engine: "Engine",
    sink: "PredictionFolder",
    folder: Path,
    model: str,
) -> "Crew | None":
    """Return the processes that count the images of a run; None where this one does.

    Args:
        settings: of one of them.
        devices: their names.
        engine: of the run, by which images are put into units.
        sink: of the run.
        folder: for maps that are too large for memory.
        model: the digest of its file.
    """
    from detect.inference.devices.crew import Crew
    from detect.inference.devices.device_choice import shared_cores

    if len(devices) == 1:
        return None
    number, on_cpu = len(devices), devices[0] == "cpu"
    starts = []
    for device in devices:
        own = replace(settings, runtime=replace(settings.runtime, device=device))
        starts.append((device, station_start(own, engine, sink, folder, model, 1 if on_cpu else number)))
    cores = shared_cores(number) if on_cpu else [None] * number
    return Crew(starts, sink, cores, silent_seconds=silent_seconds(settings.launcher))


def silent_seconds(launcher: LauncherSettings) -> float | None:
    """Return after how many seconds a process that tells nothing is ended; None waits for it."""
    return None if launcher.silent_minutes is None else 60 * launcher.silent_minutes


def station_start(
    settings: PredictSettings,
    engine: "Engine",
    sink: "PredictionFolder",
    folder: Path,
    model: str,
    processes: int = 1,
) -> StationStart:
    """Return what makes the station of a process.

    Args:
        settings: of it.
        engine: of the run.
        sink: of the run.
        folder: for maps that are too large for memory.
        model: the digest of its file.
        processes: that share its machine's memory for what is read and written.
    """
    scale = engine.meeting.scale if settings.rescale == "survey" and engine.meeting is not None else None
    return StationStart(
        settings,
        model,
        engine.threshold,
        scale if isinstance(scale, float | int) else None,
        engine.undecided,
        engine.floor is not None,
        processes,
        folder,
        sink.writer,
    )

"""Workers on the machines of a Ray cluster: how many, with how much memory, and what each checks before it counts."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from detect.assembly.machine.checked_start import checked_start
from detect.assembly.machine.output_probe import output_probe
from detect.assembly.machine.run_memory import greatest_step, with_memory
from detect.assembly.machine.several_devices import silent_seconds, station_start
from detect.assembly.settings.launcher_settings import RayLauncher
from detect.assembly.settings.predict_settings import PredictSettings
from detect.inference.cluster.ray_cluster import Needs, Node, connected

if TYPE_CHECKING:
    from detect.inference.devices.crew import Crew
    from detect.inference.engine import Engine
    from detect.reporting.output.prediction_folder import PredictionFolder

logger = logging.getLogger(__name__)


@contextmanager
def cluster_workers(settings: PredictSettings, launcher: RayLauncher) -> Iterator["ClusterWorkers"]:
    """Connect to a cluster for a block, and yield the workers that a run may have there.

    Raises:
        ValueError: no such cluster, or devices that cannot be shared so.
    """
    from detect.inference.runtimes.torch_runtime import pick_device

    kind = pick_device(settings.runtime.device).type
    if kind not in ("cpu", "cuda"):
        raise ValueError(f"runtime.device={kind}: workers of launcher=ray compute on cpu or cuda; set one of them")
    if kind == "cuda" and launcher.devices_per_task != 1:
        raise ValueError(
            f"launcher.devices_per_task={launcher.devices_per_task}: a network runs on one GPU; leave it out"
        )
    with connected(launcher.address) as nodes, ExitStack() as leaving:
        yield ClusterWorkers(launcher, kind, nodes, leaving)


@dataclass(frozen=True)
class ClusterWorkers:
    """Workers on the nodes of a cluster, each with `max_memory` of its own, whatever their number.

    Attributes:
        launcher: its settings.
        device: `cpu` or `cuda`.
        nodes: of the cluster.
        leaving: what is done when they are let go.
    """

    launcher: RayLauncher
    device: str
    nodes: Sequence[Node]
    leaving: ExitStack

    def needs(self, memory: int = 0) -> Needs:
        """Return what a worker takes of its node."""
        if self.device == "cuda":
            return Needs(1, 1, memory)
        return Needs(self.launcher.devices_per_task, 0, memory)

    def with_memory(self, settings: PredictSettings, earlier: Path | None) -> PredictSettings:
        """Return settings with the memory of each worker; see `Workers`."""
        return with_memory(settings, earlier, others=self._share)

    def _share(self) -> int:
        """Return half of what is a worker's where a node has as many as it has devices, of the node with least."""
        rooms = [(node.memory / self.needs().room(node), node) for node in self.nodes if self.needs().room(node)]
        if not rooms:
            raise self._no_room(self.needs())
        share, node = min(rooms, key=lambda room: room[0])
        memory = greatest_step(int(share / 2))
        logger.info(
            "max_memory=auto: %d GiB a worker, of %.1f GiB that %s has for each", memory >> 30, share / 2**30, node.name
        )
        return memory

    def settings_of_one(self, settings: PredictSettings) -> PredictSettings:
        """Return the settings of a worker; see `Workers`."""
        return replace(settings, runtime=replace(settings.runtime, device=self.device, devices=1))

    def crew(
        self, settings: PredictSettings, engine: "Engine", sink: "PredictionFolder", folder: Path, model: str
    ) -> "Crew":
        """Return the workers; see `Workers`.

        Raises:
            ValueError: no node has room for one.
        """
        from detect.inference.cluster.ray_hands import RayActors
        from detect.inference.devices.crew import Crew

        assert settings.max_memory is not None
        needs = self.needs(int(settings.max_memory))
        number = self._number(needs)
        sink.apart = sink.mirror is not None
        station = station_start(settings, engine, sink, folder, model)
        probe = self.leaving.enter_context(output_probe(folder, station))
        start = checked_start(station, engine, probe, sink.sources.values())
        starts = [(f"worker {place + 1}", start) for place in range(number)]
        hiring, silent = RayActors(needs.of_ray(), needs.cpus), silent_seconds(self.launcher)
        return Crew(starts, sink, [None] * number, hiring=hiring, silent_seconds=silent)

    def _number(self, needs: Needs) -> int:
        room = sum(needs.room(node) for node in self.nodes)
        wanted = self.launcher.workers
        if not room and wanted is None:
            raise self._no_room(needs)
        if wanted is None or wanted == room:
            return room
        if wanted > room:
            logger.warning(
                "launcher.workers=%d: the cluster has room for %d now; the others begin as machines join it",
                wanted,
                room,
            )
        return wanted

    def _no_room(self, needs: Needs) -> ValueError:
        offered = "; ".join(
            f"{node.name}: {node.cpus:g} CPUs, {node.gpus:g} GPUs, {node.memory / 2**30:.1f} GiB" for node in self.nodes
        )
        gpus = f", {needs.gpus} GPUs" if needs.gpus else ""
        memory = f", {needs.memory / 2**30:.1f} GiB (max_memory)" if needs.memory else ""
        return ValueError(
            f"no node of the cluster has room for a worker with {needs.cpus} CPUs{gpus}{memory}: {offered or 'none'}; "
            "take fewer launcher.devices_per_task or less max_memory, or name launcher.workers=N to wait for machines "
            "that join"
        )

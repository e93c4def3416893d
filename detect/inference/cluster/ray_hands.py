"""Workers on a Ray cluster, as the run sees them: an actor each, asked by calls for what it tells.

What travels is plain data: a task's names and what is kept of its images. Pixels do not: a worker reads images and
writes results itself, by paths that every node has. An actor ends with the process of the run, however that ends.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from detect.inference.cluster.machine_cores import MachineCores
from detect.inference.cluster.station_actor import Greeting, StationActor, sent
from detect.inference.devices.hands import Hand, Hiring
from detect.inference.devices.tasks import Event, Start, Task

logger = logging.getLogger(__name__)

T = TypeVar("T")

OF_THE_ACTOR = ("class_name:", "actor_id:", "pid:", "name:", "namespace:", "ip:")
"""Begin lines of Ray's errors that describe the actor."""

THREADS = 3
"""Of an actor: one for what it tells, one for what it is given, one to spare."""

REMINDED_SECONDS = 30.0
"""How often is told that no worker has a place in the cluster."""

MOST_WAITING_SECONDS = 600.0
"""How long a run waits for the cluster to have a place for any worker, before it ends."""

ANSWER_SECONDS = 5.0
"""How long a worker that is to end may take to tell its memory."""

NODE_SECONDS = 1.0
"""How long after the end of a worker the loss of its node may be known."""

NODE_LABEL = "ray.io/node-id"
"""Ray's own label of each node."""

NODE_DIED = "its node has died"
"""What Ray says of an actor whose node was lost."""


class RayHand(Hand[T]):
    """An actor with a station; it begins as soon as the cluster has a place for it.

    Args:
        place, device: as of `Hand`.
        actor: the handle of a `StationActor`.
        begin: called with the hand and its greeting, has the actor make its station.

    Attributes:
        actor: the handle.
        pending: the reference to what it tells next.
        told: what it has told and nobody has heard yet.
        gone: how it ended; empty before.
        node: Ray's name of its node; empty before it is there.
    """

    way_out = "as without memory (lower max_memory), or as detect is not installed on its node as on this one"

    def __init__(
        self,
        place: int,
        device: str,
        actor: Any,
        begin: "Callable[[RayHand[T], Greeting], None]",
        freed: "Callable[[RayHand[T]], None]",
    ) -> None:
        super().__init__(place, device)
        self.actor = actor
        self.told: deque[Event] = deque()
        self.gone = self.node = ""
        self.pending: Any = actor.greet.remote()
        self._begin = begin
        self._freed = freed

    def fetch(self) -> None:
        """Read what the reference holds that is pending, and ask for the next."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            answer = ray.get(self.pending)
        except RayTaskError:
            raise
        except RayError as error:
            said = str(error)
            self.gone = _cause(said)
            self.blameless = NODE_DIED in said or _lost_node(self.node)
            return
        if isinstance(answer, Greeting):
            self.begun = time.monotonic()
            self.stir()
            self.device, self.node = f"{self.device} on {answer.host}", answer.node
            self._begin(self, answer)
        else:
            self.told.extend(answer)
        self.pending = self.actor.listen.remote()

    def _next(self) -> Event | None:
        return self.told.popleft() if self.told else None

    def _send(self, task: Task | None) -> None:
        self.actor.give.remote(sent(task))

    def leave(self, now: bool) -> None:
        """Have Ray end the actor: it has told all that it had, or is not to."""
        import ray
        from ray.exceptions import RayError

        with suppress(RayError):
            if not (now or self.lost or self.begun is None):
                self.peak_mib = ray.get(self.actor.peak_mib.remote(), timeout=ANSWER_SECONDS)
        with suppress(RayError):
            ray.kill(self.actor)

    def end(self, now: bool) -> str:
        """Return how it ended, when it has, or Ray has had the time to end it."""
        if now and not self.gone:
            self.leave(now)
            self._wait_for_end()
        self._freed(self)
        self.ended = self.ended or time.monotonic()
        return self.gone or "as it was told to"

    def _wait_for_end(self) -> None:
        """Wait until an actor that was killed is gone, as what it still writes would come too late."""
        import ray
        from ray.exceptions import RayError

        until = time.monotonic() + ANSWER_SECONDS
        with suppress(RayError):
            while (left := until - time.monotonic()) > 0:
                ray.get(self.pending, timeout=left)
                self.pending = self.actor.listen.remote()


class RayActors(Hiring):
    """Workers on the cluster to which this process is connected.

    Args:
        needs: what Ray is to keep for each: `num_cpus`, `num_gpus`, `memory`.
        cores: of a machine, that each keeps to.
    """

    copies = True

    def __init__(self, needs: Mapping[str, float], cores: int) -> None:
        import ray

        super().__init__()
        self._actors: Any = ray.remote(StationActor)
        self._needs = {"max_concurrency": THREADS, "scheduling_strategy": "SPREAD", **needs}
        self._cores = MachineCores(cores)
        self._kept: dict[int, tuple[Start, Any]] = {}
        self._avoided: set[str] = set()
        self._unplaced_since: float | None = None
        self._reminded = 0.0

    def avoid(self, hand: Hand) -> None:
        """Hire no other one on the node of this one."""
        if isinstance(hand, RayHand) and hand.node:
            self._avoided.add(hand.node)

    def _made(self, place: int, device: str, start: Start, cores: frozenset[int] | None) -> RayHand[Any]:
        import ray

        if id(start) not in self._kept:
            self._kept[id(start)] = start, ray.put(sent(start))

        def begin(hand: RayHand[Any], greeting: Greeting) -> None:
            hand.actor.begin.remote(self._kept[id(start)][1], self._cores.take(hand, greeting))

        return RayHand(place, device, self._actor(), begin, self._cores.give_back)

    def _actor(self) -> Any:
        """Return a new actor; versions of Ray that do not know labels may have it on a node that is to be avoided."""
        if self._avoided:
            others = {"label_selector": {NODE_LABEL: f"!in({','.join(sorted(self._avoided))})"}}
            with suppress(TypeError, ValueError):
                return self._actors.options(**self._needs, **others).remote()
        return self._actors.options(**self._needs).remote()

    def wait(self, hands: Sequence[Hand], seconds: float) -> Sequence[Hand]:
        """Return those that have told something, or are gone, as soon as there is one; none after some seconds.

        Raises:
            ChildProcessError: the cluster has had no place for any of them for long.
        """
        import ray

        by_ref = {hand.pending: hand for hand in self._of_ray(hands) if not hand.told and not hand.gone}
        if len(by_ref) == len(hands):
            ready, _ = ray.wait(list(by_ref), timeout=seconds)
            for ref in ready:
                by_ref[ref].fetch()
        self._check_places(hands)
        return [hand for hand in self._of_ray(hands) if hand.told or hand.gone]

    def _of_ray(self, hands: Sequence[Hand]) -> list[RayHand[Any]]:
        return [hand for hand in hands if isinstance(hand, RayHand)]

    def _check_places(self, hands: Sequence[Hand]) -> None:
        """Warn, now and then, that no worker has a place in the cluster."""
        now = time.monotonic()
        if any(hand.begun is not None for hand in hands):
            self._unplaced_since = None
            return
        self._unplaced_since = self._unplaced_since or now
        waited = now - self._unplaced_since
        if now - max(self._unplaced_since, self._reminded) < REMINDED_SECONDS:
            return
        self._reminded = now
        avoided = f"; on {len(self._avoided)} nodes none can start, as was told" if self._avoided else ""
        if waited > MOST_WAITING_SECONDS:
            raise ChildProcessError(
                f"the cluster has had no place for a worker for {waited / 60:.0f} minutes (`ray status` shows what it "
                f"has and what takes it{avoided}); the same command goes on"
            )
        shows = "`ray status` shows what it has and what takes it"
        logger.warning("no worker has a place in the cluster yet; %s%s", shows, avoided)


def _lost_node(node: str) -> bool:
    """Return whether a node was lost, of whose worker the end is known; that of the node may be a little later."""
    import ray

    until = time.monotonic() + NODE_SECONDS
    while node and time.monotonic() < until:
        if not any(each["NodeID"] == node and each["Alive"] for each in ray.nodes()):
            return True
        time.sleep(0.2)
    return False


def _cause(said: str) -> str:
    """Return what Ray says of an end without what it says of the actor, and without its advice.

    Of an actor that could not be made it is the last line of its error.
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if "creation task" in lines[0]:
        return lines[-1]
    cause = [line for line in lines[1:] if line and line.split()[0] not in OF_THE_ACTOR] or lines[:1]
    return " ".join(cause).partition(" Some common causes")[0]

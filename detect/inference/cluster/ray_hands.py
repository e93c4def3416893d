"""Workers on a Ray cluster, as the run sees them: an actor each, asked by calls for what it tells.

What travels is plain data: a task's names and what is kept of its images. Pixels do not: a worker reads images and
writes results itself, by paths that every node has. An actor ends with the process of the run, however that ends.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

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

NODE_DIED = "its node has died"
"""What Ray says of an actor whose node was lost."""


@dataclass(eq=False)
class MachineCores:
    """Which cores of machines are taken, by whom: workers of one machine have their own, whatever node they are on.

    Attributes:
        each: cores of a worker.
    """

    each: int
    _taken: dict[str, dict[int, object]] = field(default_factory=dict)

    def take(self, owner: object, greeting: Greeting) -> frozenset[int] | None:
        """Return the cores of a worker; None leaves all, where a machine has fewer than it promises to its workers."""
        taken = self._taken.setdefault(greeting.machine, {})
        free = [core for core in greeting.cores if core not in taken][: self.each]
        if len(free) < self.each:
            return None
        taken.update(dict.fromkeys(free, owner))
        return frozenset(free)

    def give_back(self, owner: object) -> None:
        """Free the cores of a worker that has ended."""
        for machine, taken in self._taken.items():
            self._taken[machine] = {core: other for core, other in taken.items() if other is not owner}


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
    """

    way_out = "as without memory (lower max_memory), or as detect is not installed on its node as on this one"

    def __init__(self, place: int, device: str, actor: Any, begin: "Callable[[RayHand[T], Greeting], None]") -> None:
        super().__init__(place, device)
        self.actor = actor
        self.told: deque[Event] = deque()
        self.gone = self._node = ""
        self.pending: Any = actor.greet.remote()
        self._begin = begin

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
            self.blameless = NODE_DIED in said or _lost_node(self._node)
            return
        if isinstance(answer, Greeting):
            self.begun = time.monotonic()
            self.device, self._node = f"{self.device} on {answer.host}", answer.node
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
            if not now and self.begun is not None:
                self.peak_mib = ray.get(self.actor.peak_mib.remote(), timeout=ANSWER_SECONDS)
        with suppress(RayError):
            ray.kill(self.actor)

    def end(self, now: bool) -> str:
        """Return how it ended."""
        if now:
            self.leave(now)
        self.ended = self.ended or time.monotonic()
        return self.gone or "as it was told to"


class RayActors(Hiring):
    """Workers on the cluster to which this process is connected.

    Args:
        needs: what Ray is to keep for each: `num_cpus`, `num_gpus`, `memory`.
        cores: of a machine, that each keeps to.
    """

    def __init__(self, needs: Mapping[str, float], cores: int) -> None:
        import ray

        super().__init__()
        actors: Any = ray.remote(StationActor)
        self._actors = actors.options(max_concurrency=THREADS, scheduling_strategy="SPREAD", **needs)
        self._cores = MachineCores(cores)
        self._kept: dict[int, tuple[Start, Any]] = {}
        self._unplaced_since: float | None = None

    def _made(self, place: int, device: str, start: Start, cores: frozenset[int] | None) -> RayHand[Any]:
        import ray

        if id(start) not in self._kept:
            self._kept[id(start)] = start, ray.put(sent(start))

        def begin(hand: RayHand[Any], greeting: Greeting) -> None:
            hand.actor.begin.remote(self._kept[id(start)][1], self._cores.take(hand, greeting))

        return RayHand(place, device, self._actors.remote(), begin)

    def wait(self, hands: Sequence[Hand]) -> Sequence[Hand]:
        """Return those that have told something, or are gone, as soon as there is one.

        Raises:
            ChildProcessError: the cluster has had no place for any of them for long.
        """
        import ray

        by_ref = {hand.pending: hand for hand in self._of_ray(hands) if not hand.told and not hand.gone}
        while len(by_ref) == len(hands):
            ready, _ = ray.wait(list(by_ref), timeout=REMINDED_SECONDS)
            for ref in ready:
                by_ref[ref].fetch()
            if not ready:
                self._check_places(hands)
            by_ref = {hand.pending: hand for hand in self._of_ray(hands) if not hand.told and not hand.gone}
        heard = [hand for hand in self._of_ray(hands) if hand.told or hand.gone]
        for hand in heard:
            if hand.gone:
                self._cores.give_back(hand)
        return heard

    def _of_ray(self, hands: Sequence[Hand]) -> list[RayHand[Any]]:
        return [hand for hand in hands if isinstance(hand, RayHand)]

    def _check_places(self, hands: Sequence[Hand]) -> None:
        """Log, now and then, that no worker has a place in the cluster."""
        now = time.monotonic()
        if any(hand.begun is not None for hand in hands):
            self._unplaced_since = None
            return
        self._unplaced_since = self._unplaced_since or now
        waited = now - self._unplaced_since
        if waited > MOST_WAITING_SECONDS:
            raise ChildProcessError(
                f"the cluster has had no place for a worker for {waited / 60:.0f} minutes (`ray status` shows what it "
                "has and what takes it); the same command goes on"
            )
        logger.warning("no worker has a place in the cluster yet; `ray status` shows what it has and what takes it")


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

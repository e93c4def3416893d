"""Which cores of the machines of a cluster its workers keep to."""

from dataclasses import dataclass, field

from detect.inference.cluster.station_actor import Greeting


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

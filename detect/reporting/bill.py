"""What a run costs: the hours of its workers, at a price."""

from collections.abc import Callable
from dataclasses import dataclass

WORKER_HOURS, COST = "worker_hours", "cost"
"""Names in `run.json`."""


@dataclass(frozen=True)
class Bill:
    """The cost of a run so far.

    Attributes:
        price_per_hour: of a worker, in any money; None tells no cost.
        seconds: returns how long the workers have been there, together.
    """

    price_per_hour: float | None
    seconds: Callable[[], float]

    def text(self) -> str:
        """Return the cost so far in words; empty without a price."""
        return "" if self.price_per_hour is None else f"cost {self._cost(self.price_per_hour):.2f}"

    def facts(self) -> dict[str, float]:
        """Return the hours and the cost so far; nothing without a price."""
        if self.price_per_hour is None:
            return {}
        return {
            WORKER_HOURS: round(self.seconds() / 3600, 6),
            COST: round(self._cost(self.price_per_hour), 6),
        }

    def _cost(self, price: float) -> float:
        return price * self.seconds() / 3600

"""What runs on a cluster took, and whether that is within its bounds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

MOST_OVERHEAD, LEAST_GAIN = 0.10, 1.8

LEAST_SECONDS = 20.0
"""Seconds of the processor, beyond what its start takes, that a run takes at least of which a rate is told."""

LEAST_IMAGES = 40
"""Images of a run at least, of which images a second are told: between the first tenth and the ninth are 32."""

TOO_FEW = "too few images for a rate (--images, --size)"

Line = tuple[str, str, bool]
"""What was looked at, its value, and whether that is within its bound."""


@dataclass(frozen=True)
class Told:
    """What a run took: seconds by the clock, of the processor (of it those of Ray's own processes), MiB of workers.

    Attributes:
        same: whether it wrote what the local run did.
        rate: images a second between its first tenth and its ninth; 0 where that is not known.
    """

    scenario: str
    wall: float
    cpu: float
    rays: float
    peaks: Sequence[int]
    same: bool = True
    rate: float = 0.0

    def beyond(self, start: "Told") -> "Told":
        """Return what it took beyond what its start takes."""
        return replace(self, wall=self.wall - start.wall, cpu=self.cpu - start.cpu, rays=self.rays - start.rays)


def line_of(told: Told) -> str:
    """Return what a run took, as a line of the table."""
    peaks = ", ".join(f"{peak} MiB" for peak in told.peaks)
    cpu = f"{told.cpu:8.1f} s of the processor ({told.rays:.1f} Ray's own)"
    return f"{told.scenario:14} {told.wall:8.1f} s  {cpu}  {peaks}"


def judged(told: Sequence[Told], max_memory: int) -> list[Line]:
    """Return all that has a value, with whether it is within its bound; of runs that are too short no rate.

    Args:
        told: of the runs, each that has a start after it.
        max_memory: bytes that a worker may hold beyond what it holds for one small image.
    """
    starts = {each.scenario: each for each in told[::-1]}  # the first of a name is its start
    runs = {each.scenario: each for each in told}
    lines = [("same bytes", ", ".join(n for n, e in runs.items() if e.same), all(e.same for e in told))]
    if {"local", "one"} <= runs.keys():
        lines += _overhead(runs["one"].beyond(starts["one"]), runs["local"].beyond(starts["local"]))
        start = starts["one"].wall - starts["local"].wall
        lines.append(("start of a run on a cluster, beyond a local one's", f"{start:.1f} s", True))
    if {"one", "two"} <= runs.keys():
        lines += _gain(runs["one"], runs["two"], starts["one"])
    peaks = [peak for each in told for peak in each.peaks]
    if peaks and "one" in starts and starts["one"].peaks:
        most = max(peaks) - min(starts["one"].peaks)
        said = f"{most} MiB of {max_memory >> 20} beyond {min(starts['one'].peaks)}"
        lines.append(("most memory of a worker", said, most <= max_memory >> 20))
    return lines


def _overhead(one: Told, local: Told) -> list[Line]:
    """Return what a worker took more than one process did, both without their starts."""
    name = "one worker against local, processor"
    if min(one.cpu, local.cpu) < LEAST_SECONDS:
        return [(name, TOO_FEW, True)]
    more = one.cpu / local.cpu - 1
    without = (one.cpu - one.rays) / local.cpu - 1
    return [
        (name, f"{100 * more:+.1f} %", more <= MOST_OVERHEAD),
        ("that without Ray's own processes", f"{100 * without:+.1f} %", True),
        ("one worker against local, clock", f"{100 * (one.wall / local.wall - 1):+.1f} %", True),
    ]


def _gain(one: Told, two: Told, start: Told) -> list[Line]:
    """Return how many times as fast two workers are as one."""
    name = "two workers against one, images a second"
    if not (one.rate and two.rate and one.beyond(start).cpu >= LEAST_SECONDS):
        return [(name, TOO_FEW, True)]
    whole = one.beyond(start).wall / two.beyond(start).wall
    return [
        (name, f"{two.rate / one.rate:.2f} times", two.rate / one.rate >= LEAST_GAIN),
        ("two workers against one, clock of the whole run", f"{whole:.2f} times", True),
    ]


def steady_rate(recorded: Sequence[tuple[float, int]]) -> float:
    """Return lines a second of a journal between its first tenth and its ninth; 0 of one that is too short for that.

    Args:
        recorded: seconds of the clock, and lines by then.
    """
    most = recorded[-1][1] if recorded else 0
    between = [(at, number) for at, number in recorded if most <= 10 * number <= 9 * most]
    if most < LEAST_IMAGES or len(between) < 2:
        return 0.0
    (begun, first), (ended, last) = between[0], between[-1]
    return (last - first) / (ended - begun)

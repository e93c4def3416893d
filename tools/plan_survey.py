"""Print what a survey of many photographs takes: time, memory, storage and cost, from a rate that was measured.

    python tools/plan_survey.py --run runs/counts [--size 4992x3328] [--machines 8] [--price-per-hour 0.40]
    python tools/plan_survey.py --megapixels-per-second 3.2 --size 4992x3328 [--memory-gib 3.5] [--result-kib 400]

`--run` is a folder that `detect.predict` wrote on a machine of the kind that is planned with: `run.json` has its rate,
its peak memory, and how many pixels how many images had; the size of what it wrote is divided by its images (files of
the whole run, such as the report, are taken to grow with them, so that storage is rather too large). Its first seconds,
in which the network is made ready, are part of its rate: measure a run of some minutes.

A machine takes the images that another has not, one by one, and all are alike: the time is that of the pixels over the
rate and the number of machines, and what is lost to failures, stragglers and shared storage is `--overhead`, a share.
Every machine keeps the network and the tiles of one run in memory; cost is for started hours of every machine, unless
`--by-second`. A table has 1,000 to 1,000,000 photographs, or those of `--photographs`; `--json` prints it for programs.
"""

import argparse
import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PHOTOGRAPHS = (1_000, 10_000, 100_000, 1_000_000)
"""Rows of the table where none are given."""

OVERHEAD = 0.1
"""Share of the time that is taken to be lost, where none is given."""

HEADER = "| photographs | megapixels | hours | days | memory of all, GiB | results, GB | photographs, TB | cost |"


@dataclass(frozen=True)
class Basis:
    """What a plan is made from.

    Attributes:
        megapixels_per_second: of one machine.
        megapixels: of a photograph.
        machines: that work at once.
        overhead: share of the time that is lost.
        memory_gib: peak of one machine; None if not known.
        result_bytes: that a photograph's results take; None if not known.
        photograph_bytes: that a photograph itself takes; None if not known.
        price_per_hour: of one machine; None if not known.
        by_second: whether seconds are paid, or started hours.
    """

    megapixels_per_second: float
    megapixels: float
    machines: int
    overhead: float
    memory_gib: float | None
    result_bytes: float | None
    photograph_bytes: float | None
    price_per_hour: float | None
    by_second: bool

    def __post_init__(self) -> None:
        for name in ("megapixels_per_second", "megapixels", "machines"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if not 0 <= self.overhead < 1:
            raise ValueError(f"overhead is a share of the time, in [0, 1), got {self.overhead}")


@dataclass(frozen=True)
class Estimate:
    """What a number of photographs takes; None of what is not known."""

    photographs: int
    megapixels: float
    hours: float
    memory_gib: float | None
    results_gb: float | None
    photographs_tb: float | None
    cost: float | None

    def __str__(self) -> str:
        known = (self.memory_gib, self.results_gb, self.photographs_tb, self.cost)
        memory, results, stored, cost = ("-" if value is None else f"{value:,.2f}" for value in known)
        time = f"{self.hours:,.2f} | {self.hours / 24:,.2f}"
        return f"| {self.photographs:,} | {self.megapixels:,.0f} | {time} | {memory} | {results} | {stored} | {cost} |"


def estimate(photographs: int, basis: Basis) -> Estimate:
    """Return what a number of photographs takes.

    Of n photographs of m megapixels, on k machines of r megapixels a second with a share o of lost time, the hours are
    n * m / (r * (1 - o)) / k / 3600; fewer photographs than machines leave machines without work.
    """
    busy = min(basis.machines, photographs)
    each = -(-photographs // busy)  # the machine with one more than others ends last
    hours = each * basis.megapixels / (basis.megapixels_per_second * (1 - basis.overhead)) / 3600
    paid = hours if basis.by_second else math.ceil(hours)
    return Estimate(
        photographs,
        photographs * basis.megapixels,
        hours,
        None if basis.memory_gib is None else busy * basis.memory_gib,
        None if basis.result_bytes is None else photographs * basis.result_bytes / 1e9,
        None if basis.photograph_bytes is None else photographs * basis.photograph_bytes / 1e12,
        None if basis.price_per_hour is None else busy * paid * basis.price_per_hour,
    )


def measured(folder: Path) -> dict[str, Any]:
    """Return what a run of `detect.predict` tells: the fields of a `Basis` that it knows.

    Raises:
        ValueError: it is no finished run with images.
    """
    path = folder / "run.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        done, pixels, rate = facts["images"]["done"], facts["pixels"], facts["megapixels_per_second"]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not the record of a finished run of detect.predict ({error!r})") from error
    if not done or not rate:
        raise ValueError(f"{path}: {done} images at {rate} megapixels a second: run it on images that it can count")
    files = [Path(source) for source in facts.get("sources", {}).values()]
    sizes = [file.stat().st_size for file in files if file.is_file()]
    memory = facts.get("peak_memory_mib")
    return {
        "megapixels_per_second": float(rate),
        "megapixels": pixels / done / 1e6,
        "memory_gib": None if memory is None else memory / 1024,
        "result_bytes": sum(each.stat().st_size for each in folder.rglob("*") if each.is_file()) / done,
        "photograph_bytes": sum(sizes) / len(sizes) if sizes else None,
    }


def megapixels_of(size: str) -> float:
    """Return the megapixels of a size such as `4992x3328`.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    sides = re.fullmatch(r"(\d+)x(\d+)", size)
    if sides is None or not int(sides[1]) * int(sides[2]):
        raise argparse.ArgumentTypeError(f"a size is WIDTHxHEIGHT in pixels, such as 4992x3328, got {size}")
    return int(sides[1]) * int(sides[2]) / 1e6


def with_size(basis: dict[str, Any], megapixels: float | None) -> dict[str, Any]:
    """Return what a run tells for photographs of another size: bytes grow with the pixels."""
    if megapixels is None or not basis.get("megapixels"):
        return {**basis, **({} if megapixels is None else {"megapixels": megapixels})}
    times = megapixels / basis["megapixels"]
    scaled = {
        name: None if basis[name] is None else basis[name] * times for name in ("result_bytes", "photograph_bytes")
    }
    return {**basis, **scaled, "megapixels": megapixels}


def assumptions(basis: Basis) -> list[str]:
    """Return what a plan takes for granted, a sentence each."""
    size = basis.result_bytes
    return [
        f"photographs of {basis.megapixels:.2f} megapixels; a machine counts {basis.megapixels_per_second:.3f} "
        f"megapixels a second, as measured, on all its processors",
        f"{basis.machines} machines, all alike and always busy, each with photographs of its own; {basis.overhead:.0%} "
        "of the time is lost to failures, stragglers and storage",
        "memory of a machine does not grow with the number of photographs"
        + ("" if basis.memory_gib is None else f": {basis.memory_gib:.2f} GiB"),
        "the size of results is not known" if size is None else f"results take {size / 1e3:.0f} kB a photograph",
        "nobody's time is in it: windows to review, labels, and copying photographs to where they are counted",
        "cost is machines alone, by the second" if basis.by_second else "cost is machines alone, by started hours",
    ]


def basis_of(options: argparse.Namespace) -> Basis:
    """Return what a plan is made from: of a run, and what is given, which comes first.

    Raises:
        ValueError: a rate or a size is missing, or a run cannot be read.
    """
    told: dict[str, Any] = {} if options.run is None else measured(options.run)
    told = with_size(told, options.size)
    for name, value in (
        ("megapixels_per_second", options.megapixels_per_second),
        ("memory_gib", options.memory_gib),
        ("result_bytes", None if options.result_kib is None else options.result_kib * 1024),
    ):
        told[name] = told.get(name) if value is None else value
    if told["megapixels_per_second"] is None or told.get("megapixels") is None:
        raise ValueError("give --run FOLDER, or --megapixels-per-second and --size")
    given = {"machines": options.machines, "overhead": options.overhead, "by_second": options.by_second}
    return Basis(**{"photograph_bytes": None, **told, **given, "price_per_hour": options.price_per_hour})


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table and what it takes for granted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="a folder that detect.predict wrote")
    parser.add_argument("--megapixels-per-second", type=float, help="of one machine, instead of the run's")
    parser.add_argument("--size", type=megapixels_of, help="of a photograph, WIDTHxHEIGHT; else as in the run")
    parser.add_argument("--photographs", type=int, nargs="+", default=PHOTOGRAPHS)
    parser.add_argument("--machines", type=int, default=1)
    parser.add_argument("--overhead", type=float, default=OVERHEAD, help="share of the time that is lost")
    parser.add_argument("--memory-gib", type=float, help="peak of one machine, instead of the run's")
    parser.add_argument("--result-kib", type=float, help="that a photograph's results take, instead of the run's")
    parser.add_argument("--price-per-hour", type=float, help="of one machine, in any money")
    parser.add_argument("--by-second", action="store_true", help="seconds are paid, not started hours")
    parser.add_argument("--json", action="store_true", help="print numbers for programs")
    options = parser.parse_args(arguments)
    try:
        basis = basis_of(options)
    except ValueError as error:
        parser.error(str(error))
    if min(options.photographs) < 1:
        parser.error(f"--photographs must be 1 or more, got {min(options.photographs)}")
    rows = [estimate(number, basis) for number in options.photographs]
    if options.json:
        text = {"basis": asdict(basis), "assumptions": assumptions(basis), "rows": [asdict(row) for row in rows]}
        print(json.dumps(text, indent=2))
        return 0
    print(HEADER, "|---:|---:|---:|---:|---:|---:|---:|---:|", *rows, "", sep="\n")
    print("Taken for granted:", *(f"- {each}" for each in assumptions(basis)), sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

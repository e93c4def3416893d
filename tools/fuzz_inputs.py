"""Runs the commands on hostile inputs, and says which of them crash, hang, reach further or tell nothing.

    python tools/fuzz_inputs.py [--inputs 1000] [--seconds N] [--seed 0] [--kind images] [--only 317] [--json FILE]

Inputs are images, annotations, models, checkpoints and folders of predictions: good ones with bytes, fields,
names or paths changed, and files that are programs. Each is made from the seed and its number alone, and runs in a
child process of its own (a fork of one that has imported everything). It fails where

- a command ends with another code than 0, 2 or 3, with a traceback, by a signal, or with 2 although a good image lies
  beside a bad one; or a table does not have every image, has a cell that a spreadsheet runs, or a broken row;
- a file is written or removed outside the output folder, a canary outside is even opened (by any library: inotify), a
  connection or process is started (Python's audit events), or the address in the input is asked;
- it takes more than `--limit` seconds of the processor, or waits for as long without using it, or takes more than
  `--memory` MiB above what the process has after its imports.

Linux only. Exit code 1 where an input failed.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import count
from pathlib import Path

from fuzzing.canary import Listener
from fuzzing.case import KINDS
from fuzzing.inputs import Fuzzer, Result, kind_of
from fuzzing.material import make_material, warm_up


def numbers(options: argparse.Namespace) -> Iterator[int]:
    """Yield the numbers of the inputs that are asked for."""
    if options.only:
        yield from options.only
        return
    chosen = (number for number in count() if options.kind in (None, kind_of(number)))
    yield from (number for _, number in zip(range(options.inputs), chosen, strict=False))


def table(results: Sequence[Result]) -> str:
    """Return what became of the inputs, by kind, as a table."""
    lines = [
        "| kind | inputs | accepted | refused | failures | most seconds | most MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in KINDS:
        own = [result for result in results if result.kind == kind]
        if own:
            became = Counter(result.became for result in own)
            failures = sum(bool(result.wrong) for result in own)
            most = f"{max(each.seconds for each in own):.1f} | {max(each.memory_mib for each in own)}"
            cells = f"{len(own)} | {became['accepted']} | {became['refused']} | {failures} | {most}"
            lines.append(f"| {kind} | {cells} |")
    return "\n".join(lines)


def show_progress(done: int, failed: int, total: int, begun: float, *, last: bool) -> None:
    """Write how far it is, once a second on a terminal and every fifty inputs elsewhere."""
    if not last and not sys.stderr.isatty() and done % 50:
        return
    rate = done / (time.monotonic() - begun)
    end = "\r" if sys.stderr.isatty() and not last else "\n"
    left = (total - done) / rate
    sys.stderr.write(f"{done} of {total} inputs, {failed} failures, {rate:.1f} a second, {left:.0f} s left  {end}")
    sys.stderr.flush()


def run_inputs(fuzzer: Fuzzer, options: argparse.Namespace) -> list[Result]:
    """Run the inputs until all are done or the time is over."""
    results: list[Result] = []
    begun = time.monotonic()
    total = len(options.only) or options.inputs
    for number in numbers(options):
        result = fuzzer.run(number, keep=options.keep is not None)
        results.append(result)
        if result.wrong:
            print(f"{number} {result.kind}: {result.what!r}: {'; '.join(result.wrong)}", flush=True)
        if options.log:
            print(result.log)
        show_progress(len(results), sum(bool(each.wrong) for each in results), total, begun, last=False)
        if options.seconds is not None and time.monotonic() - begun > options.seconds:
            break
    show_progress(len(results), sum(bool(each.wrong) for each in results), len(results), begun, last=True)
    return results


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description="runs the commands on hostile inputs")
    parser.add_argument("--inputs", type=int, default=1000, help="number of inputs")
    parser.add_argument("--seconds", type=float, help="end after this time")
    parser.add_argument("--seed", type=int, default=0, help="of all draws")
    parser.add_argument("--kind", choices=KINDS, help="only inputs of a kind")
    parser.add_argument("--only", type=int, nargs="+", default=[], help="numbers of inputs to run again")
    parser.add_argument(
        "--limit", type=float, default=20.0, help="most seconds of the processor, or of waiting, of an input"
    )
    parser.add_argument("--memory", type=int, default=1024, help="most MiB of an input above the imports")
    parser.add_argument("--keep", type=Path, help="a new folder in which the inputs stay")
    parser.add_argument("--log", action="store_true", help="print what the commands write")
    parser.add_argument("--json", type=Path, help="a file for the results")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the inputs, print the failures and the table, and return the exit code."""
    options = parse(arguments)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        workplace = Path(name).resolve() if options.keep is None else options.keep.resolve()
        workplace.mkdir(exist_ok=True)
        warm_up(workplace / "cache")
        fuzzer = Fuzzer(
            workplace, make_material(workplace / "material"), Listener(), options.seed, options.limit, options.memory
        )
        results = run_inputs(fuzzer, options)
    print(table(results))
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=1), encoding="utf-8")
    return int(any(result.wrong for result in results))


if __name__ == "__main__":
    sys.exit(main())

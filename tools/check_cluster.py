"""Workers on a Ray cluster of two nodes against one process: the same bytes, whatever is lost, and what it costs.

    python tools/check_cluster.py [--images 200] [--size 1024x768] [--raster-megapixels 0] [--max-memory 2GiB]
        [--model FILE] [--scenarios local,one,two,lost_node,killed_driver] [--json FILE]

The nodes are processes of this machine, each with one core for a worker; the run's own process is on a third, that has
none. The scenarios, each a run of `detect.predict` into a folder of its own, with a small network of random head:

- local: one process that keeps to one core, what all others are compared with;
- one, two: so many workers;
- lost_node: two workers; when a fifth of the images are recorded, a node is killed, and another joins the cluster;
- killed_driver: two workers; the run's own process is killed then, and the same command goes on.

Start is what the same costs for one image of 64 pixels. Measured: seconds by the clock; seconds of the processor, of
all processes of a run and of the cluster (sampled, so that the last tenth of a second of each process is not seen); the
most memory that each worker held beyond what it holds for that one image. Bounds: the same bytes; one worker against
local, both without their start, at most 10 % more of the processor; two workers against one at least 1.8 times as fast
from the first tenth of the images to the ninth, in which starts and the last image's wait have no part; memory within
`max_memory`. The run's own process takes a part of the same cores, which counts against the two. Of runs of few
images, or of fewer than 20 seconds of the processor, no rate is told. Exit code 1 where a bound is broken.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from cluster_checks.judged import Told, judged, line_of, steady_rate
from cluster_checks.material import material
from cluster_checks.watched import MARK, Watched
from PIL import Image

ROOT = Path(__file__).parents[1]
SCENARIOS = ("local", "one", "two", "lost_node", "killed_driver")
NODE: dict[str, Any] = {"object_store_memory": 80 << 20, "memory": 8 << 30}


@dataclass(frozen=True)
class Check:
    """The material of all runs.

    Attributes:
        folder: of the runs.
        model: file.
        images: folder.
        tiny: folder of one image of 64 pixels.
        memory: `max_memory`.
        watched: the processes.
    """

    folder: Path
    model: Path
    images: Path
    tiny: Path
    memory: str
    watched: Watched

    def command(self, images: Path, output: Path, *more: str) -> list[str]:
        """Return the command of a run."""
        given = (f"model={self.model}", f"images={images}", f"output={output}", f"max_memory={self.memory}")
        return [sys.executable, "-m", "detect.predict", *given, "runtime.device=cpu", *more]

    def measured(self, scenario: str, *more: str, tiny: bool = False, beside: "Beside | None" = None) -> Told:
        """Run a scenario, from its start to its end; `beside` is done while it runs."""
        output = self.folder / (f"{scenario}_start" if tiny else scenario)
        command = self.command(self.tiny if tiny else self.images, output, *more)
        command = ["taskset", "-c", "0", *command] if scenario == "local" else command
        self.watched.journal, self.watched.recorded = output / ".run/journal.jsonl", []
        before, peaks = dict(self.watched.seconds), set(self.watched.peaks)
        begun = time.monotonic()
        with self.watched.watching():
            run = _started(command, output)
            if beside is not None:
                run = beside(run, command, output)
            code = run.wait()
        wall = time.monotonic() - begun
        if code:
            raise SystemExit(f"{scenario}: exit code {code}\n{output.with_suffix('.log').read_text()[-3000:]}")
        spent = {pid: now - before.get(pid, 0.0) for pid, now in self.watched.seconds.items()}
        rays = sum(seconds for pid, seconds in spent.items() if pid not in self.watched.ours | {os.getpid()})
        held = [most for pid, most in self.watched.peaks.items() if pid not in peaks]
        local = self.folder / "local"
        same = tiny or not local.exists() or written(output) == written(local)
        return Told(
            scenario,
            wall,
            sum(spent.values()) - spent.get(os.getpid(), 0.0),
            rays,
            held,
            same,
            steady_rate(self.watched.recorded),
        )


Beside = Callable[["subprocess.Popen[bytes]", list[str], Path], "subprocess.Popen[bytes]"]


def _started(command: list[str], output: Path) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with output.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def written(output: Path) -> dict[str, bytes]:
    """Return what a run wrote, but for speed and memory, and for what it remembers beside the journal."""
    kept = (path for path in sorted(output.rglob("*")) if path.is_file() and path.name != "run.json")
    files = {path.relative_to(output).as_posix(): path for path in kept}
    return {
        name: path.read_bytes() for name, path in files.items() if not name.startswith(".run/") or "journal" in name
    }


def until_recorded(output: Path, number: int, run: "subprocess.Popen[bytes]") -> None:
    """Wait until so many images are recorded, or the run has ended."""
    journal = output / ".run/journal.jsonl"
    while run.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < number):
        time.sleep(0.05)


def scenarios(check: Check, cluster: Any, wanted: Sequence[str], number: int) -> Iterator[Told]:
    """Yield what each scenario took, after what its start takes."""
    on = ("launcher=ray", f"launcher.address={cluster.address}")

    def lose_node(run: "subprocess.Popen[bytes]", command: list[str], output: Path) -> "subprocess.Popen[bytes]":
        until_recorded(output, number // 5, run)
        cluster.remove_node(next(iter(cluster.worker_nodes)))
        cluster.add_node(num_cpus=1, **NODE)
        return run

    def kill_driver(run: "subprocess.Popen[bytes]", command: list[str], output: Path) -> "subprocess.Popen[bytes]":
        until_recorded(output, number // 5, run)
        run.send_signal(signal.SIGKILL)
        run.wait()
        return _started(command, output)

    one = (*on, "launcher.workers=1")
    if "local" in wanted:
        check.measured("first", tiny=True)  # converts the network, which is kept
        yield check.measured("local", tiny=True)
        yield check.measured("local")
    if "one" in wanted:
        yield check.measured("one", *one, tiny=True)
        yield check.measured("one", *one)
    if "two" in wanted:
        yield check.measured("two", *on)
    if "lost_node" in wanted:
        yield check.measured("lost_node", *on, beside=lose_node)
    if "killed_driver" in wanted:
        yield check.measured("killed_driver", *on, beside=kill_driver)


def main() -> int:
    """Run the scenarios and print a table."""
    from detect.assembly.fields.byte_sizes import byte_size
    from detect.inference.cluster.ray_cluster import QUIET

    options = _options()
    token = uuid4().hex
    os.environ.update({**QUIET, MARK: token, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)})
    from ray.cluster_utils import Cluster

    width, height = map(int, options.size.split("x"))
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        model, images = material(folder, options.images, (width, height), options.raster_megapixels, options.model)
        (folder / "tiny").mkdir()
        Image.new("RGB", (64, 64)).save(folder / "tiny/tiny.png")
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **NODE})
        try:
            for _ in range(2):
                cluster.add_node(num_cpus=1, **NODE)
            check = Check(folder, model, images, folder / "tiny", options.max_memory, Watched(token))
            told = []
            for each in scenarios(check, cluster, options.scenarios.split(","), options.images):
                told.append(each)
                print(line_of(each), flush=True)
        finally:
            cluster.shutdown()
    lines = judged(told, int(byte_size(options.max_memory)))
    for what, value, within in lines:
        print(f"{what:52} {value:40} {'' if within else 'BROKEN'}")
    if options.json is not None:
        facts = {"runs": [asdict(each) for each in told], "judged": lines}
        options.json.write_text(json.dumps(facts, indent=2), encoding="utf-8")
    return 0 if all(within for _, _, within in lines) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--size", default="1024x768", help="of a photograph, WIDTHxHEIGHT")
    parser.add_argument("--raster-megapixels", type=int, default=0)
    parser.add_argument("--max-memory", default="2GiB")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--scenarios", default=",".join(SCENARIOS), help="some of them, by commas")
    parser.add_argument("--folder", type=Path, help="for what is made and removed again")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

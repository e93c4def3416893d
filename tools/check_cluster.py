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
`max_memory`. The run's own process takes a part of the same cores, which counts against the two. Exit code 1 where one
is broken.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
MARK = "DETECT_CHECK_CLUSTER"
"""Variable of the environment by which the processes of this check are known."""

SAMPLED_SECONDS = 0.1
MOST_OVERHEAD, LEAST_GAIN = 0.10, 1.8
SCENARIOS = ("local", "one", "two", "lost_node", "killed_driver")
NODE: dict[str, Any] = {"object_store_memory": 80 << 20, "memory": 8 << 30}
ACTOR = b"ray::StationActor"


@dataclass
class Watched:
    """Processes of this check while it runs: seconds of the processor and most MiB, by process.

    Attributes:
        seconds: of each process.
        peaks: of each worker.
        ours: those that are no process of Ray's own: runs and workers.
        journal: of the run that is watched.
        recorded: seconds of the clock, and the images that were recorded by then.
    """

    token: str
    seconds: dict[int, float] = field(default_factory=dict)
    peaks: dict[int, int] = field(default_factory=dict)
    ours: set[int] = field(default_factory=set)
    journal: Path | None = None
    recorded: list[tuple[float, int]] = field(default_factory=list)

    def sample(self) -> None:
        """Look at the journal and at all processes."""
        if self.journal is not None and self.journal.exists():
            self.recorded.append((time.monotonic(), self.journal.read_bytes().count(b"\n")))
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if f"{MARK}={self.token}".encode() not in (folder / "environ").read_bytes():
                    continue
                numbers = (folder / "stat").read_text().rpartition(")")[2].split()
                self.seconds[int(folder.name)] = (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")
                command = (folder / "cmdline").read_bytes()
                if command.startswith(ACTOR) or b"detect.predict" in command:
                    self.ours.add(int(folder.name))
                if command.startswith(ACTOR):
                    lines = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
                    self.peaks[int(folder.name)] = int(lines["VmHWM"].split()[0]) >> 10
            except (OSError, KeyError):
                continue

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Sample while a block runs."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(SAMPLED_SECONDS):
                self.sample()

        self.sample()
        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self.sample()


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


def steady_rate(recorded: Sequence[tuple[float, int]]) -> float:
    """Return lines a second of a journal between its first tenth and its ninth; 0 where nothing lies between."""
    most = recorded[-1][1] if recorded else 0
    between = [(at, number) for at, number in recorded if most <= 10 * number <= 9 * most]
    if len(between) < 2:
        return 0.0
    (begun, first), (ended, last) = between[0], between[-1]
    return (last - first) / (ended - begun)


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


def material(folder: Path, images: int, size: tuple[int, int], raster: int, model: Path | None) -> tuple[Path, Path]:
    """Write photographs, and a raster of some megapixels; return the model's file and the images' folder."""
    from bench_inference import make_model, make_photograph

    from detect.imagery.description.scene_opening import open_scene
    from detect.nets.modelfile import save_model

    photographs = folder / "images"
    photographs.mkdir()
    make_photograph(folder / "photograph.jpg")
    pixels = np.asarray(Image.open(folder / "photograph.jpg"))
    rng = np.random.default_rng(0)
    for number in range(images):
        row, col = (int(rng.integers(0, whole - side)) for whole, side in zip(pixels.shape, size[::-1], strict=False))
        Image.fromarray(pixels[row : row + size[1], col : col + size[0]]).save(
            photographs / f"{number:04}.jpg", quality=95
        )
    if raster:
        write_raster(photographs / "raster.tif", pixels, raster)
    if model is None:
        model = folder / "model.safetensors"
        save_model(model, *make_model(open_scene(folder / "photograph.jpg"), 2 << 30))
    return model, photographs


def write_raster(path: Path, pixels: np.ndarray, megapixels: int) -> None:
    """Write a tiled, compressed GeoTIFF, its blocks cut from a photograph."""
    import rasterio
    from rasterio.windows import Window

    block = 512
    side = int((megapixels * 1e6) ** 0.5) // block * block
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 3, "height": side, "width": side, "compress": "jpeg"}
    rng = np.random.default_rng(1)
    with rasterio.open(path, "w", **profile, tiled=True, blockxsize=block, blockysize=block, BIGTIFF="YES") as target:
        for at in range((side // block) ** 2):
            row, col = (int(rng.integers(0, whole - block)) for whole in pixels.shape[:2])
            cut = np.moveaxis(pixels[row : row + block, col : col + block], 2, 0)
            place = Window(at % (side // block) * block, at // (side // block) * block, block, block)
            target.write(cut, window=place)


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


def line_of(told: Told) -> str:
    """Return what a run took, as a line of the table."""
    peaks = ", ".join(f"{peak} MiB" for peak in told.peaks)
    cpu = f"{told.cpu:8.1f} s of the processor ({told.rays:.1f} Ray's own)"
    return f"{told.scenario:14} {told.wall:8.1f} s  {cpu}  {peaks}"


def judged(told: Sequence[Told], max_memory: int) -> list[tuple[str, str, bool]]:
    """Return (name, value, whether it is within its bound) of all that has one."""
    starts = {each.scenario: each for each in told[::-1]}  # the first of a name is its start
    runs = {each.scenario: each for each in told}
    lines = [("same bytes", ", ".join(n for n, e in runs.items() if e.same), all(e.same for e in told))]
    if {"local", "one"} <= runs.keys():
        of_one, of_local = (runs[name].cpu - starts[name].cpu for name in ("one", "local"))
        more = of_one / of_local - 1
        of_ours = runs["one"].cpu - runs["one"].rays - starts["one"].cpu + starts["one"].rays
        lines.append(("that without Ray's own processes", f"{100 * (of_ours / of_local - 1):+.1f} %", True))
        lines.append(("one worker against local, processor", f"{100 * more:+.1f} %", more <= MOST_OVERHEAD))
        walls = (runs["one"].wall - starts["one"].wall) / (runs["local"].wall - starts["local"].wall) - 1
        lines.append(("one worker against local, clock", f"{100 * walls:+.1f} %", True))
        start = starts["one"].wall - starts["local"].wall
        lines.append(("start of a run on a cluster, beyond a local one's", f"{start:.1f} s", True))
    if {"one", "two"} <= runs.keys():
        gain = runs["two"].rate / runs["one"].rate if runs["one"].rate else 0.0
        lines.append(("two workers against one, images a second", f"{gain:.2f} times", gain >= LEAST_GAIN))
        start = starts["one"].wall
        whole = (runs["one"].wall - start) / (runs["two"].wall - start)
        lines.append(("two workers against one, clock of the whole run", f"{whole:.2f} times", True))
    peaks = [peak for each in told for peak in each.peaks]
    if peaks and "one" in starts and starts["one"].peaks:
        most = max(peaks) - min(starts["one"].peaks)
        said = f"{most} MiB of {max_memory >> 20} beyond {min(starts['one'].peaks)}"
        lines.append(("most memory of a worker", said, most <= max_memory >> 20))
    return lines


def main() -> int:
    """Run the scenarios and print a table."""
    from detect.assembly.fields.byte_sizes import byte_size
    from detect.inference.cluster.ray_cluster import QUIET

    options = _options()
    token = uuid4().hex
    os.environ.update({**QUIET, MARK: token, "OMP_NUM_THREADS": "1"})
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

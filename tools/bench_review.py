"""The tiles of a gigapixel photograph while it is panned in `detect.review`: milliseconds of each, at every zoom level.

    python tools/bench_review.py [--kinds tiled,overviews,strips,jpeg] [--megapixels 1000] [--at-once 6] [--steps 12]
        [--memory 2GiB] [--keep DIR] [--most-ms 200] [--json FILE]

Photographs of 8 to 5 are made (grainy ground): a deflated GeoTIFF in blocks of 512 pixels, `tiled` without and
`overviews` with overviews of its own, one in `strips` of a row, and a `jpeg`. A run that found nothing in them is
written, and the real server shows it. As a browser does, `--at-once` requests are under way at a time, and a pan goes
by a tile to a neighbouring view of 6 x 4 tiles, of which the new ones are asked for: `first` as soon as the photograph
is opened, at its full size and at a quarter; then, when the server says that all tiles are the photograph's own, at
every level. Printed are, for each level, the size that it shows the photograph in, and of its tiles the median and the
worst time and how many took more than `--most-ms`. Exit code 1 where one did.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import rasterio
from PIL import Image
from rasterio.enums import Resampling
from rasterio.windows import Window

from detect.labels.detections import Detections
from detect.labels.formats.detections_csv import write_detections
from detect.reporting.output.journal import Journal
from detect.reporting.output.layout import PredictionPaths
from detect.reporting.output.records import Record, signature
from detect.reporting.tables import counts_table, write_table
from detect.reporting.writing import write_json
from detect.reviewing.tiles.pyramid import TILE_PX, Pyramid

ENDINGS = {"tiled": "tif", "overviews": "tif", "strips": "tif", "jpeg": "jpg"}
BLOCK = 512
"""Side in pixels of the blocks of a file, and of the strips in which it is made."""

VIEW = (6, 4)
"""Columns and rows of tiles that are in view at once."""

SECONDS_TO_BEGIN, SECONDS_TO_READ = 120, 1200


def side_lengths(megapixels: float) -> tuple[int, int]:
    """Return height and width, 5 to 8, in whole blocks."""
    width = max(BLOCK, round((megapixels * 1e6 * 1.6) ** 0.5 / BLOCK) * BLOCK)
    return max(BLOCK, round(megapixels * 1e6 / width / BLOCK) * BLOCK), width


def write_photograph(path: Path, kind: str, hw: tuple[int, int]) -> None:
    """Write a photograph of grainy ground with darker and brighter fields."""
    if kind == "jpeg":
        Image.fromarray(np.concatenate([each.transpose(1, 2, 0) for each in strips(hw)])).save(path, quality=85)
        return
    profile = {"driver": "GTiff", "height": hw[0], "width": hw[1], "count": 3, "dtype": "uint8", "crs": "EPSG:32633"}
    profile |= {"transform": rasterio.transform.from_origin(500_000, 5_500_000, 0.05, 0.05), "photometric": "RGB"}
    profile |= {"compress": "deflate", "zlevel": 1, "bigtiff": "IF_SAFER", "num_threads": 2}
    profile |= {"blockysize": 1} if kind == "strips" else {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK}
    with rasterio.open(path, "w", **profile) as file:
        for number, strip in enumerate(strips(hw)):
            file.write(strip, window=Window(0, number * BLOCK, hw[1], BLOCK))
    if kind == "overviews":
        with rasterio.open(path, "r+") as file:
            file.build_overviews([2, 4, 8, 16, 32, 64], Resampling.average)


def strips(hw: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yield the strips of a photograph, (3, BLOCK, width) each."""
    random = np.random.default_rng(0)
    grain = random.integers(0, 24, (3, BLOCK, hw[1]), np.uint8)
    for number in range(hw[0] // BLOCK):
        fields = random.integers(40, 200, (3, 1, hw[1] // BLOCK), np.uint8).repeat(BLOCK, axis=2)
        yield np.roll(grain, 37 * number, axis=2) + fields


def write_run(folder: Path, photographs: Sequence[Path], hw: tuple[int, int]) -> None:
    """Write what `detect.predict` leaves of photographs in which it found nothing, as far as a review needs it."""
    paths, empty = PredictionPaths(folder), Detections.empty(("cow",))
    paths.state.mkdir(parents=True)
    journal = Journal(folder)
    for path in photographs:
        journal.add(path.name, Record(*signature(path), hw[0] * hw[1], empty, shape=hw))
    found = {path.name: empty for path in photographs}
    write_table(counts_table(found, ("cow",)), paths.counts)
    write_detections(found, paths.detections)
    write_json({"model": {"threshold": 0.5, "classes": ["cow"]}, "sources": {}}, paths.run_facts)


@contextmanager
def server(folder: Path, memory: str) -> Iterator[str]:
    """Run `detect.review` on a folder, and yield its address."""
    command = [sys.executable, "-m", "detect.review", f"predictions={folder}", "browser=false", f"memory={memory}"]
    with subprocess.Popen(command, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        late = threading.Timer(SECONDS_TO_BEGIN, process.kill)
        late.start()
        said = []
        for line in process.stdout:
            said.append(line)
            if "http://" in line:
                break
        late.cancel()
        threading.Thread(target=process.stdout.read, daemon=True).start()
        try:
            if not said or "http://" not in said[-1]:
                raise SystemExit(f"the server did not begin:\n{''.join(said)}")
            yield said[-1].split()[-1]
        finally:
            process.terminate()
            process.wait()


class Client:
    """Asks the server, each thread by a connection of its own, which stays open."""

    def __init__(self, address: str, at_once: int) -> None:
        self.parts = urlsplit(address)
        self.threads = ThreadPoolExecutor(at_once)
        self.own = threading.local()

    def get(self, path: str) -> tuple[int, bytes]:
        """Return the status and what is answered; a connection that was idle for too long is opened again."""
        if not hasattr(self.own, "connection"):
            self.own.connection = HTTPConnection(self.parts.hostname or "", self.parts.port, timeout=SECONDS_TO_READ)
        for last in (False, True):
            try:
                self.own.connection.request("GET", self.parts.path + path)
                answer = self.own.connection.getresponse()
                return answer.status, answer.read()
            except (ConnectionError, HTTPException):
                self.own.connection.close()
                if last:
                    raise
        raise AssertionError

    def milliseconds(self, path: str) -> float:
        """Return how long a tile took."""
        begun = time.perf_counter()
        status, content = self.get(path)
        if status != 200:
            raise SystemExit(f"{path}: {status} {content[:300]!r}")
        return 1000 * (time.perf_counter() - begun)

    def until_ready(self, image: int) -> float:
        """Wait until all tiles of an image are its own, and return the seconds that it took."""
        begun = time.perf_counter()
        while True:
            status, content = self.get(f"api/images/{image}/ready")
            if status != 200:
                raise SystemExit(f"{status} {content[:300]!r}")
            if json.loads(content)["ready"]:
                return time.perf_counter() - begun
            time.sleep(0.5)


def pan(client: Client, image: int, pyramid: Pyramid, level: int, way: tuple[int, int]) -> list[float]:
    """Return the milliseconds of each new tile of a pan at a level, on a way of a number (from 0) and of some steps."""
    number, steps = way
    side = TILE_PX * pyramid.factor(level)
    rows, cols = (-(-length // side) for length in pyramid.shape)
    random = np.random.default_rng((level, number))
    row, col = (
        int(random.integers(0, max(1, most - part + 1))) for most, part in zip((rows, cols), VIEW[::-1], strict=True)
    )
    seen: set[tuple[int, int]] = set()
    took: list[float] = []
    for step in range(steps):
        view = {(r, c) for r in range(row, row + VIEW[1]) for c in range(col, col + VIEW[0]) if r < rows and c < cols}
        asked = [f"tiles/{image}/{level}/{c}_{r}.jpg" for r, c in sorted(view - seen)]
        took += client.threads.map(client.milliseconds, asked)
        seen |= view
        row, col = (row + 1, col) if step % 2 else (row, col + 1)
    return took


def measure(client: Client, image: int, kind: str, hw: tuple[int, int], options: argparse.Namespace) -> list[dict]:
    """Return a row for each pan."""
    pyramid = Pyramid(hw)
    rows = []

    def add(name: str, level: int) -> None:
        took = np.array(pan(client, image, pyramid, level, (name.startswith("first"), options.steps)))
        slow = int((took > options.most_ms).sum())
        rows.append({"kind": kind, "pan": name, "tiles": len(took), "median_ms": float(np.median(took))})
        rows[-1] |= {"worst_ms": float(took.max()), "slow": slow}
        print(f"{kind:10} {name:>9} {len(took):6} {np.median(took):9.0f} {took.max():9.0f} {slow:6}", flush=True)

    begun = time.perf_counter()
    client.milliseconds(f"tiles/{image}/{pyramid.top}/0_0.jpg")
    print(f"{kind:10} opened in {time.perf_counter() - begun:.1f} s")
    for level in (pyramid.top, pyramid.top - 2):
        add(f"first 1/{pyramid.factor(level)}", level)
    print(f"{kind:10} all its own after {client.until_ready(image):.1f} s more")
    for level in range(pyramid.top, 7, -1):
        add(f"1/{pyramid.factor(level)}", level)
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the photographs, pan over them, and print the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", default="tiled,overviews,strips,jpeg")
    parser.add_argument("--megapixels", type=float, default=1000)
    parser.add_argument("--at-once", type=int, default=6)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--memory", default="2GiB")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--most-ms", type=float, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    hw, kinds = side_lengths(options.megapixels), options.kinds.split(",")
    with tempfile.TemporaryDirectory() as temporary:
        made = options.keep or Path(temporary)
        made.mkdir(parents=True, exist_ok=True)
        photographs = [made / f"{kind}-{hw[1]}x{hw[0]}.{ENDINGS[kind]}" for kind in kinds]
        for kind, path in zip(kinds, photographs, strict=True):
            if not path.exists():
                write_photograph(path, kind, hw)
        write_run(Path(temporary) / "counts", photographs, hw)
        print(
            f"{hw[1]} x {hw[0]} pixels, {options.at_once} at once\n{'':10} {'pan':>9}  tiles median ms  worst ms   slow"
        )
        with server(Path(temporary) / "counts", options.memory) as address:
            client = Client(address, options.at_once)
            names = [each["name"] for each in json.loads(client.get("api/session")[1])["images"]]
            places = [names.index(path.name) for path in photographs]
            rows = [row for i, kind in zip(places, kinds, strict=True) for row in measure(client, i, kind, hw, options)]
            client.threads.shutdown()
    if options.json:
        write_json(rows, options.json)
    return int(any(row["slow"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())

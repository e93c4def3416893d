"""One georeferenced orthomosaic of a gigapixel, counted in plots by one command: time, memory, and the known answer.

    python tools/bench_orthomosaic.py [--megapixels 1000] [--mask alpha|nodata|internal] [--model FILE] [--json FILE]

The mosaic is a tiled, compressed GeoTIFF in UTM: grainy ground with planted orange discs of 10 pixels, turned by some
degrees in its frame, as a flight gives it; the frame around it is masked, and below the mask there are discs that
nobody may count. Twelve plots side by side, a zone that is cut out of two, and a plot far away are a GeoPackage in
longitude and latitude. No disc is planted within 10 pixels of an outline or of the mask's edge, so that the number in
every plot is known.

The commands: one without plots, and one with `within=` that writes tables and a GeoPackage. Checked: the count of every
plot, its hectares, the GeoPackage opened by pyogrio (as many points in every plot as `areas.csv` says, in the raster's
coordinates, on discs), the heatmap opened by rasterio where there is one, and the peak memory of the second command
against that of the first. Without `--model` a small one is trained on made photographs first. Exit code 1 where a bound
is broken.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import shapely
from affine import Affine
from PIL import Image
from rasterio.windows import Window
from scipy.spatial import cKDTree

CRS, CORNER, GSD = "EPSG:32633", (500_000.0, 5_500_000.0), 0.05
"""UTM zone 33 north, and metres of a pixel."""

BLOCK = 512
"""Side in pixels of the blocks of the file, and of the strips in which it is made."""

TURN_DEGREES, MASKED = 6.0, 0.08
"""Of the flight in the frame, and the share of each side that the mask takes at least."""

CELL, DISC_PX, CLEAR_PX = 96, 10, 10.0
"""Pixels of a cell that has a disc or none, of a disc, and from outlines within which there is none."""

SHARE_WITH_DISC = 0.5
COLUMNS, ROWS = 4, 3
"""Of the plots."""

MOST_ERROR, MOST_AWAY_PX, MOST_MORE_MIB = 0.01, 4.0, 300
"""Of a plot's count, as a share; of a point from its disc; and of memory beyond that without plots."""

GROUND, DISC = np.array([95, 105, 85]), (225, 140, 40)

SMALL_NET = (
    "net=patch",
    "net.backbone=lenet5",
    "net.weights=none",
    "net.stride=4",
    "net.patch_size=20",
    "net.margin=24",
    "augment=none",
    "data.matching.radius=8",
    "data.loading.batch_size=8",
    "data.split.val=[d.png]",
    "data.sampling.crop=64",
    "data.sampling.samples=400",
    "trainer.max_epochs=3",
)


@dataclass(frozen=True, eq=False)
class Mosaic:
    """A made orthomosaic and what is known of it.

    Attributes:
        hw: height and width in pixels.
        flown: a shapely polygon in pixels, outside of which everything is masked.
        plots: shapely polygons in pixels by name, without the zone.
        zone: what is cut out of them.
        discs: (N, 2) centres in pixels of discs that are shown.
        hidden: (M, 2) of discs below the mask.
    """

    hw: tuple[int, int]
    flown: shapely.Polygon
    plots: dict[str, shapely.Geometry]
    zone: shapely.Polygon
    discs: np.ndarray
    hidden: np.ndarray

    @classmethod
    def of(cls, megapixels: float, seed: int) -> "Mosaic":
        """Draw plots and discs on a mosaic of so many pixels, 5 to 4."""
        width = max(BLOCK, round((megapixels * 1e6 * 1.25) ** 0.5 / BLOCK) * BLOCK)
        height = max(BLOCK, round(megapixels * 1e6 / width / BLOCK) * BLOCK)
        frame = shapely.box(MASKED * width, MASKED * height, (1 - MASKED) * width, (1 - MASKED) * height)
        flown = shapely.affinity.rotate(frame, TURN_DEGREES)
        left, top = 0.06 * width, 0.06 * height
        wide, high = (width - 2 * left) / COLUMNS, (height - 2 * top) / ROWS
        plots = {
            f"plot {row}{col}": shapely.box(
                left + col * wide, top + row * high, left + (col + 1) * wide, top + (row + 1) * high
            )
            for row in range(ROWS)
            for col in range(COLUMNS)
        }
        zone = shapely.Point(left + wide, top + high / 2).buffer(high / 4, quad_segs=32)
        edges = shapely.union_all([flown.boundary, zone.boundary, *(each.boundary for each in plots.values())])
        places = _jittered((height, width), seed)
        places = places[~shapely.dwithin(edges, shapely.points(places), CLEAR_PX)]
        shown = shapely.contains_xy(flown, *places.T)
        return cls((height, width), flown, plots, zone, places[shown], places[~shown])

    @property
    def truth(self) -> dict[str, int]:
        """The number of discs in each plot."""
        return {name: int(shapely.contains_xy(plot, *self.discs.T).sum()) for name, plot in self.cut.items()}

    @property
    def cut(self) -> dict[str, shapely.Geometry]:
        """The plots without the zone and without what is masked."""
        return {name: plot.difference(self.zone).intersection(self.flown) for name, plot in self.plots.items()}

    def write(self, path: Path, mask: str) -> None:
        """Write the mosaic strip by strip."""
        height, width = self.hw
        bands = 4 if mask == "alpha" else 3
        profile = {"driver": "GTiff", "height": height, "width": width, "count": bands, "dtype": "uint8", "crs": CRS}
        profile |= {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "zlevel": 1}
        profile |= {"predictor": 2, "bigtiff": "IF_SAFER", "transform": transform(), "num_threads": 2}
        if mask == "nodata":
            profile["nodata"] = 0
        if mask == "alpha":
            profile["photometric"] = "RGB"
            profile["alpha"] = "YES"
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", **profile) as target:
            for window, pixels, valid in self.strips():
                shown = np.where(valid, np.maximum(pixels, 1), 0) if mask == "nodata" else pixels
                target.write(shown, [1, 2, 3], window=window)
                if mask == "alpha":
                    target.write(np.uint8(255) * valid, 4, window=window)
                if mask == "internal":
                    target.write_mask(valid, window=window)

    def strips(self) -> Iterator[tuple[Window, np.ndarray, np.ndarray]]:
        """Yield windows of whole rows with their pixels (3, h, w) of uint8 and which are valid (h, w)."""
        from rasterio.features import rasterize

        height, width = self.hw
        grain = _grain()
        every = np.concatenate([self.discs, self.hidden])
        every = every[np.argsort(every[:, 1])]
        for row in range(0, height, BLOCK):
            high = min(BLOCK, height - row)
            shift = np.random.default_rng(row).integers(grain.shape[1], size=2)
            tile = np.roll(grain, tuple(shift), axis=(1, 2))[:, :high]
            pixels = np.tile(tile, (1, 1, -(-width // tile.shape[2])))[:, :, :width]
            first, last = np.searchsorted(every[:, 1], (row - DISC_PX, row + high + DISC_PX))
            for x, y in every[first:last]:
                _draw(pixels, x, y - row)
            place = Affine.translation(0, row)
            valid = rasterize([(self.flown, 1)], (high, width), transform=place, dtype="uint8").astype(bool)
            yield Window(0, row, width, high), pixels, valid

    def write_plots(self, path: Path) -> None:
        """Write the plots, the zone and a plot far away in longitude and latitude."""
        far = shapely.affinity.translate(self.zone, 10 * self.hw[1])
        shapes = [*self.plots.values(), far, self.zone]
        frame = gpd.GeoDataFrame(
            {"name": [*self.plots, "far", "zone"]}, geometry=[on_map(each) for each in shapes], crs=CRS
        )
        frame["exclude"] = frame["name"] == "zone"
        frame.to_crs(4326).to_file(path)


def transform() -> Affine:
    """Return the way from pixels to the map."""
    return Affine.translation(*CORNER) @ Affine.scale(GSD, -GSD)


def on_map(outline: shapely.Geometry) -> shapely.Geometry:
    """Return an outline in pixels on the map."""
    return shapely.transform(outline, lambda xy: np.array(CORNER) + xy * (GSD, -GSD))


def _jittered(hw: tuple[int, int], seed: int) -> np.ndarray:
    """Draw places (N, 2) in the cells of a grid, at least 24 pixels apart."""
    rng = np.random.default_rng(seed)
    rows, cols = hw[0] // CELL, hw[1] // CELL
    cells = np.argwhere(rng.random((rows, cols)) < SHARE_WITH_DISC)[:, ::-1]
    return cells * CELL + rng.uniform(12, CELL - 12, (len(cells), 2)).round(1)


def _grain() -> np.ndarray:
    """Make a block of grainy ground, (3, h, w) of uint8."""
    rng = np.random.default_rng(0)
    hw = (BLOCK, 2048)
    pixels = GROUND[:, None, None] + rng.normal(0, 9, (1, *hw)) + rng.normal(0, 4, (3, *hw))
    return np.clip(pixels, 0, 255).astype(np.uint8)


def _draw(pixels: np.ndarray, x: float, y: float) -> None:
    """Draw a disc at a place in a strip, which may cut it."""
    top, left = int(y) - DISC_PX, int(x) - DISC_PX
    rows = np.arange(max(0, top), min(pixels.shape[1], top + 2 * DISC_PX))
    cols = np.arange(max(0, left), min(pixels.shape[2], left + 2 * DISC_PX))
    inside = (cols + 0.5 - x) ** 2 + (rows[:, None] + 0.5 - y) ** 2 <= (DISC_PX / 2) ** 2
    at = np.argwhere(inside)
    if len(at):
        pixels[:, rows[at[:, 0]], cols[at[:, 1]]] = np.array(DISC, np.uint8)[:, None]


def train(folder: Path) -> Path:
    """Train a small model on four made photographs."""
    rng, rows = np.random.default_rng(0), []
    folder.mkdir()
    for name in "abcd":
        places = _jittered((480, 640), ord(name))
        pixels = np.ascontiguousarray(np.roll(_grain(), int(rng.integers(2048)), axis=2)[:, :480, :640])
        for x, y in places:
            _draw(pixels, x, y)
        Image.fromarray(pixels.transpose(1, 2, 0)).save(folder / f"{name}.png")
        rows += [{"image": f"{name}.png", "x": x, "y": y, "label": "disc"} for x, y in places]
    pd.DataFrame(rows).to_csv(folder / "points.csv", index=False)
    given = [f"data.root={folder}", f"data.annotations={folder / 'points.csv'}", f"output={folder / 'run'}"]
    subprocess.run([sys.executable, "-m", "detect.train", *given, *SMALL_NET], check=True)
    return folder / "run/model.safetensors"


def predict(output: Path, *settings: str) -> dict[str, float]:
    """Run `detect.predict` as a process of its own; return its seconds and peak memory in MiB."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "detect.predict", f"output={output}", *settings], check=True)
    facts = json.loads((output / "run.json").read_text(encoding="utf-8"))
    return {"seconds": time.monotonic() - started, "peak_mib": facts["peak_memory_mib"]}


def check_plots(mosaic: Mosaic, output: Path) -> Iterator[tuple[str, float, float]]:
    """Yield what is compared with the known answer: its name, the greatest error and its bound."""
    total, surveyed = (area_column(output, name) for name in ("total", "surveyed_ha"))
    truth = mosaic.truth
    wrong = [abs(total[name] - number) / max(1, number) for name, number in truth.items()]
    yield "plots: error of a count", max(wrong), max(MOST_ERROR, 1 / max(1, min(truth.values())))
    known = {name: on_map(each).area / 1e4 / 0.9996**2 for name, each in mosaic.cut.items()}
    off = [abs(surveyed[name] / hectares - 1) for name, hectares in known.items()]
    yield "plots: error of the hectares", max(off), 2e-3
    yield "far plot: objects and hectares", total["far"] + surveyed["far"], 0
    yield "counts.csv less the plots", abs(counted(output) - sum(total.values())), 0


def area_column(output: Path, column: str) -> dict[str, float]:
    """Return a column of `areas.csv` by the name of the area."""
    table = pd.read_csv(output / "areas.csv")
    return {str(name): float(value) for name, value in zip(table["area"], table[column], strict=True)}


def counted(output: Path) -> float:
    """Return the number of objects in `counts.csv`."""
    return float(pd.read_csv(output / "counts.csv")["total"].sum())


def check_package(mosaic: Mosaic, output: Path) -> Iterator[tuple[str, float, float]]:
    """Yield what pyogrio reads of the GeoPackages in a folder, compared with the tables and the discs."""
    import pyogrio

    total = area_column(output, "total")
    found = sorted(output.rglob("*.gpkg"))
    yield "GeoPackages less than one", float(not found), 0
    for path in found:
        frame = pyogrio.read_dataframe(path)
        yield f"{path.name}: another coordinate system", float(frame.crs != CRS), 0
        places = shapely.get_coordinates(shapely.centroid(frame.geometry.to_numpy()))
        xy = (places - CORNER) / (GSD, -GSD)
        away = cKDTree(mosaic.discs).query(xy)[0]
        yield f"{path.name}: points off a disc", float((away > MOST_AWAY_PX).mean()), MOST_ERROR
        wrong = [abs(shapely.contains_xy(plot, *xy.T).sum() - total[name]) for name, plot in mosaic.cut.items()]
        yield f"{path.name}: points in plots less areas.csv", float(max(wrong)), 0


def check_heatmaps(mosaic: Mosaic, output: Path) -> Iterator[tuple[str, float, float]]:
    """Yield what rasterio reads of heatmaps, if there are any: their corner on the map."""
    for path in sorted((output / "heatmaps").rglob("*.tif")):
        with rasterio.open(path) as source:
            off = np.abs(np.array(source.transform @ (0, 0)) - CORNER).max() / GSD
            yield f"{path.name}: pixels off the corner", float(off), float(2 * CELL)
            yield f"{path.name}: another coordinate system", float(source.crs.to_string() != CRS), 0


def measure(folder: Path, options: argparse.Namespace) -> list[tuple[str, float, float]]:
    """Make the mosaic, run the commands, and return what is compared: name, value and its greatest."""
    mosaic = Mosaic.of(options.megapixels, options.seed)
    image, plots = folder / "mosaic.tif", folder / "plots.gpkg"
    started = time.monotonic()
    mosaic.write(image, options.mask)
    mosaic.write_plots(plots)
    print(
        f"{mosaic.hw[1]:,} x {mosaic.hw[0]:,} pixels, {image.stat().st_size >> 20:,} MiB, {len(mosaic.discs):,} discs "
        f"and {len(mosaic.hidden):,} below the mask, made in {time.monotonic() - started:.0f} s",
        flush=True,
    )
    model = options.model or train(folder / "training")
    given = [f"model={model}", f"images={image}", "max_memory=2GiB"]
    bare = predict(folder / "bare", *given, *options.write_bare)
    whole = predict(folder / "whole", *given, f"within={plots}", *options.write)
    for name, numbers in (("without plots", bare), ("within plots", whole)):
        print(f"{name}: {numbers['seconds']:.0f} s, peak {numbers['peak_mib']:,.0f} MiB", flush=True)
    checked = [("all: error of the count", abs(counted(folder / "bare") / len(mosaic.discs) - 1), MOST_ERROR)]
    checked.append(("MiB more within plots", max(0.0, whole["peak_mib"] - bare["peak_mib"]), MOST_MORE_MIB))
    checked += check_plots(mosaic, folder / "whole")
    if any("gpkg" in each for each in options.write):
        checked += check_package(mosaic, folder / "whole")
    return [*checked, *check_heatmaps(mosaic, folder / "whole")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the numbers; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, default=1000.0)
    parser.add_argument("--mask", choices=("alpha", "nodata", "internal"), default="alpha")
    parser.add_argument("--model", type=Path, help="a model that finds the discs; without it one is trained")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--write", nargs="*", default=["write=[tables,gpkg]"], help="settings of the command with plots"
    )
    parser.add_argument("--write-bare", nargs="*", default=["write=[tables]"], help="settings of the one without")
    parser.add_argument("--folder", type=Path, help="where files are made and kept; without it they are removed")
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        checked = measure(folder, options)
    rows: list[dict[str, Any]] = []
    for name, value, most in checked:
        rows.append({"name": name, "value": value, "most": most, "kept": bool(value <= most)})
        print(f"{name:>60}  {value:12.5f}  at most {most:10.4f}  {'' if value <= most else 'BROKEN'}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return 0 if all(row["kept"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

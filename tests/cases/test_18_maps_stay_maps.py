"""Rasters that lie on the ground: what is found lies on the objects, in every file that has a place on a map."""

from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
from rasterio.features import rasterize
from rasterio.warp import transform

from tests.cases.discs import DISC_PX, disc_pixels, disc_places
from tests.commands import call

PLACES = {
    "north": rasterio.Affine(0.1, 0, 500_000, 0, -0.1, 5_500_000),
    "south": rasterio.Affine(0.1, 0, 500_200, 0, 0.1, 5_500_000),
    "turned": rasterio.Affine(0.08, 0.06, 500_400, 0.06, -0.08, 5_500_000),
}
NEAR_PX = 4
"""Half a cell of the maps of both nets, and two pixels more for what they miss the middle by."""


@pytest.fixture(scope="module")
def rasters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raster of 20 discs for each way in which one can lie, named by it, in UTM at 10 cm a pixel."""
    folder = tmp_path_factory.mktemp("rasters")
    for seed, (name, place) in enumerate(PLACES.items()):
        pixels = np.moveaxis(disc_pixels(disc_places(seed), seed), 2, 0)
        profile = {"driver": "GTiff", "count": 3, "height": pixels.shape[1], "width": pixels.shape[2], "dtype": "uint8"}
        with rasterio.open(folder / f"{name}.tif", "w", **profile, crs="EPSG:32633", transform=place) as target:
            target.write(pixels)
    return folder


@pytest.mark.parametrize("net", ["patch", "grid"])
def test_detections_lie_on_the_objects_in_any_coordinate_system(
    net: str, rasters: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """GeoJSON and GeoPackage by way of another system, the table by degrees, the heatmap by its transform."""
    model, out = request.getfixturevalue(f"{net}_model"), tmp_path / "out"
    done = call(
        "predict", f"model={model}", f"images={rasters}", f"output={out}", "write=[tables,heatmaps,geojson,gpkg,coco]"
    )
    assert done.code == 0, done.log
    table = pd.read_csv(out / "detections.csv")
    read = {
        name: geopandas.read_file(out / f"detections.{name}").to_crs(3035).to_crs(32633) for name in ("geojson", "gpkg")
    }
    for seed, (name, place) in enumerate(PLACES.items()):
        discs, image = disc_places(seed), f"{name}.tif"
        rows = table[table["image"] == image]
        assert 19 <= len(rows) <= 21
        x, y = transform("EPSG:4326", "EPSG:32633", rows["lon"].to_numpy(), rows["lat"].to_numpy())
        for found_x, found_y in [
            (x, y),
            (rows["map_x"], rows["map_y"]),
            *((each.geometry.x, each.geometry.y) for each in (one[one["image"] == image] for one in read.values())),
        ]:
            col, row = ~place @ (np.array(found_x), np.array(found_y))
            assert np.abs(np.stack([col, row], 1) - rows[["x", "y"]].to_numpy()).max() < 0.05
            away = np.hypot(col[:, None] - discs[:, 0], row[:, None] - discs[:, 1])
            assert (away.min(axis=1) < NEAR_PX).mean() > 0.9 and (away.min(axis=0) < NEAR_PX).mean() > 0.9
        with rasterio.open(rasters / image) as source:
            orange = source.read(1).astype(int) - source.read(3)
            shapes = [each.buffer(0.15) for each in read["gpkg"].geometry[read["gpkg"]["image"] == image]]
            burnt = rasterize(shapes, source.shape, transform=source.transform).astype(bool)
        assert np.median(orange[burnt]) > 150 and np.median(orange[~burnt]) < 50
        with rasterio.open(out / f"heatmaps/{image}.tif") as heat:
            shown = heat.read(1, masked=True) * heat.scales[0]
            on_discs = [value[0] * heat.scales[0] for value in heat.sample([place @ tuple(xy) for xy in discs])]
            assert np.mean(np.array(on_discs) > shown.mean() + 0.2) > 0.9
    assert DISC_PX * 0.1 == 1  # metres


def test_photographs_beside_a_raster_have_empty_cells_and_are_told(
    patch_model: Path, photographs: Path, rasters: Path, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for path in (photographs / "a.png", rasters / "north.tif"):
        (images / path.name).write_bytes(path.read_bytes())
    done = call(
        "predict", f"model={patch_model}", f"images={images}", f"output={tmp_path / 'o'}", "write=[tables,gpkg]"
    )
    assert done.code == 0 and "gpkg: 1 images with" in done.log and "a.png" in done.log
    table = pd.read_csv(tmp_path / "o/detections.csv").set_index("image")
    assert list(table.columns) == ["x", "y", "w", "h", "score", "label", "map_x", "map_y", "lon", "lat"]
    assert table.loc["a.png", ["map_x", "lon"]].isna().all(axis=None)
    assert table.loc["north.tif", ["map_x", "lon"]].notna().all(axis=None)
    assert len(geopandas.read_file(tmp_path / "o/detections.gpkg")) == len(table.loc["north.tif"])

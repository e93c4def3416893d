"""Case 21: plots, exclusion zones and a wafer's edge: only what lies inside is counted, and by polygon."""

import json
import re
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from numpy.typing import NDArray

from detect.reporting.tables import read_counts
from tests.cases.discs import disc_places
from tests.cases.grounds import CRS, GSD, NORTH_UP, planted, write_ground
from tests.commands import Called, call

HW = (480, 640)
EDGE_PX = 6.0
"""Discs nearer than this to an outline are not planted: a net places them to some pixels."""

PLOTS = {
    "west": shapely.box(20, 20, 300, 460),
    "east": shapely.box(300, 20, 600, 460).difference(shapely.box(480, 300, 560, 400)),
    "far": shapely.box(9000, 0, 9500, 400),
    "pond": shapely.Point(300, 240).buffer(80),
}
"""In pixels of the ground; the pond is cut out of the first two, the third has no image."""

CUT = {name: PLOTS[name].difference(PLOTS["pond"]) for name in ("west", "east")}


def on_map(outline: shapely.Geometry) -> shapely.Geometry:
    """An outline in pixels of the ground, on the map."""
    a, b, c, d, e, f = tuple(NORTH_UP)[:6]
    return shapely.transform(outline, lambda xy: xy @ np.array([[a, d], [b, e]]) + (c, f))


def clear(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """The places that are not near an outline."""
    edges = shapely.union_all([each.boundary for each in PLOTS.values()])
    return places[~shapely.dwithin(edges, shapely.points(places), EDGE_PX)]


def number_in(outline: shapely.Geometry, places: NDArray[np.float64]) -> int:
    return int(shapely.contains_xy(outline, *places.T).sum())


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, NDArray[np.float64]]:
    """An orthomosaic of some 100 discs, and their places."""
    root = tmp_path_factory.mktemp("ground")
    places = clear(planted(HW, 120, 1))
    write_ground(root / "images/ground.tif", places, HW)
    return root, places


def write_plots(path: Path, crs: int | str) -> Path:
    frame = gpd.GeoDataFrame({"plot": list(PLOTS)}, geometry=[on_map(each) for each in PLOTS.values()], crs=CRS)
    frame["exclude"] = frame["plot"] == "pond"
    frame.to_crs(crs).to_file(path)
    return path


def predict(model: Path, images: Path, output: Path, *more: str) -> Called:
    return call("predict", f"model={model}", f"images={images}", f"output={output}", *more)


@pytest.mark.parametrize(("net", "file"), [("patch", "plots.gpkg"), ("grid", "plots.geojson")])
def test_discs_are_counted_in_plots_of_another_map_without_the_pond(
    net: str, file: str, ground: tuple[Path, NDArray[np.float64]], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    root, places = ground
    plots = write_plots(tmp_path / file, 4326)
    out = tmp_path / "out"
    done = predict(request.getfixturevalue(f"{net}_model"), root / "images", out, f"within={plots}")
    assert done.code == 0, done.log
    areas = pd.read_csv(out / "areas.csv").set_index("area")
    truth = {name: number_in(outline, places) for name, outline in CUT.items()}
    assert min(truth.values()) > 20
    assert list(areas.index) == ["west", "east", "far"] and list(areas["images"]) == [1, 1, 0]
    for name, number in truth.items():
        assert abs(areas.loc[name, "total"] - number) <= 1
        hectares = CUT[name].area * GSD**2 / 1e4
        assert areas.loc[name, "surveyed_ha"] == pytest.approx(hectares, rel=1e-3)
        assert areas.loc[name, "density_per_ha"] == pytest.approx(areas.loc[name, "total"] / hectares, rel=1e-3)
    assert (areas.loc["far", "total"], areas.loc["far", "surveyed_ha"]) == (0, 0)
    assert np.isnan(areas.loc["far", "density_per_ha"])
    assert "1 of 3 areas meet no image that was counted: far" in done.log and "1 zones are cut out" in done.log

    counts, found = read_counts(out / "counts.csv"), pd.read_csv(out / "detections.csv")
    assert counts["total"].sum() == len(found) == areas["total"].sum()
    inside = shapely.buffer(shapely.union_all(list(CUT.values())), 0.1)
    assert shapely.contains_xy(inside, found["x"], found["y"]).all()
    outside = int(re.search(r"(\d+) objects lie outside of the areas", done.log)[1])  # type: ignore[index]
    assert abs(outside + len(found) - len(places)) <= 2 and outside > 10
    notes = json.loads((out / "run.json").read_text())["notes"]
    assert any("lie outside of the areas of plots" in note for note in notes)
    facts = json.loads((out / "run.json").read_text())["areas"]
    assert (facts["number"], facts["cut_out"], facts["pixels"]) == (3, ["pond"], False)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Counts by area" in page and "Per hectare" in page


def test_another_file_of_plots_is_not_gone_on_with(
    ground: tuple[Path, NDArray[np.float64]], tmp_path: Path, patch_model: Path
) -> None:
    """The same plots in another format are the same plots, and nothing is counted again; others are refused."""
    root, _ = ground
    out, images = tmp_path / "out", root / "images"
    assert predict(patch_model, images, out, f"within={write_plots(tmp_path / 'a.gpkg', CRS)}").code == 0
    table = (out / "areas.csv").read_bytes()
    done = predict(patch_model, images, out, f"within={write_plots(tmp_path / 'b.gpkg', CRS)}")
    assert done.code == 0 and "1 of 1 images are done" in done.log and (out / "areas.csv").read_bytes() == table
    done = predict(patch_model, images, out)
    assert done.code == 2 and "within: " in done.log and "overwrite=true" in done.log
    done = predict(patch_model, images, out, "overwrite=true")
    assert done.code == 0 and not (out / "areas.csv").exists()
    assert pd.read_csv(out / "counts.csv")["total"].sum() > 90


def test_tiles_change_nothing_in_areas(
    ground: tuple[Path, NDArray[np.float64]], tmp_path: Path, patch_model: Path
) -> None:
    root, _ = ground
    plots = write_plots(tmp_path / "a.gpkg", 3035)
    tables = []
    for tile in (128, 512):
        out = tmp_path / str(tile)
        more = (f"within={plots}", f"tile={tile}", "runtime.precision=32", "halo=exact")
        assert predict(patch_model, root / "images", out, *more).code == 0
        tables.append((out / "areas.csv").read_bytes())
    assert tables[0] == tables[1]


@pytest.mark.parametrize("net", ["patch", "grid"])
def test_a_wafers_edge_holds_for_every_image_and_a_column_names_one(
    net: str, photographs: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A circle of 110 pixels in pixel coordinates, without a coordinate system; a die in `b.png` alone."""
    edge, die = shapely.Point(160, 120).buffer(110, quad_segs=64), shapely.box(0, 0, 150, 240)
    frame = gpd.GeoDataFrame({"name": ["wafer", "die"], "image": [None, "b.png"]}, geometry=[edge, die])
    with pytest.warns(UserWarning, match="crs"):
        frame.to_file(tmp_path / "edge.gpkg")
    out = tmp_path / "out"
    done = predict(request.getfixturevalue(f"{net}_model"), photographs, out, f"within={tmp_path / 'edge.gpkg'}")
    assert done.code == 0, done.log
    areas = pd.read_csv(out / "areas.csv").set_index("area")
    assert list(areas["images"]) == [4, 1] and areas["surveyed_ha"].isna().all()
    assert areas["surveyed_pixels"].tolist() == [round(4 * edge.area), 36_000]
    places = {name: disc_places(ord(name)) for name in "abcd"}
    near = sum(int(shapely.dwithin(edge.boundary, shapely.points(each), 4).sum()) for each in places.values())
    assert abs(areas.loc["wafer", "total"] - sum(number_in(edge, each) for each in places.values())) <= near + 1
    edge_of_die = int((np.abs(places["b"][:, 0] - 150) < 4).sum())
    assert abs(areas.loc["die", "total"] - number_in(die, places["b"])) <= edge_of_die + 1
    counts = read_counts(out / "counts.csv")
    assert counts["total"].sum() < areas["total"].sum() and "objects lie in more than one area" in done.log
    assert "polygons in pixels name no image and hold for every one" in done.log


def test_what_cannot_be_compared_is_refused_before_anything_is_counted(
    ground: tuple[Path, NDArray[np.float64]], photographs: Path, tmp_path: Path, patch_model: Path
) -> None:
    plots = write_plots(tmp_path / "a.gpkg", CRS)
    done = predict(patch_model, photographs, tmp_path / "out", f"within={plots}")
    assert done.code == 2 and "none of 4 images has a georeference" in done.log and not (tmp_path / "out").exists()
    done = predict(patch_model, photographs, tmp_path / "out", "within=nothing.gpkg")
    assert done.code == 2 and "within=nothing.gpkg: no such file of polygons" in done.log
    done = predict(patch_model, photographs, tmp_path / "out", "within_layer=a")
    assert done.code == 2 and "give within too" in done.log
    done = predict(patch_model, photographs, tmp_path / "out", f"within={photographs / 'points.csv'}")
    assert done.code == 2 and "GeoPackage, GeoJSON and shapefile" in done.log


def test_an_image_without_a_map_among_others_fails_and_is_not_counted_as_empty(
    ground: tuple[Path, NDArray[np.float64]], photographs: Path, tmp_path: Path, patch_model: Path
) -> None:
    root, _ = ground
    images = tmp_path / "images"
    images.mkdir()
    for path in (root / "images/ground.tif", photographs / "a.png"):
        (images / path.name).write_bytes(path.read_bytes())
    done = predict(patch_model, images, tmp_path / "out", f"within={write_plots(tmp_path / 'a.gpkg', CRS)}")
    assert done.code == 3 and "has no georeference, and the polygons of" in done.log
    assert list(pd.read_csv(tmp_path / "out/failures.csv")["image"]) == ["a.png"]
    assert list(pd.read_csv(tmp_path / "out/counts.csv")["image"]) == ["ground.tif"]


def test_an_evaluation_says_that_annotations_outside_are_missed(
    ground: tuple[Path, NDArray[np.float64]], tmp_path: Path, patch_model: Path
) -> None:
    root, places = ground
    assert (
        predict(patch_model, root / "images", tmp_path / "out", f"within={write_plots(tmp_path / 'a.gpkg', CRS)}").code
        == 0
    )
    truth = pd.DataFrame(places, columns=["x", "y"]).assign(image="ground.tif", label="disc")
    truth.to_csv(tmp_path / "truth.csv", index=False)
    given = (
        f"predictions={tmp_path / 'out'}",
        f"annotations={tmp_path / 'truth.csv'}",
        f"output={tmp_path / 'scores'}",
    )
    done = call("evaluate", *given, "radius=8")
    assert done.code == 0 and "counts inside of areas alone" in done.log

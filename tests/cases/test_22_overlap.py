"""Case 22: photographs that show the same ground: both counts are told, and that of different objects is right."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from affine import Affine
from numpy.typing import NDArray

from detect.reporting.tables import read_counts
from tests.cases.discs import disc_pixels
from tests.cases.grounds import CRS, GSD, NORTH_UP, photograph, planted, write_tiff
from tests.commands import Called, call

HW = (320, 800)
PHOTO_HW = (200, 240)


def predict(model: Path, images: Path, output: Path, *more: str) -> Called:
    return call("predict", f"model={model}", f"images={images}", f"output={output}", *more)


def strip(folder: Path, overlap: float, turns: bool) -> tuple[int, int]:
    """Write photographs along a strip; returns how many discs they show, again and again, and how many differ.

    Discs that any photograph cuts at its edge are not planted, so that each shows those whose middle it has. Those that
    are turned are of 0.09 to 0.11 m a pixel.
    """
    steps = np.arange(140, HW[1] - 140 + 1, PHOTO_HW[1] * (1 - overlap))
    rng = np.random.default_rng(3)
    views = [
        (
            (float(x), HW[0] / 2),
            float(rng.uniform(-25, 25)) * turns,
            GSD * float(rng.uniform(0.9, 1.1) if turns else 1.0),
        )
        for x in steps
    ]
    ways = [
        photograph(folder / "try.tif", np.zeros((*HW, 3), np.uint8), at, PHOTO_HW, turn, gsd) for at, turn, gsd in views
    ]
    frames = [_frame(way) for way in ways]
    places = planted(HW, 130, 4)
    edges = shapely.union_all([frame.boundary for frame in frames])
    places = places[~shapely.dwithin(edges, shapely.points(places), 14)]
    ground = disc_pixels(places, 5, HW)
    (folder / "try.tif").unlink()
    for number, (at, turn, gsd) in enumerate(views):
        photograph(folder / f"{number:02}.tif", ground, at, PHOTO_HW, turn, gsd)
    shown = np.array([shapely.contains_xy(frame, *places.T) for frame in frames])
    return int(shown.sum()), int(shown.any(axis=0).sum())


def _frame(way: Affine) -> shapely.Polygon:
    """The edge of a photograph in pixels of the ground."""
    height, width = PHOTO_HW
    return shapely.Polygon([way @ corner for corner in ((0, 0), (width, 0), (width, height), (0, height))])


@pytest.mark.parametrize(
    ("net", "overlap", "turns"),
    [("patch", 0.0, False), ("patch", 0.3, False), ("patch", 0.6, True), ("grid", 0.6, False), ("grid", 0.3, True)],
)
def test_the_discs_of_a_strip_are_counted_once(
    net: str, overlap: float, turns: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The model finds all but a disc or two; of those that it finds, the sum of `unique` is what differs."""
    images, out = tmp_path / "images", tmp_path / "out"
    shown, different = strip(images, overlap, turns)
    done = predict(request.getfixturevalue(f"{net}_model"), images, out)
    assert done.code == 0, done.log
    counts, table = read_counts(out / "counts.csv"), pd.read_csv(out / "counts.csv")
    assert abs(counts["total"].sum() - shown) <= max(2, 0.02 * shown)
    if overlap == 0:
        assert shown == different and "unique" not in table and "different on the ground" not in done.log
        return
    assert shown > 1.1 * different
    assert abs(table["unique"].sum() - different) <= 2
    facts = json.loads((out / "run.json").read_text())
    assert facts["overlap"]["unique"] == table["unique"].sum() == sum(facts["overlap"]["unique_per_class"].values())
    assert facts["overlap"]["counted"] == counts["total"].sum()
    said = f"{table['unique'].sum():,} objects are different on the ground"
    assert said in done.log.splitlines()[-1] and any(said in note for note in facts["notes"])
    assert said in (out / "report.html").read_text(encoding="utf-8")
    found = pd.read_csv(out / "detections.csv")
    assert found["object"].nunique() == table["unique"].sum() and not found.duplicated(["image", "object"]).any()
    first = found.drop_duplicates("object")["image"].value_counts()
    assert first.to_dict() == {row.image: row.unique for row in table.itertuples() if row.unique}


@pytest.fixture(scope="module")
def block(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """Two lines of photographs that overlap by half both ways; the discs that they show, each once."""
    root = tmp_path_factory.mktemp("block")
    places = planted((300, 480), 50, 7)
    ground = disc_pixels(places, 8, (300, 480))
    tops, lefts = (0, 100), (0, 120, 240)
    inside = np.zeros(len(places), bool)
    lines = [
        *(edge + side for edge in tops for side in (0, 200)),
        *(edge + side for edge in lefts for side in (0, 240)),
    ]
    assert len(lines) == 10
    for top in tops:
        for left in lefts:
            there = Affine.translation(left, top)
            write_tiff(root / f"{top}-{left}.tif", ground[top : top + 200, left : left + 240], NORTH_UP @ there)
            inside |= ((places >= (left, top)) & (places < (left + 240, top + 200))).all(axis=1)
    return root, int(inside.sum())


def test_a_block_is_counted_once_and_areas_are_of_different_objects(
    block: tuple[Path, int], tmp_path: Path, patch_model: Path
) -> None:
    """All of the block is one plot: its ground is 480 x 300 pixels of 0.1 m, its objects those that differ."""
    import geopandas as gpd

    root, different = block
    corner, far = NORTH_UP @ (-50, -50), NORTH_UP @ (600, 400)
    plot = gpd.GeoDataFrame({"name": ["all"]}, geometry=[shapely.box(*corner, *far)], crs=CRS)
    plot.to_file(tmp_path / "plot.gpkg")
    done = predict(patch_model, root, tmp_path / "out", f"within={tmp_path / 'plot.gpkg'}")
    assert done.code == 0, done.log
    area = pd.read_csv(tmp_path / "out/areas.csv").iloc[0]
    unique = pd.read_csv(tmp_path / "out/counts.csv")["unique"].sum()
    assert abs(unique - different) <= 2 and area["unique"] == unique < area["total"] and area["images"] == 6
    assert area["surveyed_ha"] == pytest.approx(480 * 300 * GSD**2 / 1e4, rel=2e-3)
    assert area["density_per_ha"] == pytest.approx(unique / area["surveyed_ha"], rel=1e-4)


def test_keep_tells_nothing_and_a_radius_decides(block: tuple[Path, int], tmp_path: Path, patch_model: Path) -> None:
    """The same folder goes on with another radius: nothing is counted again, and 1 mm joins hardly anything."""
    root, different = block
    out = tmp_path / "out"
    done = predict(patch_model, root, out, "overlap=keep")
    assert done.code == 0 and "different on the ground" not in done.log
    assert "unique" not in pd.read_csv(out / "counts.csv")
    numbers = {}
    for radius in (0.001, 0.8):
        done = predict(patch_model, root, out, "overlap=merge", f"overlap_radius_m={radius}")
        assert done.code == 0 and f"within {radius:.3g} m" in done.log and "6 of 6 images are done" in done.log
        numbers[radius] = pd.read_csv(out / "counts.csv")["unique"].sum()
    assert numbers[0.8] == pytest.approx(different, abs=2) and numbers[0.001] > different + 10


def test_merge_needs_places_on_the_ground(photographs: Path, tmp_path: Path, patch_model: Path) -> None:
    done = predict(patch_model, photographs, tmp_path / "out", "overlap=merge")
    assert done.code == 2 and "0 of 4 images have a georeference" in done.log and not (tmp_path / "out").exists()
    assert predict(patch_model, photographs, tmp_path / "out").code == 0
    assert "unique" not in pd.read_csv(tmp_path / "out/counts.csv")


def test_a_photograph_taken_twice_is_all_seen_again(tmp_path: Path, patch_model: Path) -> None:
    places: NDArray[np.float64] = planted((200, 240), 20, 9)
    pixels = disc_pixels(places, 9, (200, 240))
    for name in ("a", "b"):
        write_tiff(tmp_path / f"images/{name}.tif", pixels, NORTH_UP)
    assert predict(patch_model, tmp_path / "images", tmp_path / "out").code == 0
    table = pd.read_csv(tmp_path / "out/counts.csv")
    assert table["unique"].tolist() == [table["total"][0], 0] and table["total"].nunique() == 1
    report = call("report", f"predictions={tmp_path / 'out'}")
    assert report.code == 0, report.log

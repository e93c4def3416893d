"""A part of an orthomosaic is transparent or masked: what can be seen is counted, and the share of it is told."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from PIL import Image

from tests.cases.masks import PIXEL_HA, Masked, masked_scene, write_mask_inside, write_points, write_transparent
from tests.commands import call
from tests.imagery.rasters import write_tiff

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

NAMES = ["beside.jpg", "black.tif", "hidden.png", "hidden.tif", "mask.tif", "white.tif"]


def write_images(folder: Path, scene: Masked) -> Path:
    folder.mkdir()
    for name, value in (("black.tif", 0), ("hidden.png", None), ("hidden.tif", None), ("white.tif", 255)):
        write_transparent(folder / name, scene, value)
    write_mask_inside(folder / "mask.tif", scene)
    Image.fromarray(scene.pixels).save(folder / "beside.jpg", quality=95)
    write_tiff(folder / "beside.jpg.msk", scene.alpha[None])
    return folder


@pytest.mark.parametrize("net", ["patch", "grid"])
def test_what_can_be_seen_is_counted_in_every_kind_of_mask(
    net: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    scene = masked_scene(ord("q"))
    model, images, out = request.getfixturevalue(f"{net}_model"), write_images(tmp_path / "in", scene), tmp_path / "out"
    done = call("predict", f"model={model}", f"images={images}", f"output={out}")
    assert done.code == 0, done.log
    counts = pd.read_csv(out / "counts.csv", index_col="image")
    assert 8 < len(scene.seen) < 16 and len(scene.places) == 20
    assert sorted(counts.index) == NAMES and ((counts["disc"] - len(scene.seen)).abs() <= 1).all(), counts
    assert counts.drop("beside.jpg")["disc"].nunique() == 1, counts
    assert (counts["surveyed_share"] - scene.valid.mean()).abs().max() < 1e-6
    hectares = counts["surveyed_ha"].dropna()
    assert sorted(hectares.index) == ["black.tif", "hidden.tif", "mask.tif", "white.tif"]
    np.testing.assert_allclose(hectares, scene.valid.sum() * PIXEL_HA, rtol=1e-4)
    found = pd.read_csv(out / "detections.csv")
    assert scene.valid[found["y"].astype(int), found["x"].astype(int)].all() and len(found) == counts["total"].sum()
    with rasterio.open(out / "heatmaps" / "mask.tif.tif") as heat:
        gone = ~heat.read_masks(1).astype(bool)
    cells = scene.valid.reshape(60, 4, 80, 4).any(axis=(1, 3))
    np.testing.assert_array_equal(gone, ~cells)
    page = (out / "report.html").read_text()
    assert "6 images have pixels that are not there" in page and "per surveyed hectare" in page
    assert f"{100 * scene.valid.mean():.1f}" in page
    views = tmp_path / "views"
    done = call("predict", f"model={model}", f"images={images / 'hidden.tif'}", f"output={views}", "tta=flips")
    assert done.code == 0, done.log
    found = pd.read_csv(views / "detections.csv")
    assert len(found) and scene.valid[found["y"].astype(int), found["x"].astype(int)].all()
    overlay = np.asarray(Image.open(out / "overlays" / "hidden.png.jpg"))[:, -8:].astype(int)
    assert overlay.mean() > 200 and np.ptp(overlay, axis=2).max() < 40


def test_objects_labelled_where_nothing_is_seen_are_told_and_not_missed(
    tmp_path: Path, grid_model: Path, patch_model: Path
) -> None:
    """With the predictions, and by the model itself; a resumed run keeps the shares."""
    scene = masked_scene(ord("r"))
    images, out = write_images(tmp_path / "in", scene), tmp_path / "out"
    points = write_points(tmp_path / "in" / "points.csv", NAMES, scene.places)
    hidden = len(NAMES) * (len(scene.places) - len(scene.seen))
    for _ in range(2):
        done = call("predict", f"model={grid_model}", f"images={images}", f"output={out}")
        assert done.code == 0, done.log
        tables = [(out / name).read_bytes() for name in ("counts.csv", "detections.csv")]
        (out / "counts.csv").unlink()
    done = call("predict", f"model={grid_model}", f"images={images}", f"output={out}")
    assert done.code == 0 and [(out / name).read_bytes() for name in ("counts.csv", "detections.csv")] == tables
    done = call("evaluate", f"predictions={out}", f"annotations={points}", f"output={tmp_path / 'a'}", "radius=8")
    assert done.code == 0 and f"{hidden} annotated objects in 6 images" in done.log, done.log
    ways = [tmp_path / "a"]
    for name, model in (("b", patch_model), ("c", grid_model)):
        done = call(
            "evaluate",
            *(f"model={model}", f"data.root={images}", f"data.annotations={points}", "split=all", "radius=8"),
            f"output={tmp_path / name}",
        )
        assert done.code == 0, done.log
        ways.append(tmp_path / name)
    for way in ways:
        scores = json.loads((way / "scores.json").read_text())
        assert scores["objects_not_seen"] == hidden and scores["objects"] == len(NAMES) * len(scene.seen)
        assert scores["f1"] > 0.9


def test_a_mask_that_comes_later_is_noticed_when_a_run_goes_on(tmp_path: Path, patch_model: Path) -> None:
    scene = masked_scene(ord("s"))
    (tmp_path / "in").mkdir()
    Image.fromarray(scene.pixels).save(tmp_path / "in" / "a.png")
    wanted = []
    for _ in range(2):
        done = call("predict", f"model={patch_model}", f"images={tmp_path / 'in'}", f"output={tmp_path / 'out'}")
        assert done.code == 0, done.log
        wanted.append(pd.read_csv(tmp_path / "out" / "counts.csv").loc[0, ["disc", "surveyed_share"]].tolist())
        write_tiff(tmp_path / "in" / "a.png.msk", scene.alpha[None])
    (before, whole), (after, share) = wanted
    assert before > after and abs(after - len(scene.seen)) <= 1 and whole == 1 > share > 0.3

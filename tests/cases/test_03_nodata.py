"""A border of an orthomosaic holds no data, as a declared value or NaN: the counts are those without the border."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from detect import Detector
from detect.nets.modelfile import load_model, save_model
from tests.cases.masks import PLACED, masked_scene, write_points
from tests.commands import call
from tests.imagery.rasters import write_tiff


def as_float(model: Path, path: Path) -> Path:
    """The same model for images of float32 with the same numbers."""
    net, card = load_model(model)
    save_model(path, net, replace(card, dtype="float32"))
    return path


@pytest.mark.parametrize("net", ["patch", "grid"])
def test_counts_are_those_without_the_border(net: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    scene = masked_scene(ord("t"))
    images = tmp_path / "in"
    images.mkdir()
    for name, value in (("declared.tif", -9999.0), ("nan.tif", np.nan), ("both.tif", np.nan), ("largest.tif", 3.4e38)):
        more = {} if name == "nan.tif" else {"nodata": -9999.0 if name == "both.tif" else value}
        write_tiff(images / name, scene.with_value(value, "float32"), **PLACED, **more)
    write_tiff(images / "whole.tif", np.moveaxis(scene.pixels, 2, 0).astype(np.float32), **PLACED)
    model = as_float(request.getfixturevalue(f"{net}_model"), tmp_path / "float.safetensors")
    out = tmp_path / "out"
    done = call("predict", f"model={model}", f"images={images}", f"output={out}")
    assert done.code == 0, done.log
    counts = pd.read_csv(out / "counts.csv", index_col="image")
    assert counts.loc["whole.tif", "surveyed_share"] == 1 and abs(counts.loc["whole.tif", "disc"] - 20) <= 1
    bordered = counts.drop("whole.tif")
    assert ((bordered["disc"] - len(scene.seen)).abs() <= 1).all() and bordered["disc"].nunique() == 1, counts
    assert (bordered["surveyed_share"] < 0.8).all()
    points = write_points(tmp_path / "points.csv", list(counts.index), scene.places)
    done = call("evaluate", f"predictions={out}", f"annotations={points}", f"output={tmp_path / 'scores'}", "radius=8")
    assert done.code == 0 and "in 4 images" in done.log, done.log


def test_a_byte_of_nodata_in_one_band_is_a_colour(tmp_path: Path, patch_model: Path) -> None:
    """A black border is declared as 0; the discs have no blue, and are counted."""
    scene = masked_scene(ord("u"))
    pixels = scene.pixels.copy()
    pixels[(pixels == (225, 140, 40)).all(axis=2), 2] = 0
    bands = np.where(scene.valid, np.moveaxis(pixels, 2, 0), 0).astype(np.uint8)
    (tmp_path / "in").mkdir()
    write_tiff(tmp_path / "in" / "a.tif", bands, nodata=0, **PLACED)
    done = call("predict", f"model={patch_model}", f"images={tmp_path / 'in'}", f"output={tmp_path / 'out'}")
    assert done.code == 0, done.log
    counts = pd.read_csv(tmp_path / "out" / "counts.csv")
    assert abs(counts.loc[0, "disc"] - len(scene.seen)) <= 1
    assert counts["surveyed_share"].tolist() == pytest.approx([scene.valid.mean()], abs=1e-6)


def test_an_array_with_nan_is_counted_where_it_has_numbers(tmp_path: Path, patch_model: Path) -> None:
    scene = masked_scene(ord("v"))
    model = as_float(patch_model, tmp_path / "float.safetensors")
    found = Detector.load(model).count(np.moveaxis(scene.with_value(np.nan, "float32"), 0, -1))
    assert abs(found.total - len(scene.seen)) <= 1
    assert found.result.surveyed is not None and found.result.surveyed.valid == scene.valid.sum()

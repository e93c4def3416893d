"""The program that counts a made orthomosaic in plots: what it makes, and its checks on a small one."""

import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from scipy.spatial import cKDTree

from tests.commands import call
from tools import bench_orthomosaic as bench


@pytest.fixture(scope="module")
def mosaic() -> bench.Mosaic:
    return bench.Mosaic.of(1.0, seed=1)


@pytest.mark.parametrize("mask", ["alpha", "nodata", "internal"])
def test_a_mosaic_holds_its_discs_and_masks_its_frame(mask: str, mosaic: bench.Mosaic, tmp_path: Path) -> None:
    mosaic.write(tmp_path / "a.tif", mask)
    with rasterio.open(tmp_path / "a.tif") as source:
        valid, pixels = source.dataset_mask() > 0, source.read([1, 2, 3])
        assert source.shape == mosaic.hw and source.crs.to_string() == bench.CRS
        assert source.transform @ (0, 0) == bench.CORNER
    assert valid.mean() == pytest.approx(mosaic.flown.area / valid.size, rel=1e-2)
    for places, shown in ((mosaic.discs, True), (mosaic.hidden, False)):
        col, row = places.astype(int).T
        assert len(places) > 5 and (valid[row, col] == shown).all()
    col, row = mosaic.discs.astype(int).T
    assert (pixels[:, row, col] == np.array(bench.DISC)[:, None]).all()


def test_plots_lie_side_by_side_and_no_disc_is_near_an_edge(mosaic: bench.Mosaic) -> None:
    plots = list(mosaic.plots.values())
    union = shapely.union_all(plots)
    assert len(plots) == bench.COLUMNS * bench.ROWS
    assert union.area == pytest.approx(sum(plot.area for plot in plots))
    assert sum(mosaic.truth.values()) == shapely.contains_xy(union.difference(mosaic.zone), *mosaic.discs.T).sum()
    edges = shapely.union_all([each.boundary for each in (*plots, mosaic.zone, mosaic.flown)])
    every = np.concatenate([mosaic.discs, mosaic.hidden])
    assert shapely.distance(edges, shapely.points(every)).min() >= bench.CLEAR_PX
    assert cKDTree(every).query(every, k=2)[0][:, 1].min() >= 2 * 12


def test_the_program_finds_the_known_answer(
    patch_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commands are run in this process: a start of Python takes longer than what they do here."""

    def here(command: list[str], check: bool) -> None:
        python, option, module, *settings = command
        assert (python, option, check) == (sys.executable, "-m", True)
        done = call(module.removeprefix("detect."), *settings)
        assert done.code == 0, done.log

    monkeypatch.setattr(bench.subprocess, "run", here)
    code = bench.main(["--megapixels", "1", "--model", str(patch_model), "--write", "--write-bare"])
    said = capsys.readouterr().out
    assert code == 0 and "BROKEN" not in said and "plots: error of a count" in said

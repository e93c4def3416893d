from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from detect.imagery.maps import map_start, map_writing
from detect.imagery.maps.map_reading import read_tags
from detect.imagery.maps.map_writing import write_map
from detect.imagery.scenes import Scene

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def written(path: Path, values: np.ndarray, stride: int = 16) -> bytes:
    scene = Scene(Path("memory"), (values.shape[1] * stride - 3, values.shape[2] * stride), "uint8", 3)
    write_map(path, [values], scene, stride, [f"class ä{i}" for i in range(len(values))], 8.0)
    return path.read_bytes()


def facts(path: Path) -> dict[str, Any]:
    with rasterio.open(path) as source:
        described = {
            "names": source.descriptions,
            "scales": source.scales,
            "structure": source.tags(ns="IMAGE_STRUCTURE"),
        }
        return {**source.profile, **described, "tags": read_tags(path), "pixels": source.read().tolist()}


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 40, 40), (5, 33, 512)])
def test_a_small_map_is_as_gdal_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...]
) -> None:
    """All that a reader sees of the file is the same: values, names, scales, nodata, tags, blocks, packing."""
    values = np.random.default_rng(0).random(shape, np.float32)
    values[:, 0, :1] = np.nan
    written(tmp_path / "a.tif", values)
    monkeypatch.setattr(map_writing, "map_start", lambda *start: None)
    written(tmp_path / "b.tif", values)
    assert facts(tmp_path / "a.tif") == facts(tmp_path / "b.tif")


def test_a_map_does_not_depend_on_those_before_it(tmp_path: Path) -> None:
    """Neither on their values nor on their size; the directory begins behind the first 8 bytes."""
    dense, sparse = np.random.default_rng(0).random((2, 30, 20), np.float32), np.zeros((2, 30, 20), np.float32)
    first = written(tmp_path / "a.tif", dense)
    assert len(written(tmp_path / "b.tif", sparse)) < len(first)
    written(tmp_path / "c.tif", sparse[:, :20])
    assert written(tmp_path / "d.tif", dense) == first
    map_start._made.cache_clear()
    written(tmp_path / "e.tif", sparse)
    assert written(tmp_path / "f.tif", dense) == first
    assert int.from_bytes(first[4:8], "little") == 8


def test_a_start_that_is_laid_out_in_another_way_is_left_to_gdal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.random.default_rng(0).random((1, 12, 9), np.float32)
    map_start._made.cache_clear()
    monkeypatch.setattr(map_start, "_entries", lambda content: {})
    written(tmp_path / "a.tif", values)
    map_start._made.cache_clear()
    with rasterio.open(tmp_path / "a.tif") as source:
        np.testing.assert_allclose(source.read() * source.scales[0], values, atol=0.5 / 254 + 1e-6)

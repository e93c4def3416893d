"""Windows read smaller than they are, for pictures: averages of what is valid, however the file says what is."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import SceneReader
from detect.imagery.windows import Window

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def tiff(path: Path, pixels: np.ndarray, **profile: object) -> Path:
    facts = {"count": len(pixels), "height": pixels.shape[1], "width": pixels.shape[2], "dtype": pixels.dtype}
    with rasterio.open(path, "w", "GTiff", **facts, **profile) as file:
        file.write(pixels)
    return path


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_reduced_window_is_the_averages_of_its_squares(tmp_path: Path, dtype: str, held: bool) -> None:
    """Rows 8 to 40 and columns 16 to 64, reduced by 4: a pixel is the average of 4 x 4.

    Held bytes are averaged along the columns, rounded, and then along the rows and rounded: each time by half at most.
    """
    pixels = np.random.default_rng(0).integers(0, 200, (3, 64, 96)).astype(dtype)
    scene = open_scene(tiff(tmp_path / "a.tif", pixels))
    with SceneReader(scene, (1, 2, 3)) as reader:
        if held:
            reader.hold()
        found = reader.reduced(Window(8, 16, 32, 48), (8, 12))
    wanted = pixels[:, 8:40, 16:64].reshape(3, 8, 4, 12, 4).mean(axis=(2, 4))
    assert found.dtype == dtype and found.shape == (3, 8, 12)
    assert np.abs(found - wanted).max() <= (1e-3 if dtype == "float32" else 1.0)


@pytest.mark.parametrize("kind", ["nodata", "alpha", "mask", "beside"])
def test_what_is_not_valid_is_in_no_average_and_masked_alone(tmp_path: Path, kind: str) -> None:
    """The left 24 of 96 columns are not there: 6 of 24 reduced ones, and the seventh is as bright as the rest."""
    pixels = np.full((3, 64, 96), 100, np.uint8)
    pixels[:, :, :24] = 7
    there = np.full((64, 96), 255, np.uint8)
    there[:, :24] = 0
    path = tmp_path / "a.tif"
    if kind == "nodata":
        tiff(path, pixels, nodata=7)
    elif kind == "alpha":
        tiff(path, np.concatenate([pixels, there[None]]), photometric="RGB", alpha="YES")
        with rasterio.open(path) as file:
            assert file.colorinterp[3] is ColorInterp.alpha
    else:
        tiff(path, pixels)
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=kind == "mask"), rasterio.open(path, "r+") as file:
            file.write_mask(there)
    scene = open_scene(path)
    with SceneReader(scene, (1, 2, 3)) as reader:
        found = reader.reduced(scene.window, (16, 24))
    masked = np.ma.getmaskarray(found)
    assert masked[:, :, :6].all() and not masked[:, :, 6:].any()
    assert (found[:, :, 6:] == 100).all()


def test_the_overviews_of_a_file_are_known(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", np.full((1, 512, 512), 50, np.uint8), tiled=True, blockxsize=128, blockysize=128)
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4])
    scene = open_scene(path)
    with SceneReader(scene, (1,)) as reader:
        assert reader.overviews == [2, 4]
        assert (reader.reduced(scene.window, (64, 64)) == 50).all()

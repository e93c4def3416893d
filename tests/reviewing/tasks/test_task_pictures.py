"""Pictures of windows: the photograph's own pixels as viewers show them, with paler context and a line between."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.scenes import SceneError
from detect.imagery.windows import Window
from detect.reporting.pictures.colours import DARK
from detect.reviewing.tasks.task_pictures import task_pictures
from detect.reviewing.tasks.task_table import task_of

SHAPE = (80, 100)


def pixels(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*SHAPE, 3)).astype(np.uint8)


def cut(path: Path, window: Window, context: int) -> np.ndarray:
    task = task_of(1, "a", window, context, SHAPE, 9)
    [(found, png)] = task_pictures(path, SHAPE, [task])
    assert found == task
    return np.asarray(Image.open(BytesIO(png)))


@pytest.mark.parametrize("window", [Window(0, 0, 20, 30), Window(30, 40, 20, 30), Window(60, 70, 20, 30)])
def test_a_window_is_the_photograph_and_its_context_is_paler(tmp_path, window):
    """Six tenths of the way to white: 100 becomes 100 + 0.6 x 155 = 193; beyond the image there is nothing."""
    image = pixels()
    Image.fromarray(image).save(tmp_path / "a.png")
    picture = cut(tmp_path / "a.png", window, 5)
    bounds = window.grown(5).within(SHAPE)
    assert picture.shape == (bounds.height, bounds.width, 3)
    part = image[bounds.row : bounds.row_stop, bounds.col : bounds.col_stop]
    inner = np.zeros(part.shape[:2], int)
    at = window.shifted(-bounds.row, -bounds.col)
    ring = at.grown(1).within(inner.shape)
    inner[ring.row : ring.row_stop, ring.col : ring.col_stop] = 1
    inner[at.row : at.row_stop, at.col : at.col_stop] = 2
    assert (picture[inner == 2] == part[inner == 2]).all()
    assert (picture[inner == 1] == DARK).all()
    assert np.abs(picture[inner == 0] - (part[inner == 0] + 0.6 * (255.0 - part[inner == 0]))).max() <= 0.5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_turned_as_viewers_turn_them(tmp_path, orientation):
    """The same window of the same upright photograph, however its file is turned (EXIF 2.32, orientation)."""
    image = pixels()
    turns = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM}
    turns |= {5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE}
    turns |= {8: Image.Transpose.ROTATE_270}
    stored = Image.fromarray(image)
    stored = stored.transpose(turns[orientation]) if orientation > 1 else stored
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.tif", exif=exif)
    assert open_scene(tmp_path / "a.tif").shape == SHAPE
    picture = cut(tmp_path / "a.tif", Window(10, 20, 30, 40), 0)
    assert (picture == image[10:40, 20:60]).all()


def test_sixteen_bits_are_stretched_by_the_whole_image_and_what_is_masked_is_hatched(tmp_path):
    """Values 1000 to 2000 everywhere: a window of the low ones is dark, of the high ones bright."""
    image = np.linspace(1000, 2000, SHAPE[1]).astype(np.uint16)[None].repeat(SHAPE[0], axis=0)
    image[:, 50:52] = 0
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", width=SHAPE[1], height=SHAPE[0], count=1, dtype="uint16", nodata=0
    ) as file:
        file.write(image, 1)
    dark, bright = (cut(tmp_path / "a.tif", Window(0, col, 80, 10), 0) for col in (0, 90))
    assert dark.max() < 40 and bright.min() > 215
    gone = cut(tmp_path / "a.tif", Window(0, 50, 80, 2), 0)
    assert set(np.unique(gone)) == {214, 238}


def test_an_image_of_another_size_is_refused(tmp_path):
    Image.fromarray(pixels()[:70]).save(tmp_path / "a.png")
    with pytest.raises(SceneError, match=r"has 100 x 70 pixels, and had 100 x 80 when it was counted"):
        cut(tmp_path / "a.png", Window(0, 0, 20, 30), 0)

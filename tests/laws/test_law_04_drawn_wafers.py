"""Law 4, and laws 1 to 3, on a wafer that is drawn while tiles are read, as on a file of the same pixels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import SceneReader
from detect.imagery.resolution import Resolution
from detect.imagery.scenes import Scene
from detect.imagery.wafers.defect_writing import write_defects
from detect.imagery.wafers.drawn.drawing import Drawing, drawn_by
from detect.imagery.wafers.wafer import Wafer
from detect.imagery.windows import Window
from detect.inference.run import count_scene
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.inference.stitching import Stitcher, make_tiling
from tests.engines import assert_same_objects, disc_net, engine

SIDE = 600
DRAWING = Drawing(SIDE, 4.0, 5, True, 255, "as_given")


@pytest.fixture
def wafer(tmp_path: Path) -> Path:
    """300 defects over all of a wafer of 300 mm, a tenth of them 3 to 12 mm large: 6 to 24 pixels."""
    chance = np.random.default_rng(4)
    radius, angle = 150 * np.sqrt(chance.random(300)), chance.uniform(0, 2 * np.pi, 300)
    xy = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    size = np.where(chance.random(300) < 0.1, chance.uniform(3, 12, 300), np.nan)
    path = tmp_path / "a.wafer.csv"
    write_defects(path, [Wafer("L", "W", 300.0, xy, size, np.zeros(300, np.int64))])
    return path


def opened(path: Path, scale: float = 1.0) -> Scene:
    with drawn_by(DRAWING):
        return Resolution(scale).resampled(open_scene(path))


@pytest.mark.parametrize("scale", [1.0, 0.37, 1.5])
def test_laws_1_and_2_the_tiles_of_a_drawn_wafer_are_its_pixels(wafer: Path, scale: float) -> None:
    scene = opened(wafer, scale)
    tiling = make_tiling(scene.shape, 160, 40, 8)
    seen = np.zeros(scene.shape, int)
    stitcher = Stitcher(tiling, 1, None)
    with SceneReader(scene, (1,)) as reader:
        whole = reader.read(scene.window)
        for core in tiling:
            inner = core.within(scene.shape)
            seen[inner.row : inner.row_stop, inner.col : inner.col_stop] += 1
            stitcher.put(core, reader.read(tiling.tile(core))[:, ::8, ::8].astype(np.float32))
    assert (seen == 1).all() and whole.max() == 255
    np.testing.assert_array_equal(stitcher.finished(), whole[:, ::8, ::8])


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_laws_3_and_4_map_and_detections_are_the_same_for_every_tile_size(wafer: Path, scale: float) -> None:
    """Tiles of 40 to 184 pixels, and one of all; tiles without a valid pixel are not looked at."""
    scene = opened(wafer)
    with SceneReader(opened(wafer, scale), (1,)) as reader:
        valid = reader.read_valid(reader.scene.window)[1]
    number = valid.shape[0] // 4
    cells = valid.reshape(number, 4, number, 4).any(axis=(1, 3))
    net, card = disc_net()
    card = replace(card, threshold=0.6, drawing=DRAWING, bands=(1, 2, 3), resolution=Resolution(scale))
    scene = replace(scene, bands=3, picked=(1, 1, 1))
    runtime = TorchRuntime(net, torch.device("cpu"))
    maps = [count_scene(scene, engine(card, runtime, tile)) for tile in (None, 40, 72, 184)]
    for other in maps[1:]:
        found, wanted = other.logits[:, cells], maps[0].logits[:, cells]
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * np.ptp(wanted))
        assert_same_objects(other.detections, maps[0].detections)
    assert len(maps[0].detections) > 10


def test_a_reduced_window_and_a_preview_are_averages_of_the_pixels(wafer: Path) -> None:
    """600 pixels to 150: squares of 4 x 4, of valid pixels alone; a preview of 100 has squares of 6 x 6."""
    scene = opened(wafer)
    with SceneReader(scene, (1,)) as reader:
        pixels, valid = reader.read_valid(scene.window)
        reduced, preview = reader.reduced(scene.window, (150, 150)), reader.preview(100)
    for found, step in ((reduced, 4), (preview, 6)):
        number = SIDE // step
        blocks = np.where(valid, pixels[0], 0).reshape(number, step, number, step).sum(axis=(1, 3))
        share = valid.reshape(number, step, number, step).sum(axis=(1, 3))
        assert (np.ma.getmaskarray(found)[0] == (share * 2 < step * step)).all()
        inside = share * 2 >= step * step
        wanted = np.rint(blocks[inside] / share[inside])
        np.testing.assert_array_equal(np.ma.getdata(found)[0][inside], wanted)


def test_a_drawn_wafer_is_read_as_a_picture_of_its_pixels(wafer: Path) -> None:
    """PNG with the wafer's outline as transparency: the same pixels and the same valid ones, whole and resampled."""
    scene = opened(wafer)
    with SceneReader(scene, (1,)) as reader:
        pixels, valid = reader.read_valid(scene.window)
    path = wafer.with_suffix(".png")
    Image.fromarray(np.dstack([pixels[0], np.where(valid, 255, 0).astype(np.uint8)]), "LA").save(path)
    for scale in (1.0, 0.45):
        drawn, file = opened(wafer, scale), Resolution(scale).resampled(open_scene(path))
        window = Window(-7, 20, 150, 190)
        with SceneReader(drawn, (1,)) as one, SceneReader(file, (1,)) as other:
            (first, seen), (second, wanted) = one.read_valid(window), other.read_valid(window)
        assert (seen == wanted).all()
        assert np.abs(first.astype(int) - second).max() <= (0 if scale == 1 else 1)

"""Laws 3 and 4 from file to detections, on every runtime: random nets, and planted clusters of touching discs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from affine import Affine
from PIL import Image
from scipy.spatial import cKDTree
from torch import nn

from detect.imagery.scenes import SceneError, open_scene, view
from detect.imagery.windows import Window
from detect.inference.run import count_scene
from detect.inference.runtimes.openvino_runtime import OpenVinoRuntime
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.inference.stitching import Runtime
from detect.nets.card import ModelCard
from tests.engines import assert_same_objects, coarse, disc_net, discs, engine, hexagons, lively, write
from tests.imagery.test_scenes import write_tiff

RUNTIMES = ["torch", "openvino"]


def made(name: str, net: nn.Module, card: ModelCard) -> Runtime:
    if name == "torch":
        return TorchRuntime(net, torch.device("cpu"))
    return OpenVinoRuntime(net, 3, card.backbone.stride, card.dtype, "32")


def offsets(seed: int, number: int, height: int, width: int, shape: tuple[int, int]) -> list[Window]:
    """Windows of height x width at random places of a scene."""
    rng = np.random.default_rng(seed)
    return [
        Window(int(rng.integers(shape[0] - height)), int(rng.integers(shape[1] - width)), height, width)
        for _ in range(number)
    ]


@pytest.mark.parametrize("name", RUNTIMES)
def test_law_4_of_a_random_net_at_random_places(tmp_path: Path, name: str) -> None:
    """Six tile sizes, from a few cells between the halos to the whole scene in one pass, at three places."""
    stride = 8
    net, card = lively(stride)
    assert card.halo is not None
    shape = (76 * stride, 83 * stride)
    whole = open_scene(write(tmp_path / "a.png", *shape))
    runtime = made(name, net, card)
    found = 0
    for place in offsets(stride, 3, 65 * stride + 3, 69 * stride + 5, shape):
        scene = view(whole, place)
        rooms = (None, 9 * stride, 12 * stride + 5, 19 * stride, 31 * stride, 50 * stride)
        first, *others = [count_scene(scene, engine(card, runtime, room and 2 * card.halo + room)) for room in rooms]
        found += len(first.detections)
        for other in others:
            np.testing.assert_allclose(other.logits, first.logits, rtol=0, atol=1e-4 * np.ptp(first.logits))
            np.testing.assert_allclose(other.heatmap, first.heatmap, rtol=0, atol=1e-4)
            assert_same_objects(other.detections, first.detections)
    assert found > 500


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """40 clusters of 7 to 37 discs of 16 pixels that touch one another, in 600 x 800 pixels, and their places."""
    places = hexagons(600, 800, 16.0, seed=0, clusters=40)
    path = tmp_path_factory.mktemp("discs") / "discs.png"
    Image.fromarray(discs(600, 800, places, 8.0)).save(path)
    nearest = cKDTree(places).query(places, 2)[0][:, 1]
    assert len(places) > 500 and abs(nearest - 16).max() < 1e-9
    return path, places


@pytest.mark.parametrize("name", RUNTIMES)
def test_law_4_of_clusters_of_touching_discs(planted: tuple[Path, np.ndarray], name: str) -> None:
    """Every planted disc is found, once, within a third of a cell of 4 pixels, whatever the tiles and their place.

    A view is mirrored at its edges, so discs that those cut, with 12 pixels around for the mirror image's, count less.
    """
    path, places = planted
    net, card = disc_net()
    runtime = made(name, net, card)
    for place in [Window(0, 0, 600, 800), *offsets(1, 1, 411, 503, (600, 800))]:
        scene = view(open_scene(path), place)
        first, *others = [count_scene(scene, engine(card, runtime, tile)) for tile in (None, 32, 50, 101, 170, 320)]
        for other in others:
            assert_same_objects(other.detections, first.detections)
        whole = place.grown(-12)
        found = first.detections.xy + np.array([place.col, place.row])
        inner, wanted = found[whole.contains_xy(found)], places[whole.contains_xy(places)]
        assert abs(len(inner) - len(wanted)) <= (0 if place.row == place.col == 0 else 2)  # on the rim of the 12 pixels
        assert cKDTree(places).query(inner)[0].max() < 4 / 3
        assert cKDTree(found).query(wanted)[0].max() < 4 / 3
        assert len(set(cKDTree(places).query(inner)[1])) == len(inner)
        assert place.row or len(found) == len(places)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("scale", [0.37, 0.5, 1.6])
def test_law_4_of_resampled_images(tmp_path: Path, scale: float, suffix: str) -> None:
    """The same at any scale, whether an image is decoded whole or by window, and in the file's pixels."""
    net, card = lively(8)
    card = replace(card, image_scale=scale)
    assert card.halo is not None
    shape = round(400 / scale), round(467 / scale)
    path = tmp_path / f"a{suffix}"
    if suffix == ".tif":
        pixels = np.moveaxis(coarse(*shape, grain=round(10 / scale)), 2, 0)
        write_tiff(path, pixels, tiled=True, blockxsize=64, blockysize=64)
    else:
        Image.fromarray(coarse(*shape, grain=round(10 / scale))).save(path)
    runtime = TorchRuntime(net, torch.device("cpu"))
    rooms = (None, 72, 101, 250)
    first, *others = [
        count_scene(open_scene(path), engine(card, runtime, room and 2 * card.halo + room)) for room in rooms
    ]
    assert len(first.detections) > 100 and first.geometry.shape == (400, 467)
    assert Window(0, 0, *shape).contains_xy(first.detections.xy).all()
    assert (first.detections.xy.max(axis=0) > np.array(shape[::-1]) * 0.9).all()
    for other in others:
        np.testing.assert_allclose(other.heatmap, first.heatmap, rtol=0, atol=1e-4)
        assert_same_objects(other.detections, first.detections)


@pytest.mark.parametrize("factor", [2, 3])
def test_an_image_of_larger_pixels_has_the_same_objects_at_larger_places(tmp_path: Path, factor: int) -> None:
    """Every pixel written as a square of 2 x 2 or 3 x 3 and seen at 1/2 or 1/3: the net sees the very same image."""
    net, card = disc_net()
    places = hexagons(200, 260, 16.0, seed=1, clusters=4)
    pixels = discs(200, 260, places, 8.0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels.repeat(factor, axis=0).repeat(factor, axis=1)).save(tmp_path / "large.png")
    runtime = TorchRuntime(net, torch.device("cpu"))
    plain = count_scene(open_scene(tmp_path / "a.png"), engine(card, runtime, 101))
    large = count_scene(open_scene(tmp_path / "large.png"), engine(replace(card, image_scale=1 / factor), runtime, 101))
    np.testing.assert_array_equal(large.logits, plain.logits)
    np.testing.assert_array_equal(large.preview, plain.preview)
    assert len(plain.detections) == len(places)
    np.testing.assert_allclose(large.detections.xy, factor * plain.detections.xy, rtol=0, atol=1e-9)


def test_images_of_other_metres_per_pixel_have_the_same_objects(tmp_path: Path) -> None:
    """A model that sees half a metre a pixel; 17 discs in pixels of 0.5 m, and the same ground in pixels of 0.25 m."""
    net, card = disc_net()
    places = hexagons(200, 260, 16.0, seed=1, clusters=1)
    pixels = np.moveaxis(discs(200, 260, places, 8.0), 2, 0)
    runtime = TorchRuntime(net, torch.device("cpu"))
    found = []
    for metres, image in ((0.5, pixels), (0.25, pixels.repeat(2, axis=1).repeat(2, axis=2))):
        path = tmp_path / f"{metres}.tif"
        write_tiff(path, image, crs='LOCAL_CS["mine",UNIT["metre",1]]', transform=Affine(metres, 0, 0, 0, -metres, 0))
        found.append(count_scene(open_scene(path), engine(replace(card, gsd=0.5), runtime)).detections)
    assert len(found[0]) == len(places)
    np.testing.assert_allclose(found[1].xy, 2 * found[0].xy, rtol=0, atol=1e-9)
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    with pytest.raises(SceneError, match="no georeference"):
        count_scene(open_scene(tmp_path / "a.png"), engine(replace(card, gsd=0.5), runtime))

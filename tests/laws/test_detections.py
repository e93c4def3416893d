"""Laws 3 and 4 from file to detections, on every runtime: random nets, and planted clusters of touching discs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial import cKDTree
from torch import nn

from detect.imagery import Window, open_scene, view
from detect.inference import OpenVinoRuntime, Runtime, TorchRuntime, count_scene
from detect.nets import ModelCard
from tests.engines import assert_same_objects, disc_net, discs, engine, hexagons, lively, write

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
    assert found > 700


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

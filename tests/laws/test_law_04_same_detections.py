"""Law 4: detections are the same for every tile size: the same objects, positions to 0.01 px, scores to 1e-4."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial import cKDTree
from torch import nn

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.resolution import Resolution
from detect.imagery.scenes import Scene, SceneError, view
from detect.imagery.windows import Window
from detect.inference.decoding.grid import turned_channels
from detect.inference.run import count_scene
from detect.inference.runtimes.openvino_runtime import OpenVinoRuntime
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.inference.stitching import Runtime, make_tiling
from detect.nets.card import ModelCard
from detect.samples.targets import Objects
from tests.engines import assert_same_objects, coarse, disc_net, discs, engine, hexagons, lively, write
from tests.grids import (
    D4,
    CutMap,
    MarkNet,
    as_map,
    assert_finds,
    decode,
    draw_marks,
    encode,
    grid_card,
    grid_engine,
    lively_grid,
    mark_card,
    objects,
    places_image,
    planted_map,
    scattered,
    turned_image,
    turned_objects,
    views,
)
from tests.imagery.rasters import write_tiff
from tests.laws.nets import run
from tests.laws.planted import cut_at_the_edge, planted_objects, stitched_map, touching

RUNTIMES = ["torch", "openvino"]


def runtime_of(name: str, net: nn.Module, card: ModelCard) -> Runtime:
    if name == "torch":
        return TorchRuntime(net, torch.device("cpu"))
    return OpenVinoRuntime(net, 3, card.align, card.dtype, "32")


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
    runtime = runtime_of(name, net, card)
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


def test_law_4_of_candidates_and_the_sum_of_their_probabilities(tmp_path: Path) -> None:
    """Of n objects whose scores are the same to 1e-4 the sums are the same to n times that."""
    net, card = lively(8)
    assert card.halo is not None
    card = replace(card, calibration={"slope": 0.7, "intercept": -0.5}, threshold=0.6)
    scene, runtime = open_scene(write(tmp_path / "a.png", 300, 420)), TorchRuntime(net, torch.device("cpu"))
    rooms = (None, 72, 152)
    first, *others = [count_scene(scene, engine(card, runtime, room and 2 * card.halo + room)) for room in rooms]
    wanted = first.candidates
    assert wanted is not None and len(wanted) > len(first.detections) > 10
    for other in others:
        assert other.candidates is not None
        assert_same_objects(other.candidates, wanted)
        assert_same_objects(other.detections, first.detections)
        np.testing.assert_allclose(other.heatmap, first.heatmap, rtol=0, atol=1e-4)
        assert abs(other.candidates.score.sum() - wanted.score.sum()) < 1e-4 * len(wanted)


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
    runtime = runtime_of(name, net, card)
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
    card = replace(card, resolution=Resolution(scale=scale))
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
    reduced = replace(card, resolution=Resolution(scale=1 / factor))
    large = count_scene(open_scene(tmp_path / "large.png"), engine(reduced, runtime, 101))
    np.testing.assert_array_equal(large.logits, plain.logits)
    np.testing.assert_array_equal(large.preview, plain.preview)
    assert len(plain.detections) == len(places)
    np.testing.assert_allclose(large.detections.xy, factor * plain.detections.xy, rtol=0, atol=1e-9)


def test_images_of_other_metres_per_pixel_have_the_same_objects(tmp_path: Path) -> None:
    """A model that sees half a metre a pixel; 17 discs in pixels of 0.5 m, and the same ground in pixels of 0.25 m."""
    net, card = disc_net()
    in_metres = replace(card, resolution=Resolution(gsd=0.5))
    places = hexagons(200, 260, 16.0, seed=1, clusters=1)
    pixels = np.moveaxis(discs(200, 260, places, 8.0), 2, 0)
    runtime = TorchRuntime(net, torch.device("cpu"))
    found = []
    for metres, image in ((0.5, pixels), (0.25, pixels.repeat(2, axis=1).repeat(2, axis=2))):
        path = tmp_path / f"{metres}.tif"
        write_tiff(path, image, crs='LOCAL_CS["mine",UNIT["metre",1]]', transform=Affine(metres, 0, 0, 0, -metres, 0))
        found.append(count_scene(open_scene(path), engine(in_metres, runtime)).detections)
    assert len(found[0]) == len(places)
    np.testing.assert_allclose(found[1].xy, 2 * found[0].xy, rtol=0, atol=1e-9)
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    with pytest.raises(SceneError, match="no georeference"):
        count_scene(open_scene(tmp_path / "a.png"), engine(in_metres, runtime))


@pytest.mark.parametrize("boxes", [True, False])
@pytest.mark.parametrize("shape", [(403, 530), (384, 544)])
def test_a_planted_perfect_map_gives_exact_counts_for_every_tile_size(boxes: bool, shape: tuple[int, int]) -> None:
    """Clusters of touching objects; the halo of every tile says that there are objects in every other cell."""
    things = touching(shape, 3, 60)
    if not boxes:
        things = objects(things.xy, None, things.label)
    assert len(things.xy) > 150
    card = grid_card(16.0 if boxes else None)
    whole = planted_map(things, card, shape)
    image = places_image(shape)
    tiles = set()
    for halo in (0, 32, 96):
        for room in (32, 64, 77, 128, 160, 250, 1000):
            runtime = CutMap(whole, 8, halo)
            grid = make_tiling(shape, room + 2 * halo, halo, 8, align=card.align)
            found = decode(stitched_map(runtime, image, grid), card, shape)
            assert runtime.tiles == len(grid)
            tiles.add(len(grid))
            assert_finds(found, things)
            assert found.counts() == {"a": (things.label == 0).sum(), "b": (things.label == 1).sum()}
    assert len(tiles) >= 5 and max(tiles) > 150


@pytest.mark.parametrize("tta", ["none", "flips", "d4"])
@pytest.mark.parametrize("size", [24.0, None])
def test_marks_are_counted_exactly_for_every_tile_size_and_view(tmp_path: Path, tta: str, size: float | None) -> None:
    """An exact head that turns with the image: all its views say the same, so a wrong sign would move the mean."""
    shape = (203, 314)
    image, things = draw_marks(shape, scattered(shape, 1), 2)
    Image.fromarray(image).save(tmp_path / "marks.png")
    wanted = cut_at_the_edge(things, shape) if size else objects(things.xy, None, things.label)
    assert len(wanted.xy) > 12
    card = mark_card(size)
    scene = open_scene(tmp_path / "marks.png")
    for tile in (32, 64, 96, 150, 256, None):
        runtime = views(TorchRuntime(MarkNet(size), torch.device("cpu")), card, tta, "vote" if tile == 64 else "mean")
        assert_finds(count_scene(scene, grid_engine(card, runtime, tile)).detections, wanted)


@pytest.mark.parametrize(("name", "size", "deepest"), [("torch", 24.0, 16), ("openvino", 24.0, 8), ("torch", None, 8)])
def test_law_4_the_detections_of_a_grid_head_are_the_same_for_every_tile_size(
    tmp_path: Path, name: str, size: float | None, deepest: int
) -> None:
    """Six tile sizes, from two steps between the halos to the whole scene in one pass, at two places."""
    net, card = lively_grid(size, deepest)
    assert card.halo is not None
    whole = open_scene(write(tmp_path / "a.png", 150, 170))
    runtime = runtime_of(name, net, card)
    number = 0
    for place in (whole.window, Window(13, 27, 83, 91)):
        scene: Scene = view(whole, place)
        rooms = (None, 32, 48, 64, 80, 112)
        first, *others = [
            count_scene(scene, grid_engine(card, runtime, room and 2 * card.halo + room)) for room in rooms
        ]
        number += len(first.detections)
        for other in others:
            assert_same_objects(other.detections, first.detections)
            assert (other.detections.wh is None) is (size is None)
            if size:
                np.testing.assert_allclose(other.detections.wh, first.detections.wh, rtol=0, atol=0.01)
            np.testing.assert_allclose(other.heatmap, first.heatmap, rtol=0, atol=1e-4)
    assert number > 15


@pytest.mark.parametrize(("tta", "rooms"), [("flips", (None, 32, 48, 64, 80)), ("d4", (None, 32, 64))])
def test_law_4_of_a_grid_head_with_test_time_augmentation(tmp_path: Path, tta: str, rooms: tuple) -> None:
    """Views of tiles, combined and stitched, are the views of the whole scene, for a net that knows directions."""
    net, card = lively_grid()
    assert card.halo is not None
    scene = open_scene(write(tmp_path / "a.png", 91, 107))
    runtime = views(TorchRuntime(net, torch.device("cpu")), card, tta)
    first, *others = [count_scene(scene, grid_engine(card, runtime, room and 2 * card.halo + room)) for room in rooms]
    assert len(first.detections) > 4
    for other in others:
        np.testing.assert_allclose(other.logits, first.logits, rtol=0, atol=2e-4 * np.ptp(first.logits))
        assert_same_objects(other.detections, first.detections)
    alone = count_scene(scene, grid_engine(card, TorchRuntime(net, torch.device("cpu"))))
    assert np.abs(alone.logits - first.logits).max() > 0.1


@pytest.mark.parametrize("turn", D4[1:])
def test_the_objects_of_a_turned_image_are_the_turned_objects(turn: tuple[bool, bool, bool]) -> None:
    """A net that turns with the image, without any views, finds what the labels of the turned image say."""
    shape = (160, 208)
    image, things = draw_marks(shape, scattered(shape, 3), 4)
    card = mark_card(24.0, separation=1.0)
    turned = turned_image(np.moveaxis(image, 2, 0), turn)
    found = decode(run(MarkNet(24.0), turned), card, turned.shape[1:])
    assert_finds(found, cut_at_the_edge(turned_objects(things, turn, shape), turned.shape[1:]))


@pytest.mark.parametrize("combine", ["mean", "vote"])
def test_the_views_of_a_turned_tile_are_the_turned_views(combine: str) -> None:
    """For any net at all, with offsets and sizes turned along."""
    net, card = lively_grid(24.0, 16, 2)
    runtime = views(TorchRuntime(net, torch.device("cpu")), card, "d4", combine)
    tile = np.moveaxis(coarse(96, 128, seed=5), 2, 0)[None]
    whole = runtime(tile)
    for turn in D4[1:]:
        found = runtime(turned_image(tile, turn))
        back = turned_image(found, (False, *turn[1:]))
        back = turned_channels(np.swapaxes(back, 2, 3) if turn[0] else back, 2, turn)
        np.testing.assert_allclose(back, whole, rtol=0, atol=1e-4 * np.ptp(whole))


@given(
    case=st.one_of(planted_objects(boxes=True), planted_objects(boxes=False)),
    slots=st.integers(1, 2),
    rows=st.integers(1, 30),
)
@settings(deadline=None, max_examples=60)
def test_encode_then_decode_gives_the_objects_back(
    case: tuple[Objects, tuple[int, int]], slots: int, rows: int
) -> None:
    """Places and sizes to the digits of float32, classes exactly; however many rows are decoded at once."""
    things, shape = case
    card = grid_card(None, slots, separation=8.0) if things.wh is None else grid_card(17.0, slots)
    logits = planted_map(things, card, shape)
    found = decode(logits, card, shape)
    assert_finds(found, things)
    assert found.score.min() > 0.999
    strips = decode(logits, card, shape, rows=rows)
    np.testing.assert_array_equal(strips.xy, found.xy)
    np.testing.assert_array_equal(strips.label, found.label)


def test_the_map_of_targets_is_read_by_hand() -> None:
    """One object at (13, 6) of 16 x 4 pixels: cell (0, 1), 1 / 8 right of its middle and 2 / 8 below, class b.

    Sizes are logarithms over the typical 8: log 2 and log 1/2. It guards the helper that the laws rest on.
    """
    card = grid_card(8.0)
    logits = as_map(encode(objects([(13, 6)], [(16, 4)], [1]), card, (16, 24)))
    assert logits.shape == (7, 2, 3) and logits[0].argmax() == 1
    np.testing.assert_allclose(logits[1:5, 0, 1], [1 / 8, 2 / 8, np.log(2), np.log(0.5)], atol=1e-6)
    assert logits[5:, 0, 1].tolist() == [0, 10]

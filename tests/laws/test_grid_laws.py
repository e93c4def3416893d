"""The laws of the grid head: what is encoded is decoded, and neither tiles nor mirrors change what is found."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from detect.imagery.scenes import Scene, open_scene, view
from detect.imagery.windows import Tiling, Window
from detect.inference.decoding.grid import turned_channels
from detect.inference.run import count_scene
from detect.inference.runtimes.openvino_runtime import OpenVinoRuntime
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.inference.stitching import Runtime, make_tiling, map_scene
from detect.nets.heads.grid import GridDetector
from detect.samples.targets import Objects
from tests.engines import assert_same_objects, coarse, write
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
    memory_scene,
    objects,
    places_image,
    planted_map,
    scattered,
    turned_image,
    turned_objects,
    views,
)
from tests.laws.nets import cut, plain, run

CPU = torch.device("cpu")
RUNTIMES = ["torch", "openvino"]


@st.composite
def planted(draw: st.DrawFn, *, boxes: bool, cells: int = 12) -> tuple[Objects, tuple[int, int]]:
    """Objects in cells of 8 pixels of their own, more than a cell apart, at multiples of 1/64 cell; the scene's shape.

    Two that are more than 8 pixels apart are more than 5.6 apart along one axis; boxes of up to 16 pixels then overlap
    by less than (16 - 5.6) / (16 + 5.6) = 0.48. They lie 8 pixels or more from the edge.
    """
    place = st.tuples(*[st.integers(64, 64 * (cells + 1) - 1)] * 2)
    xy: list[tuple[float, float]] = []
    for x, y in draw(st.lists(place, min_size=1, max_size=30)):
        at = (x / 8, y / 8)
        if (
            x % 64
            and y % 64
            and all(
                np.hypot(a - at[0], b - at[1]) > 8.1 and (a // 8, b // 8) != (at[0] // 8, at[1] // 8) for a, b in xy
            )
        ):
            xy.append(at)
    xy = xy or [(20.5, 20.5)]
    side = st.floats(1, 16)
    wh = [[draw(side), draw(side)] for _ in xy] if boxes else None
    label = [draw(st.integers(0, 1)) for _ in xy]
    shape = (8 * (cells + 3) - draw(st.integers(0, 8)), 8 * (cells + 3) - draw(st.integers(0, 8)))
    return objects(xy, wh, label), shape


@given(case=st.one_of(planted(boxes=True), planted(boxes=False)), slots=st.integers(1, 2), rows=st.integers(1, 30))
@settings(deadline=None, max_examples=60)
def test_encode_then_decode_gives_the_objects_back(
    case: tuple[Objects, tuple[int, int]], slots: int, rows: int
) -> None:
    """Places and sizes to the digits of float32, classes exactly; however many rows are decoded at once."""
    things, shape = case
    card = grid_card(None if things.wh is None else 17.0, slots, radius=8.0)
    logits = planted_map(things, card, shape)
    found = decode(logits, card, shape)
    assert_finds(found, things)
    assert found.score.min() > 0.999
    strips = decode(logits, card, shape, rows=rows)
    np.testing.assert_array_equal(strips.xy, found.xy)
    np.testing.assert_array_equal(strips.label, found.label)


@given(
    case=planted(boxes=True),
    turn=st.sampled_from(D4),
    slots=st.integers(1, 2),
    ignored=st.lists(st.tuples(*[st.integers(0, 90)] * 4), max_size=2),
)
@settings(deadline=None, max_examples=60)
def test_the_targets_of_a_turned_crop_are_the_turned_targets(
    case: tuple[Objects, tuple[int, int]], turn: tuple[bool, bool, bool], slots: int, ignored: list[tuple[int, ...]]
) -> None:
    """Cells lie where the turn takes them; offsets change their signs and sizes their places, as of a mirrored tile."""
    things = case[0]
    regions = [(min(a, c), min(b, d), max(a, c) + 1, max(b, d) + 1) for a, b, c, d in ignored]
    things = objects(things.xy, things.wh, things.label, regions)
    shape, card = (128, 136), grid_card(17.0, slots)
    plain_targets = encode(things, card, shape)
    turned = encode(turned_objects(things, turn, shape), card, shape[::-1] if turn[0] else shape)
    for name in ("objectness", "weight", "label", "seen"):
        np.testing.assert_allclose(turned[name], turned_image(plain_targets[name], turn), rtol=0, atol=1e-6)
    assert turned["lost"] == plain_targets["lost"]
    box = np.concatenate([turned["objectness"][:, None], turned["box"]], axis=1).reshape(1, -1, *turned["label"].shape)
    back = turned_image(box, (False, *turn[1:]))
    back = turned_channels(np.swapaxes(back, 2, 3) if turn[0] else back, slots, turn)
    wanted = np.concatenate([plain_targets["objectness"][:, None], plain_targets["box"]], axis=1)
    np.testing.assert_allclose(back[0].reshape(wanted.shape), wanted, rtol=0, atol=1e-6)


def stitched(runtime: Runtime, image: np.ndarray, grid: Tiling) -> np.ndarray:
    """The map of an image (bands, H, W) in memory."""
    return map_scene(memory_scene(image.shape[1:]), (1, 2, 3), runtime, grid, read=lambda at: cut(image, at))


def touching(shape: tuple[int, int], seed: int, clusters: int) -> Objects:
    """Clusters of up to 6 x 6 objects of 10 pixels that touch one another, many of them in neighbouring cells of 8."""
    rng = np.random.default_rng(seed)
    taken = np.zeros(shape, bool)
    xy = []
    for _ in range(clusters):
        rows, cols = rng.integers(2, 7, 2)
        top, left = rng.uniform(16, (shape[0] - 10 * rows - 16, shape[1] - 10 * cols - 16))
        area = np.s_[int(top) - 16 : int(top) + 10 * rows + 16, int(left) - 16 : int(left) + 10 * cols + 16]
        if not taken[area].any():
            taken[area] = True
            xy += [(left + 10 * j, top + 10 * i) for i in range(rows) for j in range(cols)]
    return objects(np.array(xy), np.full((len(xy), 2), 10.0), rng.integers(0, 2, len(xy)))


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
            found = decode(stitched(runtime, image, grid), card, shape)
            assert runtime.tiles == len(grid)
            tiles.add(len(grid))
            assert_finds(found, things)
            assert found.counts() == {"a": (things.label == 0).sum(), "b": (things.label == 1).sum()}
    assert len(tiles) >= 5 and max(tiles) > 150


def cut_at_the_edge(things: Objects, shape: tuple[int, int]) -> Objects:
    """Boxes as far as they lie in a scene."""
    assert things.wh is not None
    low, high = (np.clip(things.xy + side * things.wh / 2, 0, shape[::-1]) for side in (-1, 1))
    return objects((low + high) / 2, high - low, things.label)


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
        runtime = views(TorchRuntime(MarkNet(size), CPU), card, tta, "vote" if tile == 64 else "mean")
        assert_finds(count_scene(scene, grid_engine(card, runtime, tile)).detections, wanted)


@pytest.mark.parametrize("turn", D4[1:])
def test_the_objects_of_a_turned_image_are_the_turned_objects(turn: tuple[bool, bool, bool]) -> None:
    """A net that turns with the image, without any views, finds what the labels of the turned image say."""
    shape = (160, 208)
    image, things = draw_marks(shape, scattered(shape, 3), 4)
    card = mark_card(24.0, nms_iou=1.0)
    turned = turned_image(np.moveaxis(image, 2, 0), turn)
    found = decode(run(MarkNet(24.0), turned), card, turned.shape[1:])
    assert_finds(found, cut_at_the_edge(turned_objects(things, turn, shape), turned.shape[1:]))


def one_pass(net: GridDetector, image: np.ndarray, halo: int) -> np.ndarray:
    """The map of a whole image in one pass, mirrored at its edges up to where the deepest features end."""
    align, stride = net.align, net.stride
    sides = [-(-side // align) * align for side in image.shape[1:]]
    cells = [-(-side // stride) for side in image.shape[1:]]
    edge = halo // stride
    return run(net, cut(image, Window(0, 0, *sides).grown(halo)))[:, edge : edge + cells[0], edge : edge + cells[1]]


@pytest.mark.parametrize(
    ("deepest", "slots", "size", "shape"),
    [(8, 1, None, (107, 173)), (16, 2, 24.0, (113, 97)), (32, 1, 24.0, (70, 97))],
)
def test_law_3_the_stitched_map_of_a_grid_head_is_that_of_one_pass(
    deepest: int, slots: int, size: float | None, shape: tuple[int, int]
) -> None:
    """For tiles from one step of the deepest features (of 32 pixels) to all in one, and scenes of no round size."""
    net, card = lively_grid(size, deepest, slots)
    assert card.halo is not None and card.halo % deepest == 0
    image = np.moveaxis(coarse(*shape, seed=1), 2, 0)
    whole = one_pass(net, image, card.halo)
    assert whole.shape == (5 * slots + 2, -(-shape[0] // 8), -(-shape[1] // 8))
    for room in (32, 48, 71, 96, 1000):
        grid = make_tiling(shape, 2 * card.halo + room, card.halo, 8, align=card.align)
        found = stitched(plain(net), image, grid)
        np.testing.assert_allclose(found, whole, rtol=0, atol=1e-4 * max(1.0, np.ptp(whole)))


def test_law_3_fails_with_tiles_that_begin_between_the_deepest_cells() -> None:
    """Cores of 24 pixels are whole cells of 8, but begin at 24, where no feature of stride 16 begins."""
    net, card = lively_grid(24.0, 16)
    assert card.halo is not None
    shape = (75, 133)
    image = np.moveaxis(coarse(*shape, seed=1), 2, 0)
    whole = one_pass(net, image, card.halo)
    good, bad = (stitched(plain(net), image, Tiling(shape, core, card.halo, 8)) for core in (48, 24))
    np.testing.assert_allclose(good, whole, rtol=0, atol=1e-4 * np.ptp(whole))
    assert np.abs(bad - whole).max() > 1e-2


def made(name: str, net: GridDetector, card) -> Runtime:
    if name == "torch":
        return TorchRuntime(net, CPU)
    return OpenVinoRuntime(net, 3, card.align, card.dtype, "32")


@pytest.mark.parametrize(("name", "size", "deepest"), [("torch", 24.0, 16), ("openvino", 24.0, 8), ("torch", None, 8)])
def test_law_4_the_detections_of_a_grid_head_are_the_same_for_every_tile_size(
    tmp_path: Path, name: str, size: float | None, deepest: int
) -> None:
    """Six tile sizes, from two steps between the halos to the whole scene in one pass, at two places."""
    net, card = lively_grid(size, deepest)
    assert card.halo is not None
    whole = open_scene(write(tmp_path / "a.png", 150, 170))
    runtime = made(name, net, card)
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
    runtime = views(TorchRuntime(net, CPU), card, tta)
    first, *others = [count_scene(scene, grid_engine(card, runtime, room and 2 * card.halo + room)) for room in rooms]
    assert len(first.detections) > 4
    for other in others:
        np.testing.assert_allclose(other.logits, first.logits, rtol=0, atol=2e-4 * np.ptp(first.logits))
        assert_same_objects(other.detections, first.detections)
    alone = count_scene(scene, grid_engine(card, TorchRuntime(net, CPU)))
    assert np.abs(alone.logits - first.logits).max() > 0.1


@pytest.mark.parametrize("combine", ["mean", "vote"])
def test_the_views_of_a_turned_tile_are_the_turned_views(combine: str) -> None:
    """For any net at all, with offsets and sizes turned along."""
    net, card = lively_grid(24.0, 16, 2)
    runtime = views(TorchRuntime(net, CPU), card, "d4", combine)
    tile = np.moveaxis(coarse(96, 128, seed=5), 2, 0)[None]
    whole = runtime(tile)
    for turn in D4[1:]:
        found = runtime(turned_image(tile, turn))
        back = turned_image(found, (False, *turn[1:]))
        back = turned_channels(np.swapaxes(back, 2, 3) if turn[0] else back, 2, turn)
        np.testing.assert_allclose(back, whole, rtol=0, atol=1e-4 * np.ptp(whole))


def test_the_map_of_targets_is_read_by_hand() -> None:
    """One object at (13, 6) of 16 x 4 pixels: cell (0, 1), 1 / 8 right of its middle and 2 / 8 below, class b.

    Sizes are logarithms over the typical 8: log 2 and log 1/2. It guards the helper that the laws rest on.
    """
    card = grid_card(8.0)
    logits = as_map(encode(objects([(13, 6)], [(16, 4)], [1]), card, (16, 24)))
    assert logits.shape == (7, 2, 3) and logits[0].argmax() == 1
    np.testing.assert_allclose(logits[1:5, 0, 1], [1 / 8, 2 / 8, np.log(2), np.log(0.5)], atol=1e-6)
    assert logits[5:, 0, 1].tolist() == [0, 10]

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.maps.map_kinds import BYTES, FLOATS, MapKind
from detect.imagery.maps.map_reading import read_heat, read_kind, read_preview, read_tags
from detect.imagery.maps.map_writing import write_map
from detect.imagery.resampling import Zoom
from detect.imagery.resolution import Resolution
from detect.imagery.scenes import Scene, SceneError, view
from detect.imagery.windows import Window

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
TRANSFORM = Affine(0.5, 0, 1000, 0, -0.5, 2000)
"""Half a metre a pixel, north up."""


def heat() -> np.ndarray:
    return np.random.default_rng(0).random((2, 5, 7), np.float32)


def located(tmp_path: Path) -> Scene:
    path = tmp_path / "source.tif"
    profile = {"driver": "GTiff", "count": 1, "height": 80, "width": 112, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, crs="EPSG:32617", transform=TRANSFORM) as target:
        target.write(np.zeros((1, 80, 112), np.uint8))
    return open_scene(path)


def photograph(tmp_path: Path) -> Scene:
    Image.new("L", (112, 80)).save(tmp_path / "source.png")
    return open_scene(tmp_path / "source.png")


def test_a_map_comes_back_bit_for_bit_with_its_tags_and_names(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.tif"
    write_map(path, [heat()], photograph(tmp_path), 16, ("cow", "sheep"), 8.0, FLOATS)
    with rasterio.open(path) as source:
        np.testing.assert_array_equal(source.read(), heat())
        assert source.scales == (1, 1) and np.isnan(source.nodata)
        assert source.descriptions == ("cow", "sheep")
        assert source.crs is None and source.transform.is_identity
    tags = read_tags(path)
    assert (tags["stride"], tags["offset"], tags["classes"]) == ("16", "8.0", "cow, sheep")
    assert [entry.name for entry in path.parent.iterdir()] == ["a.tif"]


@pytest.mark.parametrize("offset", [0.0, 8.0])
@pytest.mark.parametrize("origin", [(0, 0), (10, 20)])
def test_the_centre_of_a_cell_is_at_the_stated_pixel_position(
    tmp_path: Path, offset: float, origin: tuple[int, int]
) -> None:
    """Cell (3, 5) at stride 16: x = offset + 80 and y = offset + 48 in the scene, 20 and 10 more in the file of a view.

    On the ground that is 1000 + x / 2 and 2000 - y / 2.
    """
    scene = view(located(tmp_path), Window(*origin, 70, 92))
    write_map(tmp_path / "a.tif", [heat()[:, :, :6]], scene, 16, ("a", "b"), offset)
    with rasterio.open(tmp_path / "a.tif") as source:
        east, north = source.xy(3, 5)
        assert source.crs.to_epsg() == 32617
    assert east == pytest.approx(1000 + (offset + 80 + origin[1]) / 2)
    assert north == pytest.approx(2000 - (offset + 48 + origin[0]) / 2)


def test_a_write_that_fails_leaves_the_old_map_and_nothing_else(tmp_path: Path) -> None:
    scene, folder = photograph(tmp_path), tmp_path / "maps"
    write_map(folder / "a.tif", [heat()], scene, 16, ("a", "b"), 0.0)
    before = (folder / "a.tif").read_bytes()
    for strips, names, message in (
        ([heat() * 2], ("a", "b", "one too many"), r"\b3\b"),
        ([heat()[:, :3], heat()[:, 3:4]], ("a", "b"), r"a\.tif.*\b4\b.*\b5\b"),
    ):
        with pytest.raises(ValueError, match=message):
            write_map(folder / "a.tif", strips, scene, 16, names, 0.0)
        assert [entry.name for entry in folder.iterdir()] == ["a.tif"]
        assert (folder / "a.tif").read_bytes() == before


@pytest.mark.parametrize("shape", [(2, 30, 20), (1, 600, 300)])
def test_bytes_are_steps_of_a_probability_and_say_so(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    """254 steps: 0 and 1 are exact, 0.5 is 127, and a value is off by half a step at most; what is not there is 255."""
    values = np.random.default_rng(0).random(shape, np.float32)
    values[0, 0, :4] = 0, 1, 0.5, np.nan
    scene = Scene(Path("memory"), shape[1:], "uint8", 3)
    write_map(tmp_path / "a.tif", [values], scene, 1, [f"class {i}" for i in range(shape[0])], 0.5, BYTES)
    with rasterio.open(tmp_path / "a.tif") as source:
        stored = source.read()
        assert stored[0, 0, :4].tolist() == [0, 254, 127, 255] and source.nodata == 255
        assert set(source.scales) == {1 / 254} and set(source.offsets) == {0}
        shown = source.read(masked=True) * source.scales[0]
        assert not shown.mask.all() and shown.mask.sum() == 1 and shown[0, 0, 1] == 1
        assert np.abs(shown.filled(np.nan) - values)[~np.isnan(values)].max() <= 0.5 / 254 + 1e-7
    assert read_kind(tmp_path / "a.tif") == BYTES
    np.testing.assert_array_equal(BYTES.probabilities(stored), shown.astype(np.float32).filled(np.nan))


@pytest.mark.parametrize("wrong", [-0.01, 1.01, np.inf])
def test_what_is_no_probability_is_put_into_no_byte(wrong: float) -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        BYTES.stored(np.array([[[0.5, wrong, np.nan]]], np.float32))


@pytest.mark.parametrize("kind", [BYTES, FLOATS])
@pytest.mark.parametrize("hw", [(40, 60), (600, 300)])
def test_a_picture_of_a_map_is_of_its_probabilities(tmp_path: Path, kind: MapKind, hw: tuple[int, int]) -> None:
    """Two classes of 0.25 and 0.5 are 0.75 together, and nothing where nothing is there."""
    values = np.broadcast_to(np.array([0.25, 0.5], np.float32)[:, None, None], (2, *hw)).copy()
    values[:, : hw[0] // 2] = np.nan
    write_map(tmp_path / "a.tif", [values], Scene(Path("memory"), hw, "uint8", 3), 1, ("a", "b"), 0.5, kind)
    total = read_heat(tmp_path / "a.tif", 20).total
    assert max(total.shape) == 20
    np.testing.assert_allclose(total[len(total) // 2 + 1 :], 0.75, atol=1 / 254)
    np.testing.assert_array_equal(total[: len(total) // 2], 0)


def test_what_is_no_map_has_no_kind(tmp_path: Path) -> None:
    Image.new("L", (20, 30)).save(tmp_path / "plain.tif")
    (tmp_path / "text.tif").write_text("no raster")
    assert [read_kind(tmp_path / name) for name in ("plain.tif", "text.tif", "none.tif")] == [None] * 3


def test_a_map_does_not_depend_on_its_strips(tmp_path: Path) -> None:
    """600 x 300 cells in blocks of 256, in strips of 1 to 599 rows; half the size are means by 2."""
    Image.new("L", (300, 600)).save(tmp_path / "source.png")
    scene = open_scene(tmp_path / "source.png")
    values = np.random.default_rng(0).random((1, 600, 300), np.float32)
    for name, cuts in {"one": (), "two": (599,), "many": (1, 64, 255, 257, 512, 513)}.items():
        edges = (0, *cuts, 600)
        strips = (values[:, top:bottom] for top, bottom in itertools.pairwise(edges))
        write_map(tmp_path / f"{name}.tif", strips, scene, 1, ("a",), 0.5, FLOATS)
        with rasterio.open(tmp_path / f"{name}.tif") as source:
            np.testing.assert_array_equal(source.read(), values)
            assert source.overviews(1) == [2, 4] and source.block_shapes == [(256, 256)]
            half = source.read(out_shape=(1, 300, 150))
            np.testing.assert_allclose(half, values.reshape(1, 300, 2, 150, 2).mean(axis=(2, 4)), rtol=1e-5)


def test_a_preview_keeps_the_form_and_averages(tmp_path: Path) -> None:
    """Blocks of 2 x 2 pixels hold 0, 100, 200, 100: 100 on average. 40 x 60 at a longest side of 30 is 20 x 30."""
    block = np.tile(np.array([[0, 100], [200, 100]], np.uint8), (20, 30))
    Image.fromarray(block).save(tmp_path / "a.png")
    small = read_preview(tmp_path / "a.png", 30)
    assert small.shape == (1, 20, 30) and small.dtype == np.uint8
    assert (small == 100).all()


def test_a_preview_of_a_small_or_narrow_image(tmp_path: Path) -> None:
    """1000 x 3 at a longest side of 100 is a tenth: 100 x 0.3, so 1 column."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, 30, 20), dtype=np.uint8)
    Image.fromarray(np.moveaxis(pixels, 0, -1)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_preview(tmp_path / "a.png", 30, (2, 3)), pixels[1:])
    Image.new("L", (3, 1000)).save(tmp_path / "b.png")
    assert read_preview(tmp_path / "b.png", 100).shape == (1, 100, 1)


def test_previews_of_files_that_cannot_be_read(tmp_path: Path) -> None:
    for name, data in {"text.jpg": b"text", "empty.png": b""}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(SceneError, match=name):
            read_preview(tmp_path / name, 10)
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(SceneError, match=r"a\.png.*\b3\b.*\b1\b"):
        read_preview(tmp_path / "a.png", 4, (1, 2, 3))
    for name in ("cut.jpg", "cut.png"):
        Image.effect_noise((200, 200), 90).save(tmp_path / name)
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) // 2])
        with pytest.raises(SceneError, match=name):
            read_preview(tmp_path / name, 50)


@pytest.mark.parametrize("origin", [(0, 0), (10, 20)])
def test_the_map_of_a_resampled_scene_covers_the_same_ground(tmp_path: Path, origin: tuple[int, int]) -> None:
    """60 x 90 file pixels resampled to 30 x 60, x by 2/3 and y by 1/2: cell (1, 2) at stride 16 is at x = 8 + 32.

    Those are 60 pixels of the file, and y = 8 + 16 are 48; on the ground 1000 + x / 2 and 2000 - y / 2.
    """
    part = Window(*origin, 60, 90)
    scaled = replace(located(tmp_path), shape=(30, 60), zoom=Zoom(part, (30, 60)))
    write_map(tmp_path / "a.tif", [heat()[:, :2, :4]], scaled, 16, ("a", "b"), 8.0)
    with rasterio.open(tmp_path / "a.tif") as source:
        assert source.xy(1, 2) == pytest.approx((1000 + (60 + origin[1]) / 2, 2000 - (48 + origin[0]) / 2))
        assert source.xy(0, 0) == pytest.approx((1000 + (12 + origin[1]) / 2, 2000 - (16 + origin[0]) / 2))
    tags = read_tags(tmp_path / "a.tif")
    assert (tags["stride"], tags["offset"]) == ("24.0 32.0", "12.0 16.0")
    write_map(
        tmp_path / "b.tif", [heat()[:, :1, :2]], replace(scaled, shape=(15, 20), origin=(6, 8)), 16, ("a", "b"), 8.0
    )
    with rasterio.open(tmp_path / "b.tif") as source:
        assert source.xy(0, 0) == pytest.approx((1000 + (24 + origin[1]) / 2, 2000 - (28 + origin[0]) / 2))


def test_the_tags_of_an_evenly_resampled_map_are_a_number_each(tmp_path: Path) -> None:
    """At a half, cells of 16 scaled pixels are 32 pixels of the file."""
    write_map(
        tmp_path / "a.tif", [heat()[:, :3, :4]], Resolution(0.5).resampled(photograph(tmp_path)), 16, ("a", "b"), 8.0
    )
    tags = read_tags(tmp_path / "a.tif")
    assert (tags["stride"], tags["offset"]) == ("32.0", "16.0")


@pytest.mark.parametrize(("classes", "hw"), [(2, (700, 900)), (2, (20, 30)), (1, (512, 300)), (40, (300, 200))])
@pytest.mark.parametrize("kind", [BYTES, FLOATS])
def test_a_map_is_a_cloud_optimised_geotiff(tmp_path: Path, classes: int, hw: tuple[int, int], kind: MapKind) -> None:
    """By the rules of rio-cogeo: tiled, overviews inside, directories before pixels, overviews' pixels first.

    At most 512 cells a side, and a million values, are one block without overviews. GDAL marks what has more, where the
    bands lie pixel by pixel. No cell without data is 0: it is what no data is.
    """
    block = max(hw) <= 512 and classes < 17
    heat = np.random.default_rng(0).random((classes, *hw), np.float32)
    heat[:, :10, :10] = np.nan
    scene = Scene(Path("memory"), (4 * hw[0], 4 * hw[1]), "uint8", 3, (0.5, 0, 1000, 0, -0.5, 2000), "EPSG:32617")
    path = tmp_path / "map.tif"
    write_map(path, [heat], scene, 4, [f"class {i}" for i in range(classes)], 2.0, kind)
    assert [each.name for each in tmp_path.iterdir()] == ["map.tif"]
    with rasterio.open(path) as source:
        assert (source.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") == "COG") == (classes < 17 and not block)
        assert source.profile["tiled"] and source.transform.a == 2
        assert block == (source.overviews(1) == [])
        assert not block or all(hw[i] <= source.block_shapes[0][i] < hw[i] + 16 for i in (0, 1))
        np.testing.assert_array_equal(source.read(), kind.stored(heat))
        assert not source.read_masks(1)[:10, :10].any() and source.read_masks(1)[10:].all()
    places = directories(path.read_bytes())
    ends = [ifd for ifd, _ in places]
    assert ends == sorted(ends) and max(ends) < min(first for _, first in places)
    firsts = [first for _, first in places]
    assert firsts == sorted(firsts, reverse=True)


def directories(tiff: bytes) -> list[tuple[int, int]]:
    """Where each directory of a little-endian TIFF begins, and where its first tile does (tag 324)."""
    found, at = [], int.from_bytes(tiff[4:8], "little")
    while at:
        number = int.from_bytes(tiff[at : at + 2], "little")
        fields = [tiff[at + 2 + 12 * i : at + 14 + 12 * i] for i in range(number)]
        (offsets,) = [each for each in fields if int.from_bytes(each[:2], "little") == 324]
        count, value = (int.from_bytes(offsets[i : i + 4], "little") for i in (4, 8))
        found.append((at, value if count == 1 else int.from_bytes(tiff[value : value + 4], "little")))
        at = int.from_bytes(tiff[at + 2 + 12 * number : at + 6 + 12 * number], "little")
    return found

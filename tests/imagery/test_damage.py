import logging
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detect.imagery.checksums import DeflateSums
from detect.imagery.damage import LOGGERS, decoder_warnings
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import SceneReader, read_window
from detect.imagery.scenes import SceneError
from detect.imagery.windows import Window
from tests.imagery.rasters import noise, write, write_damaged, write_tiff

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def flipped(path: Path, places: list[int]) -> Path:
    """Change single bytes of a file in place."""
    data = bytearray(path.read_bytes())
    for place in places:
        data[place] ^= 0x55
    path.write_bytes(data)
    return path


def test_what_a_decoder_warns_of_is_kept_and_named_once_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scene = open_scene(write_damaged(tmp_path / "a.tif", noise()))
    for _ in range(2):
        with caplog.at_level(logging.WARNING), SceneReader(scene, (1,)) as reader:
            assert reader.damaged == ""
            reader.read(scene.window)
            assert "PackBits" in reader.damaged
    assert [record.name for record in caplog.records] == ["detect.imagery.reading"]
    assert "a.tif" in caplog.text and "PackBits" in caplog.text


def test_a_good_image_is_not_called_damaged(scene) -> None:
    with SceneReader(scene, (1, 2, 3)) as reader:
        reader.read(scene.window)
        reader.preview(8)
        assert reader.damaged == ""


def test_warnings_belong_to_the_thread_that_reads(tmp_path: Path) -> None:
    path = write_damaged(tmp_path / "a.tif", noise())
    found: list[str] = []

    def read() -> None:
        with SceneReader(open_scene(path), (1,)) as reader:
            reader.read(reader.scene.window)
            found.append(reader.damaged)

    with decoder_warnings() as here:
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    assert "PackBits" in found[0] and here == []


@pytest.mark.parametrize("name", LOGGERS)
def test_warnings_that_nobody_gathers_go_to_the_log_and_harmless_ones_are_dropped(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger(name)
    with decoder_warnings() as gathered:
        logger.warning("CPLE_AppDefined:%s", "run too\n long")
        logger.warning("CPLE_AppDefined:TIFFReadDirectory:Unknown field with tag 42113")
        logger.warning("x" * 1000)
    logger.warning("after")
    assert gathered[0] == "run too long" and len(gathered) == 2 and len(gathered[1]) == 160
    assert [record.getMessage() for record in caplog.records] == ["after"]


@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("a.jpg", {}),
        ("a.png", {}),
        ("a.bmp", {}),
        ("a.jp2", {}),
        ("deflate.tif", {"compress": "deflate"}),
        ("lzw.tif", {"compress": "lzw", "predictor": 2}),
        ("raw.tif", {}),
        ("jpeg.tif", {"compress": "jpeg", "tiled": True, "blockxsize": 16, "blockysize": 16}),
        ("zstd.tif", {"compress": "zstd"}),
    ],
)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
def test_an_image_that_was_cut_off_is_a_failure(tmp_path: Path, name: str, profile: dict, share: float) -> None:
    path = write_tiff(tmp_path / name, noise(), **profile) if name.endswith(".tif") else write(tmp_path / name)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(SceneError, match=name):
        scene = open_scene(path)
        read_window(scene, scene.window, (1, 2, 3))


@pytest.mark.parametrize("name", ["a.png", "deflate.tif", "tiles.tif", "apart.tif", "changes.tif"])
def test_every_changed_byte_of_deflated_pixels_is_found(tmp_path: Path, name: str) -> None:
    """PNG and deflate carry sums of their pixels: 40 places in the middle of the file, one byte each.

    Blocks of 32 x 32 pixels reach beyond the image's edge, and the decoder does not finish them. What is changed there
    alone changes no pixel.
    """
    tiles = {"tiled": True, "blockxsize": 32, "blockysize": 32} if name == "tiles.tif" else {}
    tiles |= {"interleave": "band", "blockysize": 20} if name == "apart.tif" else {}
    tiles |= {"tiled": True, "blockxsize": 16, "blockysize": 16, "predictor": 2} if name == "changes.tif" else {}
    path = (
        write(tmp_path / name) if name == "a.png" else write_tiff(tmp_path / name, noise(), compress="deflate", **tiles)
    )
    whole = path.read_bytes()
    for place in np.linspace(0.2 * len(whole), 0.8 * len(whole), 40).astype(int):
        path.write_bytes(whole)
        assert noticed(flipped(path, [place])) or shows(path, noise())


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize(("bands", "interleave"), [(1, "pixel"), (3, "pixel"), (5, "pixel"), (3, "band")])
def test_whole_blocks_are_checked_by_their_pixels_and_not_decoded_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, predictor: int, bands: int, interleave: str
) -> None:
    """96 x 64 pixels are six whole blocks; a window over a part of two blocks needs their streams."""
    kind = {"tiled": True, "blockxsize": 32, "blockysize": 32, "compress": "deflate", "interleave": interleave}
    pixels = np.random.default_rng(0).integers(0, 1 << 16, (bands, 96, 64)).astype(dtype)
    path, every = write_tiff(tmp_path / "a.tif", pixels, predictor=predictor, **kind), range(1, bands + 1)
    decoded: list[int] = []
    real = DeflateSums._wrong_stream

    def counted(self: DeflateSums, place: int, left: int) -> str:
        decoded.append(place)
        return real(self, place, left)

    monkeypatch.setattr(DeflateSums, "_wrong_stream", counted)
    with SceneReader(open_scene(path), every) as reader:
        reader.read(Window(0, 20, 32, 20))
        assert len(decoded) == (2 if interleave == "pixel" else 2 * bands)
        assert (reader.read(reader.scene.window) == pixels).all() and reader.damaged == ""
    assert len(decoded) == (2 if interleave == "pixel" else 2 * bands)


@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("kind", [{"tiled": True, "blockxsize": 32, "blockysize": 32}, {"blockysize": 20}])
def test_blocks_across_the_edges_of_an_image_are_not_decoded_twice_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, predictor: int, kind: dict
) -> None:
    """Tiles of 70 rows are filled up with zeros by GDAL, and of 50 columns unless differences are stored.

    The last strip has 10 rows.
    """
    width = 64 if predictor == 2 else 50
    pixels = np.random.default_rng(0).integers(1, 256, (3, 70, width)).astype("uint8")
    path = write_tiff(tmp_path / "a.tif", pixels, compress="deflate", predictor=predictor, **kind)
    monkeypatch.setattr(DeflateSums, "_wrong_stream", lambda *_: pytest.fail("decoded twice"))
    with SceneReader(open_scene(path), (1, 2, 3)) as reader:
        assert (reader.read(reader.scene.window) == pixels).all() and reader.damaged == ""


def test_changes_that_the_way_back_to_zeros_would_undo_are_found(tmp_path: Path) -> None:
    """A tile of 16 x 16 stores differences, of which the image's row has 10: a row is 3 brighter, and the next darker.

    Put back, with zeros beyond the image, it has the sum that it had: +3 and -3 stand seven pixels apart, and -3 and +3
    in the next row. What is stored beyond the image did not change, and a byte more hides the sum from the decoder.
    """
    pixels = np.full((3, 16, 10), 110, np.uint8)
    pixels[:, :, :3] = 100
    kind = {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate", "predictor": 2}
    path = write_tiff(tmp_path / "a.tif", pixels, **kind)
    stored = np.zeros((16, 16, 3), np.uint8)
    stored[:, 0], stored[:, 3], stored[:, 10] = 100, 10, 256 - 110
    right = zlib.adler32(stored.tobytes())
    stored[5, 3], stored[6, 3] = 13, 7
    stream = zlib.compress(stored.tobytes() + b"\0")[:-4] + right.to_bytes(4, "big")
    whole = bytearray(path.read_bytes())
    for tag, value in ((324, len(whole)), (325, len(stream))):  # where the tile begins, and its bytes
        at = max(whole.find(struct.pack("<HHI", tag, kind, 1)) for kind in (3, 4)) + 8  # a short or a long
        assert at > 8
        whole[at : at + 4] = struct.pack("<I", value)
    path.write_bytes(whole + stream)
    assert noticed(path)


def test_tiles_that_another_program_fills_up_otherwise_are_no_damage(tmp_path: Path) -> None:
    """An image of 70 x 50 pixels whose header says 60 x 40: its tiles hold other values than zeros beyond that."""
    pixels = np.random.default_rng(0).integers(1, 256, (1, 70, 50)).astype("uint8")
    tiles = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}
    path = write_tiff(tmp_path / "a.tif", pixels[:, :60], **tiles)
    whole = bytearray(path.read_bytes())
    entry = b"\x00\x01\x03\x00\x01\x00\x00\x00"  # ImageWidth, a short
    at = whole.index(entry) + len(entry)
    whole[at : at + 2] = (40).to_bytes(2, "little")
    path.write_bytes(whole)
    with SceneReader(open_scene(path), (1,)) as reader:
        assert (reader.read(reader.scene.window) == pixels[:, :60, :40]).all() and reader.damaged == ""


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [("uint16", {"endianness": "big"}), ("float32", {"predictor": 3}), ("uint32", {})],
)
def test_files_that_store_their_pixels_in_another_way_are_no_damage(tmp_path: Path, dtype: str, kind: dict) -> None:
    tiles = {"tiled": True, "blockxsize": 32, "blockysize": 32, "compress": "deflate"}
    pixels = np.random.default_rng(0).integers(0, 16, (1, 96, 64)).astype(dtype)
    with SceneReader(open_scene(write_tiff(tmp_path / "a.tif", pixels, **tiles, **kind)), (1,)) as reader:
        assert (reader.read(reader.scene.window) == pixels).all() and reader.damaged == ""


@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_one_high_strip_is_checked_as_the_one_block_that_it_is(tmp_path: Path, interleave: str) -> None:
    """GDAL says that its blocks are single rows, of which only the first has a place in the file.

    Single rows of high files, and strips that were never written, stay what they are.
    """
    pixels = np.random.default_rng(0).integers(0, 256, (3, 2100, 520)).astype("uint8")
    for rows in (2100, 1):
        profile = {"compress": "deflate", "blockysize": rows, "interleave": interleave}
        path = write_tiff(tmp_path / f"{rows}.tif", pixels, **profile)
        with SceneReader(open_scene(path), (1, 2, 3)) as reader:
            reader.read(Window(1000, 3, 50, 10))
            assert (reader.read(reader.scene.window) == pixels).all() and reader.damaged == ""
    whole = (tmp_path / "2100.tif").read_bytes()
    places = np.linspace(0.1 * len(whole), 0.3 * len(whole), 10).astype(int)
    for place in places if interleave == "pixel" else []:
        (tmp_path / "2100.tif").write_bytes(whole)
        assert noticed(flipped(tmp_path / "2100.tif", [place]))


def shows(path: Path, pixels: np.ndarray) -> bool:
    """Whether a file that is read without an error has the pixels (bands, H, W)."""
    scene = open_scene(path)
    return bool((read_window(scene, scene.window, (1, 2, 3)) == pixels).all())


def noticed(path: Path) -> bool:
    """Whether reading a whole image is an error, or says that it is damaged."""
    try:
        with SceneReader(open_scene(path), (1, 2, 3)) as reader:
            reader.read(reader.scene.window)
            return bool(reader.damaged)
    except SceneError:
        return True


def test_a_damaged_photograph_fails_where_its_decoder_notices(tmp_path: Path) -> None:
    Image.fromarray(np.moveaxis(noise(), 0, -1)).save(tmp_path / "a.jpg", progressive=True)
    size = (tmp_path / "a.jpg").stat().st_size
    with pytest.raises(SceneError, match=r"a\.jpg"):
        scene = open_scene(flipped(tmp_path / "a.jpg", list(range(size // 2, size // 2 + 300))))
        read_window(scene, scene.window, (1, 2, 3))

"""Pages and frames that are not looked at are told; overviews, marked thumbnails and masks are no pages."""

import struct
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.enums import Resampling

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.description.tiff_directories import MOST_DIRECTORIES, directories
from detect.imagery.reading import read_window
from detect.imagery.scenes import Scene, SceneError
from tests.imagery.rasters import noise, write_tiff

FRAMES = [Image.fromarray(np.full((40, 60, 3), value, np.uint8)) for value in (10, 100, 200)]

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def told(scene: Scene) -> list[str]:
    return [f"{remark.kind} ({remark.detail})" for remark in scene.remarks]


def test_pages_are_told(tmp_path: Path) -> None:
    small = FRAMES[1].resize((30, 20))
    small.save(tmp_path / "a.tif", save_all=True, append_images=FRAMES)
    scene = open_scene(tmp_path / "a.tif")
    assert scene.shape == (20, 30)
    (text,) = told(scene)
    several = "files of several pages, of which the first alone is looked at"
    assert text.startswith(f"{several}, though a later one is larger (page 1 of 4, 30 x 20; ")
    assert "page 2 is larger, 60 x 40; gdal_translate GTIFF_DIR:2:a.tif page.tif" in text
    assert (read_window(scene, scene.window, (1,)) == 100).all()
    FRAMES[0].save(tmp_path / "b.tif", save_all=True, append_images=[small])
    assert told(open_scene(tmp_path / "b.tif"))[0].startswith(f"{several} (page 1 of 2, 60 x 40; gdal_translate")


@pytest.mark.parametrize("big", [True, False])
def test_overviews_and_masks_are_no_pages(tmp_path: Path, big: bool) -> None:
    path = tmp_path / "a.tif"
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        write_tiff(path, np.kron(noise(), np.ones((1, 8, 8), np.uint8)), tiled=True, BIGTIFF="YES" if big else "NO")
        with rasterio.open(path, "r+") as target:
            target.write_mask(True)
            target.build_overviews([2, 4], Resampling.average)
    with path.open("rb") as file:
        assert sum(1 for _ in directories(file)) >= 4
    assert told(open_scene(path)) == []


def test_the_first_frame_of_an_animation(tmp_path: Path) -> None:
    for name, detail in (("a.gif", "3 frames"), ("a.png", "")):
        FRAMES[0].save(tmp_path / name, save_all=True, append_images=FRAMES[1:])
        scene = open_scene(tmp_path / name)
        assert told(scene) == [f"animations, of which the first frame alone is looked at ({detail})"]
        assert (read_window(scene, scene.window, (1,)) == 10).all()
    FRAMES[0].save(tmp_path / "a.webp", save_all=True, append_images=FRAMES[1:])
    with pytest.raises(SceneError, match=r"a\.webp: an animation"):
        open_scene(tmp_path / "a.webp")
    for name in ("b.gif", "b.png", "b.webp"):
        FRAMES[0].save(tmp_path / name)
        assert told(open_scene(tmp_path / name)) == []


def test_directories_in_a_ring_or_without_an_end(tmp_path: Path) -> None:
    """A directory of no entries at 8 that links to itself, or to the next one, for ever."""
    ring = b"II*\x00" + struct.pack("<IHI", 8, 0, 8)
    (tmp_path / "ring.tif").write_bytes(ring)
    with (tmp_path / "ring.tif").open("rb") as file:
        assert len(list(directories(file))) == 1
    number = MOST_DIRECTORIES + 100
    chain = b"".join(struct.pack("<HI", 0, 8 + 6 * (i + 1)) for i in range(number))
    (tmp_path / "chain.tif").write_bytes(b"II*\x00" + struct.pack("<I", 8) + chain)
    with (tmp_path / "chain.tif").open("rb") as file:
        assert len(list(directories(file))) == MOST_DIRECTORIES


@pytest.mark.parametrize("cut", [0, 3, 8, 9, 12, 30])
@pytest.mark.parametrize("kind", [b"II*\x00", b"MM\x00*", b"II+\x00"])
def test_a_damaged_directory_is_left_out(tmp_path: Path, kind: bytes, cut: int) -> None:
    data = kind + b"\xff" * 60
    (tmp_path / "a.tif").write_bytes(data[:cut])
    with (tmp_path / "a.tif").open("rb") as file:
        assert list(directories(file)) == []

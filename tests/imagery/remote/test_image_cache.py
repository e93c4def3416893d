"""Images at addresses on this machine: described as their files are, kept within a bound, gone with their process."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.shutil import copy

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.remote import image_cache
from detect.imagery.remote.address import Address, Listed
from detect.imagery.remote.image_cache import PREFIX, ImageCache
from detect.imagery.remote.on_hand import on_hand
from detect.imagery.remote.store import StoreError
from detect.imagery.scenes import SceneError

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Returns the address of a file in a folder that stands for a bucket; what is fetched whole is in `whole`."""
    bucket, whole = tmp_path / "bucket", list[str]()
    bucket.mkdir()

    def fetch(address: Address, target: Path) -> None:
        whole.append(address.name)
        target.write_bytes((bucket / address.name).read_bytes())

    monkeypatch.setattr(image_cache, "fetch", fetch)
    monkeypatch.setattr(image_cache, "read_bytes", lambda address, a, b: (bucket / address.name).read_bytes()[a:b])
    monkeypatch.setattr(image_cache, "SMALL_BYTES", 100)

    def address(name: str) -> Address:
        return Address("s3:", "bucket", name).with_facts(Listed((bucket / name).stat().st_size, 0))

    address.bucket, address.whole = bucket, whole
    return address


def noise(height: int = 300, width: int = 400) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def test_a_jpeg_is_described_by_its_beginning_as_the_file_is(stored: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turned by its EXIF; and one with a profile of colours longer than what is read, which is fetched."""
    monkeypatch.setattr(image_cache, "BEGINNING_BYTES", 5_000)
    exif = Image.Exif()
    exif[0x0112] = 6
    noise().save(stored.bucket / "turned.jpg", exif=exif, quality=95)
    noise().save(stored.bucket / "long.jpg", icc_profile=b"\0" * 9_000, quality=95)
    for name, fetched in (("turned.jpg", []), ("long.jpg", ["long.jpg"])):
        here = open_scene(stored.bucket / name)
        there = open_scene(stored(name))
        assert replace(here, path=there.path) == there and here.remarks == there.remarks
        assert stored.whole == fetched
    assert here.shape == (300, 400) and open_scene(stored("turned.jpg")).shape == (400, 300)


def test_a_jpeg_with_a_mask_at_its_end_is_fetched(stored: Any) -> None:
    """GDAL writes the mask after the picture, and its place into the last four bytes."""
    path = stored.bucket / "masked.jpg"
    pixels = np.full((3, 64, 64), 90, np.uint8)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.MemoryFile() as memory:
        with memory.open(driver="GTiff", height=64, width=64, count=3, dtype="uint8") as target:
            target.write(pixels)
            target.write_mask(np.eye(64, dtype=np.uint8) * 255)
        with memory.open() as source:
            copy(source, path, driver="JPEG")
    assert open_scene(path).validity.mask
    assert open_scene(stored("masked.jpg")).validity == open_scene(path).validity
    assert stored.whole == ["masked.jpg"]


def test_no_more_is_kept_than_the_bound_but_for_what_is_open(stored: Any) -> None:
    for name in "abc":
        (stored.bucket / f"{name}.png").write_bytes(bytes(1_000))
    cache = ImageCache(most=2_000)
    with cache.borrowed(stored("a.png"), whole=True) as a:
        for name in "bcb":
            with cache.borrowed(stored(f"{name}.png"), whole=True) as path:
                assert path.stat().st_size == 1_000 and a.exists()
    left = sorted(path.name for path in cache.folder.rglob("*.png"))
    assert left == ["a.png", "b.png"] and stored.whole == ["a.png", "b.png", "c.png", "b.png"]
    cache.close()
    assert not cache.folder.exists()


def test_copies_of_a_killed_process_go_when_the_next_one_begins(tmp_path: Path) -> None:
    code = (
        "import os; from detect.imagery.remote.image_cache import image_cache; "
        "print(image_cache().folder, flush=True); os.kill(os.getpid(), 9)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    left = Path(done.stdout.strip())
    assert left.parent == tmp_path and left.name.startswith(PREFIX) and left.is_dir()
    ending = code.replace("os.kill(os.getpid(), 9)", "0")
    subprocess.run([sys.executable, "-c", ending], env=environment, capture_output=True, check=True)
    assert list(tmp_path.iterdir()) == []


def test_what_the_network_does_to_one_image_is_a_failure_of_that_image(
    stored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(address: Address, target: Path) -> None:
        raise StoreError(f"{address}: cannot be read (ConnectTimeoutError)")

    monkeypatch.setattr(image_cache, "fetch", lost)
    (stored.bucket / "a.png").write_bytes(bytes(1_000))
    with pytest.raises(SceneError, match=r"s3://bucket/a.png: cannot be read \(ConnectTimeoutError\)"):
        open_scene(stored("a.png"))


def test_a_vrt_at_an_address_is_not_read(stored: Any) -> None:
    (stored.bucket / "all.vrt").write_text("<VRTDataset/>")
    with pytest.raises(SceneError, match=r"s3://bucket/all.vrt: a VRT at an address is not read"):
        open_scene(stored("all.vrt"))


def test_errors_name_the_address_and_not_the_copy(stored: Any) -> None:
    (stored.bucket / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    with pytest.raises(SceneError) as error:
        open_scene(stored("cut.png"))
    assert str(error.value).startswith("s3://bucket/cut.png: ") and PREFIX not in str(error.value)
    with on_hand(stored.bucket / "cut.png", whole=True) as same:
        assert same == stored.bucket / "cut.png"

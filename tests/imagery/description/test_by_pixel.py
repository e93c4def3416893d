"""A JPEG's pixels are the same whether GDAL hands them out pixel by pixel or band by band, and so are its errors."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detect.imagery.description import shown
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import SceneReader

MODES = ("RGB", "L", "CMYK")


def read(path: Path) -> np.ndarray | str:
    """Return the pixels of an image, or its error."""
    try:
        scene = open_scene(path)
        with SceneReader(scene, range(1, scene.bands + 1)) as reader:
            reader.hold()
            return reader.read(scene.window)
    except OSError as error:
        return str(error)


@pytest.mark.parametrize("turn", [1, 6])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kept", [1.0, 0.6])
def test_by_pixel_as_by_band(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, turn: int, kept: float
) -> None:
    pixels = np.random.default_rng(turn).integers(0, 256, (21, 34, 3), np.uint8)
    exif = Image.Exif()
    exif[274] = turn
    path = tmp_path / "a.jpg"
    Image.fromarray(pixels).convert(mode).save(path, exif=exif, progressive=turn == 6)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    asked: list[int] = []
    by_pixel = shown.read_by_pixel
    monkeypatch.setattr(shown, "read_by_pixel", lambda *given: (asked.append(given[0].count), by_pixel(*given))[1])
    found = read(path)
    assert asked == ([3] if mode == "RGB" else [])
    monkeypatch.setattr(shown, "MOST_TWICE", 0)
    np.testing.assert_array_equal(found, read(path))
    assert isinstance(found, str) == (kept < 1 or mode == "CMYK")

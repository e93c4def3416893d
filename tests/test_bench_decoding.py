"""Decoders are compared with GDAL: what is the same, what differs and by how much, and what one of them refuses."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools import bench_decoding

pytestmark = pytest.mark.filterwarnings("ignore:The image decoding:DeprecationWarning")


def test_a_png_is_the_same_by_every_decoder_but_for_what_it_is_made_to_be(tmp_path: Path) -> None:
    """A palette is a band of numbers to GDAL, and colours to OpenCV."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    colours, palette = tmp_path / "colours.png", tmp_path / "palette.png"
    Image.fromarray(pixels).save(colours)
    Image.fromarray(pixels).quantize(16).save(palette)
    for found in bench_decoding.compare(colours, list(bench_decoding.DECODERS)).values():
        assert found == {"differ": 0.0, "greatest": 0} and bench_decoding.said(found) == "same"
    assert bench_decoding.house(colours).tolist() == pixels.transpose(2, 0, 1).tolist()
    said = {name: bench_decoding.said(found) for name, found in _compared(palette).items()}
    assert said["pillow"] == "same" and said["opencv"] == "uint8 (3, 20, 30), not uint8 (1, 20, 30)"


def test_the_share_and_the_greatest_of_differences_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of 600 values are others, by 3 and 7; a decoder that fails is named with what it says."""
    path = tmp_path / "grey.png"
    Image.fromarray(np.full((20, 30), 100, np.uint8)).save(path)
    other = np.full((1, 20, 30), 100, np.uint8)
    other[0, 3, 4], other[0, 5, 6] = 103, 93

    def failing(image: Path) -> np.ndarray:
        raise OSError(f"{image} is no image")

    monkeypatch.setattr(bench_decoding, "DECODERS", {"other": lambda _: other, "failing": failing})
    found = _compared(path)
    assert found["other"] == {"differ": 2 / 600, "greatest": 7}
    assert found["failing"] == {"said": "OSError: grey.png is no image"}


def _compared(path: Path) -> dict:
    return bench_decoding.compare(path, list(bench_decoding.DECODERS))

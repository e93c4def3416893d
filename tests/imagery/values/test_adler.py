import zlib

import numpy as np
import pytest

from detect.imagery.values import adler
from detect.imagery.values.adler import StoredBlock, block_sums


def stored_bytes(block: np.ndarray, differences: bool) -> bytes:
    """Values (bands, h, w) pixel by pixel, each less the one before it in its row where that is asked for."""
    values = np.moveaxis(block, 0, -1).copy()
    if differences:
        values[:, 1:] -= values[:, :-1].copy()
    return values.tobytes()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
@pytest.mark.parametrize("differences", [False, True])
@pytest.mark.parametrize(("bands", "apart"), [(1, False), (3, False), (5, False), (3, True)])
@pytest.mark.parametrize("at_once", [1, 700, 1 << 22])
def test_the_sums_of_blocks_are_those_of_zlib(
    monkeypatch: pytest.MonkeyPatch, dtype: str, differences: bool, bands: int, apart: bool, at_once: int
) -> None:
    """Four blocks of 9 x 16, of a larger array, however many are counted at once."""
    monkeypatch.setattr(adler, "COUNTED_BYTES", at_once)
    whole = np.random.default_rng(0).integers(0, 1 << 16, (bands, 20, 80)).astype(dtype)
    pixels = whole[:, 4:13, 7:71]
    found = block_sums(pixels, 4, StoredBlock(9, 16, differences, apart))
    for i in range(4):
        block = pixels[:, :, 16 * i : 16 * i + 16]
        streams = [band[None] for band in block] if apart else [block]
        wanted = [zlib.adler32(stored_bytes(stream, differences)) for stream in streams]
        assert found[:, i].tolist() == wanted


@pytest.mark.parametrize("apart", [False, True])
def test_what_lies_beyond_an_image_is_zero(apart: bool) -> None:
    """Of a block of 8 x 12 pixels the image has 5 x 7."""
    block = np.zeros((2, 8, 12), np.uint8)
    block[:, :5, :7] = np.random.default_rng(0).integers(0, 256, (2, 5, 7))
    wanted = [zlib.adler32(stored_bytes(stream, False)) for stream in (block[:, None] if apart else [block])]
    assert block_sums(block[:, :5, :7], 1, StoredBlock(8, 12, False, apart))[:, 0].tolist() == wanted


def test_the_greatest_sum_is_that_of_zlib() -> None:
    """8 MiB of 255 in one row and in one column: no sum on the way is too large for its type."""
    for shape in ((1, 1, 8 << 20), (1, 8 << 20, 1)):
        values = np.full(shape, 255, np.uint8)
        assert block_sums(values, 1, StoredBlock(*shape[1:], False, False))[0, 0] == zlib.adler32(values)

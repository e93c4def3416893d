"""The size that an image file claims, checked before anything of that size is made."""

from pathlib import Path

from detect.imagery.gdal.drivers import SceneError

GREATEST_SCENE_PIXELS = 10**12
"""Most pixels of a scene: a million squared, more than any camera, scanner or survey has put into one file."""

FREE_PIXELS, PIXELS_PER_BYTE = 2**30, 10**6
"""Pixels that a file of any size may claim, and how many more for each of its bytes.

Honest files can be far smaller than their pixels: deflate reaches 1,032 bytes a byte, LZW about 1,400, ZSTD and LZMA
some 30,000, a blank row of a fax one bit; a TIFF of blocks that were never written keeps 8 bytes a block, some 130,000
pixels a byte. None comes near the bound, and a broken header passes it: 222 bytes may claim 1.3e9 pixels, not 10^16.
"""

WHOLE_PIXELS_PER_BYTE = {"JPEG": 20_000, "PNG": 20_000}
"""The same without free pixels, for formats that are decoded whole and have a bound of their own.

PNG is deflated: 1,032 bytes, of eight pixels at the most, in a byte. JPEG needs a bit for a square of 8 x 8 pixels, or
of 32 x 32 where its colours are sampled as coarsely as they can be.
"""


def check_claim(path: Path, shape: tuple[int, int], driver: str, size: int | None) -> None:
    """Check the size that a file claims, before anything of that size is made.

    Args:
        path: the image.
        shape: (height, width) that it claims.
        driver: GDAL's name of its format.
        size: bytes of the file, or of all the files of a VRT; None where that is not known.

    Raises:
        SceneError: more pixels than `GREATEST_SCENE_PIXELS`, or than a file of its length can hold.
    """
    check_scene_size(path, shape)
    if size is None:
        return
    pixels = shape[0] * shape[1]
    bound = size * WHOLE_PIXELS_PER_BYTE.get(driver, PIXELS_PER_BYTE)
    if pixels > bound + (0 if driver in WHOLE_PIXELS_PER_BYTE else FREE_PIXELS):
        raise SceneError(
            f"{path}: claims {shape[1]:,} x {shape[0]:,} pixels in {size:,} bytes, which no file of its kind can hold; "
            "it is broken, or, if it is not, gdal_translate writes it anew (-co TILED=YES in out.tif)"
        )


def check_scene_size(path: Path, shape: tuple[int, int]) -> None:
    """Check that a scene, as it is or resampled, is not greater than any can be.

    Raises:
        SceneError: more pixels than `GREATEST_SCENE_PIXELS`.
    """
    if shape[0] * shape[1] > GREATEST_SCENE_PIXELS:
        raise SceneError(
            f"{path}: {shape[1]:,} x {shape[0]:,} pixels are more than the greatest scene, "
            f"{GREATEST_SCENE_PIXELS:,} pixels; cut it into parts (gdal_translate -srcwin), or read it more coarsely"
        )

"""Bands side by side are the same bands."""

import numpy as np
import pytest

from detect.samples.varying.interleaved import interleaved, planes_of


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "bool"])
@pytest.mark.parametrize("bands", [1, 2, 3, 4, 7])
def test_an_image_has_the_values_of_its_bands_and_lies_pixel_by_pixel(bands: int, dtype: str) -> None:
    planes = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 200, (bands, 5, 4)).astype(dtype)
    image = interleaved(planes)
    assert image.flags.c_contiguous and image.dtype == planes.dtype
    np.testing.assert_array_equal(image, np.moveaxis(planes, 0, -1))
    np.testing.assert_array_equal(interleaved(planes[:, ::-1, ::2]), image[::-1, ::2])


def test_bands_that_lie_so_are_not_copied() -> None:
    image = np.zeros((5, 4, 3), np.uint8)
    assert np.shares_memory(interleaved(planes_of(image)), image)
    assert planes_of(image).shape == (3, 5, 4)

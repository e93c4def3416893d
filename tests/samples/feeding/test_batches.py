"""A batch is its samples, in the layout that they have."""

import numpy as np
import torch

from detect.samples.feeding.batches import batched


def test_pixels_that_lie_side_by_side_do_so_in_the_batch() -> None:
    """Which needs no copy to become what convolutions in channels-last take."""
    images = [np.random.default_rng(i).integers(0, 255, (6, 4, 3), np.uint8) for i in range(2)]
    pixels, targets = batched([(torch.from_numpy(each).permute(2, 0, 1), {"n": i}) for i, each in enumerate(images)])
    assert pixels.shape == (2, 3, 6, 4) and pixels.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_array_equal(pixels.numpy(), np.stack(images).transpose(0, 3, 1, 2))
    assert targets["n"].tolist() == [0, 1]


def test_other_pixels_are_stacked_band_by_band() -> None:
    one, other = torch.rand(3, 6, 4), torch.rand(6, 4, 3).permute(2, 0, 1)
    pixels, targets = batched([(one, 5), (other, 7)])
    assert pixels.is_contiguous() and torch.equal(pixels, torch.stack([one, other])) and targets.tolist() == [5, 7]

"""Batches of samples whose bands lie in memory as those of the samples do."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.utils.data import default_collate


def batched(samples: Sequence[tuple[Tensor, Any]]) -> Any:
    """Return a batch of pairs of pixels (C, H, W) and a target: of pixels side by side one in channels-last layout."""
    images = [pixels.permute(1, 2, 0) for pixels, _ in samples]
    if not all(image.is_contiguous() for image in images):
        return default_collate(samples)
    pixels, targets = default_collate([(image, sample[1]) for image, sample in zip(images, samples, strict=True)])
    return [pixels.permute(0, 3, 1, 2), targets]

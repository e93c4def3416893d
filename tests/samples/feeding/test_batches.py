"""A batch is its samples, in the layout that they have."""

import pickle
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from detect.samples.feeding import batches
from detect.samples.feeding.batches import batched


def test_pixels_that_lie_side_by_side_do_so_in_the_batch() -> None:
    """Which needs no copy to become what convolutions in channels-last take."""
    images = [np.random.default_rng(i).integers(0, 255, (6, 4, 3), np.uint8) for i in range(2)]
    pixels, targets = batched(
        [(torch.from_numpy(each).permute(2, 0, 1), {"n": torch.tensor(i)}) for i, each in enumerate(images)]
    )
    assert pixels.shape == (2, 3, 6, 4) and pixels.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_array_equal(pixels.numpy(), np.stack(images).transpose(0, 3, 1, 2))
    assert targets["n"].tolist() == [0, 1]


def test_other_pixels_are_stacked_band_by_band() -> None:
    one, other = torch.rand(3, 6, 4), torch.rand(6, 4, 3).permute(2, 0, 1)
    pixels, targets = batched([(one, 5), (other, 7)])
    assert pixels.is_contiguous() and torch.equal(pixels, torch.stack([one, other])) and targets.tolist() == [5, 7]


CELLS = {"weight": torch.rand(2, 3), "label": torch.tensor([[1, 2], [3, 4]]), "lost": torch.tensor(0.5)}


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("target", [3, torch.rand(5), CELLS], ids=["number", "several", "named"])
@pytest.mark.parametrize("beside", [False, True])
def test_a_batch_is_that_of_torch_wherever_it_is_made(
    beside: bool, target: object, elsewhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Types, shapes and values; from another process it comes as one tensor."""
    lies = torch.rand(5, 7, 3).permute(2, 0, 1) if beside else torch.rand(3, 5, 7)
    samples = [(lies, target), (lies + 1, target), (lies - 1, target)]
    wanted = default_collate(samples)
    if elsewhere:
        monkeypatch.setattr(batches, "get_worker_info", lambda: "a worker")
        made = batched(samples)
        assert isinstance(made, batches.OnePiece)
        found = pickle.loads(ForkingPickler.dumps(made))
    else:
        found = batched(samples)
    assert type(found) is list and found[0].is_contiguous(memory_format=torch.channels_last) == beside
    named = target if isinstance(target, dict) else {"": target}
    for name in named:
        pairs = (found[1], wanted[1]) if name == "" else (found[1][name], wanted[1][name])
        assert pairs[0].dtype == pairs[1].dtype and torch.equal(*pairs)
    assert torch.equal(found[0], wanted[0]) and found[0].dtype == wanted[0].dtype
    if elsewhere:
        last = found[1]["lost"] if isinstance(target, dict) else found[1]
        assert last.untyped_storage().data_ptr() == found[0].untyped_storage().data_ptr()

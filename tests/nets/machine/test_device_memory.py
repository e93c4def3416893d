import gc
import logging
import weakref

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.nets.machine.device_memory import InParts, naming_memory, out_of_memory

CPU = torch.device("cpu")


class Small(nn.Module):
    """Doubles tiles, on a device that has memory for so many pixels at once, and remembers what it was asked for."""

    def __init__(self, most_pixels: int, error: Exception) -> None:
        super().__init__()
        self.most_pixels = most_pixels
        self.error = error
        self.sizes: list[int] = []

    def forward(self, tiles: Tensor) -> Tensor:
        self.sizes.append(len(tiles))
        if tiles[:, 0].numel() > self.most_pixels:
            raise self.error
        return 2 * tiles


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: not enough memory"),
        RuntimeError("Exception from src/inference: std::bad_alloc"),
        MemoryError("Unable to allocate 5.00 GiB"),
    ],
)
def test_a_batch_that_does_not_fit_is_run_in_halves_from_then_on(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """7 tiles of 16 pixels where 32 fit: 7, 3 and then 1 are tried, and 1 and 2 of 2 work; two lines tell of it."""
    net = Small(32, error)
    runtime = TorchRuntime(net, CPU)
    tiles = np.random.default_rng(0).integers(0, 100, (7, 1, 4, 4)).astype(np.uint8)
    with caplog.at_level(logging.INFO, "detect"):
        found = runtime(tiles)
        np.testing.assert_array_equal(found, 2.0 * tiles)
        assert net.sizes == [7, 3, 1, 1, 1, 1, 1, 1, 1]
        assert [record.args[1:] for record in caplog.records if record.args] == [(7, 4, 4, 3), (3, 4, 4, 1)]
        net.sizes.clear()
        np.testing.assert_array_equal(runtime(tiles[:2]), 2.0 * tiles[:2])
    assert net.sizes == [1, 1] and len(caplog.records) == 2


def test_later_batches_of_smaller_tiles_have_as_many_pixels() -> None:
    """4 of 8 tiles of 16 pixels work, 64 pixels: of tiles of 4 pixels, 16 at once."""
    net = Small(64, RuntimeError("out of memory"))
    runtime = TorchRuntime(net, CPU)
    runtime(np.ones((8, 1, 4, 4), np.uint8))
    assert net.sizes == [8, 4, 4]
    net.sizes.clear()
    runtime(np.ones((20, 1, 2, 2), np.uint8))
    assert net.sizes == [16, 4]


def test_a_tile_that_does_not_fit_is_an_error_that_names_the_settings() -> None:
    net = Small(15, RuntimeError("out of memory"))
    with pytest.raises(MemoryError, match=r"cpu has no memory for one tile of 4 x 4 pixels.*max_memory.*tile="):
        TorchRuntime(net, CPU)(np.ones((2, 1, 4, 4), np.uint8))
    assert net.sizes == [2, 1]


def test_other_errors_are_not_tried_again() -> None:
    net = Small(0, RuntimeError("size mismatch"))
    with pytest.raises(RuntimeError, match="size mismatch"):
        TorchRuntime(net, CPU)(np.ones((2, 1, 4, 4), np.uint8))
    assert net.sizes == [2]
    assert not out_of_memory(ValueError("out of memory"))
    with pytest.raises(RuntimeError, match="size mismatch"), naming_memory("way out"):
        raise RuntimeError("size mismatch")
    with pytest.raises(MemoryError, match=r"way out \(MPS backend out of memory\)"), naming_memory("way out"):
        raise RuntimeError("MPS backend out of memory\nat some place")


def test_a_runtime_that_is_no_longer_used_is_gone_at_once() -> None:
    """Not when Python collects cycles: that may be in another thread, or in a forked process, and the memory waits."""
    gc.disable()
    try:
        runtime = TorchRuntime(Small(100, RuntimeError()), CPU)
        runtime(np.ones((1, 1, 4, 4), np.uint8))
        gone = weakref.ref(runtime)
        del runtime
        assert gone() is None
    finally:
        gc.enable()


def test_any_runtime_can_be_run_in_parts() -> None:
    def run(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        if len(pixels) > 1:
            raise MemoryError
        return np.asarray(pixels, np.float32)

    tiles = np.arange(12.0).reshape(3, 1, 2, 2)
    np.testing.assert_array_equal(InParts("the device")(run, tiles), tiles)

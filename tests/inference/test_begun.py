"""Which batch is begun when, and that nothing else depends on it."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from detect.inference.run import predict_images
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.nets.card import ModelCard
from detect.nets.machine.device_memory import InParts
from tests.engines import coarse, engine, lively, write
from tests.imagery.rasters import write_tiff
from tests.inference.test_run import Kept


class FarAway:
    """A runtime on the processor that stands for one on a device: it is told of what is begun and what is waited for.

    Args:
        runtime: maps batches.
        broken: number of the batch that fails when it is waited for, from 1; 0 for none.
    """

    overlaps = True

    def __init__(self, runtime: TorchRuntime, broken: int = 0) -> None:
        self.runtime = runtime
        self.broken = broken
        self.events: list[str] = []
        self.number = 0

    def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        return self.begin(pixels)()

    def begin(self, pixels: NDArray[np.generic]) -> Callable[[], NDArray[np.float32]]:
        self.number += 1
        number, held = self.number, pixels.copy()
        self.events.append(f"begin {number}")

        def wait() -> NDArray[np.float32]:
            self.events.append(f"wait {number}")
            if number == self.broken:
                raise MemoryError("no room on the device")
            return self.runtime(held)

        return wait


@pytest.fixture(scope="module")
def model() -> tuple[TorchRuntime, ModelCard]:
    net, card = lively()
    return TorchRuntime(net, torch.device("cpu")), card


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Path]]:
    """Two small ones that share a batch, one cut short, a raster of several tiles, and a last small one."""
    root = tmp_path_factory.mktemp("images")
    for name in ("0.png", "1.png", "2.png", "4.png"):
        write(root / name, 100, 150, int(name[0]))
    (root / "2.png").write_bytes((root / "2.png").read_bytes()[:2000])
    write_tiff(root / "3.tif", np.moveaxis(coarse(400, 500, 3), -1, 0))
    return [(name, root / name) for name in ("0.png", "1.png", "2.png", "3.tif", "4.png")]


def test_the_next_batch_is_begun_before_the_last_one_is_waited_for_and_the_results_are_the_same(
    model: tuple[TorchRuntime, ModelCard], images: list[tuple[str, Path]]
) -> None:
    runtime, card = model
    near, far, away = Kept(), Kept(), FarAway(runtime)
    predict_images(images, engine(card, runtime, 512), near, near)
    predict_images(images, engine(card, away, 512), far, far)
    assert sorted(far.events) == sorted(near.events)
    assert [each for each in far.events if each[0] == "done"] == [each for each in near.events if each[0] == "done"]
    assert far.pixels == near.pixels and far.begun == near.begun
    for name, result in near.results.items():
        np.testing.assert_array_equal(far.results[name].logits, result.logits)
        np.testing.assert_array_equal(far.results[name].detections.xy, result.detections.xy)
    number = away.number
    assert number >= 4
    turns = [event for i in range(2, number + 1) for event in (f"begin {i}", f"wait {i - 1}")]
    assert away.events == ["begin 1", *turns, f"wait {number}"]


def test_a_batch_that_fails_on_the_device_takes_no_earlier_one_with_it(
    model: tuple[TorchRuntime, ModelCard], images: list[tuple[str, Path]]
) -> None:
    """The second batch is begun when the first one, of two images, is not waited for yet."""
    runtime, card = model
    kept, away = Kept(), FarAway(runtime, broken=2)
    with pytest.raises(MemoryError, match="no room"):
        predict_images(images, engine(card, away, 512), kept, kept)
    assert away.events[:3] == ["begin 1", "begin 2", "wait 1"] and away.events[-1] == "wait 2"
    assert kept.begun == ["0.png", "1.png"] and kept.pixels == 2 * 100 * 150


def test_on_the_processor_a_batch_is_mapped_when_it_is_begun(model: tuple[TorchRuntime, ModelCard]) -> None:
    runtime, _ = model
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 64, 96), dtype=np.uint8)
    wanted = runtime(pixels)
    wait = runtime.begin(pixels)
    pixels[:] = 0
    assert not runtime.overlaps
    np.testing.assert_array_equal(wait(), wanted)


class Queue:
    """A queue of a device that stands for CUDA's streams and events: it keeps what is asked of it."""

    def __init__(self, name: str, told: list[str]) -> None:
        self.name, self.told = name, told

    def wait_stream(self, other: "Queue") -> None:
        self.told.append(f"{self.name} waits for {other.name}")

    def record(self, queue: "Queue") -> None:
        self.told.append(f"{self.name} after {queue.name}")

    def synchronize(self) -> None:
        self.told.append(f"until {self.name}")


def on_cuda(monkeypatch: pytest.MonkeyPatch, runtime: TorchRuntime) -> list[str]:
    """Have a runtime on the processor do as on CUDA; return what it asks of the device."""
    told: list[str] = []
    empty = torch.empty
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: Queue("transfers", told))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Queue("network", told))
    monkeypatch.setattr(torch.cuda, "Event", lambda: Queue("done", told))
    monkeypatch.setattr(torch.cuda, "stream", lambda queue: nullcontext(told.append(f"to {queue.name}")))
    monkeypatch.setattr(torch.Tensor, "pin_memory", torch.Tensor.clone)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda tensor, queue: told.append(f"kept for {queue.name}"))
    monkeypatch.setattr(torch, "empty", lambda *sides, dtype, pin_memory: empty(*sides, dtype=dtype))
    monkeypatch.setattr(runtime, "overlaps", True)
    return told


def test_on_cuda_tiles_go_to_the_device_on_a_queue_of_their_own(
    model: tuple[TorchRuntime, ModelCard], monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, _ = model
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 64, 96), dtype=np.uint8)
    wanted = runtime(pixels)
    told = on_cuda(monkeypatch, runtime)
    wait = runtime.begin(pixels)
    begun = ["to transfers", "network waits for transfers", "kept for network", "done after network"]
    assert told == begun
    np.testing.assert_array_equal(wait(), wanted)
    assert told == [*begun, "until done"]


def test_a_batch_without_room_beside_the_last_one_is_run_when_it_is_waited_for(
    model: tuple[TorchRuntime, ModelCard], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device has room for one tile: the second batch is known to be too large before it is tried."""
    runtime, _ = model
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 64, 96), dtype=np.uint8)
    wanted, tried, real = runtime(pixels), [], runtime._mapped
    on_cuda(monkeypatch, runtime)

    def mapped(tiles: torch.Tensor) -> torch.Tensor:
        tried.append(len(tiles))
        if len(tiles) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(tiles)

    monkeypatch.setattr(runtime, "_mapped", mapped)
    monkeypatch.setattr(runtime, "_in_parts", InParts("cuda"))
    wait = runtime.begin(pixels)
    assert tried == [2]
    np.testing.assert_allclose(wait(), wanted, atol=1e-5)
    assert tried == [2, 2, 1, 1]
    np.testing.assert_allclose(runtime.begin(pixels)(), wanted, atol=1e-5)
    assert tried == [2, 2, 1, 1, 1, 1]

import copy
import ctypes
import gc
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from detect.inference.runtimes.openvino_runtime import OpenVinoRuntime, import_openvino, shared_core
from detect.inference.runtimes.signal_stack import SS_DISABLE, Stack, signal_stack
from detect.inference.runtimes.torch_runtime import TorchRuntime, pick_device
from tests.engines import lively
from tests.grids import lively_grid


def test_the_processor_can_always_be_named() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in {"cpu", "cuda", "mps"}


@pytest.mark.parametrize("name", ["abacus", "cuda:97"])
def test_a_device_that_is_not_there_is_an_error_with_a_way_out(name: str) -> None:
    with pytest.raises(ValueError, match=rf"runtime\.device={name} .*auto.*cpu"):
        pick_device(name)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_a_tile_of_any_real_type_goes_through(dtype: str) -> None:
    """A 1 x 1 convolution that adds the bands: 3 + 4, and 1 for the bias."""
    net = nn.Conv2d(2, 1, 1)
    nn.init.ones_(net.weight)
    nn.init.ones_(net.bias)
    tile = np.stack([np.full((5, 4), 3), np.full((5, 4), 4)]).astype(dtype)
    found = TorchRuntime(net, torch.device("cpu"))(np.stack([tile, tile])[:, :, :, ::-1])
    assert found.dtype == np.float32 and found.shape == (2, 1, 5, 4) and (found == 8).all()


def test_the_net_is_run_as_it_was_trained_and_without_gradients() -> None:
    """In training mode batch normalisation would follow the tile, and so depend on it."""
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)).train()
    runtime = TorchRuntime(net, torch.device("cpu"))
    before = net[1].running_mean.clone()
    runtime(np.ones((1, 1, 4, 4), np.uint8))
    assert not net.training and torch.equal(net[1].running_mean, before)


def difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference as a part of the largest logit."""
    assert found.shape == wanted.shape and found.dtype == np.float32
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_openvino_computes_what_torch_computes(dtype: str) -> None:
    """On tiles of other sizes and batches than the one that it is checked on; measured: 1e-6 of the largest logit."""
    net, _ = lively(16, {"int16": "uint16", "float64": "float32"}.get(dtype, dtype))
    rng = np.random.default_rng(1)
    scale = {"uint8": 255, "float32": 1, "float64": 1}.get(dtype, 2600)
    runtime, torch_runtime = OpenVinoRuntime(net, 3, 16, dtype, "32"), TorchRuntime(net, torch.device("cpu"))
    for shape in ((1, 3, 176, 304), (3, 3, 64, 48)):
        pixels = (scale * rng.random(shape)).astype(dtype)
        assert difference(runtime(pixels), torch_runtime(pixels)) < 1e-4


@pytest.mark.parametrize(("deepest", "slots", "size"), [(16, 2, 24.0), (32, 1, None)])
def test_openvino_computes_a_grid_head_as_torch_does(deepest: int, slots: int, size: float | None) -> None:
    """The pyramid's levels are enlarged alike: tiles of other sizes and batches than the one that it is checked on."""
    net, card = lively_grid(size, deepest, slots)
    runtime, torch_runtime = OpenVinoRuntime(net, 3, card.align, "uint8", "32"), TorchRuntime(net, torch.device("cpu"))
    rng = np.random.default_rng(1)
    for shape in ((1, 3, 96, 160), (3, 3, 64, 32)):
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)
        found = runtime(pixels)
        assert found.shape == (shape[0], 5 * slots + 2, shape[2] // 8, shape[3] // 8)
        assert difference(found, torch_runtime(pixels)) < 1e-4


def test_openvino_gives_results_of_their_own() -> None:
    """A map that shared the network's buffer would change with the next tile."""
    net, _ = lively()
    runtime = OpenVinoRuntime(net, 3, 16, "uint8", "32")
    tiles = np.random.default_rng(0).integers(0, 256, (2, 1, 3, 64, 64), dtype=np.uint8)
    first = runtime(tiles[0])
    before = first.copy()
    assert difference(runtime(tiles[1]), before) > 1e-3
    np.testing.assert_array_equal(first, before)
    np.testing.assert_array_equal(runtime(tiles[0][:, :, ::-1][:, :, ::-1]), before)


def test_openvino_maps_batches_one_by_one_while_nobody_waits() -> None:
    """What is begun is as a call's, whatever is waited for first; an error is raised where it is waited for."""
    net, _ = lively()
    runtime = OpenVinoRuntime(net, 3, 16, "uint8", "32")
    tiles = np.random.default_rng(0).integers(0, 256, (4, 2, 3, 64, 96), dtype=np.uint8)
    waits = [runtime.begin(tile) for tile in tiles[:3]]
    broken = runtime.begin(tiles[3][:, :2])
    for tile, wait in reversed(list(zip(tiles, waits, strict=False))):
        np.testing.assert_array_equal(wait(), runtime(tile))
    with pytest.raises(RuntimeError):
        broken()


def test_a_network_is_converted_once_and_then_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is a hash of weights, layers and type, so another net is not taken for it."""
    net, _ = lively()
    tile = np.random.default_rng(0).integers(0, 256, (1, 3, 64, 96), dtype=np.uint8)
    openvino, conversions = import_openvino(), []
    real = openvino.convert_model

    def counted(*arguments: object, **options: object) -> object:
        conversions.append(arguments)
        return real(*arguments, **options)

    monkeypatch.setattr(openvino, "convert_model", counted)
    first = OpenVinoRuntime(net, 3, 16, "uint8", "32", tmp_path)(tile)
    kept = sorted(path.suffix for path in tmp_path.iterdir())
    assert kept == [".bin", ".xml"] and len(conversions) == 1, "what OpenVINO writes itself, others may have mapped"
    second = OpenVinoRuntime(net, 3, 16, "uint8", "32", tmp_path)(tile)
    assert len(conversions) == 1
    np.testing.assert_array_equal(second, first)
    other = copy.deepcopy(net)
    nn.init.zeros_(other.head.bias)
    assert difference(OpenVinoRuntime(other, 3, 16, "uint8", "32", tmp_path)(tile), first) > 1e-2
    assert len(conversions) == 2
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_what_a_killed_run_left_of_the_cache_is_no_trap(tmp_path: Path) -> None:
    """Weights alone, without the file that names them."""
    net, _ = lively()
    tile = np.random.default_rng(0).integers(0, 256, (1, 3, 64, 96), dtype=np.uint8)
    first = OpenVinoRuntime(net, 3, 16, "uint8", "32", tmp_path)(tile)
    for path in tmp_path.glob("*.xml"):
        path.unlink()
    np.testing.assert_array_equal(OpenVinoRuntime(net, 3, 16, "uint8", "32", tmp_path)(tile), first)


def test_usage_statistics_are_never_imported() -> None:
    """Neither by OpenVINO's import nor by a conversion; nothing but a `None`, which stops an import, has their name."""
    OpenVinoRuntime(lively()[0], 3, 16, "uint8", "32")
    assert "openvino" in sys.modules and sys.modules["openvino_telemetry"] is None
    assert not [name for name in sys.modules if name.startswith("openvino_telemetry.")]


class Contrary(nn.Module):
    """Adds 1 in torch alone: what a converter that is wrong would leave out."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("offset", torch.zeros(1, 3, 1, 1))
        self.register_buffer("scale", torch.ones(1, 3, 1, 1))
        self.layer = nn.Conv2d(3, 2, 8, 8)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.layer(pixels.float()) + (0 if torch.jit.is_tracing() else 1000)


def test_a_network_that_openvino_computes_otherwise_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"OpenVINO .*runtime=torch"):
        OpenVinoRuntime(Contrary(), 3, 8, "uint8", "32")


@pytest.mark.parametrize("kind", ["torch", "openvino"])
def test_unknown_precision(kind: str) -> None:
    with pytest.raises(ValueError, match=r"runtime\.precision.*auto.*got 8"):
        if kind == "torch":
            TorchRuntime(nn.Conv2d(1, 1, 1), torch.device("cpu"), "8")
        else:
            OpenVinoRuntime(nn.Conv2d(1, 1, 1), 1, 1, "uint8", "8")


def test_half_the_digits_are_close_and_given_back_in_float32() -> None:
    """A 1 x 1 convolution by one: bf16 keeps 8 bits, so 1 + 1/16 is kept and 257 becomes 256."""
    net = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.ones_(net.weight)
    pixels = np.array([1.0625, 257.0], np.float32).reshape(1, 1, 1, 2)
    for name, wanted in (("32", [1.0625, 257]), ("bf16", [1.0625, 256])):
        found = TorchRuntime(net, torch.device("cpu"), name)(pixels)
        assert found.dtype == np.float32 and found.ravel().tolist() == wanted


@pytest.mark.skipif(sys.platform != "linux", reason="the stack's layout is Linux's")
@pytest.mark.parametrize("size", [1 << 16, 0])
def test_a_thread_keeps_its_signal_stack_when_openvino_is_made(size: int) -> None:
    """OpenVINO's own is of 12 KiB, and Ray's handlers need more: they were called again and again, for ever."""
    room, found = ctypes.create_string_buffer(max(size, 1)), list[Stack | None]()

    def make() -> None:
        given = Stack(ctypes.addressof(room), 0 if size else SS_DISABLE, size)
        assert ctypes.CDLL(None).sigaltstack(ctypes.byref(given), None) == 0
        core = shared_core.__wrapped__()
        found.append(signal_stack())
        del core
        found.append(signal_stack())

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    wanted = (ctypes.addressof(room), 0, size) if size else (None, SS_DISABLE, 0)
    assert [(each.ss_sp, each.ss_flags, each.ss_size) for each in found if each is not None] == [wanted] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="the stack's layout is Linux's")
def test_networks_that_came_and_went_leave_signal_handlers_a_stack() -> None:
    """The first made goes first; without a stack that can be read the next signal would kill the process."""
    net, _ = lively(16)
    first, second = (OpenVinoRuntime(net, 3, 16, "uint8", "32") for _ in range(2))
    del first
    gc.collect()
    del second
    gc.collect()
    stack = signal_stack()
    assert stack is not None
    if stack.ss_sp:
        taken, given = os.pipe()
        try:
            written = ctypes.CDLL(None).write(given, ctypes.c_void_p(stack.ss_sp), stack.ss_size)
            assert written == stack.ss_size
        finally:
            os.close(taken)
            os.close(given)

"""OpenVINO runs a network on tiles, on the CPU."""

import contextlib
import hashlib
import logging
import os
import sys
import warnings
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache as remembered
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from torch import nn

from detect import __version__ as detect_version
from detect.inference.runtimes.signal_stack import signal_stack_kept
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.nets.machine.device_memory import InParts

logger = logging.getLogger(__name__)

MAX_RELATIVE_DIFFERENCE = 1e-3
"""Greatest difference between OpenVINO's and torch's logits in float32, relative to the largest logit."""


DEFAULT_KEPT_PIXELS = 5 << 20
"""Pixels of tiles for which OpenVINO's compiled networks are kept, where no plan sets it."""


NATIVE_DTYPES = ("uint8", "int8", "int16", "int32", "float32")
"""Types of pixels that OpenVINO takes unchanged; others are converted to float32 first."""


COMPARED_SIDE = 128
"""Side in pixels, before it is rounded up to strides, of the tile on which OpenVINO is compared with torch."""


_CPU = torch.device("cpu")


class OpenVinoRuntime:
    """Runs a network on the CPU with OpenVINO, on raw pixels.

    The converted network is kept on disk, named by the hash of its weights (`compile_cache`), so that it is converted
    once. It is compiled for each size of tile (a fixed size runs faster and in less memory than any size), and the
    sizes used last are kept, in memory alone: to compile one takes no longer than to read it, and OpenVINO's own files
    of them are written in place, under the eyes of processes that have them mapped. Its float32 logits are compared
    with torch's on one tile, and a difference beyond `MAX_RELATIVE_DIFFERENCE` is an error.

    Args:
        net: maps (B, bands, H, W) raw pixels to (B, K, h, w), on the CPU.
        bands: number of input bands.
        stride: pixels per cell.
        dtype: numpy name of the pixels' type.
        precision: `32`, `bf16`, or `auto`: bf16 where the processor computes in it.
        cache: folder of converted networks; None converts every time.

    Raises:
        ValueError: unknown precision, or a network whose logits OpenVINO computes differently than torch.
    """

    name = "openvino"
    overlaps = True
    memory_factor = 0.75
    """Peak memory as a multiple of the largest layer's input and output: layers are fused, memory is reused."""

    def __init__(
        self, net: nn.Module, bands: int, stride: int, dtype: str, precision: str, cache: Path | None = None
    ) -> None:
        self.device = _CPU
        self._core = shared_core()
        native = "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision not in ("auto", "32", "bf16"):
            raise ValueError(f"runtime.precision of OpenVINO must be auto, 32 or bf16, got {precision}")
        if precision == "bf16" and not native:
            raise ValueError("runtime.precision=bf16: this processor does not compute in it; take auto or 32")
        net = net.eval().to("cpu")
        self.kept_pixels = DEFAULT_KEPT_PIXELS
        self._dtype = dtype if dtype in NATIVE_DTYPES else "float32"
        self._compiled: OrderedDict[tuple[int, ...], Callable[[Any], Any]] = OrderedDict()
        self.precision = "32"
        self._in_parts = InParts("the CPU")
        self._thread = ThreadPoolExecutor(1, "network")
        stored = None if cache is None else cache / f"{_fingerprint(net, bands, stride, self._dtype)}.xml"
        self._model = None if stored is None else _read_converted(self._core, stored)
        if self._model is None or not self._difference(net, bands, stride) <= MAX_RELATIVE_DIFFERENCE:
            self._model = converted(net, bands, stride, self._dtype)
            self._compiled.clear()
            if stored is not None:
                _save_converted(self._model, stored)
        self.difference = self._difference(net, bands, stride)
        if not self.difference <= MAX_RELATIVE_DIFFERENCE:
            raise ValueError(
                f"OpenVINO and torch disagree about this network (logits differ by {self.difference:.1e} of the "
                "largest); use runtime=torch"
            )
        self.precision = "bf16" if native and precision != "32" else "32"
        self._compiled.clear()

    def _difference(self, net: nn.Module, bands: int, stride: int) -> float:
        """Return how far float32 logits are from torch's on a tile of noise of the normalisation's mean and spread."""
        side = -(-COMPARED_SIDE // stride) * stride
        noise = np.random.default_rng(0).standard_normal((1, bands, side, side + stride))
        offset, scale = (getattr(net, name).cpu().numpy() for name in ("offset", "scale"))
        trial = np.maximum(offset + scale * noise, 0).clip(max=_max_value(self._dtype)).astype(self._dtype)
        return relative_difference(self(trial), TorchRuntime(net, _CPU)(trial))

    def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        """Map a batch (B, bands, H, W) of any real dtype to (B, K, h, w) float32.

        Raises:
            MemoryError: there is no memory for a single tile; a batch that is too large is run in parts.
        """
        return self._in_parts(self._run, pixels)

    def begin(self, pixels: NDArray[np.generic]) -> Callable[[], NDArray[np.float32]]:
        """Begin to map a batch, as a call would, and return what waits for its maps.

        One batch is mapped at a time, in a thread, so that the cores have work while the last one's maps are stitched.
        """
        return self._thread.submit(self, pixels).result

    def _run(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        run = self._compiled.get(pixels.shape)
        if run is None:
            run = self._compile(pixels.shape)
        self._compiled[pixels.shape] = run
        self._compiled.move_to_end(pixels.shape)
        return np.array(run([np.ascontiguousarray(pixels, self._dtype)])[0], np.float32)

    def _compile(self, shape: tuple[int, ...]) -> Callable[[Any], Any]:
        room = self.kept_pixels - shape[0] * shape[2] * shape[3]
        while self._compiled and sum(b * h * w for b, _, h, w in self._compiled) > room:
            self._compiled.popitem(last=False)
        assert self._model is not None
        model = self._model.clone()
        model.reshape(list(shape))
        options = {
            "INFERENCE_PRECISION_HINT": "bf16" if self.precision == "bf16" else "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        request = self._core.compile_model(model, "CPU", options).create_infer_request()
        return partial(request.infer, share_inputs=True)


def _max_value(dtype: str) -> float:
    return float(np.iinfo(dtype).max if np.dtype(dtype).kind in "iu" else np.finfo(dtype).max)


def _fingerprint(net: nn.Module, bands: int, stride: int, dtype: str) -> str:
    """Return a name of a network from its weights, its shape, and the versions of the packages that convert it."""
    facts = (
        str(net),
        getattr(net, "patch_size", None),
        bands,
        stride,
        dtype,
        import_openvino().__version__,
        torch.__version__,
        timm.__version__,
        detect_version,
    )
    digest = hashlib.sha256(repr(facts).encode())
    for name, value in net.state_dict().items():
        digest.update(name.encode() + value.contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]


def _read_converted(core: Any, path: Path) -> Any:
    """Read a network that was converted before; None where there is none, or it is damaged."""
    if not (path.exists() and path.with_suffix(".bin").exists()):
        return None
    try:
        return core.read_model(path)
    except RuntimeError as error:
        logger.debug("%s is damaged (%s): converted again", path, error)
        return None


def converted(net: nn.Module, bands: int, stride: int, dtype: str) -> Any:
    """Convert a network for batches and tiles of any size.

    Raises:
        RuntimeError: OpenVINO cannot.
    """
    openvino = import_openvino()
    side = -(-COMPARED_SIDE // stride) * stride
    example = torch.zeros((2, bands, side, side), dtype=getattr(torch, dtype))
    try:
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = openvino.convert_model(net, example_input=example)
        model.reshape([-1, bands, -1, -1])
    except Exception as error:  # OpenVINO raises bare ones
        raise RuntimeError(f"the network cannot be converted: {error}") from error
    return model


def _save_converted(model: Any, path: Path) -> None:
    """Write a converted network, the weights first, so that a reader finds both or neither; log a failure."""
    part = path.with_name(f".{uuid4().hex}.xml")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        import_openvino().save_model(model, part, compress_to_fp16=False)
        part.with_suffix(".bin").replace(path.with_suffix(".bin"))
        part.replace(path)
    except (OSError, RuntimeError) as error:
        logger.info("the converted network cannot be kept in %s (%s): it is converted in every run", path.parent, error)
    finally:
        for each in (part, part.with_suffix(".bin")):
            with contextlib.suppress(OSError):
                each.unlink(missing_ok=True)


def import_openvino() -> Any:
    """Import OpenVINO without its usage statistics, which it sends at import and at every conversion by default.

    Without the package that sends them, OpenVINO uses a stub.

    Raises:
        ImportError: it is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


@remembered
def shared_core() -> Any:
    """Return the process's one OpenVINO core, which lives as long as the process.

    A core's CPU plugin takes over the thread's alternate signal stack and, when it goes, puts back the one that it
    found: with two cores that go in the order in which they came, that is the first one's, which is gone, and the next
    signal (Ctrl-C, a worker's end) kills the process. While it is there, its own is too small for Ray's handlers, whose
    overflow is a signal again, for ever. So the thread is given back the one that it had.

    Raises:
        ImportError: OpenVINO is not installed.
    """
    with signal_stack_kept():
        core = import_openvino().Core()
        core.get_property("CPU", "FULL_DEVICE_NAME")
    return core


def compile_cache() -> Path | None:
    """Return the user's folder of converted networks, in `$XDG_CACHE_HOME` or `~/.cache`; None without one."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "detect"
    except RuntimeError:
        return None


def relative_difference(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    """Return the largest difference as a part of the largest wanted magnitude."""
    largest = float(np.abs(wanted).max())
    return float(np.abs(found - wanted).max()) / max(largest, 1e-12)

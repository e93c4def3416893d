"""What runs a network."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from detect.assembly.engine import network_runtime
from detect.assembly.engine.network_runtime import make_runtime
from detect.inference.runtimes import openvino_runtime as runtimes
from detect.inference.runtimes.openvino_runtime import OpenVinoRuntime
from detect.inference.runtimes.torch_runtime import TorchRuntime
from tests.assembly.engine.asked import settings
from tests.engines import lively


@pytest.mark.parametrize(
    ("overrides", "kind", "precision"),
    [
        (("runtime=torch", "runtime.device=cpu"), TorchRuntime, "32"),
        (("runtime=torch", "runtime.device=cpu", "runtime.precision=bf16"), TorchRuntime, "bf16"),
        (("runtime=openvino", "runtime.precision='32'"), OpenVinoRuntime, "32"),
        (("runtime=auto", "runtime.device=cpu"), OpenVinoRuntime, None),
        (("runtime=auto", "runtime.device=cpu", "runtime.precision=16"), TorchRuntime, "16"),
    ],
)
def test_the_runtime_is_the_one_asked_for_and_auto_takes_openvino_on_a_cpu(
    overrides: tuple[str, ...], kind: type, precision: str | None
) -> None:
    made = make_runtime(settings(*overrides).runtime, *lively())
    assert type(made) is kind and made.device.type == "cpu"
    assert made.precision == (precision or made.precision) and made.name in ("torch", "openvino")


def missing() -> None:
    raise ImportError("No module named 'openvino'")


def test_without_openvino_torch_runs_the_network_unless_openvino_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runtimes, "import_openvino", missing)
    with caplog.at_level(logging.INFO, "detect"):
        assert isinstance(make_runtime(settings("runtime.device=cpu").runtime, *lively()), TorchRuntime)
    assert "OpenVINO is not installed" in caplog.text
    with pytest.raises(ValueError, match=r"runtime=openvino needs the package openvino .*pip install it"):
        make_runtime(settings("runtime=openvino").runtime, *lively())


def test_a_network_that_openvino_cannot_run_goes_to_torch_unless_openvino_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runtimes, "relative_difference", lambda found, wanted: 0.5)
    with caplog.at_level(logging.WARNING, "detect"):
        assert isinstance(make_runtime(settings("runtime.device=cpu").runtime, *lively()), TorchRuntime)
    assert "differ by 5.0e-01" in caplog.text and "torch runs the network" in caplog.text
    with pytest.raises(ValueError, match="OpenVINO cannot run this network"):
        make_runtime(settings("runtime=openvino").runtime, *lively())


def test_a_model_of_uint16_runs_on_any_runtime(tmp_path: Path) -> None:
    net, card = lively(16, "uint16")
    tile = np.random.default_rng(0).integers(0, 2600, (1, 3, 64, 96)).astype(np.uint16)
    made = make_runtime(settings("runtime.device=cpu", "runtime.precision='32'").runtime, net, card)
    wanted = TorchRuntime(net, torch.device("cpu"))(tile)
    np.testing.assert_allclose(made(tile), wanted, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (("runtime=openvino", "runtime.device=cuda"), "runtime=openvino runs on the CPU, got runtime.device=cuda"),
        (("runtime=torch", "runtime.device=meta"), "runtime.device=meta cannot be used here"),
        (("runtime=openvino", "runtime.precision=16"), "must be auto, 32 or bf16, got 16"),
    ],
)
def test_runtimes_that_cannot_be(override: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if "runtime.device=cuda" in override:  # as if there were one
        monkeypatch.setattr(network_runtime, "pick_device", torch.device)
    with pytest.raises(ValueError, match=message):
        make_runtime(settings(*override).runtime, *lively())

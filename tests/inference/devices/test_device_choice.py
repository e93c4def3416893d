"""Which devices a run takes: all CUDA devices, some of them, or several processes on the CPU."""

from typing import Any

import pytest
import torch

from detect.inference.devices import device_choice
from detect.inference.devices.device_choice import chosen_devices, shared_cores
from detect.inference.runtimes import torch_runtime


@pytest.fixture
def four(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with four CUDA devices and eight cores."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch_runtime, "pick_device", lambda name: torch.device("cuda" if name == "auto" else name))
    monkeypatch.setattr(device_choice, "usable_cores", lambda: 8)


@pytest.mark.parametrize(
    ("device", "devices", "wanted"),
    [
        ("auto", 1, ["auto"]),
        ("auto", "auto", ["cuda:0", "cuda:1", "cuda:2", "cuda:3"]),
        ("cuda", 2, ["cuda:0", "cuda:1"]),
        ("cuda", [3, 1], ["cuda:3", "cuda:1"]),
        ("cuda", [2], ["cuda:2"]),
        ("cuda:2", "auto", ["cuda:2"]),
        ("cpu", "auto", ["cpu"]),
        ("cpu", 2, ["cpu", "cpu"]),
    ],
)
def test_devices_by_their_number_or_their_names(four: None, device: str, devices: Any, wanted: list[str]) -> None:
    assert chosen_devices(device, devices) == wanted


@pytest.mark.parametrize(
    ("device", "devices", "said"),
    [
        ("cuda", 5, r"runtime\.devices=5: there are 4 CUDA devices, 0 to 3"),
        ("cuda", [0, 4], r"\[0,4\]: there are 4"),
        ("cuda", [1, 1], "name each of them once"),
        ("cuda:1", 2, "name no number in one of them"),
        ("cpu", [0, 1], "names CUDA devices"),
        ("cpu", 9, "may use 8 cores"),
        ("cpu", -1, "must be auto, 1 or more"),
        ("mps", 2, "there is one mps here"),
    ],
)
def test_devices_that_are_not_there_are_refused(four: None, device: str, devices: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        chosen_devices(device, devices)


def test_cores_are_shared_out_and_each_is_of_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five cores: two and three; of one core both processes have it."""
    monkeypatch.setattr(device_choice.os, "sched_getaffinity", lambda pid: {1, 2, 3, 5, 7}, raising=False)
    one, two = shared_cores(2)
    assert one is not None and two is not None
    assert one | two == {1, 2, 3, 5, 7} and not one & two and {len(one), len(two)} == {2, 3}
    monkeypatch.setattr(device_choice.os, "sched_getaffinity", lambda pid: {4}, raising=False)
    assert shared_cores(2) == [{4}, {4}]

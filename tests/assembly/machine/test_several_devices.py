"""What each of several processes has of a run's settings."""

import logging
from dataclasses import replace

import pytest

from detect.assembly.engine.network_runtime import check_one_device
from detect.assembly.fields.byte_sizes import byte_size
from detect.assembly.gate import checked_data, inference_defaults
from detect.assembly.machine.several_devices import settings_of_one
from detect.assembly.settings.inference_settings import InferenceSettings


def given(**more: object) -> InferenceSettings:
    """Settings with 4 GiB and 6 threads."""
    made = checked_data(inference_defaults(), InferenceSettings)
    return replace(made, max_memory=byte_size("4GiB"), workers=6, **more)


def test_processes_on_the_cpu_have_their_part_of_the_memory_and_say_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    one = settings_of_one(given(), ["cpu", "cpu"])
    assert (one.max_memory, one.workers, one.runtime.device, one.runtime.devices) == (2 << 30, 3, "cpu", 1)
    assert "each process on the CPU has 2048 MiB of max_memory=4GiB" in caplog.text


def test_a_cuda_device_has_memory_of_its_own_from_which_tiles_follow() -> None:
    one = settings_of_one(given(), ["cuda:0", "cuda:1", "cuda:2"])
    assert (one.max_memory, one.workers, one.runtime.device) == (4 << 30, 6, "cuda:0"), "`Plan.shared` shares the rest"


def test_one_device_has_all() -> None:
    assert settings_of_one(given(), ["cuda:1"]) == replace(
        given(), runtime=replace(given().runtime, device="cuda:1", devices=1)
    )


def test_other_commands_refuse_several_devices() -> None:
    runtime = given().runtime
    check_one_device(replace(runtime, devices="auto"))
    with pytest.raises(ValueError, match=r"runtime\.devices=2: several processes are of detect\.predict alone"):
        check_one_device(replace(runtime, devices=2))

"""What `max_memory=auto` takes, and that a run that goes on keeps what it had."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from detect.assembly.gate import checked_data, inference_defaults
from detect.assembly.machine import run_memory
from detect.assembly.settings.inference_settings import InferenceSettings
from detect.inference.runtimes import torch_runtime
from detect.nets.machine.host_memory import HostMemory
from detect.nets.modelfile import save_model
from tests.commands import Called
from tests.engines import lively, write

GIB = 1 << 30


@pytest.mark.parametrize(
    ("total", "free", "device", "share"),
    [
        (24, 18, None, 8),
        (23.5, 17, None, 6),  # a third of 23.5 is 7.8
        (24, 11, None, 4),  # half of 11 is 5.5
        (7.7, 5, None, 2),
        (1, 0, None, 2),
        (512, 500, None, 128),
        (64, 60, 7, 3),  # a third of 64 is 21.3, half of 7 is 3.5
    ],
)
def test_auto_is_a_third_of_the_memory_and_half_of_what_is_free_by_steps(
    total: float, free: float, device: int | None, share: int
) -> None:
    memory = HostMemory(int(total * GIB), int(free * GIB))
    assert run_memory.share_of(memory, None if device is None else device * GIB) == share * GIB


def settings(memory: str) -> InferenceSettings:
    return checked_data({**inference_defaults(), "max_memory": memory}, InferenceSettings)


def free(monkeypatch: pytest.MonkeyPatch, memory: HostMemory | None) -> None:
    monkeypatch.setattr(run_memory, "host_memory", lambda: memory)


def test_what_was_decided_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    free(monkeypatch, HostMemory(24 * GIB, 18 * GIB))
    made = run_memory.with_memory(settings("auto")).max_memory
    assert made is not None and (made, made.text) == (8 * GIB, "8GiB")
    assert "max_memory=auto: 8 GiB of 24.0 GiB, of which 18.0 are free" in caplog.text
    assert "more than half" not in caplog.text
    free(monkeypatch, HostMemory(24 * GIB, 3 * GIB))
    assert run_memory.with_memory(settings("auto")).max_memory == 2 * GIB
    assert "more than half of what is free: set max_memory lower" in caplog.text
    free(monkeypatch, None)
    assert run_memory.with_memory(settings("auto")).max_memory == 2 * GIB
    assert "2 GiB, as this system does not say" in caplog.text
    assert run_memory.with_memory(settings("300MiB")).max_memory == 300 << 20


def test_the_device_with_least_free_memory_decides_and_those_that_are_not_taken_do_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of devices with 1, 40 and 13 GiB the last two are taken: half of 13 GiB is 6.5; alone the one of 40 gives 16."""
    caplog.set_level("INFO")
    left = {"cuda": 1, "cuda:0": 1, "cuda:1": 40, "cuda:2": 13}
    monkeypatch.setattr(torch_runtime, "pick_device", torch.device)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (left[str(device)] * GIB, 80 * GIB))
    free(monkeypatch, HostMemory(64 * GIB, 60 * GIB))
    assert run_memory.with_memory(settings("auto"), None, ["cuda:1", "cuda:2"]).max_memory == 6 * GIB
    assert "and 13.0 GiB on the device" in caplog.text
    assert run_memory.with_memory(settings("auto"), None, ["cuda:1"]).max_memory == 16 * GIB


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"max_memory": "much"}', '{"max_memory": null}', '{"max_memo'])
def test_settings_of_a_run_that_cannot_be_read_decide_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str
) -> None:
    free(monkeypatch, HostMemory(12 * GIB, 12 * GIB))
    (tmp_path / "settings.json").write_text(content)
    for path in (tmp_path / "settings.json", tmp_path / "none.json"):
        assert run_memory.with_memory(settings("auto"), path).max_memory == 4 * GIB


def test_a_run_that_goes_on_has_the_tiles_that_it_began_with(
    run: Callable[..., Called], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With a halo of less than the receptive field tiles change the last digits of scores: other ones are refused.

    1 MiB less in `max_memory` is another tile; `auto` is that of the run before, however much is free by now.
    """
    (tmp_path / "images").mkdir()
    save_model(tmp_path / "model.safetensors", *lively())
    write(tmp_path / "images/a.png", 100, 150, 0)
    given = [f"model={tmp_path / 'model.safetensors'}", f"images={tmp_path / 'images'}", f"output={tmp_path / 'out'}"]
    given += ["runtime=torch", "halo=16"]
    assert run("predict", *given, "max_memory=33MiB").code == 0
    kept = json.loads((tmp_path / "out/.run/settings.json").read_text())
    assert kept["max_memory"] == "33MiB" and kept["tile_pixels"] > 0
    for memory in (6, 600):
        free(monkeypatch, HostMemory(memory * GIB, memory * GIB))
        write(tmp_path / f"images/{memory}.png", 100, 150, memory)
        done = run("predict", *given)
        assert done.code == 0, done.log
        assert "max_memory=auto: 33MiB, as the run had that is gone on with" in done.log
        assert json.loads((tmp_path / "out/run.json").read_text())["settings"]["max_memory"] == "33MiB"
    assert json.loads((tmp_path / "out/.run/settings.json").read_text()) == kept
    refused = run("predict", *given, "max_memory=32MiB")
    assert refused.code == 2 and "tile_pixels" in refused.log and "max_memory:" not in refused.log
    again = run("predict", *given, "overwrite=true")
    assert again.code == 0 and "max_memory=auto: 192 GiB of 600.0 GiB" in again.log

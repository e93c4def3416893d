"""A worker on another machine counts only where it sees what the run sees, and computes as the run would."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from detect.assembly.machine.checked_start import CheckedStart, checked_start
from detect.inference.runtimes.torch_runtime import TorchRuntime
from tests.engines import engine, lively


@dataclass(frozen=True)
class Start:
    """What makes the station, of which nothing but the engine is looked at."""

    settings: Any
    engine: Any

    def __call__(self) -> Any:
        return SimpleNamespace(engine=self.engine)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CheckedStart]:
    """The run's own start, with paths relative to its working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out/.run").mkdir(parents=True)
    (tmp_path / "model").write_bytes(b"weights")
    settings = SimpleNamespace(output=Path("out"), model=Path("model"), images=Path("images"))
    net, card = lively()
    made = engine(card, TorchRuntime(net, torch.device("cpu"), "32"), tile=300)
    yield checked_start(Start(settings, made), made, Path("out/.run"))  # type: ignore[arg-type]
    os.chdir("/")


def test_a_worker_that_sees_all_counts(start: CheckedStart) -> None:
    os.chdir("/")
    assert start().engine is start.start.engine, "it went to the run's working folder"
    assert [path.name for path in Path("out/.run").iterdir()] == [start.probe.name]


def test_one_that_does_not_see_the_output_folder_or_the_model_names_node_and_path(start: CheckedStart) -> None:
    def said(**other: Any) -> str:
        with pytest.raises(ValueError) as raised:
            replace(start, **other)()
        return str(raised.value)

    elsewhere = said(probe=Path("elsewhere/probe"))
    assert f"node {os.uname().nodename} does not see the output folder" in elsewhere and "elsewhere/probe" in elsewhere
    assert "has another folder by the name output=out" in said(token="other")
    assert "has another model=model" in said(digest="other")
    assert "install the same on all nodes" in said(version="0.0")
    assert "has no folder /gone" in said(here=Path("/gone")) and "to which images is relative" in said(
        here=Path("/gone")
    )
    assert "in bf16 bits" in said(computing=replace(start.computing, precision="bf16"))
    Path("model").unlink()
    assert "does not see the model: No such file or directory: model" in said()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="every folder can be written by this user")
def test_one_that_cannot_write_says_so(start: CheckedStart) -> None:
    Path("out/.run").chmod(0o500)
    with pytest.raises(ValueError, match="cannot write into the output folder: Permission denied"):
        start()
    Path("out/.run").chmod(0o700)

"""Law 7: several processes write the same bytes as one, and any number of them goes on with what another began."""

import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import rasterio
import torch

from detect.imagery.files import part_name
from detect.inference.devices import device_choice
from detect.inference.devices.crew import Crew
from detect.nets.machine.processors import usable_cores
from detect.nets.modelfile import save_model
from detect.reporting.output.products import PRODUCTS
from tests.commands import Called, call
from tests.engines import coarse, lively, write
from tests.laws.test_law_07_resumed_runs import assert_same_run, recorded, until
from tests.zygote import Zygote

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

LOW, HIGH = 0.7, 0.98
"""Thresholds of the two classes: a process that looked by the lower one alone would find more of the other."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model; photographs of which some are read together, a raster of many tiles, and two that are cut short."""
    root = tmp_path_factory.mktemp("root")
    (root / "images").mkdir()
    save_model(root / "model.safetensors", *lively())
    for number in range(6):
        write(root / f"images/{number}.png", 100 if number != 3 else 420, 150, number)
    profile = {"driver": "GTiff", "count": 3, "height": 500, "width": 600, "dtype": "uint8"}
    with rasterio.open(root / "images/a.tif", "w", **profile, tiled=True, blockxsize=128, blockysize=128) as target:
        target.write(np.moveaxis(coarse(500, 600, 3), 2, 0))
    for name in ("b.jpg", "1a.jpg"):
        short = write(root / f"images/{name}", 200, 300, 8)
        short.write_bytes(short.read_bytes()[:3000])
    return root


def given(root: Path, out: Path, *more: str) -> list[str]:
    where = [f"model={root / 'model.safetensors'}", f"images={root / 'images'}", f"output={out}", "runtime=torch"]
    few = ["tile=300", f"threshold={{a: {LOW}, b: {HIGH}}}"]
    return [*where, "runtime.device=cpu", *few, f"write=[{','.join(PRODUCTS)}]", *more]


def count(root: Path, out: Path, *more: str) -> Called:
    return call("predict", *given(root, out, *more))


def test_law_7_two_processes_write_the_files_of_one_and_one_goes_on_with_theirs(
    root: Path, tmp_path: Path, forked: None
) -> None:
    """7 of 9 images are done; then 3 lines of the journal of two processes are taken away, and one counts these."""
    one, two, rest = tmp_path / "one", tmp_path / "two", tmp_path / "rest"
    assert count(root, one, "max_memory=1GiB").code == 3
    with mock.patch.object(device_choice, "usable_cores", lambda: 2):
        done = count(root, two, "runtime.devices=2", "max_memory=1GiB")
    assert done.code == 3 and "2 processes count the images: cpu, cpu" in done.log, done.log
    assert done.log.count("failed and is skipped") == 2 and "each process on the CPU has 512 MiB" in done.log
    assert len(pd.read_csv(one / "detections.csv")) > 20 and len(pd.read_csv(one / "counts.csv")) == 7
    assert count(root, tmp_path / "low", "max_memory=1GiB", f"threshold={LOW}", "write=[tables]").code == 3
    weaker, found = (pd.read_csv(folder / "detections.csv").query("label == 'b'") for folder in (tmp_path / "low", one))
    assert weaker["score"].min() < HIGH <= found["score"].min() and len(weaker) > len(found) > 5
    shutil.copytree(two, rest)
    journal = rest / ".run/journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:4]))
    assert count(root, rest, "max_memory=1GiB").code == 3
    for other in (two, rest):
        assert_same_run(other, one)
        assert (other / ".run/journal.jsonl").read_bytes() == (one / ".run/journal.jsonl").read_bytes()


def test_half_files_of_processes_that_were_ended_go_when_the_run_is_broken_off(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    half = out / "heatmaps" / part_name()

    def interrupted(*given: object) -> int:
        half.parent.mkdir()
        half.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(Crew, "__call__", interrupted)
    monkeypatch.setattr(device_choice, "usable_cores", lambda: 2)
    done = count(root, out, "runtime.devices=2", "max_memory=1GiB")
    assert done.code == 130 and "the same command goes on" in done.log, done.log
    assert not half.exists() and (out / "run.json").exists()


def children(pid: int) -> list[Path]:
    """The processes that a process has started, and that are there."""
    found = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            found += [each.parent] if each.read_text().rpartition(")")[2].split()[1] == str(pid) else []
    return found


@pytest.mark.skipif(sys.platform != "linux" or usable_cores() < 2, reason="two cores, and /proc, are not there")
def test_a_run_of_two_processes_that_a_scheduler_ends_writes_tables_once_and_leaves_no_process(
    root: Path, tmp_path: Path, zygote: Zygote
) -> None:
    """SIGTERM comes to the run and its processes, as to a group."""
    out, log = tmp_path / "out", tmp_path / "log"
    child = zygote.start(log, *given(root, out, "runtime.devices=2", "max_memory=1GiB"))
    until(lambda: recorded(out) >= 1)
    theirs = children(child.pid)
    assert len(theirs) >= 2, "the processes of the run"
    for each in (child.pid, *(int(path.name) for path in theirs)):
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGTERM)
    assert child.wait() == 130, log.read_text()
    told = log.read_text()
    assert told.count("images are done; the same command goes on") == 1 and "stopped with the signal SIGTERM" in told
    assert "Traceback" not in told and (out / "counts.csv").exists() and not list(out.rglob("*.part"))
    until(lambda: not any(path.exists() for path in theirs))
    assert call("predict", *given(root, out, "max_memory=1GiB")).code == 3


def test_a_model_that_takes_the_place_of_the_run_s_is_told_by_a_process_that_starts_later(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first process has started when another net of the same kind is put there, before the second one does."""
    model, started = tmp_path / "model.safetensors", list[object]()
    shutil.copyfile(root / "model.safetensors", model)
    net, card = lively()

    def start_all(crew: Crew, *given: object) -> int:
        for _, start in crew.starts:
            started.append(start())
            with torch.no_grad():
                next(net.parameters()).mul_(2)
            save_model(model, net, card)
        return 0

    monkeypatch.setattr(Crew, "__call__", start_all)
    monkeypatch.setattr(device_choice, "usable_cores", lambda: 2)
    done = count(root, tmp_path / "out", f"model={model}", "runtime.devices=2", "max_memory=1GiB")
    assert len(started) == 1 and done.code == 2, done.log
    assert f"model={model} is another file than when the run began" in done.log and "overwrite=true" in done.log

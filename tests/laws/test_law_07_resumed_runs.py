"""Law 7: a run that was killed and resumed writes the same files as one that was not; so do more workers.

Killed, interrupted, started twice or with other settings, a folder ends right or is refused.
"""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import pytest
import rasterio
import torch
from PIL import Image
from safetensors.torch import load_file

from detect.assembly.engine import ready_engine
from detect.imagery import scratch
from detect.nets.modelfile import save_model
from tests.commands import Called, call
from tests.conftest import SMALL
from tests.engines import coarse, lively, write
from tests.zygote import Child, Zygote

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
KILLED = -signal.SIGKILL
GOOD = ("0.png", "1.png", "2.png", "deep/3.tif", "deep/4.png")
TABLES = ("counts.csv", "detections.csv", "failures.csv", "run.json", "report.html")
SLOW = 0.05
"""Seconds that a run which is killed takes longer for each of its six batches, so that it is not over at once."""
SPEED = ("seconds", "megapixels_per_second", "peak_memory_mib", "worker_hours", "cost")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, *lively())
    return path


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small images that share a batch, a raster of several tiles, one more, and one cut short."""
    root = tmp_path_factory.mktemp("images")
    (root / "deep").mkdir()
    for number in range(3):
        write(root / f"{number}.png", 100, 150, number)
    pixels = np.moveaxis(coarse(260, 300, 3), 2, 0)
    with rasterio.open(root / "deep/3.tif", "w", driver="GTiff", count=3, height=260, width=300, dtype="uint8") as tiff:
        tiff.write(pixels)
    write(root / "deep/4.png", 120, 90, 4)
    whole = write(root / "5.jpg", 200, 200, 5).read_bytes()
    (root / "5.jpg").write_bytes(whole[: len(whole) // 2])
    return root


Command = Callable[..., list[str]]


@pytest.fixture(scope="module")
def command(model: Path, images: Path) -> Command:
    """The overrides of a run into a folder: tiles of 300 pixels, of which 172 are kept, on torch."""

    def made(out: Path, *more: str) -> list[str]:
        return [f"model={model}", f"images={images}", f"output={out}", "runtime=torch", "tile=300", *more]

    return made


@pytest.fixture(scope="module")
def whole(zygote: Zygote, command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    child = zygote.start(folder / "log", *command(folder / "out"), slow=SLOW)
    assert child.wait() == 3, child.log.read_text()  # done, but for the image cut short
    assert list(pd.read_csv(folder / "out/failures.csv")["image"]) == ["5.jpg"]
    assert sorted(pd.read_csv(folder / "out/counts.csv")["image"]) == sorted(GOOD)
    assert len(pd.read_csv(folder / "out/detections.csv")) > 30
    return folder / "out"


def files(folder: Path) -> dict[str, bytes]:
    """Everything that a run leaves for people, by path; what it remembers for itself is in `.run`."""
    paths = [path for path in folder.rglob("*") if path.is_file() and ".run" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def assert_same_run(found: Path, wanted: Path) -> None:
    """Every file has the same bytes, but for speed and memory in run.json; nothing else is there."""
    one, two = files(found), files(wanted)
    assert set(one) == set(two)
    runs = [json.loads(each.pop("run.json")) for each in (one, two)]
    assert {name: value for name, value in runs[0].items() if name not in SPEED} == {
        name: value for name, value in runs[1].items() if name not in SPEED
    }
    assert list(runs[0]) == list(runs[1])
    assert [name for name in one if one[name] != two[name]] == []


def recorded(out: Path) -> int:
    """Images in the journal."""
    journal = out / ".run/journal.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def until(condition: Callable[[], bool], seconds: float = 300.0) -> None:
    """Wait for something to happen."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, "it did not happen"
        time.sleep(0.002)


def ended(zygote: Zygote, out: Path, overrides: list[str]) -> Called:
    """Run to the end; its log lies beside the output folder."""
    log = out.with_suffix(".log")
    log.write_text("")
    return Called(zygote.start(log, *overrides).wait(), log.read_text())


def written(out: Path) -> int:
    """Whole files in a folder, and images in the journal: it grows from the first step of a run to the last."""
    there = sum(1 for path in out.rglob("*") if path.suffix != ".part" and path.is_file()) if out.exists() else 0
    return there + recorded(out)


def over(out: Path) -> bool:
    """Whether a run has written the last of its files."""
    return (out / ".run/facts.json").exists()


def test_law_7_killed_at_twenty_random_moments(zygote: Zygote, command: Command, whole: Path, tmp_path: Path) -> None:
    """Each kills a run that goes on with what is there, when a random share of what is left of its files is written.

    However busy the machine is, the moments are spread over the whole of a run, more of them where it begins; a random
    part of a batch's time comes on top. A run that is done before it is killed is compared, and the next one begins a
    new folder. At least twenty kills hit a process that ran, in more than one phase: nothing there yet, pictures
    without records, some images recorded.
    """
    last = written(whole)
    rng = np.random.default_rng(0)
    phases: list[tuple[int, bool]] = []
    folders = 0
    out, log = tmp_path / "0", tmp_path / "log"
    while len(phases) < 20:
        for share in rng.permutation((np.arange(10) + rng.random(10)) / 10):
            wanted = written(out) + share**3 * (last - written(out))
            child = zygote.start(log, *command(out), slow=SLOW)
            until(lambda: written(out) >= wanted or over(out))  # noqa: B023, it is called here alone
            time.sleep(rng.random() * SLOW)
            child.send(signal.SIGKILL)
            code = child.wait()
            if code == KILLED:
                phases.append((recorded(out), (out / "heatmaps").exists()))
            if code != KILLED or over(out):
                assert code in (KILLED, 3), log.read_text()
                assert_same_run(out, whole)
                folders += 1
                out = tmp_path / str(folders)
    assert ended(zygote, out, command(out)).code == 3
    assert_same_run(out, whole)
    assert len(set(phases)) >= 3, phases
    assert not list(tmp_path.rglob("*.part"))


def die(zygote: Zygote, out: Path, overrides: list[str], numbers: list[int]) -> list[int]:
    """Run and die before the n-th file is moved into place, for each n; the images recorded after each."""
    done = []
    for number in numbers:
        log = out.with_suffix(".log")
        assert zygote.start(log, *overrides, die_at=number).wait() == KILLED, log.read_text()
        assert list(out.rglob(".*.part"))
        done.append(recorded(out))
    return done


def test_law_7_killed_before_a_picture_is_put_into_place(
    zygote: Zygote, command: Command, whole: Path, tmp_path: Path
) -> None:
    """The settings and the first heatmap come first, so the first run dies at an overlay.

    Each next one, with one thread that writes, does one image and dies at the heatmap of the one after.
    """
    out = tmp_path / "out"
    assert die(zygote, out, command(out, "workers=1"), [3, 5, 5, 5, 5]) == [0, 1, 2, 3, 4]
    assert ended(zygote, out, command(out)).code == 3
    assert_same_run(out, whole)
    assert not list(out.rglob("*.part"))


def test_law_7_killed_while_several_threads_write_pictures(
    zygote: Zygote, command: Command, whole: Path, tmp_path: Path
) -> None:
    """Whichever images are recorded by then, what is there in the end is the same.

    Nine pictures may be there before an image is recorded, as four threads take turns: it is killed later and later,
    until there is one.
    """
    out = tmp_path / "out"
    done = die(zygote, out, command(out, "workers=4"), [4, 9, 9])
    while not done[-1] and len(done) < 20:
        done += die(zygote, out, command(out, "workers=4"), [9 + len(done)])
    assert done == sorted(done) and done[-1] > 0
    assert ended(zygote, out, command(out)).code == 3
    assert_same_run(out, whole)
    assert not list(out.rglob("*.part"))


def test_law_7_killed_before_the_settings_or_a_table_are_put_into_place(
    zygote: Zygote, command: Command, whole: Path, tmp_path: Path
) -> None:
    """The first file of all are the settings; with every image done the first seven are the hashes of the tables, the
    four tables, the hash of the report and the report. No table is then taken for one that a person changed."""
    out = tmp_path / "out"
    assert die(zygote, out, command(out), [1]) == [0]
    assert ended(zygote, out, command(out)).code == 3
    assert die(zygote, out, command(out), [1, 2, 5, 6, 7]) == [5, 5, 5, 5, 5]
    assert ended(zygote, out, command(out)).code == 3
    assert_same_run(out, whole)
    assert not list(out.rglob("*.part"))


def test_law_7_a_process_of_its_own_killed_and_gone_on_with(
    zygote: Zygote, command: Command, whole: Path, tmp_path: Path
) -> None:
    """`python -m detect.predict`, killed once an image is recorded, and the same command again."""
    out = tmp_path / "out"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "detect.predict", *command(out, "max_memory=2GiB")],
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    until(lambda: recorded(out) > 0)
    process.kill()
    assert process.wait() == KILLED
    assert 0 < recorded(out) <= len(GOOD) and not (out / "report.html").exists()
    done = ended(zygote, out, command(out))
    assert done.code == 3 and "going on in" in done.log
    assert_same_run(out, whole)


def started(zygote: Zygote, command: Command, out: Path, images: int) -> Child:
    """A slow run that has recorded so many images."""
    child = zygote.start(out.with_suffix(".log"), *command(out), slow=0.25)
    until(lambda: recorded(out) >= images)
    return child


@pytest.mark.parametrize(
    ("number", "how"), [(signal.SIGINT, "by the user"), (signal.SIGTERM, "with the signal SIGTERM")]
)
def test_ctrl_c_and_a_scheduler_end_it_tidily_and_the_same_command_goes_on(
    zygote: Zygote, command: Command, whole: Path, tmp_path: Path, number: int, how: str
) -> None:
    """The three images of the first batch are recorded together; the others are said not to have been looked at."""
    out = tmp_path / "out"
    child = started(zygote, command, out, 1)
    child.send(number)
    assert child.wait() == 130, child.log.read_text()
    log = child.log.read_text()
    assert "the same command goes on" in log and f"stopped {how}" in log and "Traceback" not in log
    counts = pd.read_csv(out / "counts.csv")
    assert list(counts["image"]) == sorted(GOOD)[: len(counts)] and 1 <= len(counts) == recorded(out) < len(GOOD)
    assert len(pd.read_csv(out / "detections.csv")) == counts["total"].sum()
    left = json.loads((out / "run.json").read_text())["notes"][-1]
    assert re.search(r"broken off: \d of 6 images were not looked at", left)
    assert "were not looked at" in (out / "report.html").read_text()
    assert not list(out.rglob("*.part"))
    assert ended(zygote, out, command(out)).code == 3
    assert_same_run(out, whole)


def test_a_second_run_on_the_same_folder_is_refused_and_the_first_is_not_disturbed(
    zygote: Zygote, command: Command, whole: Path, tmp_path: Path
) -> None:
    """With `overwrite` too, which must not remove what the first one writes; after a kill the folder is free again."""
    out = tmp_path / "out"
    first = started(zygote, command, out, 1)
    first.send(signal.SIGSTOP)
    for more in ((), ("overwrite=true",)):
        second = ended(zygote, tmp_path / "second", command(out, *more))
        assert second.code == 2 and "another run is writing there" in second.log
    first.send(signal.SIGCONT)
    assert first.wait() == 3, first.log.read_text()
    assert_same_run(out, whole)
    killed = started(zygote, command, tmp_path / "again", 1)
    killed.send(signal.SIGKILL)
    assert killed.wait() == KILLED
    assert ended(zygote, tmp_path / "again", command(tmp_path / "again")).code == 3


def test_changed_settings_are_refused_with_both_values_and_overwrite_starts_afresh(
    zygote: Zygote, command: Command, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    net, card = lively()
    other = tmp_path / "other.safetensors"
    save_model(other, net, replace(card, separation=48.0))
    digest = json.loads((out / ".run/settings.json").read_text())["model"]
    for more, words in {
        ("threshold=0.7", "tta=flips"): ("threshold: 0.4 then, 0.7 now", "tta: 'none' then, 'flips' now"),
        ("halo=80",): ("halo: 64 then, 80 now",),
        (f"model={other}",): (f"model: '{digest}' then, '",),
    }.items():
        done = ended(zygote, tmp_path / "log", command(out, *more))
        assert done.code == 2 and "overwrite=true" in done.log
        assert all(word in done.log for word in words), done.log
        assert_same_run(out, whole)
    assert ended(zygote, out, command(out, "threshold=0.7", "overwrite=true")).code == 3
    after = pd.read_csv(out / "detections.csv")
    assert after["score"].min() >= 0.7
    assert len(after) == (pd.read_csv(whole / "detections.csv")["score"] >= 0.7).sum() > 0


def test_memory_and_tiles_are_no_settings_of_the_results(
    zygote: Zygote, command: Command, whole: Path, tmp_path: Path
) -> None:
    """A run that ran out of memory may go on with less; nothing that is done is done again."""
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    times = {path: path.stat().st_mtime_ns for path in (out / "heatmaps").rglob("*.tif")}
    done = ended(zygote, out, command(out, "tile=200", "max_memory=1GiB"))
    assert done.code == 3 and "5 of 6 images are done" in done.log
    assert {path: path.stat().st_mtime_ns for path in times} == times and len(times) == 5
    assert (out / "counts.csv").read_bytes() == (whole / "counts.csv").read_bytes()


def test_images_that_came_changed_or_went_since(zygote: Zygote, command: Command, images: Path, tmp_path: Path) -> None:
    """The tables are those of the images that are there: one new, one other than before, one gone, one mended."""
    folder, out, fresh = tmp_path / "images", tmp_path / "out", tmp_path / "fresh"
    folder.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        (folder / name).write_bytes((images / "0.png").read_bytes())
    (folder / "d.jpg").write_bytes((images / "5.jpg").read_bytes())
    assert ended(zygote, out, command(out, f"images={folder}")).code == 3
    kept = (out / "heatmaps/a.png.tif").stat().st_mtime_ns
    (folder / "b.png").write_bytes((images / "1.png").read_bytes())
    (folder / "c.png").unlink()
    Image.open(images / "2.png").save(folder / "d.jpg")
    (folder / "e.png").write_bytes((images / "2.png").read_bytes())
    assert ended(zygote, out, command(out, f"images={folder}")).code == 0
    assert ended(zygote, fresh, command(fresh, f"images={folder}")).code == 0
    assert list(pd.read_csv(out / "counts.csv")["image"]) == ["a.png", "b.png", "d.jpg", "e.png"]
    for name in ("counts.csv", "detections.csv", "failures.csv"):
        assert (out / name).read_bytes() == (fresh / name).read_bytes()
    assert (out / "heatmaps/a.png.tif").stat().st_mtime_ns == kept


def test_law_7_a_full_disk_stops_a_run_tidily_and_the_same_command_goes_on(
    command: Command, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every map goes to a file here; the disk has no room for that of the raster of several tiles."""
    out = tmp_path / "out"
    real = ready_engine.make_plan
    monkeypatch.setattr(ready_engine, "make_plan", lambda *given: replace(real(*given), stitched=0))
    reserve = scratch.reserve

    def full(file: IO[bytes], nbytes: int) -> None:
        if nbytes == 17 * 19 * 3 * 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        reserve(file, nbytes)

    with monkeypatch.context() as patch:
        patch.setattr(scratch, "reserve", full)
        stopped = call("predict", *command(out))
    assert stopped.code == 2 and "Traceback" not in stopped.log
    assert f"no room in {out / '.run'}: the map of deep/3.tif needs 1 MiB" in stopped.log
    done = sorted(pd.read_csv(out / "counts.csv")["image"])
    assert 0 < len(done) < len(GOOD) and "deep/3.tif" not in done
    assert call("predict", *command(out)).code == 3
    assert_same_run(out, whole)


@pytest.mark.parametrize("name", ["heatmaps/1.png.tif", "overlays/1.png.jpg", "counts.csv"])
def test_law_7_a_disk_that_is_full_after_a_file_stops_the_run(
    name: str, command: Command, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow does not tell of a full disk: half a picture would be kept, and GDAL's error would be the image's."""
    out = tmp_path / "out"

    def check(path: Path, error: BaseException | None = None) -> None:
        if path == out / name:
            raise scratch.NoRoomError(errno.ENOSPC, f"no room in {path.parent} for the whole of {path.name}")

    with monkeypatch.context() as patch:
        patch.setattr("detect.imagery.files.check_room", check)
        stopped = call("predict", *command(out))
    assert stopped.code == 2 and "no room in" in stopped.log and "Traceback" not in stopped.log
    assert not (out / name).exists()
    assert call("predict", *command(out)).code == 3
    assert_same_run(out, whole)


def test_law_7_more_workers_train_the_same_model(planted: Path, tmp_path: Path) -> None:
    """Samples are augmented by processes of any number; weights and scores are the same to the last bit."""
    for workers in (0, 2):
        given = [
            f"data.root={planted}",
            f"data.annotations={planted / 'points.csv'}",
            f"output={tmp_path / str(workers)}",
        ]
        loading = [
            f"data.loading.workers={workers}",
            "augment=heavy",
            *SMALL,
            "data.sampling.samples=32",
            "trainer.max_epochs=1",
        ]
        done = call("train", *given, *loading)
        assert done.code == 0, done.log
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("0", "2"))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert pd.read_csv(tmp_path / "0/metrics.csv").equals(pd.read_csv(tmp_path / "2/metrics.csv"))

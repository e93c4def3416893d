"""Law 7: workers on a cluster write the same bytes as one process, whatever node or process is lost in between.

The cluster is of two nodes of this machine; what is lost but does not count needs no network, and so takes stands.
"""

import fcntl
import json
import logging
import os
import re
import signal
import sys
import threading
import time
import types
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ray")

from detect.inference.cluster.ray_cluster import connected
from detect.inference.cluster.ray_hands import RayActors
from detect.inference.cluster.station_actor import StationActor
from detect.inference.devices import pace, shift, silence
from detect.inference.devices.crew import Crew
from detect.inference.devices.shift import Shift
from detect.inference.devices.tasks import Found
from detect.nets.modelfile import save_model
from detect.reporting.output.prediction_folder import PredictionFolder
from detect.reporting.output.products import PRODUCTS
from tests.commands import LostError, call
from tests.engines import coarse, lively, write
from tests.imagery.rasters import write_tiff
from tests.inference.cluster.clusters import NODE, two_nodes
from tests.inference.devices.stands import Image, Stand
from tests.inference.devices.test_crew import Kept
from tests.laws.test_law_07_resumed_runs import assert_same_run, ended, recorded, until
from tests.object_store import keys, upload
from tests.test_predict_at_addresses import assert_same, gathered
from tests.zygote import Child, Zygote

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
PRICE = 36.0
"""Of a worker's hour: a hundredth a second."""


@pytest.fixture(scope="module")
def cluster(store: Any) -> Iterator[Any]:
    """A cluster of two nodes with a worker each."""
    with two_nodes() as started:
        yield started


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, 40 photographs of which some are read together, a broken one, and what one process writes of them."""
    root = tmp_path_factory.mktemp("root")
    (root / "images").mkdir()
    save_model(root / "model.safetensors", *lively())
    for number in range(40):
        write(root / f"images/{number:02}.png", 170 if number % 13 else 500, 190, number)
    (root / "images/broken.jpg").write_bytes(b"no picture")
    assert call("predict", *given(root, root / "one")).code == 3
    return root


def given(root: Path, out: Path) -> list[str]:
    where = [f"model={root / 'model.safetensors'}", f"images={root / 'images'}", f"output={out}"]
    how = ["runtime=torch", "runtime.device=cpu", "tile=300", "max_memory=1GiB", f"launcher.price_per_hour={PRICE}"]
    return [*where, *how, f"write=[{','.join(PRODUCTS)}]"]


def on_cluster(root: Path, out: Path, cluster: Any) -> list[str]:
    return [*given(root, out), "launcher=ray", f"launcher.address={cluster.address}"]


def workers() -> list[Path]:
    """Processes of workers; Ray gives them the actor's name."""
    names = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            names[path.parent] = path.read_bytes()
        except OSError:
            continue
    return [path for path, name in names.items() if name.startswith(f"ray::{StationActor.__name__}".encode())]


def test_law_7_workers_of_a_cluster_write_the_files_of_one_process_though_a_node_is_lost(
    root: Path, tmp_path: Path, cluster: Any, zygote: Zygote
) -> None:
    """A node goes as soon as an image is recorded, with the tasks of its worker, for which there is no other place."""
    out, log = tmp_path / "out", tmp_path / "out.log"
    child = zygote.start(log, *on_cluster(root, out, cluster))
    until(lambda: recorded(out) >= 1)
    cluster.remove_node(next(iter(cluster.worker_nodes)))
    assert child.wait() == 3, log.read_text()
    cluster.add_node(**NODE)
    assert "its node has died" in log.read_text() and recorded(out) == 40, log.read_text()
    assert_same_run(out, root / "one")
    told = json.loads((out / "run.json").read_text())
    assert told["cost"] == pytest.approx(PRICE * told["worker_hours"], abs=1e-3) and told["cost"] > 0
    until(lambda: not workers())


def test_law_7_a_run_on_a_cluster_goes_on_after_its_own_process_was_killed(
    root: Path, tmp_path: Path, cluster: Any, zygote: Zygote
) -> None:
    out, log = tmp_path / "out", tmp_path / "out.log"
    child = zygote.start(log, *on_cluster(root, out, cluster), "launcher.workers=1")
    until(lambda: recorded(out) >= 1)
    child.send(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    until(lambda: not workers())
    assert recorded(out) < 40
    done = ended(zygote, out, [*on_cluster(root, out, cluster), "launcher.workers=1"])
    assert done.code == 3 and "going on in" in done.log, done.log
    assert_same_run(out, root / "one")


def of_own_cluster(child: Child) -> list[str]:
    """Processes of the cluster that a run has started: they write logs below a folder that is named by its number."""
    mark, found = re.compile(rf"/session_[^/]*_{child.pid}/"), set()
    for opened in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if mark.search(str(opened.readlink())):
                found.add(opened.parts[2])
    return sorted(found - {str(child.pid)})


def test_law_7_a_run_with_a_cluster_of_its_own_that_a_scheduler_ends_leaves_no_process_and_the_next_one_goes_on(
    root: Path, tmp_path: Path, zygote: Zygote
) -> None:
    """By SIGTERM it ends as by Ctrl-C, with the tables of what is done; a cluster that is there is not asked."""
    out = tmp_path / "out"
    own = [*given(root, out), "launcher=ray", "launcher.address=null", "launcher.workers=1"]
    child = zygote.start(tmp_path / "log", *own)
    until(lambda: recorded(out) >= 1)
    assert len(of_own_cluster(child)) >= 3, "a server of the cluster, one of the node, and a worker"
    child.send(signal.SIGTERM)
    assert child.wait() == 130, child.log.read_text()
    assert "the same command goes on" in child.log.read_text() and "with the signal SIGTERM" in child.log.read_text()
    until(lambda: not of_own_cluster(child))
    assert recorded(out) < 40 and (out / "counts.csv").exists()
    done = ended(zygote, out, own)
    assert done.code == 3 and "going on in" in done.log, done.log
    assert_same_run(out, root / "one")


@pytest.fixture(scope="module")
def wide(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raster, a photograph and a broken one, and what one process writes of them, which has the raster at once.

    The raster is of 5 x 5 tiles, with a corner that is not there: 6.9 MiB, beyond the 6.25 that would be held whole.
    """
    wide = tmp_path_factory.mktemp("wide")
    (wide / "images").mkdir()
    pixels = np.moveaxis(coarse(1500, 1600, 3, 40), 2, 0).copy()
    pixels[:, :500, 1100:] = 0
    shape = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate"}
    write_tiff(wide / "images/large.tif", pixels, nodata=0, **shape)
    write(wide / "images/a.png", 300, 190, 1)
    (wide / "images/broken.jpg").write_bytes(b"no picture")
    done = call("predict", *given(root, wide / "one"), *less(wide))
    assert done.code == 3 and "strips" not in done.log, done.log
    return wide


def less(wide: Path) -> list[str]:
    return [f"images={wide / 'images'}", "tile=450", "max_memory=100MiB"]


def test_law_7_workers_share_a_raster_in_strips_though_one_stands_still(
    root: Path, wide: Path, tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first worker that has found a strip is stopped with the next ones, which the other one counts too."""
    monkeypatch.setattr(pace, "LEAST_SECONDS", 0.5)
    monkeypatch.setattr(shift, "WAKE_SECONDS", 0.2)
    tell, stopped = Shift._tell, list[int]()

    def tell_and_stop(at_work: Shift, hand: Any, key: Any, event: Any) -> None:
        tell(at_work, hand, key, event)
        if isinstance(event, Found) and not stopped:
            import ray

            stopped.append(ray.get(hand.actor.__ray_call__.remote(lambda actor: os.getpid())))
            os.kill(stopped[0], signal.SIGSTOP)

    monkeypatch.setattr(Shift, "_tell", tell_and_stop)
    done = call("predict", *on_cluster(root, tmp_path / "shared", cluster), *less(wide))
    assert done.code == 3 and "large.tif is counted in 25 strips" in done.log, done.log
    assert "2 processes count the images" in done.log and "another one was faster with large.tif" in done.log, done.log
    assert_same_run(tmp_path / "shared", wide / "one")
    assert not (tmp_path / "shared/.run/strips").exists()
    until(lambda: not workers())


def test_law_7_workers_with_no_folder_in_common_read_from_an_address_and_write_to_one(
    root: Path, wide: Path, tmp_path: Path, cluster: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mirror of the output has a name that this process alone can follow, as on a machine of its own.

    It is lost when the strips are found; the same command goes on with those.
    """
    upload(store, wide / "images", "survey", "flight")
    opened = os.open(tmp_path, os.O_RDONLY)
    own = fcntl.fcntl(opened, fcntl.F_DUPFD, 500)
    monkeypatch.setenv("XDG_CACHE_HOME", f"/proc/self/fd/{own}/cache")
    where = [
        *on_cluster(root, tmp_path, cluster),
        *less(wide),
        "model=s3://survey/model.safetensors",
        "images=s3://survey/flight",
        "output=s3://survey/counts",
    ]

    def lost(*given: object) -> None:
        raise LostError

    store.upload_file(str(root / "model.safetensors"), "survey", "model.safetensors")
    with monkeypatch.context() as patch:
        patch.setattr(PredictionFolder, "keep", lambda self, name, kept: lost() if name == "large.tif" else None)
        with pytest.raises(LostError):
            call("predict", *where)
    strips = [key for key in keys(store, "survey", "counts") if key.startswith(".run/strips/")]
    assert len(strips) == 25
    store.delete_object(Bucket="survey", Key=f"counts/{strips[7]}")
    done = call("predict", *where)
    os.close(own)
    os.close(opened)
    assert done.code == 3 and "counted in 25 strips, of which 24 are there" in done.log, done.log
    assert not [key for key in keys(store, "survey", "counts") if key.startswith((".run/strips", ".run/probe"))]
    assert_same(gathered(store, "counts", tmp_path / "found"), wide / "one", wide)


@pytest.fixture(scope="module")
def connection(cluster: Any) -> Iterator[Any]:
    """The cluster, with this process as one that has runs there."""
    with connected(cluster.address):
        yield cluster


def counted(folder: Path, kept: Kept, *units: tuple[str, ...], workers: int = 2) -> int:
    folder.mkdir(exist_ok=True)
    kept.folder = folder
    stand = Stand(folder)
    starts = [(f"worker {each + 1}", stand) for each in range(workers)]
    crew = Crew(starts, kept, [None] * workers, hiring=RayActors({"num_cpus": 1}, 1))
    return crew([[Image(name) for name in unit] for unit in units], kept, kept.fail)


def test_every_image_is_recorded_in_its_order_whatever_is_killed(
    connection: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As of processes: `once` takes one worker with it, `killer` two, and is a failure then."""
    caplog.set_level(logging.INFO)
    kept = Kept("done")
    units = [("slow0", "done"), ("once1", "x1"), ("bad2", "x2"), ("y3", "killer3"), ("z4",), ("z5",)]
    assert counted(tmp_path, kept, *units) == 800
    assert kept.names == ["slow0", "once1", "x1", "x2", "y3", "z4", "z5"]
    assert [failure.name for failure in kept.failed] == ["bad2", "killer3"]
    assert "ended, twice" in kept.failed[1].error and kept.pixels == 900, kept.failed
    assert "2 processes count the images: worker 1, worker 2" in caplog.text


def test_the_tasks_of_a_node_that_is_lost_are_given_again_without_blame(
    connection: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of three nodes two are lost, one after the other; for the second no other joins, and one worker does the rest.

    No image fails, though some may have been with both.
    """
    kept = Kept()
    connection.add_node(**NODE)
    nodes = list(connection.worker_nodes)

    def lose() -> None:
        for node, done in zip(nodes, (3, 12), strict=True):
            while len(kept.names) < done:
                time.sleep(0.02)
            connection.remove_node(node)

    losing = threading.Thread(target=lose)
    losing.start()
    names = [f"slow{each}" for each in range(24)]
    assert counted(tmp_path, kept, *((name,) for name in names)) == 2400
    losing.join()
    connection.add_node(**NODE)
    assert kept.names == names and not kept.failed and "its node has died" in caplog.text


def test_a_worker_that_hangs_is_ended_and_its_task_given_again(
    connection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The only worker hangs with `stuck`, by a clock that is an hour ahead then; the one in its place does not."""

    def an_hour_ahead() -> float:
        hangs = (tmp_path / "stuck1").exists() and "ended (silence" not in caplog.text
        return time.monotonic() + (3600 if hangs else 0)

    monkeypatch.setattr(silence, "time", types.SimpleNamespace(monotonic=an_hour_ahead))
    monkeypatch.setattr(shift, "WAKE_SECONDS", 0.2)
    kept = Kept()
    hiring = RayActors({"num_cpus": 1}, 1)
    crew = Crew([("worker 1", Stand(tmp_path))], kept, [None], hiring=hiring, silent_seconds=1800)
    assert crew([[Image(name)] for name in ("a", "stuck1", "c")], kept, kept.fail) == 300
    assert kept.names == ["a", "stuck1", "c"] and not kept.failed and kept.pixels == 300
    assert "ended (silence for 30 minutes, launcher.silent_minutes) while it counted" in caplog.text
    until(lambda: not workers())


def test_a_node_on_which_no_worker_can_start_is_left_out_while_others_count(
    connection: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The second worker cannot start; it is not tried again on its node, and there is no other one."""
    (tmp_path / "single").mkdir()
    kept, names = Kept(), [f"slow{each}" for each in range(20)]
    assert counted(tmp_path / "single", kept, *((name,) for name in names)) == 2000
    assert kept.names == names and caplog.text.count("another one has started before") == 1


def test_ctrl_c_leaves_no_worker(connection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*given: object) -> None:
        assert workers()
        raise KeyboardInterrupt

    kept = Kept()
    monkeypatch.setattr(kept, "keep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        counted(tmp_path, kept, ("a",), ("slow1",), ("slow2",))
    until(lambda: not workers())


def test_an_error_of_the_run_ends_it(connection: Any, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        counted(tmp_path, Kept(), ("a",), ("error1",), ("c",), workers=1)


def test_a_worker_that_cannot_work_says_why(connection: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no such device"):
        counted(tmp_path / "unusable", Kept(), ("a",), workers=1)


def test_a_node_with_another_version_of_what_is_sent_says_so(connection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start of a module that this process alone has, as one of a newer version would be."""
    newer = types.ModuleType("newer")
    newer.Start = type("Start", (), {"__module__": "newer", "__qualname__": "Start"})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "newer", newer)
    crew = Crew([("worker 1", newer.Start())], Kept(), [None], hiring=RayActors({"num_cpus": 1}, 1))  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match=r"cannot read what the run sends .*newer.*install the same detect"):
        crew([[Image("a")]], Kept(), Kept().fail)  # type: ignore[list-item]

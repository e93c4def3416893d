"""Law 7: workers on a cluster write the same bytes as one process, whatever node or process is lost in between."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from detect.inference.cluster.station_actor import StationActor
from detect.nets.modelfile import save_model
from detect.reporting.output.products import PRODUCTS
from tests.commands import call
from tests.engines import lively, write
from tests.inference.cluster.clusters import one_worker_node, two_nodes
from tests.laws.test_law_07_resumed_runs import assert_same_run, ended, recorded, until
from tests.zygote import Zygote

pytest.importorskip("ray")
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
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
        write(root / f"images/{number:02}.png", 300 if number % 9 else 700, 420, number)
    (root / "images/broken.jpg").write_bytes(b"no picture")
    assert call("predict", *given(root, root / "one"), "max_memory=1GiB").code == 3
    return root


def given(root: Path, out: Path) -> list[str]:
    where = [f"model={root / 'model.safetensors'}", f"images={root / 'images'}", f"output={out}"]
    return [*where, "runtime=torch", "runtime.device=cpu", "tile=300", f"write=[{','.join(PRODUCTS)}]"]


def on_cluster(root: Path, out: Path, cluster: Any) -> list[str]:
    return [*given(root, out), "max_memory=1GiB", "launcher=ray", f"launcher.address={cluster.address}"]


def actors() -> list[Path]:
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
    """A node goes as soon as two images are recorded, with the tasks of its worker; another joins the cluster."""
    out, log = tmp_path / "out", tmp_path / "out.log"
    child = zygote.start(log, *on_cluster(root, out, cluster))
    until(lambda: recorded(out) >= 2)
    cluster.remove_node(next(iter(cluster.worker_nodes)))
    cluster.add_node(**one_worker_node())
    assert child.wait() == 3, log.read_text()
    assert "while it counted" in log.read_text() and recorded(out) == 40, log.read_text()
    assert_same_run(out, root / "one")
    assert not actors()


def test_law_7_a_run_on_a_cluster_goes_on_after_its_own_process_was_killed(
    root: Path, tmp_path: Path, cluster: Any, zygote: Zygote
) -> None:
    """Ctrl-C first, then a kill, each in mid-run: no worker is left, and the same command goes on."""
    out, log = tmp_path / "out", tmp_path / "out.log"
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        before = recorded(out)
        child = zygote.start(log, *on_cluster(root, out, cluster), "launcher.workers=1", "launcher.price_per_hour=36")
        until(lambda before=before: recorded(out) >= before + 2)
        child.send(number)
        assert child.wait() == code, log.read_text()
        until(lambda: not actors())
        if code == 130:
            told = json.loads((out / "run.json").read_text())
            assert told["cost"] == pytest.approx(36 * told["worker_hours"], abs=1e-4) and told["cost"] > 0
    assert 4 <= recorded(out) < 40
    done = ended(zygote, out, [*on_cluster(root, out, cluster)])
    assert done.code == 3 and "going on in" in done.log, done.log
    assert_same_run(out, root / "one")

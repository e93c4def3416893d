"""Workers on a cluster of two nodes: everything is recorded once, in its order, whoever and whatever is lost."""

import logging
import re
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from detect.inference.cluster.ray_cluster import Needs, connected, nodes_of
from detect.inference.cluster.station_actor import Greeting
from detect.inference.devices.crew import Crew
from tests.inference.cluster.clusters import one_worker_node, two_nodes
from tests.inference.devices.stands import Image, Stand
from tests.inference.devices.test_crew import Kept

pytest.importorskip("ray")

from detect.inference.cluster.ray_hands import MachineCores, RayActors


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster of two nodes with a worker each."""
    with two_nodes() as started, connected(started.address):
        yield started


def counted(folder: Path, kept: Kept, *units: tuple[str, ...], workers: int = 2) -> int:
    stand = Stand(folder)
    starts = [(f"worker {each + 1}", stand) for each in range(workers)]
    crew = Crew(starts, kept, [None] * workers, hiring=RayActors({"num_cpus": 1}, 1))
    return crew([[Image(name) for name in unit] for unit in units], kept, kept.fail)


@pytest.mark.parametrize("address", ["127.0.0.1:9", "auto"])
def test_a_cluster_that_is_not_there_is_told_at_once_with_the_way_to_one(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    said = rf"launcher\.address={re.escape(address)}: no Ray cluster .*Connection refused.*ray start --head"
    with pytest.raises(ValueError, match=said), connected(address):
        pass


def test_without_ray_the_package_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"pip install 'detect\[ray\]'"), connected(None):
        pass


def test_every_image_is_recorded_in_its_order_whatever_is_killed(
    cluster: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As of processes: `once` takes one worker with it, `killer` two, and is a failure then."""
    caplog.set_level(logging.INFO)
    kept = Kept("done")
    units = [("slow0", "done"), ("once1", "x1"), ("bad2", "x2"), ("y3", "killer3"), ("z4",), ("z5",)]
    assert counted(tmp_path, kept, *units) == 800
    assert kept.names == ["slow0", "once1", "x1", "x2", "y3", "z4", "z5"]
    assert [failure.name for failure in kept.failed] == ["bad2", "killer3"]
    assert "ended, twice" in kept.failed[1].error and kept.pixels == 800, kept.failed
    assert "2 processes count the images: worker 1, worker 2" in caplog.text


def test_the_tasks_of_a_node_that_is_lost_are_given_again_without_blame(
    cluster: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of three nodes two are lost, one after the other; for the second there is no other, and one worker does the rest.

    No image fails, though some may have been with both.
    """
    kept = Kept()
    nodes = list(cluster.worker_nodes)
    cluster.add_node(**one_worker_node())

    def lose() -> None:
        for node, done in zip(nodes, (3, 12), strict=True):
            while len(kept.names) < done:
                time.sleep(0.02)
            cluster.remove_node(node)

    losing = threading.Thread(target=lose)
    losing.start()
    names = [f"slow{each}" for each in range(24)]
    assert counted(tmp_path, kept, *((name,) for name in names)) == 2400
    losing.join()
    cluster.add_node(**one_worker_node())
    assert kept.names == names and not kept.failed and "its node has died" in caplog.text


def test_an_error_of_the_run_ends_it(cluster: Any, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        counted(tmp_path, Kept(), ("a",), ("error1",), ("c",), workers=1)


def test_a_worker_that_cannot_work_says_why(cluster: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no such device"):
        counted(tmp_path / "unusable", Kept(), ("a",), workers=1)


def test_workers_of_a_machine_have_cores_of_their_own_whatever_node_they_are_on() -> None:
    """Of cores 4 to 8, two workers with two each have four; a third has all, and a freed place is taken again."""
    cores, one, two = MachineCores(2), object(), object()
    here = Greeting("node 1", "host", "boot", (4, 5, 6, 7, 8))
    there = Greeting("node 2", "host", "boot", (4, 5, 6, 7, 8))
    assert cores.take(one, here) == {4, 5} and cores.take(two, there) == {6, 7}
    assert cores.take(object(), here) is None
    assert cores.take(object(), Greeting("node 3", "host", "another boot", (4, 5))) == {4, 5}
    cores.give_back(one)
    assert cores.take(object(), there) == {4, 5}


def test_a_node_has_room_for_as_many_as_its_scarcest_has() -> None:
    """8 CPUs of 2 are four places, 6 GiB of 2 are three; a node without GPUs has none for a GPU's worker."""
    living = {"CPU": 8.0, "memory": float(6 << 30)}
    (node,) = nodes_of(
        [
            {"NodeManagerAddress": "a", "Alive": True, "Resources": living},
            {"NodeManagerAddress": "b", "Alive": False, "Resources": living},
        ]
    )
    assert Needs(2, 0).room(node) == 4 and Needs(2, 0, 2 << 30).room(node) == 3 and Needs(1, 1).room(node) == 0

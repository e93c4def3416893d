"""A cluster, and the machines of its workers, without one: what is asked for, what is told, who has which cores."""

import json
import os
import re
import signal
import subprocess
import sys
from importlib.util import find_spec

import pytest

from detect.inference.cluster.machine_cores import MachineCores
from detect.inference.cluster.ray_cluster import Needs, connected, nodes_of
from detect.inference.cluster.station_actor import Greeting
from detect.nets.machine.orderly_end import sigterm_as_ctrl_c, sigterm_has_come


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


@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")
@pytest.mark.parametrize("address", ["127.0.0.1:9", "auto"])
def test_a_cluster_that_is_not_there_is_told_at_once_with_the_way_to_one(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    said = rf"launcher\.address={re.escape(address)}: no Ray cluster .*Connection refused.*ray start --head"
    with pytest.raises(ValueError, match=said), connected(address):
        pass


TWICE = """
import json, os
from contextlib import suppress
from pathlib import Path

from detect.inference.cluster.ray_cluster import connected


def listening() -> set[str]:
    tables = (Path(f"/proc/net/{kind}").read_text().splitlines()[1:] for kind in ("tcp", "tcp6"))
    lines = [line.split() for table in tables for line in table]
    ours = sockets()
    return {line[1].partition(":")[0] for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in ours}


def sockets() -> set[str]:
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if MARK in (process / "environ").read_bytes():
                found |= {os.readlink(opened) for opened in (process / "fd").iterdir()}
    return found


MARK = f"OF_PROCESS={os.getpid()}".encode()
os.environ["OF_PROCESS"] = str(os.getpid())
told = []
for _ in range(2):
    with connected(None) as nodes:
        told.append([len(nodes), sorted(listening())])
print(json.dumps(told))
"""
"""Starts two clusters of its own, one after the other; prints the nodes of each and the addresses of its sockets."""


@pytest.mark.skipif(find_spec("ray") is None or sys.platform != "linux", reason="ray, or /proc, is not there")
def test_a_process_may_have_clusters_of_its_own_one_after_the_other_which_listen_to_this_machine_alone() -> None:
    """As a sweep of `detect.predict` has; 7F000001 is 127.0.0.1 by its bytes in turn."""
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    for nodes, addresses in json.loads(done.stdout.splitlines()[-1]):
        assert nodes == 1 and addresses and all(each.endswith("0100007F") for each in addresses), addresses


def test_a_cluster_of_its_own_that_does_not_start_is_told_with_where_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")

    def not_started(**given: object) -> None:
        raise RuntimeError("Failed to start GCS.\nLast 0 lines")

    monkeypatch.setattr(ray, "init", not_started)
    said = r"launcher\.address=null: no Ray cluster could be started \(Failed to start GCS\.\); its logs.*=local"
    with pytest.raises(ValueError, match=said), connected(None):
        pass


def test_sigterm_while_a_cluster_begins_is_told_as_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray takes the signal then, and exits."""
    ray = pytest.importorskip("ray")

    def take_it(**given: object) -> None:
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        monkeypatch.setattr(ray, "init", take_it)
        with sigterm_as_ctrl_c():
            with pytest.raises(KeyboardInterrupt), connected(None):
                pass
            assert sigterm_has_come()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


def test_without_ray_the_package_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"pip install 'detect\[ray\]'"), connected(None):
        pass

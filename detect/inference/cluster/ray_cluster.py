"""A Ray cluster: the connection to it, and for how many workers its nodes have room. Ray sends no usage statistics."""

import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from detect.nets.machine.processors import usable_cores

logger = logging.getLogger(__name__)

OBJECT_STORE = 100 << 20
"""Bytes of the object store of a cluster that a run starts: tasks are small, and pixels do not go there."""

OURS = {"log_to_driver": False, "configure_logging": False, "namespace": "detect"}
"""How this process takes part in a cluster."""

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DISABLE_IMPORT_WARNING": "1"}
"""Variables of the environment by which Ray tells nobody of its use."""

LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""By which a cluster of this machine alone listens on the loopback address alone."""

REACHED_SECONDS = 10.0
"""How long a cluster may take to answer; Ray itself would wait for minutes."""

WAYS = (
    "`ray start --head --disable-usage-stats` starts one, `ray start --address=HOST:PORT` adds this machine to it, and "
    "launcher.address=null starts one of this machine for the run"
)

LOGS = "its logs, in /tmp/ray or RAY_TMPDIR, say more; launcher=local needs none"


@dataclass(frozen=True)
class Node:
    """A machine of a cluster, or a part of one.

    Attributes:
        name: its address.
        cpus, gpus: that it offers.
        memory: bytes that it offers.
    """

    name: str
    cpus: float
    gpus: float
    memory: float


@dataclass(frozen=True)
class Needs:
    """What a worker takes of its node.

    Attributes:
        cpus, gpus: of them.
        memory: bytes; 0 while that is not known.
    """

    cpus: int
    gpus: int
    memory: int = 0

    def room(self, node: Node) -> int:
        """Return how many workers a node has room for."""
        offers = ((node.cpus, self.cpus), (node.gpus, self.gpus), (node.memory, self.memory))
        return min(int(offered // needed) for offered, needed in offers if needed)

    def of_ray(self) -> dict[str, float]:
        """Return it by Ray's names."""
        return {"num_cpus": self.cpus, "num_gpus": self.gpus, "memory": self.memory}


@contextmanager
def connected(address: str | None) -> Iterator[list[Node]]:
    """Connect to a cluster for a block, and yield its nodes; None starts one of this machine, for the block.

    Its processes go when the block ends; where this process is killed, Ray has the system kill them. SIGTERM does what
    it did before.

    Raises:
        ValueError: Ray is not installed, or there is no such cluster.
    """
    variables = {**QUIET, **({} if address is not None else {**LOOPBACK, **_token()})}
    with _environment(variables), _sigterm_kept() as keep_sigterm:
        ray = _imported()
        try:
            if address is None:
                own = {"num_cpus": usable_cores(), "object_store_memory": OBJECT_STORE, "include_dashboard": False}
                ray.init(address="local", **own, **OURS)
            else:
                ray.init(address=_answering(address), **OURS)
        except (RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
            said = next(iter(str(error).splitlines()), type(error).__name__)
            if address is None:
                raise ValueError(f"launcher.address=null: no Ray cluster could be started ({said}); {LOGS}") from error
            raise ValueError(f"launcher.address={address}: no Ray cluster could be reached ({said}); {WAYS}") from error
        except SystemExit:  # by Ray's own way of SIGTERM
            keep_sigterm()
            signal.raise_signal(signal.SIGTERM)
            raise
        try:
            keep_sigterm()
            yield nodes_of(ray.nodes())
        finally:
            ray.shutdown()


@contextmanager
def _sigterm_kept() -> Iterator[Callable[[], None]]:
    """Yield what makes SIGTERM do what it does now, and have it done when a block ends: Ray takes it when it begins.

    Ray's own way prints the stack, aborts the process three seconds later, and what it raises is lost if it comes while
    Ray waits, as that is no KeyboardInterrupt.
    """
    before = signal.getsignal(signal.SIGTERM)

    def keep() -> None:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)

    try:
        yield keep
    finally:
        keep()


@cache
def _token() -> dict[str, str]:
    """Return by what no other user of this machine can use a cluster of its own; Ray would keep it in a file.

    All clusters of a process have the same, one after the other, as Ray reads it once a process.
    """
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment for a block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _answering(address: str) -> str:
    """Return where a cluster is, as HOST:PORT, when something answers there.

    Raises:
        OSError: there is none.
    """
    if address == "auto":
        from ray._private.services import canonicalize_bootstrap_address_or_die

        address = canonicalize_bootstrap_address_or_die(address)
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=REACHED_SECONDS).close()
    return address


def _imported() -> ModuleType:
    try:
        import ray
    except ImportError as error:
        raise ValueError("launcher=ray needs the package ray: pip install 'detect[ray]'") from error
    return ray


def nodes_of(described: Sequence[dict]) -> list[Node]:
    """Return the living ones of nodes as Ray describes them."""
    return [
        Node(
            each["NodeManagerAddress"],
            each["Resources"].get("CPU", 0.0),
            each["Resources"].get("GPU", 0.0),
            each["Resources"].get("memory", 0.0),
        )
        for each in described
        if each["Alive"]
    ]

"""A Ray cluster of two nodes on this machine, with as little as Ray can do with."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from detect.inference.cluster.ray_cluster import QUIET

NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 << 20, "memory": 4 << 30}
"""What a node is started with: one core, which is one worker's."""


@contextmanager
def two_nodes() -> Iterator[Any]:
    """Yield a cluster of a node for the run's own process and a worker, and one for another worker.

    Ray leaves a way of its own for SIGTERM in the process that starts nodes; the one before is put back.
    """
    os.environ.update(QUIET)
    from ray.cluster_utils import Cluster

    before = signal.getsignal(signal.SIGTERM)
    cluster = Cluster(initialize_head=True, head_node_args={"include_dashboard": False, **NODE})
    try:
        cluster.add_node(**NODE)
        yield cluster
    finally:
        cluster.shutdown()
        signal.signal(signal.SIGTERM, before)

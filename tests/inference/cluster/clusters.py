"""A Ray cluster of two nodes on this machine, with as little as Ray can do with."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from detect.inference.cluster.ray_cluster import QUIET

SMALL = {"object_store_memory": 80 << 20, "memory": 4 << 30}
"""Of a node."""


def one_worker_node() -> dict[str, Any]:
    """Return what a node with one core is started with."""
    return {"num_cpus": 1, **SMALL}


@contextmanager
def two_nodes() -> Iterator[Any]:
    """Yield a cluster of a node that has no workers, for the run's own process, and two with one core each."""
    os.environ.update(QUIET)
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **SMALL})
    try:
        for _ in range(2):
            cluster.add_node(**one_worker_node())
        yield cluster
    finally:
        cluster.shutdown()

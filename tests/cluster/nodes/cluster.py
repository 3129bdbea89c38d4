"""A Ray cluster of several nodes on this machine; a process of its own, since Ray ends the one whose head dies.

The first argument is a JSON list with the arguments of each node, the head first. After its start the script prints the
cluster's address; then it reads lines: ``remove 2`` kills a node, ``head`` the head's main process, ``add {…}`` adds
one. It answers each with ``done``, and ends with its input.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from ray.cluster_utils import Cluster

COMMON = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}


def main(nodes: list[dict[str, Any]]) -> None:
    """Run the cluster until the input ends."""
    cluster = Cluster(initialize_head=True, head_node_args=COMMON | nodes[0])
    others = [cluster.add_node(**(COMMON | node)) for node in nodes[1:]]
    print("address", cluster.address, flush=True)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "remove":
            cluster.remove_node(others[int(argument) - 1], allow_graceful=False)
        elif command == "add":
            others.append(cluster.add_node(**(COMMON | json.loads(argument))))
        elif command == "head":
            for kind, process in cluster.head_node.live_processes():
                if kind == "gcs_server":
                    os.kill(process.pid, signal.SIGKILL)
        print("done", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

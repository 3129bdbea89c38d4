"""``doctor --freeze-cluster``: the nodes of a Ray cluster, their devices, and what can be measured there."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from freezebench.meters.probe import Capability

if TYPE_CHECKING:
    from freezebench.executors.ray.cluster import RayCluster
    from freezebench.executors.ray.worker import RayWorker

_TIMEOUT_S = 60.0


def cluster_capabilities(address: str) -> list[Capability]:
    """Return what the nodes of a cluster can train on and measure, each name with that of its node.

    Raises:
        FreezebenchError: If there is no such cluster.
    """
    from freezebench.executors.ray.cluster import RayCluster

    cluster = RayCluster(address, with_measures=True)
    try:
        return [*_nodes(cluster), *_devices(cluster), *_measures(cluster)]
    finally:
        cluster.close()


def _nodes(cluster: RayCluster) -> list[Capability]:
    """Return the nodes, and whether a session on this machine may train there."""
    from freezebench.executors.ray.nodes import version_problem

    capabilities = []
    for node in cluster.nodes:
        problem = version_problem(node, cluster.here)
        versions = ", ".join(f"{name} {cluster.here[name]}" for name in ("freezebench", "torch", "python"))
        name = f"{node['name']}: node {node['address']}"
        capabilities.append(Capability(name=name, available=not problem, detail=problem or f"{versions}, as here"))
    return capabilities


def _devices(cluster: RayCluster) -> list[Capability]:
    """Return the slots, each with the device that its worker finds."""
    from freezebench.executors.base import SlotLostError
    from freezebench.executors.ray.worker import RayWorker

    cluster.open()
    # All at once: their imports take a while.
    workers = [(slot.name, RayWorker(cluster, slot)) for slot in cluster.slots]
    capabilities = []
    for name, worker in workers:
        try:
            detail, is_available = _device(worker)
        except SlotLostError as error:
            detail, is_available = str(error), False
        capabilities.append(Capability(name=f"{name}: device", available=is_available, detail=detail))
    return capabilities


def _device(worker: RayWorker) -> tuple[str, bool]:
    """Return the device of a worker and its number format, or why it has none."""
    from freezebench.executors.requests import MachineRequest
    from freezebench.executors.worker_process import WorkerFaultError

    request = MachineRequest(kind="machine", device="auto", precision="auto")
    try:
        answer = worker.request(
            {"request": request, "path": [], "data_cache": {}}, lambda _: None, _TIMEOUT_S, threading.Event()
        )
    except WorkerFaultError as error:
        return str(error), False
    if answer.value is None:
        return answer.error or answer.fault or "no answer", False
    return f"{answer.value['device_name']}, {answer.value['precision']}", True


def _measures(cluster: RayCluster) -> list[Capability]:
    """Return what can be measured on every node that answered."""
    return [
        Capability(
            name=f"{node['name']}: {measure['name']}",
            available=bool(measure["available"]),
            detail=str(measure["detail"]),
        )
        for node in cluster.nodes
        if node["look"] is not None
        for measure in node["look"]["measures"]
    ]

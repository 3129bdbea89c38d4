"""The executors by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from freezebench.executors.base import Executor, ExecutorOptions
    from freezebench.specs.names import Isolation


# Functions, not classes, so that what one executor imports is imported only where it is used.
def _in_process(options: ExecutorOptions) -> Executor:
    from freezebench.executors.in_process import InProcessExecutor

    return InProcessExecutor(options)


def _kept_worker(options: ExecutorOptions) -> Executor:
    from freezebench.executors.worker import WorkerExecutor

    return WorkerExecutor(options, keep=True)


def _worker_per_run(options: ExecutorOptions) -> Executor:
    from freezebench.executors.worker import WorkerExecutor

    return WorkerExecutor(options, keep=False)


# The names are the values of ``--freeze-isolate``.
EXECUTORS: Mapping[Isolation, Callable[[ExecutorOptions], Executor]] = {
    "none": _in_process,
    "worker": _kept_worker,
    "run": _worker_per_run,
}


def make_executor(name: Isolation, options: ExecutorOptions) -> Executor:
    """Return the executor of a name, on this machine or on a cluster.

    Raises:
        FreezebenchError: If its process cannot be started, or the cluster cannot train.
    """
    if options.cluster is None:
        return EXECUTORS[name](options)
    from freezebench.executors.ray.cluster import RayCluster
    from freezebench.executors.ray.executor import RayExecutor

    return RayExecutor(options, RayCluster(options.cluster, options.cluster_resource), keep=name == "worker")

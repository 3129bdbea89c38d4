"""The executor that trains on the nodes of a Ray cluster."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from freezebench.errors import FreezebenchError
from freezebench.executors.base import SlotLostError
from freezebench.executors.ray.worker import RayWorker
from freezebench.executors.requests import InputsRequest
from freezebench.executors.worker import WorkerExecutor
from freezebench.executors.worker_process import WorkerFaultError
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from freezebench.executors.base import ExecutorOptions
    from freezebench.executors.ray.cluster import RayCluster
    from freezebench.records.trainable_set import TrainableSet
    from freezebench.runs.environment import Machine
    from freezebench.specs.run import RunSpec
    from freezebench.specs.slots import Slot

T = TypeVar("T")

_MOST_NAMED = 5


class RayExecutor(WorkerExecutor):
    """Trains in worker processes of a cluster's nodes, each of which has to see the same model and data."""

    def __init__(self, options: ExecutorOptions, cluster: RayCluster, *, keep: bool) -> None:
        """Start an actor on every slot of a cluster.

        Args:
            options: Time limit, data cache options and callback.
            cluster: The cluster, which this executor closes.
            keep: Whether a healthy worker is kept for the next run of its slot.

        Raises:
            FreezebenchError: If a node has other versions than this machine.
        """
        self._cluster, self._data_cache = cluster, options.data_cache
        self._checked: set[RunSpec] = set()
        try:
            cluster.check()
            cluster.open()
            super().__init__(replace(options, slots=cluster.slots), keep=keep, start_worker=partial(RayWorker, cluster))
        except BaseException:
            cluster.close()
            raise

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots that are left."""
        return self._cluster.slots

    def preflight(
        self, spec: RunSpec, grid: Iterable[str], *, may_train_nothing: Collection[str] = (), will_save: bool = False
    ) -> dict[str, TrainableSet]:
        """Check that every node has the model and the data, and try the configurations on one of them.

        Raises:
            FreezebenchError: If any of this fails.
        """
        self._check_inputs(spec)
        grid = list(grid)
        return self._on_first_left(
            lambda: super(RayExecutor, self).preflight(
                spec, grid, may_train_nothing=may_train_nothing, will_save=will_save
            )
        )

    def machine(self, spec: RunSpec, slot: Slot | None = None) -> Machine:
        """Return what the outcome of a run depends on besides its spec.

        Raises:
            FreezebenchError: If there is no such device.
            SlotLostError: If the slot is lost.
        """
        if slot is not None:
            return super().machine(spec, slot)
        return self._on_first_left(lambda: super(RayExecutor, self).machine(spec))

    def close(self) -> None:
        """End the workers, their actors and the process that is part of the cluster."""
        super().close()
        self._cluster.close()

    def _check_inputs(self, spec: RunSpec) -> None:
        """Check once for each experiment that every node reads the model and the data that this machine reads.

        Raises:
            FreezebenchError: If one does not.
        """
        if spec in self._checked:
            return
        from freezebench.runs.input_check import input_hashes

        here = input_hashes(spec, self._data_cache)
        request = InputsRequest(kind="inputs", spec=spec.to_json())
        answers = {slot: self._slots[slot].answer(request) for slot in self._cluster.one_slot_per_node()}
        problems = []
        for slot, answer in answers.items():
            try:
                there = self._wait_for(answer)
            except (FreezebenchError, WorkerFaultError) as error:
                problems.append(f"{slot.name}: {str(error).rstrip('.')}")
            except SlotLostError:
                continue  # nothing will train there
            else:
                other = [name for name in here if there.get(name) != here[name]]
                if other:
                    problems.append(f"{slot.name}: other content of {listed(other, _MOST_NAMED)}")
        if problems:
            raise FreezebenchError(
                "nodes of the Ray cluster would not train on the model and data of this machine: "
                f"{listed(problems, _MOST_NAMED)}. Put both at the same paths on every node, use a file system that "
                "the nodes share, or submit the session with its files: `ray job submit --working-dir . -- pytest … "
                "--freeze-cluster=auto`."
            )
        self._checked.add(spec)

    def _on_first_left(self, call: Callable[[], T]) -> T:
        """Return the result of a call for the first slot; if that slot is lost, for the one that is the first then.

        Raises:
            FreezebenchError: If no slot is left.
        """
        cluster = self._cluster
        while self.slots:
            with suppress(SlotLostError):
                return call()
        raise FreezebenchError(
            f"the Ray cluster at {cluster.address} has no slot left to train on: {cluster.why_lost}. Read what `ray "
            "status` says, start its nodes again, and run the session again: finished runs are reused."
        )

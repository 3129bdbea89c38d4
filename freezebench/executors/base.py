"""The executor protocol: where runs are trained, in the shape of ``concurrent.futures.Executor``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TypedDict

from freezebench.errors import FreezebenchError, traceback_end
from freezebench.records.events import RunEvent
from freezebench.records.run_record import RunRecord
from freezebench.specs.slots import Slot

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from freezebench.records.run_record import InvalidCause
    from freezebench.records.trainable_set import TrainableSet
    from freezebench.runs.data_cache import DataCache
    from freezebench.runs.environment import Machine
    from freezebench.specs.run import Precision, RunSpec

OnEvent = Callable[[RunEvent], None]
# Takes the position of a run in its block, and its record; returns whether the next run of the block trains.
OnEnd = Callable[[int, RunRecord], bool]


class SlotLostError(Exception):
    """A slot is gone with its node or its actor, and a run with it that another slot may train."""


class DataCacheOptions(TypedDict, total=False):
    """How a process keeps outputs of frozen prefixes: the arguments of its ``DataCache``."""

    cache_bytes: int | None
    prefix_folder: str | None
    prefix_folder_bytes: int | None


@dataclass(frozen=True, kw_only=True)
class ExecutorOptions:
    """What executors are made with.

    Attributes:
        data_cache: The data sets of this process.
        data_cache_options: How worker processes keep theirs.
        timeout_s: How long one run may take, in seconds; only a process can be ended.
        on_event: Called with every event of a run, from the thread that trains or supervises it.
        slots: Where runs train; several need workers.
        cluster: Address of the Ray cluster whose slots take their place; ``None``: this machine trains.
        cluster_resource: A resource that nodes of the cluster must have to train; ``None``: none.
    """

    data_cache: DataCache
    data_cache_options: DataCacheOptions
    timeout_s: float
    on_event: OnEvent = lambda _: None
    slots: tuple[Slot, ...] = (Slot(),)
    cluster: str | None = None
    cluster_resource: str | None = None


class Executor(Protocol):
    """Trains runs, and answers what they depend on where they are trained."""

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots that train at the same time, in order; slots that are lost leave."""

    def submit(
        self, specs: Sequence[RunSpec], slot: Slot, on_end: OnEnd, *, save_to: Path | None = None
    ) -> Future[None]:
        """Return a future of runs, which train in order on a free slot with nothing between them.

        A run that breaks, or cannot be trained, gives an invalid record. The future raises ``SlotLostError`` if the
        slot is lost, and ``CancelledError`` if the runs were cancelled; records of runs that had ended were passed on.

        Args:
            specs: The runs.
            slot: One of ``slots`` on which nothing trains.
            on_end: Called with each record as its run ends, from the thread that supervises the slot.
            save_to: Absolute path of an existing, empty folder on this machine, to which the best epoch's model and its
                tokenizer are saved; ``None``: the model is discarded.
        """

    def expect(self, freezes: Iterable[str]) -> None:
        """Add to the configurations that will run, so that one pass over the data caches every depth among them.

        Args:
            freezes: Canonical ids of the configurations.
        """

    def preflight(
        self, spec: RunSpec, grid: Iterable[str], *, may_train_nothing: Collection[str] = (), will_save: bool = False
    ) -> dict[str, TrainableSet]:
        """Load and freeze a model and run a batch through it, before anything is trained.

        Args:
            spec: Any run of the experiment.
            grid: Canonical ids of the configurations.
            may_train_nothing: Those of them for which it is no fault that nothing would be left to train.
            will_save: Whether a model of the experiment is going to be saved, which not every model can be.

        Returns:
            What each configuration trains.

        Raises:
            FreezebenchError: If any of this fails.
        """

    def machine(self, spec: RunSpec, slot: Slot | None = None) -> Machine:
        """Return what the outcome of a run depends on besides its spec.

        Args:
            spec: The run.
            slot: Where it would train; ``None``: on the first slot.

        Raises:
            FreezebenchError: If there is no such device.
            SlotLostError: If the slot is lost.
        """

    def cancel(self) -> None:
        """End the runs that are training and drop those that wait; their futures raise ``CancelledError``."""

    def close(self) -> None:
        """Cancel what is left, end all processes and remove their files."""


class Machines:
    """The answers to ``Executor.machine``, each looked up once."""

    def __init__(self, look_up: Callable[[str, Precision], Machine]) -> None:
        self._look_up = look_up
        self._machines: dict[tuple[str, Precision], Machine] = {}

    def known(self, spec: RunSpec) -> Machine | None:
        """Return the machine of a run if it was looked up."""
        return self._machines.get((spec.device, spec.protocol.precision))

    def of(self, spec: RunSpec) -> Machine:
        """Return the machine of a run.

        Raises:
            FreezebenchError: If there is no such device.
        """
        key = (spec.device, spec.protocol.precision)
        if key not in self._machines:
            self._machines[key] = self._look_up(*key)
        return self._machines[key]


def untrained(spec: RunSpec, error: Exception, *, cause: InvalidCause = "crash") -> RunRecord:
    """Return the invalid record of a run that could not be trained.

    Args:
        spec: The run.
        error: Why.
        cause: Kind of the fault.
    """
    return RunRecord(
        spec=spec,
        status="invalid",
        cause=cause,
        reason=str(error),
        log=traceback_end(error),
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def machine_or_none(executor: Executor, spec: RunSpec, slot: Slot | None = None) -> Machine | None:
    """Return the machine of a run; ``None`` if there is none, of which training raises the error, with its context."""
    try:
        return executor.machine(spec, slot)
    except (FreezebenchError, SlotLostError):
        return None


def machines_by_slot(executor: Executor, spec: RunSpec) -> dict[str, Machine]:
    """Return what the outcome of a run would depend on, by name of the slot; slots that are lost have none.

    Raises:
        FreezebenchError: If there is no such device.
    """
    machines = {}
    for slot in executor.slots:
        with suppress(SlotLostError):
            machines[slot.name] = executor.machine(spec, slot)
    return machines

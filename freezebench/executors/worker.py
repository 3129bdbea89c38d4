"""The executor that trains in worker processes, so that nothing a run does can end pytest or another run."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, TypeVar

from freezebench.errors import FreezebenchError
from freezebench.executors.requests import PreflightRequest
from freezebench.executors.session_folder import (
    make_session_folder,
    remove_folders_of_killed_sessions,
    session_folder_errors,
)
from freezebench.executors.worker_process import WorkerFaultError, WorkerProcess
from freezebench.executors.worker_slot import SlotOptions, WorkerSlot
from freezebench.records.trainable_set import TrainableSet
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.installed_strategies import package_of
from freezebench.specs.strategies import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from freezebench.executors.base import ExecutorOptions, OnEnd
    from freezebench.executors.worker_slot import Worker
    from freezebench.runs.environment import Machine
    from freezebench.specs.run import RunSpec
    from freezebench.specs.slots import Slot

T = TypeVar("T")


def _local_worker(slot: Slot) -> Worker:
    return WorkerProcess(visible_devices=slot.visible_devices)


def _tried(model: str, grid: Iterable[str]) -> str:
    """Return a model, and whose code besides that of its library runs when a grid is tried."""
    names = {strategy.name for freeze in grid for strategy in FreezeSpec.parse(freeze).strategies}
    others = [f"{name} of {package_of(name)}" for name in sorted(names.difference(STRATEGIES))]
    return f"{model}, with the strategy {' and '.join(others)}," if others else model


class WorkerExecutor:
    """Trains in worker processes, one at a time on each slot (see ``executors.worker_slot``)."""

    def __init__(
        self, options: ExecutorOptions, *, keep: bool, start_worker: Callable[[Slot], Worker] | None = None
    ) -> None:
        """Start a worker for each slot, whose imports take a while, and wait for the process of the first one.

        Args:
            options: Slots, time limit, data cache options and callback.
            keep: Whether a healthy worker is kept for the next run of its slot.
            start_worker: Returns a new worker for a slot of other machines, whose devices and files are not this
                executor's concern; ``None``: workers are processes of this machine.

        Raises:
            FreezebenchError: If no process can be started, or no file can be written.
        """
        data_cache = options.data_cache_options.copy()
        self._folder: Path | None = None
        remove_folders_of_killed_sessions()
        is_local = start_worker is None
        if is_local and (not keep or len(options.slots) > 1) and data_cache.get("prefix_folder") is None:
            # Processes share what one of them computed through files, for this session only.
            with session_folder_errors():
                self._folder, self._lock = make_session_folder()
            data_cache["prefix_folder"] = str(self._folder / "prefixes")
        self._grid: list[str] = []
        slot_options = SlotOptions(
            start=start_worker or _local_worker,
            keep=keep,
            locks_device=is_local,
            timeout_s=options.timeout_s,
            data_cache=data_cache,
            on_event=options.on_event,
        )
        self._slots: dict[Slot, WorkerSlot] = {}
        try:
            for slot in options.slots:
                self._slots[slot] = WorkerSlot(slot, slot_options)
            starts = [slot.start() for slot in self._slots.values()]
            self._wait_for(starts[0])  # the others import meanwhile
        except BaseException:
            self.close()  # nothing is left behind, least of all after Ctrl-C
            raise

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots that train at the same time."""
        return tuple(self._slots)

    @property
    def num_workers(self) -> int:
        """How many workers were started."""
        return sum(slot.num_workers for slot in self._slots.values())

    def submit(
        self, specs: Sequence[RunSpec], slot: Slot, on_end: OnEnd, *, save_to: Path | None = None
    ) -> Future[None]:
        """Train runs in order on a slot; if a process dies or takes too long, its run is invalid and has the log."""
        return self._slots[slot].train(specs, self._grid, on_end, save_to)

    def expect(self, freezes: Iterable[str]) -> None:
        """Add to the configurations that will run."""
        self._grid += freezes

    def preflight(
        self, spec: RunSpec, grid: Iterable[str], *, may_train_nothing: Collection[str] = (), will_save: bool = False
    ) -> dict[str, TrainableSet]:
        """Load and freeze a model and run a batch through it; return what each configuration trains.

        The data are read on the way.

        Raises:
            FreezebenchError: If any of this fails, or ends the process.
        """
        request = PreflightRequest(
            kind="preflight",
            spec=spec.to_json(),
            grid=list(grid),
            may_train_nothing=list(may_train_nothing),
            will_save=will_save,
        )
        try:
            answer = self._wait_for(self._first.answer(request))
        except WorkerFaultError as error:
            raise FreezebenchError(
                f"{_tried(spec.model, request['grid'])} could not be tried: {error}. "
                f"Read what it wrote:\n{error.log or '(nothing)'}"
            ) from error
        # The worker wrote the fields of one for each configuration.
        return {freeze: TrainableSet(**trains) for freeze, trains in answer.items()}  # type: ignore[arg-type]

    def machine(self, spec: RunSpec, slot: Slot | None = None) -> Machine:
        """Return what the outcome of a run depends on besides its spec.

        Raises:
            FreezebenchError: If there is no such device.
        """
        return self._wait_for((self._first if slot is None else self._slots[slot]).machine(spec))

    def cancel(self) -> None:
        """End the runs that are training and drop those that wait; the next ones get new workers."""
        for slot in self._slots.values():
            slot.kill()
        for slot in self._slots.values():
            slot.settle()

    def close(self) -> None:
        """End the workers and remove their files."""
        self.cancel()
        for slot in self._slots.values():
            slot.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._lock.release()

    @property
    def _first(self) -> WorkerSlot:
        return self._slots[self.slots[0]]

    def _wait_for(self, future: Future[T]) -> T:
        """Return a future's result; an interruption of this thread ends what it waits for."""
        try:
            return future.result()
        except KeyboardInterrupt:
            self.cancel()
            raise

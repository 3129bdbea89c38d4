"""The executor that trains in this process, for debugging: a fault that ends a process ends pytest as well."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError, named, traceback_end
from freezebench.executors.base import Machines, untrained
from freezebench.executors.device_lock import device_lock
from freezebench.import_path import installed_modules_first
from freezebench.records.events import ProgressEvent, RunProgressed, RunStarted, RunWaiting

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from freezebench.executors.base import ExecutorOptions, OnEnd
    from freezebench.records.run_record import RunRecord
    from freezebench.records.trainable_set import TrainableSet
    from freezebench.runs.environment import Machine
    from freezebench.specs.run import RunSpec
    from freezebench.specs.slots import Slot


# A conftest or a test may have changed anything in this process, so that its runs are not those of a worker: the key
# under which the store keeps a run includes its environment.
_IN_PROCESS = {"isolation": "none"}


def _modules_of(spec: RunSpec) -> AbstractContextManager[None]:
    """Return what lets a factory, which is named module:function, import modules of the project while it trains."""
    return installed_modules_first(with_project=":" in spec.model)


class InProcessExecutor:
    """Trains runs within ``submit``, which returns a future that is done."""

    def __init__(self, options: ExecutorOptions) -> None:
        from freezebench.runs.environment import machine

        self.slots = options.slots[:1]  # this process trains one run at a time
        self._data_cache, self._on_event = options.data_cache, options.on_event
        self._machines = Machines(machine)
        self._cancelled = threading.Event()  # never set: nothing runs when another method is called

    def submit(
        self, specs: Sequence[RunSpec], slot: Slot, on_end: OnEnd, *, save_to: Path | None = None
    ) -> Future[None]:
        """Train runs in order and return a future that is done; an interruption goes to the caller."""

        def on_wait() -> None:
            reason = f"another session trains on {machine.device}"
            self._on_event(RunWaiting(spec=specs[0], reason=reason, slot=slot.name))

        future: Future[None] = Future()
        future.set_running_or_notify_cancel()
        try:
            machine = self.machine(specs[0])
        except FreezebenchError as error:
            for position, spec in enumerate(specs):
                if not on_end(position, untrained(spec, error)):
                    break
        else:
            with device_lock(machine.device_id, on_wait, self._cancelled):
                for position, spec in enumerate(specs):
                    if not on_end(position, self._record(spec, slot, save_to)):
                        break
        future.set_result(None)
        return future

    def _record(self, spec: RunSpec, slot: Slot, save_to: Path | None) -> RunRecord:
        """Return the record of a run that was trained now."""
        from freezebench.runs.experiment import run

        def emit(event: object) -> None:
            # Engines emit more than these: what holds tensors is for the process that trains alone.
            if isinstance(event, ProgressEvent):
                self._on_event(RunProgressed(spec=spec, event=event, slot=slot.name))

        self._on_event(RunStarted(spec=spec, slot=slot.name))
        try:
            with _modules_of(spec):
                record = run(spec, emit=emit, data_cache=self._data_cache, save_to=save_to)
        except FreezebenchError as error:
            return untrained(spec, error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as in a worker
            fault = FreezebenchError(named(error))
            fault.add_note(traceback_end(error))
            return untrained(spec, fault)
        return replace(record, environment={**record.environment, **_IN_PROCESS})

    def expect(self, freezes: Iterable[str]) -> None:
        """Add to the configurations that will run."""
        self._data_cache.expect(freezes)

    def preflight(
        self, spec: RunSpec, grid: Iterable[str], *, may_train_nothing: Collection[str] = (), will_save: bool = False
    ) -> dict[str, TrainableSet]:
        """Load and freeze a model and run a batch through it; return what each configuration trains."""
        from freezebench.runs.preflight import preflight

        try:
            with _modules_of(spec):
                return preflight(spec, grid, self._data_cache, may_train_nothing=may_train_nothing, will_save=will_save)
        except FreezebenchError:
            raise
        except (Exception, SystemExit) as error:
            raise FreezebenchError(
                f"{spec.model} could not be tried: {named(error).rstrip('.')}. Read "
                f"the end of the traceback:\n{traceback_end(error)}"
            ) from error

    def machine(self, spec: RunSpec, slot: Slot | None = None) -> Machine:  # noqa: ARG002 - there is one slot
        """Return what the outcome of a run depends on besides its spec."""
        try:
            machine = self._machines.of(spec)
        except FreezebenchError:
            raise
        except (Exception, SystemExit) as error:
            raise FreezebenchError(
                f"this process cannot train: {named(error).rstrip('.')}. Read the end of the traceback:\n"
                f"{traceback_end(error)}"
            ) from error
        return replace(machine, environment={**machine.environment, **_IN_PROCESS})

    def cancel(self) -> None:
        """Do nothing: a run ends before ``submit`` returns."""

    def close(self) -> None:
        """Do nothing: no process was started."""

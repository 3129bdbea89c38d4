"""The executor that trains in this process, for debugging: a fault that ends a process ends pytest as well."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError, named, traceback_end
from freezebench.executors.base import Machines
from freezebench.executors.device_lock import run_alone
from freezebench.import_path import installed_modules_first

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from freezebench.executors.base import ExecutorOptions
    from freezebench.records.run_record import RunRecord
    from freezebench.records.trainable_set import TrainableSet
    from freezebench.runs.environment import Machine
    from freezebench.specs.run import RunSpec


# A conftest or a test may have changed anything in this process, so that its runs are not those of a worker: the key
# under which the store keeps a run includes its environment.
_IN_PROCESS = {"isolation": "none"}


def _modules_of(spec: RunSpec) -> AbstractContextManager[None]:
    """Return what lets a factory, which is named module:function, import modules of the project while it trains."""
    return installed_modules_first(with_project=":" in spec.model)


class InProcessExecutor:
    """Trains a run within ``submit``, which returns a future that is done."""

    devices = ("auto",)

    def __init__(self, options: ExecutorOptions) -> None:
        from freezebench.runs.environment import machine

        self._data_cache, self._on_event = options.data_cache, options.on_event
        self._machines = Machines(machine)
        self._cancelled = threading.Event()  # never set: nothing runs when another method is called

    def submit(self, spec: RunSpec, *, save_to: Path | None = None) -> Future[RunRecord]:
        """Train a run and return its record as a future; an interruption goes to the caller."""
        future: Future[RunRecord] = Future()
        future.set_running_or_notify_cancel()
        try:
            device = self.machine(spec).device
            train = partial(self._train, save_to=save_to)
            record = run_alone(spec, device, train, on_event=self._on_event, cancelled=self._cancelled)
        except FreezebenchError as error:
            future.set_exception(error)
        else:
            future.set_result(record)
        return future

    def _train(self, spec: RunSpec, emit: Callable[[object], None], *, save_to: Path | None) -> RunRecord:
        from freezebench.runs.experiment import run

        try:
            with _modules_of(spec):
                record = run(spec, emit=emit, data_cache=self._data_cache, save_to=save_to)
        except FreezebenchError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as in a worker
            fault = FreezebenchError(named(error))
            fault.add_note(traceback_end(error))
            raise fault from None
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

    def machine(self, spec: RunSpec) -> Machine:
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

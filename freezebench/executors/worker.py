"""The executor that trains in a worker process, so that nothing a run does can end pytest or another run."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import CancelledError
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from freezebench.errors import FreezebenchError
from freezebench.executors.base import Machines
from freezebench.executors.call_thread import CallThread
from freezebench.executors.device_lock import run_alone
from freezebench.executors.requests import MachineRequest, PreflightRequest, RunRequest
from freezebench.executors.session_folder import (
    make_session_folder,
    remove_folders_of_killed_sessions,
    session_folder_errors,
)
from freezebench.executors.start_errors import start_errors
from freezebench.executors.worker_process import WorkerFaultError, WorkerProcess
from freezebench.import_path import path_of_tests
from freezebench.records.run_record import RunRecord
from freezebench.records.trainable_set import TrainableSet
from freezebench.runs.environment import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from concurrent.futures import Future
    from pathlib import Path

    from freezebench.executors.base import ExecutorOptions
    from freezebench.executors.requests import Message, Request
    from freezebench.records.events import ProgressEvent
    from freezebench.specs.json_types import Json
    from freezebench.specs.run import Precision, RunSpec

T = TypeVar("T")

# After these the process is as good as before; after any other fault it is replaced.
_HARMLESS = {"non_finite_loss", "nothing_trained"}


class WorkerExecutor:
    """Trains in worker processes: one that is kept while it is healthy, or a fresh one for every run.

    One thread starts the processes, sends requests and receives events. Public methods pass calls to that thread;
    methods with a leading underscore, except ``_wait_for``, run in it.

    Attributes:
        num_workers: How many workers were started.
    """

    devices = ("auto",)

    def __init__(self, options: ExecutorOptions, *, keep: bool) -> None:
        """Start the first worker, whose imports take a while.

        Args:
            options: Time limit, data cache options and callback.
            keep: Whether a healthy worker is kept for the next run.

        Raises:
            FreezebenchError: If no process can be started, or no file can be written.
        """
        self._keep, self._timeout_s, self._on_event = keep, options.timeout_s, options.on_event
        self._data_cache = options.data_cache_options.copy()
        self._folder: Path | None = None
        remove_folders_of_killed_sessions()
        if not keep and self._data_cache.get("prefix_folder") is None:
            # Fresh processes share what an earlier one computed through files, for this session only.
            with session_folder_errors():
                self._folder, self._lock = make_session_folder()
            self._data_cache["prefix_folder"] = str(self._folder / "prefixes")
        self._grid: list[str] = []
        self._machines = Machines(self._look_up_machine)
        self._cancelled = threading.Event()
        self.num_workers = 0
        self._worker: WorkerProcess | None = None
        with start_errors():
            self._thread = CallThread()
        try:
            self._wait_for(self._start)
        except FreezebenchError:
            self.close()
            raise

    def submit(self, spec: RunSpec, *, save_to: Path | None = None) -> Future[RunRecord]:
        """Return the future record of a run; if its process dies or takes too long, an invalid one with its log."""
        return self._thread.submit(lambda: self._run(spec, save_to))

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
            answer = self._wait_for(lambda: self._request(request))
        except WorkerFaultError as error:
            raise FreezebenchError(
                f"{spec.model} could not be tried: {error}. Read what it wrote:\n{error.log or '(nothing)'}"
            ) from error
        # The worker wrote the fields of one for each configuration.
        return {freeze: TrainableSet(**trains) for freeze, trains in answer.items()}  # type: ignore[arg-type]

    def machine(self, spec: RunSpec) -> Machine:
        """Return what the outcome of a run depends on besides its spec.

        Raises:
            FreezebenchError: If there is no such device.
        """
        return self._wait_for(lambda: self._machines.of(spec))

    def cancel(self) -> None:
        """End the run that is training and drop those that wait; the next one gets a new worker."""
        self._cancelled.set()
        worker = self._worker
        if worker is not None:
            worker.kill()
        # Calls that wait find the event set and raise; after them the thread is idle.
        self._thread.submit(lambda: None).result()
        self._cancelled.clear()

    def close(self) -> None:
        """End the worker and remove its files."""
        self.cancel()
        self._thread.submit(self._end).result()
        self._thread.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._lock.release()

    def _wait_for(self, call: Callable[[], T]) -> T:
        """Return the result of a call in the thread; an interruption of this thread ends it."""
        future = self._thread.submit(call)
        try:
            return future.result()
        except KeyboardInterrupt:
            self.cancel()
            raise

    def _run(self, spec: RunSpec, save_to: Path | None) -> RunRecord:
        if self._cancelled.is_set():
            raise CancelledError
        device = self._machines.of(spec).device
        train = partial(self._train, save_to=save_to)
        return run_alone(spec, device, train, on_event=self._on_event, cancelled=self._cancelled)

    def _train(self, spec: RunSpec, emit: Callable[[ProgressEvent], None], *, save_to: Path | None) -> RunRecord:
        started_at = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            request = RunRequest(
                kind="run",
                spec=spec.to_json(),
                grid=self._grid,
                save_to=None if save_to is None else str(save_to),
            )
            answer = self._request(request, emit)
        except WorkerFaultError as error:
            return RunRecord(
                spec=spec, status="invalid", cause=error.cause, reason=str(error), log=error.log, started_at=started_at
            )
        record = RunRecord.from_json(answer)
        if not self._keep or not (record.is_valid or record.cause in _HARMLESS):
            self._end()
        return record

    def _look_up_machine(self, device: str, precision: Precision) -> Machine:
        try:
            answer = self._request(MachineRequest(kind="machine", device=device, precision=precision))
        except WorkerFaultError as error:
            raise FreezebenchError(
                f"the process to train in does not work: {error}. Read what it wrote:\n{error.log or '(nothing)'}"
            ) from error
        return Machine(**answer)  # type: ignore[arg-type]  # the worker wrote the fields of one

    def _request(self, request: Request, emit: Callable[[ProgressEvent], None] = lambda _: None) -> dict[str, Json]:
        """Return the answer to a request, from a new worker if the last one is dead."""
        worker = self._worker if self._worker is not None and self._worker.is_alive else self._start()
        message: Message = {"request": request, "path": path_of_tests(), "data_cache": self._data_cache}
        try:
            answer = worker.request(message, emit, self._timeout_s, self._cancelled)
        except BaseException:
            self._end()
            raise
        if answer.fault is not None:
            self._end()
            raise WorkerFaultError(answer.cause, answer.fault, answer.log)
        if answer.error is not None:
            error = FreezebenchError(answer.error)
            error.add_note(answer.log)
            raise error
        return answer.value or {}

    def _start(self) -> WorkerProcess:
        self._end()
        self.num_workers += 1
        with start_errors():
            self._worker = WorkerProcess()
        return self._worker

    def _end(self) -> None:
        if self._worker is not None:
            self._worker.end()
        self._worker = None

"""One slot of the worker executor: a thread, and the worker process that it starts, uses and replaces."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from typing import TYPE_CHECKING, Protocol

from freezebench.errors import FreezebenchError
from freezebench.executors.base import Machines, untrained
from freezebench.executors.call_thread import CallThread
from freezebench.executors.device_lock import device_lock
from freezebench.executors.requests import InputsRequest, MachineRequest, PreflightRequest, RunRequest
from freezebench.executors.start_errors import start_errors
from freezebench.executors.worker_process import WorkerFaultError
from freezebench.import_path import path_of_tests
from freezebench.records.events import RunProgressed, RunStarted, RunWaiting
from freezebench.records.run_record import RunRecord
from freezebench.runs.environment import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from freezebench.executors.base import DataCacheOptions, OnEnd, OnEvent
    from freezebench.executors.requests import Answer, Message, Request
    from freezebench.records.events import ProgressEvent
    from freezebench.specs.json_types import Json
    from freezebench.specs.run import Precision, RunSpec
    from freezebench.specs.slots import Slot

# After these the process is as good as before; after any other fault it is replaced.
_HARMLESS = {"non_finite_loss", "nothing_trained"}


class Worker(Protocol):
    """A process that answers requests, one at a time."""

    @property
    def is_alive(self) -> bool:
        """Whether it can still answer."""

    def request(
        self, message: Message, emit: Callable[[ProgressEvent], None], timeout_s: float, cancelled: Event
    ) -> Answer:
        """Send a request, pass events on, and return the answer.

        Raises:
            WorkerFaultError: If there is none.
            SlotLostError: If the slot is lost, too.
            CancelledError: If the event was set before there was one.
        """

    def kill(self) -> None:
        """End the process and everything that it started; safe from any thread."""

    def end(self) -> None:
        """End the process and wait for its end."""


@dataclass(frozen=True, kw_only=True)
class SlotOptions:
    """What the slots of an executor have in common.

    Attributes:
        start: Returns a new worker for a slot; raises ``OSError`` if none can be started.
        keep: Whether a healthy worker is kept for the next run.
        locks_device: Whether a block waits while another session of this machine trains on its device.
        timeout_s: How long a request may take, in seconds.
        data_cache: How workers make their data caches.
        on_event: Called with the events of runs, from the thread of their slot.
    """

    start: Callable[[Slot], Worker]
    keep: bool
    locks_device: bool
    timeout_s: float
    data_cache: DataCacheOptions
    on_event: OnEvent


class WorkerSlot:
    """Trains runs in worker processes of one slot: one that is kept while it is healthy, or a fresh one for every run.

    One thread starts the processes, sends requests and receives events. Public methods pass calls to that thread;
    methods with a leading underscore run in it.

    Attributes:
        slot: The slot.
        num_workers: How many workers were started.
    """

    def __init__(self, slot: Slot, options: SlotOptions) -> None:
        """Start the thread, and no worker yet.

        Raises:
            FreezebenchError: If no thread can be started.
        """
        self.slot, self._options = slot, options
        self.num_workers = 0
        self._machines = Machines(self._look_up_machine)
        self._cancelled = Event()
        self._worker: Worker | None = None
        with start_errors():
            self._thread = CallThread()

    def start(self) -> Future[Worker]:
        """Start a worker if there is none, whose imports take a while."""
        return self._thread.submit(lambda: self._worker or self._start())

    def train(self, specs: Sequence[RunSpec], grid: list[str], on_end: OnEnd, save_to: Path | None) -> Future[None]:
        """Train runs in order; if a process dies or takes too long, its run is invalid and has the log.

        Args:
            specs: The runs.
            grid: Canonical ids of all configurations that will run.
            on_end: Called with the position and the record of each run as it ends; returns whether the next one trains.
            save_to: Where the model is saved; ``None``: nowhere.
        """
        return self._thread.submit(lambda: self._train(specs, grid, on_end, save_to))

    def answer(self, request: PreflightRequest | InputsRequest) -> Future[dict[str, Json]]:
        """Return the answer to a request; the future raises ``WorkerFaultError`` if there is none."""
        return self._thread.submit(lambda: self._request(request))

    def machine(self, spec: RunSpec) -> Future[Machine]:
        """Return what the outcome of a run depends on here besides its spec."""
        known = self._machines.known(spec)
        if known is None:
            return self._thread.submit(lambda: self._machines.of(spec))
        future: Future[Machine] = Future()
        future.set_result(known)  # the thread may be busy with a run
        return future

    def kill(self) -> None:
        """End the run that is training and drop those that wait; ``settle`` waits for that."""
        self._cancelled.set()
        worker = self._worker
        if worker is not None:
            worker.kill()

    def settle(self) -> None:
        """Wait until the thread is idle after ``kill``, and for the end of the worker; the next run gets a new one."""
        # Calls that wait find the event set and raise.
        self._thread.submit(self._end).result()
        self._cancelled.clear()

    def close(self) -> None:
        """End the worker and the thread, after ``settle``."""
        self._thread.submit(self._end).result()
        self._thread.close()

    def _train(self, specs: Sequence[RunSpec], grid: list[str], on_end: OnEnd, save_to: Path | None) -> None:
        def on_wait() -> None:
            reason = f"another session trains on {self.slot.name or (machine and machine.device)}"
            self._options.on_event(RunWaiting(spec=specs[0], reason=reason, slot=self.slot.name))

        self._raise_if_cancelled()
        machine = self._machine(specs[0]) if self._options.locks_device else None
        with nullcontext() if machine is None else device_lock(machine.device_id, on_wait, self._cancelled):
            for position, spec in enumerate(specs):
                self._raise_if_cancelled()
                if not on_end(position, self._record(spec, grid, save_to)):
                    return

    def _raise_if_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise CancelledError

    def _machine(self, spec: RunSpec) -> Machine | None:
        """Return the machine of a run; ``None`` if there is no such device, which its training will say."""
        try:
            return self._machines.of(spec)
        except FreezebenchError:
            return None

    def _record(self, spec: RunSpec, grid: list[str], save_to: Path | None) -> RunRecord:
        """Return the record of a run that was trained now."""
        slot, on_event = self.slot.name, self._options.on_event
        on_event(RunStarted(spec=spec, slot=slot))
        started_at = datetime.now(UTC).isoformat(timespec="seconds")
        folder = None if save_to is None else str(save_to)
        request = RunRequest(kind="run", spec=spec.to_json(), grid=grid, save_to=folder)
        try:
            answer = self._request(request, lambda event: on_event(RunProgressed(spec=spec, event=event, slot=slot)))
        except WorkerFaultError as error:
            return RunRecord(
                spec=spec, status="invalid", cause=error.cause, reason=str(error), log=error.log, started_at=started_at
            )
        except FreezebenchError as error:
            return untrained(spec, error)
        record = RunRecord.from_json(answer)
        if not self._options.keep or not (record.is_valid or record.cause in _HARMLESS):
            self._end()
        return record

    def _look_up_machine(self, device: str, precision: Precision) -> Machine:
        try:
            answer = self._request(MachineRequest(kind="machine", device=device, precision=precision))
        except WorkerFaultError as error:
            raise FreezebenchError(
                f"the process to train in does not work: {error}. Read what it wrote:\n{error.log or '(nothing)'}"
            ) from error
        machine = Machine(**answer)  # type: ignore[arg-type]  # the worker wrote the fields of one
        if self.slot.visible_devices and machine.device == "cpu":
            where = self.slot.name or self.slot.visible_devices
            raise FreezebenchError(
                f"torch finds no CUDA device in the process for {where}, which the driver lists. Install a build of "
                "torch for this driver, or use --freeze-devices=cpu."
            )
        return machine

    def _request(self, request: Request, emit: Callable[[ProgressEvent], None] = lambda _: None) -> dict[str, Json]:
        """Return the answer to a request, from a new worker if the last one is dead."""
        worker = self._worker if self._worker is not None and self._worker.is_alive else self._start()
        message: Message = {"request": request, "path": path_of_tests(), "data_cache": self._options.data_cache}
        try:
            answer = worker.request(message, emit, self._options.timeout_s, self._cancelled)
        except BaseException:
            self._end()
            raise
        if answer.fault is not None:
            self._end()
            raise WorkerFaultError(answer.cause, answer.fault, answer.log)
        if (reason := answer.error) is not None:
            error = FreezebenchError(reason)
            error.add_note(answer.log)
            raise error
        return answer.value or {}

    def _start(self) -> Worker:
        self._end()
        self.num_workers += 1
        with start_errors():
            self._worker = self._options.start(self.slot)
        return self._worker

    def _end(self) -> None:
        if self._worker is not None:
            self._worker.end()
        self._worker = None

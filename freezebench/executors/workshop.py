"""The workshop: what a session trains with: its data, the process that trains, finished runs, and who is told."""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freezebench.planning.schedule import Executor
from freezebench.records.locks import Lock
from freezebench.runs.data_cache import DataCache
from freezebench.runs.reuse import Reuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from freezebench.executors.worker import Isolated
    from freezebench.records.run_record import RunRecord
    from freezebench.runs.environment import Machine
    from freezebench.specs.names import Isolation
    from freezebench.specs.run import Precision, RunSpec

_HASHES = ("train_sha256", "validation_sha256", "test_sha256")
DEFAULT_TIMEOUT_S = 24 * 3600.0


class Listener:
    """Whoever shows how runs go on; this one shows nothing."""

    def begin(self, spec: RunSpec) -> None:
        """A run begins."""

    def waiting(self, reason: str) -> None:
        """The next run waits for another session."""

    def reused(self, record: RunRecord) -> None:
        """A run of an earlier session stands in for one."""

    def emit(self, event: Any) -> None:
        """Something happened in training."""

    def end(self, record: RunRecord) -> None:
        """The run ended."""


class Workshop:
    """Makes ready what is needed at its first use, and puts it away at the end.

    Attributes:
        listener: Whoever shows how runs go on.
        data_cache: The data sets, as this process knows them.
    """

    def __init__(
        self,
        *,
        isolation: Isolation = "worker",
        timeout_s: float | None = None,
        store: Path | None = None,
        resume: bool = True,
        **data_cache: Any,
    ) -> None:
        """Take what was asked for.

        Args:
            isolation: Where runs train: in a kept ``worker``, in a fresh one per ``run``, or here (``none``).
            timeout_s: How long one run may take, in seconds; ``None``: a day.
            store: Folder of finished runs; ``None``: they end with the session.
            resume: Whether runs of earlier sessions are reused.
            data_cache: How frozen prefixes are kept, as ``DataCache`` takes it.
        """
        self._isolation, self._timeout_s = isolation, timeout_s or DEFAULT_TIMEOUT_S
        self._cache_options = data_cache
        self._store, self._resume = store, resume
        self._machines: dict[tuple[str, str], Machine] = {}
        self._models: dict[tuple[str, str | None], str | None] = {}
        self._trains: _Here | Isolated | None = None
        self.data_cache = DataCache(**data_cache)
        self.listener = Listener()

    @cached_property
    def executor(self) -> Executor:
        """Owns the runs."""
        return Executor(self._run, self._reuse)

    @cached_property
    def _reuse(self) -> Reuse | None:
        if self._store is None:
            return None
        return Reuse(
            self._store,
            self.data_cache,
            self.machine,
            resume=self._resume,
            told=self._tell_reused,
            waits=self._tell_waiting,
        )

    @property
    def trains(self) -> _Here | Isolated:
        """What trains, made at the first use."""
        if self._trains is None:
            if self._isolation == "none":
                self._trains = _Here(self.data_cache)
            else:
                from freezebench.executors.worker import Isolated

                keep = self._isolation == "worker"
                self._trains = Isolated(keep=keep, timeout_s=self._timeout_s, data_cache=self._cache_options)
        return self._trains

    def preflight(self, planned: Iterable[tuple[RunSpec, str]]) -> None:
        """Load every model once and try every configuration on it, before anything is trained.

        Raises:
            FreezebenchError: If something cannot work.
        """
        grids: dict[RunSpec, list[str]] = {}
        for experiment, freeze in planned:
            grids.setdefault(experiment, []).append(freeze)
        for experiment, grid in grids.items():
            self.machine(experiment)  # a device that is not there is said before a model is loaded
            self.trains.preflight(experiment, grid)

    def finished(self, specs: Iterable[RunSpec]) -> dict[str, RunRecord]:
        """Return by run id those of some runs that earlier sessions have finished."""
        if self._reuse is None:
            return {}
        found = {spec.run_id: self._reuse.peek(spec) for spec in specs}
        return {run_id: record for run_id, record in found.items() if record is not None}

    def store_lines(self) -> list[str]:
        """Return what was reused, what was saved, and what went wrong with it."""
        return [] if self._reuse is None else self._reuse.lines()

    def close(self) -> None:
        """End what was started."""
        if self._trains is not None:
            self._trains.close()
            self._trains = None
        if self._reuse is not None:
            self._reuse.give_up_claim()

    def _run(self, spec: RunSpec) -> RunRecord:
        """Train, one run per device of this machine at a time, telling the listener."""
        device, listener = self.machine(spec).device, self.listener
        listener.begin(spec)
        with _alone_on(device, lambda: listener.waiting(f"another session trains on {device}")):
            record = self._of_same_inputs(self.trains.run(spec, listener.emit))
        listener.end(record)
        return record

    def _of_same_inputs(self, record: RunRecord) -> RunRecord:
        """Return the record, invalid if data or model are no longer those of the runs before: files may change."""
        if not record.is_valid or record.data is None:
            return record
        spec = record.spec
        facts = self.data_cache.data(spec).facts
        seen = self._models.setdefault((spec.model, spec.model_revision), record.model_sha256)
        changed = [name for name in _HASHES if getattr(facts, name) != getattr(record.data, name)]
        what = spec.data.source if changed else spec.model if seen != record.model_sha256 else None
        if what is None:
            return record
        reason = (
            f"{what} changed while this session ran: runs before and after cannot be compared. Leave its files alone "
            "and run again; finished runs are reused."
        )
        return replace(record, status="invalid", cause="inputs_changed", reason=reason)

    # The listener comes later than the runs of earlier sessions.
    def _tell_reused(self, record: RunRecord) -> None:
        self.listener.reused(record)

    def _tell_waiting(self, spec: RunSpec) -> None:
        self.listener.waiting(f"another session trains {spec.freeze} seed {spec.seed}")

    def machine(self, spec: RunSpec) -> Machine:
        """Return what a run's outcome depends on beside what was asked.

        Raises:
            FreezebenchError: If there is no such device.
        """
        key = (spec.device, spec.protocol.precision)
        if key not in self._machines:
            self._machines[key] = self.trains.machine(*key)
        return self._machines[key]


class _Here:
    """Trains in this process, for debugging: what ends a run badly may end everything."""

    def __init__(self, data_cache: DataCache) -> None:
        self._data_cache = data_cache

    def expect(self, freezes: Iterable[str]) -> None:
        """Say which configurations will run."""
        self._data_cache.expect(freezes)

    def run(self, spec: RunSpec, emit: Callable[[Any], None]) -> RunRecord:
        """Return the record of a run."""
        from freezebench.runs.experiment import run

        return run(spec, emit=emit, data_cache=self._data_cache)

    def preflight(self, spec: RunSpec, grid: Iterable[str]) -> None:
        """Load, freeze and feed a model once."""
        from freezebench.runs.preflight import preflight

        preflight(spec, self._data_cache.data(spec), grid)

    def machine(self, device: str, precision: Precision) -> Machine:
        """Return what runs depend on here."""
        from freezebench.runs.environment import machine

        return machine(device, precision)

    def close(self) -> None:
        """Nothing was started."""


@contextmanager
def _alone_on(device: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a device for one run, waiting for other sessions of this machine: beside another, times mean nothing.

    Args:
        device: Name of the device, such as ``cpu`` or ``cuda:0``.
        waiting: Called once if somebody else has it.
    """
    name = re.sub(r"[^A-Za-z0-9]+", "-", device)
    lock = Lock(Path(tempfile.gettempdir()) / f"freezebench-device-{name}.lock")
    with suppress(OSError):  # somewhere without such files a run is better than none
        lock.acquire(waiting)
    try:
        yield
    finally:
        lock.release()

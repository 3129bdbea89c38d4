"""Reuse of finished runs: those of earlier sessions are loaded from the store instead of trained again."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError
from freezebench.records.evaluated import computed_once
from freezebench.records.run_folder import at_other_rates
from freezebench.records.store import Store, run_key
from freezebench.runs.strategy_source import strategy_versions
from freezebench.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from freezebench.records.locks import Lock
    from freezebench.records.run_record import RunRecord
    from freezebench.runs.data_cache import DataCache
    from freezebench.runs.environment import Machine
    from freezebench.specs.run import RunSpec
    from freezebench.verdicts.judge import ConfigurationResult


@dataclass(frozen=True, kw_only=True)
class Found:
    """What ``Reuse.find`` found of some runs.

    Attributes:
        records: The finished ones by run id; none while others are busy.
        busy: Those that another session trains at this moment. If there are any, this session has claimed none.
    """

    records: dict[str, RunRecord] = field(default_factory=dict)
    busy: list[RunSpec] = field(default_factory=list)


class Reuse:
    """The store as one session uses it: runs are looked up, claimed while they train, and saved.

    One thread looks runs up; any thread may save and release them.
    """

    def __init__(
        self,
        folder: Path,
        data_cache: DataCache,
        *,
        resume: bool,
        on_reused: Callable[[RunRecord], None] = lambda _: None,
    ) -> None:
        """Take the store's folder and what the keys of runs are made of.

        Args:
            folder: The store's folder.
            data_cache: The session's data and the hashes of its models, as they were before anything was trained.
            resume: Whether runs are looked up; they are saved either way.
            on_reused: Called with every record that is reused, once.
        """
        self._store = Store(folder)
        self._data_cache, self._resume, self._on_reused = data_cache, resume, on_reused
        # Held while a claim or a number changes, but not while a file is written.
        self._lock = threading.Lock()
        # Of each key the run that this session trains, and the lock that keeps other sessions from it.
        self._claims: dict[str, tuple[str, Lock]] = {}
        # Whether a reused run has measured times, by run id.
        self._has_times: dict[str, bool] = {}
        self._num_saved = 0

    @property
    def reused(self) -> set[str]:
        """Ids of the runs that were reused."""
        return set(self._has_times)

    def find(self, specs: Iterable[RunSpec], machine: Machine | None, *others: Machine | None) -> Found:
        """Look some runs up, and claim those that are missing until ``save`` or ``release``, without waiting.

        Two sessions with one store share the work in this way. If another session trains one of the runs now, none is
        claimed: the caller looks them up again later.

        Args:
            specs: The runs.
            machine: Where they would train; ``None``: nowhere, so that nothing is found or claimed.
            others: Where they might have trained as well: the other slots of this session.
        """
        keys_of = {spec: self._keys(spec, machine, *others) for spec in specs} if self._resume else {}
        records, busy, claimed = {}, [], []
        for spec, keys in keys_of.items():
            if not keys:
                continue
            record = self._finished(keys)
            if record is None and not self._claim(keys[0], spec):
                busy.append(spec)
            elif record is None:
                claimed.append(spec)
                # Between the look and the claim, the run may have been finished.
                record = self._finished(keys)
            if record is not None:
                self.release(spec)
                records[spec] = record
        if busy:
            for spec in claimed:
                self.release(spec)
            return Found(busy=busy)
        for spec, record in records.items():
            self._count(spec, record)
        return Found(records={spec.run_id: record for spec, record in records.items()})

    def find_finished(self, spec: RunSpec, machine: Machine | None, *others: Machine | None) -> RunRecord | None:
        """Return the same run of another session if it has ended; it is neither claimed nor counted as reused."""
        keys = self._keys(spec, machine, *others) if self._resume else []
        return self._finished(keys) if keys else None

    def at_other_rates(self, result: ConfigurationResult) -> tuple[RunRecord, ...]:
        """Return the runs of earlier sessions that differ from those of a result in learning rate and seed alone.

        They are looked up where a remedy has to be found, once.
        """
        if not self._resume or not result.records or not (result.broken or result.has_lost):
            return ()
        record, known = result.records[-1], {run.spec.run_id for run in result.tried}
        runs = computed_once(record, ("at other rates",), lambda: at_other_rates(record, self._store.folder))
        return tuple(run for run in runs if run.spec.run_id not in known)

    def release(self, spec: RunSpec) -> None:
        """Give up the claim to a run, if this session has it, so that other sessions can train it."""
        with self._lock:
            for key, (run_id, claim) in list(self._claims.items()):
                if run_id == spec.run_id:
                    claim.release(remove=True)
                    del self._claims[key]

    def release_all(self) -> None:
        """Give up the claims to runs that were not saved, as after an interruption."""
        with self._lock:
            while self._claims:
                self._claims.popitem()[1][1].release(remove=True)

    def save(self, record: RunRecord) -> None:
        """Save a run that was trained now, if it is valid, and give up its claim."""
        try:
            # A run that was requested anew is what later sessions reuse, unless other work disturbed it.
            is_saved = self._store.save(record, replaces=not self._resume and not record.is_contended)
            with self._lock:
                self._num_saved += is_saved
        finally:
            self.release(record.spec)

    def lines(self) -> list[str]:
        """Return the summary's lines on the store: what was reused, what was saved, and what went wrong."""
        lines = list(self._store.problems)
        num_reused, num_timed = len(self._has_times), sum(self._has_times.values())
        if num_reused:
            others = f" but for {num_reused - num_timed} of another device or beside other runs"
            exceptions = others if num_timed < num_reused else ""
            lines.append(
                f"reused {counted(num_reused, 'run')} of earlier sessions from {self._store.folder}, "
                f"their times included{exceptions}; --freeze-resume=no trains all anew"
            )
        if self._num_saved:
            lines.append(f"saved {counted(self._num_saved, 'run')} to {self._store.folder}")
        return lines

    def _finished(self, keys: Sequence[str]) -> RunRecord | None:
        """Return the run under the first key that has one; without its costs, one of a device of no slot."""
        records = (self._store.load(key) for key in keys)
        return next((record for record in records if record), None) or self._store.load_of_other_device(keys[0])

    def _claim(self, key: str, spec: RunSpec) -> bool:
        """Return whether no one else trains a run, which is claimed where the folder allows locks."""
        with self._lock:
            if key in self._claims:
                # Runs whose specs differ in the name of the device alone have one key.
                return self._claims[key][0] == spec.run_id
            claim = self._store.claim(key)
            try:
                is_free = claim.try_acquire()
            except OSError:
                return True
            if is_free:
                self._claims[key] = (spec.run_id, claim)
            return is_free

    def _count(self, spec: RunSpec, record: RunRecord) -> None:
        """Count a run as reused, and report it, the first time that it is found."""
        with self._lock:
            is_new = spec.run_id not in self._has_times
            self._has_times[spec.run_id] = record.has_times
        if is_new:
            self._on_reused(record)

    def _keys(self, spec: RunSpec, machine: Machine | None, *others: Machine | None) -> list[str]:
        """Return the store's keys of a run on some machines; none if it has none, or cannot run on the first."""
        if machine is None:
            return []
        try:
            data, hashes = self._data_cache.data(spec), self._data_cache.file_hashes(spec)
        except FreezebenchError:
            return []  # training raises the same error, with its context
        if hashes is None:
            return []
        strategies = strategy_versions(spec.freeze)
        keys = [
            run_key(
                spec,
                model_sha256=hashes.weights_sha256,
                files_sha256=hashes.files_sha256,
                data_sha256=tuple(data.facts.content_hashes.values()),
                device=other.device,
                device_name=other.device_name,
                precision=other.precision,
                environment=other.environment | strategies,
            )
            for other in (machine, *others)
            if other is not None
        ]
        return list(dict.fromkeys(keys))

"""Reuse: finished runs of earlier sessions instead of training them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError
from freezebench.records.store import Store, run_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from freezebench.records.locks import Lock
    from freezebench.records.run_record import RunRecord
    from freezebench.runs.data_cache import DataCache
    from freezebench.runs.environment import Machine
    from freezebench.specs.run import RunSpec


class Reuse:
    """The store as a session sees it: what is found there, and what is kept there.

    Attributes:
        num_reused: How many runs were found.
        num_elsewhere: How many of them had trained on another device.
        num_saved: How many runs were kept.
    """

    def __init__(
        self,
        folder: Path,
        data_cache: DataCache,
        machine: Callable[[RunSpec], Machine],
        *,
        resume: bool,
        told: Callable[[RunRecord], None] = lambda _: None,
        waits: Callable[[RunSpec], None] = lambda _: None,
    ) -> None:
        """Take what names a run.

        Args:
            folder: The store's folder.
            data_cache: The session's data.
            machine: Returns what a run's outcome depends on here; raises FreezebenchError where there is no device.
            resume: Whether runs are looked for; they are kept either way.
            told: Called with every run that is found.
            waits: Called once with a run that another session is doing.
        """
        self._store = Store(folder)
        self._data_cache, self._machine = data_cache, machine
        self._resume, self._told, self._waits = resume, told, waits
        self._claim: Lock | None = None
        self.num_reused = 0
        self.num_elsewhere = 0
        self.num_saved = 0

    def find(self, spec: RunSpec) -> RunRecord | None:
        """Return the same run of another session: same content, same versions, same kind of device.

        If there is none, the run is claimed until ``keep``, so that two sessions with one store share the work: while
        another session has claimed it, this waits for its outcome.
        """
        key = self._key(spec) if self._resume else None
        if key is None:
            return None
        record = self._store.load(key)
        if record is None:
            self._claim = self._claimed(key, spec)
            # While this waited, the run may have been finished.
            record = self._store.load(key)
        if record is None:
            record = self._store.load_of_other_device(key)
            self.num_elsewhere += record is not None
        if record is not None:
            self.give_up_claim()
            self.num_reused += 1
            self._told(record)
        return record

    def peek(self, spec: RunSpec) -> RunRecord | None:
        """Return the same run of another session if it has ended, without a claim to it or a word about it."""
        key = self._key(spec) if self._resume else None
        return None if key is None else self._store.load(key) or self._store.load_of_other_device(key)

    def _claimed(self, key: str, spec: RunSpec) -> Lock | None:
        """Return the claim to a run, once no other session has it; ``None`` where the folder has no such thing."""
        claim = self._store.claim(key)
        try:
            claim.acquire(lambda: self._waits(spec))
        except OSError:
            return None
        return claim

    def give_up_claim(self) -> None:
        """Let other sessions do the run that was claimed and not kept, as after an interruption."""
        if self._claim is not None:
            self._claim.release(remove=True)
            self._claim = None

    def keep(self, record: RunRecord) -> None:
        """Save a run that was trained now, if it is valid, and give up its claim."""
        try:
            files_sha256 = self._files_sha256(record.spec) if record.is_valid else None
            self.num_saved += files_sha256 is not None and self._store.save(record, files_sha256)
        finally:
            self.give_up_claim()

    def lines(self) -> list[str]:
        """Return what the summary says of the store."""
        lines = list(self._store.problems)
        if self.num_reused:
            other = f" but for {self.num_elsewhere} of another device"
            elsewhere = other if self.num_elsewhere else ""
            runs = "1 run" if self.num_reused == 1 else f"{self.num_reused} runs"
            lines.append(
                f"reused {runs} of earlier sessions from {self._store.folder}, their times included{elsewhere}; "
                "--freeze-resume=no trains all anew"
            )
        if self.num_saved:
            lines.append(f"saved {self.num_saved} {'run' if self.num_saved == 1 else 'runs'} to {self._store.folder}")
        return lines

    def _key(self, spec: RunSpec) -> str | None:
        """Return the name under which a run would be kept; ``None`` where it has none, or cannot run at all."""
        try:
            machine = self._machine(spec)
            data = self._data_cache.data(spec)
            model_sha256 = self._data_cache.model_source(spec.model, spec.model_revision).weights_sha256()
        except FreezebenchError:
            return None  # training says it better
        files_sha256 = self._files_sha256(spec)
        if model_sha256 is None or files_sha256 is None:
            return None
        return run_key(
            spec,
            model_sha256=model_sha256,
            files_sha256=files_sha256,
            data_sha256=(data.train.sha256, data.validation.sha256, data.test.sha256),
            device_name=machine.device_name,
            precision=machine.precision,
            environment=machine.environment,
        )

    def _files_sha256(self, spec: RunSpec) -> str | None:
        """Return the content hash of a model's configuration and tokenizer; ``None`` for a factory, which is code."""
        try:
            return self._data_cache.model_source(spec.model, spec.model_revision).files_sha256()
        except FreezebenchError:
            return None

"""Reuse of finished runs: those of earlier sessions are loaded from the store instead of trained again."""

from __future__ import annotations

from contextlib import suppress
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
    """The store as one session uses it: runs are looked up, claimed while they train, and saved.

    Attributes:
        num_reused: How many runs were loaded.
        num_elsewhere: How many of them had trained on another device.
        num_saved: How many runs were saved.
    """

    def __init__(
        self,
        folder: Path,
        data_cache: DataCache,
        machine: Callable[[RunSpec], Machine],
        *,
        resume: bool,
        on_reused: Callable[[RunRecord], None] = lambda _: None,
        on_wait: Callable[[RunSpec], None] = lambda _: None,
    ) -> None:
        """Take the store's folder and what the keys of runs are made of.

        Args:
            folder: The store's folder.
            data_cache: The session's data and the hashes of its models, as they were before anything was trained.
            machine: Returns what a run's outcome depends on here; raises FreezebenchError if there is no such device.
            resume: Whether runs are looked up; they are saved either way.
            on_reused: Called with every record that is reused.
            on_wait: Called once with a run that another session is training.
        """
        self._store = Store(folder)
        self._data_cache, self._machine = data_cache, machine
        self._resume, self._on_reused, self._on_wait = resume, on_reused, on_wait
        self._claims: dict[str, Lock] = {}
        self.num_reused = 0
        self.num_elsewhere = 0
        self.num_saved = 0

    def find(self, spec: RunSpec) -> RunRecord | None:
        """Return the same run of another session: same content, same versions, same kind of device.

        If there is none, this session claims the run until ``save`` or ``release``. Two sessions with one store share
        the work in this way: while another session has the claim, this call waits for the outcome.
        """
        key = self._key(spec) if self._resume else None
        if key is None:
            return None
        record = self._store.load(key)
        if record is None:
            self._claim(key, spec)
            # While this waited, the run may have been finished.
            record = self._store.load(key)
        if record is None:
            record = self._store.load_of_other_device(key)
            self.num_elsewhere += record is not None
        if record is not None:
            self.release(spec)
            self.num_reused += 1
            self._on_reused(record)
        return record

    def find_finished(self, spec: RunSpec) -> RunRecord | None:
        """Return the same run of another session if it has ended; it is neither claimed nor counted as reused."""
        key = self._key(spec) if self._resume else None
        return None if key is None else self._store.load(key) or self._store.load_of_other_device(key)

    def _claim(self, key: str, spec: RunSpec) -> None:
        """Claim a run once no other session has it; do nothing where the folder allows no locks."""
        claim = self._store.claim(key)
        with suppress(OSError):
            claim.acquire(lambda: self._on_wait(spec))
            self._claims[spec.run_id] = claim

    def release(self, spec: RunSpec) -> None:
        """Give up the claim to a run, if this session has it, so that other sessions can train it."""
        claim = self._claims.pop(spec.run_id, None)
        if claim is not None:
            claim.release(remove=True)

    def release_all(self) -> None:
        """Give up the claims to runs that were not saved, as after an interruption."""
        while self._claims:
            self._claims.popitem()[1].release(remove=True)

    def save(self, record: RunRecord) -> None:
        """Save a run that was trained now, if it is valid, and give up its claim."""
        try:
            # A run that was requested anew is what later sessions reuse, unless other work disturbed it.
            replaces = not self._resume and not record.is_contended
            self.num_saved += self._store.save(record, replaces=replaces)
        finally:
            self.release(record.spec)

    def lines(self) -> list[str]:
        """Return the summary's lines on the store: what was reused, what was saved, and what went wrong."""
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
        """Return the store's key of a run; ``None`` if it has none, or cannot run at all."""
        try:
            machine = self._machine(spec)
            data, hashes = self._data_cache.data(spec), self._data_cache.file_hashes(spec)
        except FreezebenchError:
            return None  # training raises the same error, with its context
        if hashes is None:
            return None
        return run_key(
            spec,
            model_sha256=hashes.weights_sha256,
            files_sha256=hashes.files_sha256,
            data_sha256=(data.train.sha256, data.validation.sha256, data.test.sha256),
            device_name=machine.device_name,
            precision=machine.precision,
            environment=machine.environment,
        )

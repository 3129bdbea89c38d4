"""Reuse: finished runs of earlier sessions instead of training them again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError
from freezebench.records.store import Store, run_key

if TYPE_CHECKING:
    from pathlib import Path

    from freezebench.records.run_record import RunRecord
    from freezebench.runs.shelf import DataShelf
    from freezebench.specs.run import RunSpec

# What a checkpoint folder holds beside its weights: configuration, vocabularies, merges.
_SMALL_FILES = {".json", ".txt", ".model", ".codes"}


class Reuse:
    """The store as a session sees it: what is found there, and what is kept there.

    Attributes:
        num_reused: How many runs were found.
        num_saved: How many runs were kept.
    """

    def __init__(self, folder: Path, shelf: DataShelf, *, resume: bool) -> None:
        """Take the store's folder and the session's data; without ``resume`` runs are kept, but none is looked for."""
        self._store = Store(folder)
        self._shelf = shelf
        self._resume = resume
        self.num_reused = 0
        self.num_saved = 0

    def find(self, spec: RunSpec) -> RunRecord | None:
        """Return the same run of an earlier session: same content, same versions, same kind of device; else None."""
        key = self._key(spec) if self._resume else None
        record = None if key is None else self._store.load(key)
        self.num_reused += record is not None
        return record

    def keep(self, record: RunRecord) -> None:
        """Save a run that was trained now, if it is valid."""
        if not record.is_valid:
            return
        files_sha256 = _files_sha256(record.spec)
        self.num_saved += files_sha256 is not None and self._store.save(record, files_sha256)

    def lines(self) -> list[str]:
        """Return what the summary says of the store."""
        lines = list(self._store.problems)
        if self.num_reused:
            runs = "1 run" if self.num_reused == 1 else f"{self.num_reused} runs"
            lines.append(
                f"reused {runs} of earlier sessions from {self._store.folder}, their times included; "
                "--freeze-resume=no trains all anew"
            )
        if self.num_saved:
            lines.append(f"saved {self.num_saved} {'run' if self.num_saved == 1 else 'runs'} to {self._store.folder}")
        return lines

    def _key(self, spec: RunSpec) -> str | None:
        """Return the name under which a run would be kept; ``None`` where it has none, or cannot run at all."""
        from freezebench.runs.environment import environment
        from freezebench.tasks.model_source import model_fingerprint
        from freezebench.training.precision import device_name, resolve_device, resolve_precision

        try:
            device = resolve_device(spec.device)
            data = self._shelf.data(spec.data, spec.model)
            model_sha256 = model_fingerprint(spec.model, spec.model_revision)
        except FreezebenchError:
            return None  # training says it better
        files_sha256 = _files_sha256(spec)
        if model_sha256 is None or files_sha256 is None:
            return None
        return run_key(
            spec,
            model_sha256=model_sha256,
            files_sha256=files_sha256,
            data_sha256=(data.train.sha256, data.validation.sha256, data.test.sha256),
            device_name=device_name(device),
            precision=resolve_precision(spec.protocol.precision, device),
            environment=environment(),
        )


def _files_sha256(spec: RunSpec) -> str | None:
    """Return the content hash of a model's configuration and tokenizer; ``None`` for a factory, which is code."""
    from freezebench.tasks.model_source import ModelSource

    try:
        source = ModelSource.parse(spec.model, spec.model_revision)
        if source.kind == "factory":
            return None
        digest = hashlib.sha256()
        for path in sorted(source.folder().iterdir()):
            if path.suffix in _SMALL_FILES and path.is_file():
                digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    except (FreezebenchError, OSError):
        return None
    return digest.hexdigest()

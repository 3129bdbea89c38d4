"""The check that all runs of a session were trained on the same data and the same weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freezebench.records.run_record import RunRecord
    from freezebench.runs.data_cache import DataCache

_HASHES = ("train_sha256", "validation_sha256", "test_sha256")


class InputCheck:
    """Compares the hashes in records with what this session read first: files may change while it runs."""

    def __init__(self, data_cache: DataCache) -> None:
        """Take the data sets as this process read them."""
        self._data_cache = data_cache
        self._models: dict[tuple[str, str | None], str | None] = {}

    def checked(self, record: RunRecord) -> RunRecord:
        """Return the record; an invalid one if its data or model are no longer those of earlier runs."""
        if not record.is_valid or record.data is None:
            return record
        spec = record.spec
        facts = self._data_cache.data(spec).facts
        first_sha256 = self._models.setdefault((spec.model, spec.model_revision), record.model_sha256)
        data_changed = any(getattr(facts, name) != getattr(record.data, name) for name in _HASHES)
        changed = spec.data.source if data_changed else spec.model if first_sha256 != record.model_sha256 else None
        if changed is None:
            return record
        reason = (
            f"{changed} changed while this session ran: runs before and after cannot be compared. Leave its files "
            "alone and run again; finished runs are reused."
        )
        return replace(record, status="invalid", cause="inputs_changed", reason=reason)

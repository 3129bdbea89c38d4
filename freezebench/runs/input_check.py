"""The check that all runs of a session were trained on the same data and the same model, whatever happens to files.

A user may edit a file at any time, and another process may read it at another time than this one. So the hashes of a
model's files are taken before anything is trained, again by the process that trains, before it loads the model, and
compared once more when the run has ended:

    session: hashes ──────────────────────────────────── compared with those in the record ──► store, under these hashes
    worker:            hashes ─ load, train ─ hashes again, before and after every further run

Data are read once by every process, and the hash in a record is that of the texts and labels that were read. The code
of a strategy of another package is compared in the same way.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError
from freezebench.runs.strategy_source import strategy_versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.runs.data_cache import DataCache
    from freezebench.specs.run import RunSpec


def input_hashes(spec: RunSpec, data_cache: DataCache) -> dict[str, str]:
    """Return the SHA-256 of what a run is trained on, by the part's name, for a comparison with another machine.

    Raises:
        FreezebenchError: If model or data cannot be read.
    """
    facts, files = data_cache.data(spec).facts, data_cache.file_hashes(spec)
    hashes = {f"{spec.data.source} ({name})": sha256 for name, sha256 in facts.content_hashes.items()}
    if files is not None:
        return hashes | {
            f"weights of {spec.model}": files.weights_sha256,
            f"configuration or tokenizer of {spec.model}": files.files_sha256,
        }
    factory = data_cache.model_source(spec.model, spec.model_revision).factory
    source = Path(inspect.getsourcefile(factory) or "")
    return hashes | {f"source of {spec.model}": sha256(source.read_bytes()).hexdigest() if source.is_file() else ""}


class InputCheck:
    """The inputs of a session as this process read them first, which those in records are compared with."""

    def __init__(self, data_cache: DataCache) -> None:
        """Take the data sets and model sources of this process."""
        self._data_cache = data_cache
        # Hashes of a factory's models, with the run that had them first: by model and classes, and by seed as well.
        self._initial: dict[tuple[str, tuple[str, ...], int | None], tuple[str, str]] = {}

    def checked(self, record: RunRecord) -> RunRecord:
        """Return the record; an invalid one if its data or model are not those that this session began with."""
        if not record.is_valid or record.data is None:
            return record
        spec, facts = record.spec, self._data_cache.data(record.spec).facts
        here, there = facts.content_hashes, record.data.content_hashes
        if here != there:
            names = sorted(name for name in {*here, *there} if here.get(name) != there.get(name))
            return changed_record(record, spec.data.source, names)
        for name, version in strategy_versions(spec.freeze).items():
            found = record.environment.get(name, version)
            if found != version:
                return _other_version(record, name, found, version)
        hashes = self._data_cache.file_hashes(spec)
        if hashes is None:
            return self._checked_factory(record)
        if (hashes.weights_sha256, hashes.files_sha256) == (record.model_sha256, record.files_sha256):
            return record
        weights_differ = hashes.weights_sha256 != record.model_sha256
        return changed_record(record, spec.model, ["weights" if weights_differ else "configuration or tokenizer"])

    def _checked_factory(self, record: RunRecord) -> RunRecord:
        """Return the record; an invalid one if its factory returned another model than for earlier runs."""
        if record.initial_sha256 is None or record.data is None:
            return record
        spec, (encoder, whole) = record.spec, record.initial_sha256
        run, names = f"{spec.freeze} seed {spec.seed}", record.data.label_names
        first, run_of_first = self._initial.setdefault((spec.model, names, spec.seed), (whole, run))
        if first != whole:
            return _other_model(record, "model", run_of_first)
        if self._data_cache.model_source(spec.model).depends_on_seed:
            return record
        first, run_of_first = self._initial.setdefault((spec.model, names, None), (encoder, run))
        return record if first == encoder else _other_model(record, "encoder", run_of_first)


def _other_model(record: RunRecord, what: str, first: str) -> RunRecord:
    """Return the record as an invalid one, since its factory returned something else than for an earlier run."""
    spec = record.spec
    reason = (
        f"the factory {spec.model} returned another {what} for {spec.freeze} seed {spec.seed} than for {first}, so "
        "that a drop would be between two models. Let it depend on its arguments and torch's random state alone"
    )
    return replace(record, status="invalid", cause="inputs_changed", reason=reason)


def _other_version(record: RunRecord, name: str, there: str, here: str) -> RunRecord:
    """Return the record as an invalid one, since it trained by other code of its strategy than this session plans."""
    reason = (
        f"the process that trained {record.spec.freeze} has another version of {name}: {there}, and {here} here. "
        "Install the same one everywhere, and leave its files alone while a session runs"
    )
    return replace(record, status="invalid", cause="inputs_changed", reason=reason)


def changed_record(record: RunRecord, source: str, parts: Sequence[str] = ()) -> RunRecord:
    """Return the record as an invalid one, since a model or data set changed.

    Args:
        record: A run that may have read the old or the new content.
        source: Name of the model or data set.
        parts: Names of its files or parts that changed, as far as they are known.
    """
    names = f" ({', '.join(parts)})" if parts else ""
    reason = (
        f"{source} changed while this session ran{names}: runs before and after cannot be compared. Leave its files "
        "alone and run again; finished runs are reused."
    )
    return replace(record, status="invalid", cause="inputs_changed", reason=reason)


def unchanged(record: RunRecord, data_cache: DataCache) -> RunRecord:
    """Return the record of a run in this process; an invalid one if files have changed since this process read them.

    Args:
        record: The run, before or after its training.
        data_cache: The inputs of this process.
    """
    spec, before = record.spec, data_cache.file_hashes(record.spec)
    if changed := data_cache.changed_data_files(spec):
        return changed_record(record, *next(iter(changed.items())))
    if before is None:
        return record
    try:
        after = data_cache.model_source(spec.model, spec.model_revision).file_hashes()
    except FreezebenchError:
        return changed_record(record, spec.model)
    names = [] if after is None else before.differing(after)
    return changed_record(record, spec.model, names) if names else record

"""Saved runs: the part of an earlier session that a comparison needs, independent of the file format."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Self, TypeGuard, TypeVar

import numpy as np

from freezebench.errors import RecordError
from freezebench.records.contention import is_past_limit
from freezebench.records.device_models import main_model, of_model
from freezebench.records.headline import CPU_METRICS, GPU_METRICS
from freezebench.records.packed import groups_of, packed, repeats_of, unpacked
from freezebench.records.saved_freeze import saved_freeze
from freezebench.specs.fields import brief, real
from freezebench.specs.run import Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from freezebench.records.run_record import RunRecord
    from freezebench.specs.json_types import Json

_T = TypeVar("_T")

EXTRA_INFO_SCHEMA = 2
SPLITS = ("train", "validation", "test")
# The requested precision is left out: the comparison uses the actual one, which a configuration has as a field.
PROTOCOL_FIELDS = tuple(field.name for field in fields(Protocol) if field.name != "precision")
_TEXTS = ("model", "model_sha256", "data", "experiment_id", "device", "device_name", "precision", "broken")
# Largest difference between a saved accuracy and the one that the saved outcomes give.
_ROUNDING = 1e-6
_SEEDS_END = 2**32  # those of numpy end there


@dataclass(frozen=True, kw_only=True, eq=False)
class SavedSeed:
    """One valid run.

    Attributes:
        seed: Its seed.
        correct: Whether each test sentence was classified correctly, shape (sentences,).
        readings: Measured figures by metric name; ``None`` for what was not measured.
        device_name: Model of its GPU or CPU if it is another one than the configuration's; else ``None``.
    """

    seed: int
    correct: NDArray[np.bool_]
    readings: Mapping[str, float | None]
    device_name: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class SavedConfiguration:
    """The runs of one configuration, and the properties that have to be equal for a comparison; ``None``: unknown.

    Attributes:
        freeze: Canonical id of the freeze spec.
        node_id: Node id of its test; ``None`` in a report.
        model: Model source; ``model_sha256`` is the content hash of its weights, if it has one.
        data: Data source; ``data_sha256`` holds the content hashes of its splits by name.
        protocol: Fields of the training protocol, including the learning rate.
        experiment_id: Hash of what all configurations of its experiment share.
        device: ``cpu`` or ``cuda:N``.
        device_name: Model of the GPU or CPU, of several the one of most runs.
        precision: Number format that was used.
        broken: Why the runs are not usable; ``None`` if they are.
        test_groups: Number of the text of every test sentence, if some texts are repeated; ``None``: none is, or the
            version that saved it did not look.
        runs: The valid runs, in the order of training.
    """

    freeze: str
    node_id: str | None
    model: str | None = None
    model_sha256: str | None = None
    data: str | None = None
    data_sha256: Mapping[str, str] = field(default_factory=dict)
    protocol: Mapping[str, Json] = field(default_factory=dict)
    experiment_id: str | None = None
    device: str | None = None
    device_name: str | None = None
    precision: str | None = None
    broken: str | None = None
    test_groups: tuple[int, ...] | None = None
    runs: tuple[SavedSeed, ...] = ()

    @property
    def name(self) -> str:
        """Name in messages: the test's node id, else the freeze spec and its experiment."""
        return self.node_id or f"{self.freeze} ({self.model} on {self.data})"

    @property
    def is_gpu(self) -> bool:
        """Whether the runs used a GPU."""
        return (self.device or "").startswith("cuda")

    @property
    def headline_metrics(self) -> tuple[str, str]:
        """The names of the memory and the energy metric for its device."""
        return GPU_METRICS if self.is_gpu else CPU_METRICS

    @property
    def contended_shares(self) -> tuple[float, ...]:
        """Share of the training time in which threads waited for a processor, of each run whose times do not count."""
        # On a GPU other processes on the device decide instead.
        shares = () if self.is_gpu else (run.readings.get("contended_share") for run in self.runs)
        return tuple(share for share in shares if share is not None and is_past_limit(share))

    @property
    def quiet(self) -> Self:
        """The same configuration without the runs whose times do not count."""
        if not self.contended_shares:
            return self
        return replace(
            self, runs=tuple(run for run in self.runs if not is_past_limit(run.readings.get("contended_share")))
        )

    @property
    def num_runs_by_model(self) -> Counter[str | None]:
        """Number of runs by the model of their device, in the order of training."""
        return Counter(run.device_name or self.device_name for run in self.runs)

    def on_model(self, device_name: str | None) -> Self:
        """Return the same configuration with the runs on one model of device alone."""
        runs = tuple(run for run in self.runs if (run.device_name or self.device_name) == device_name)
        return replace(self, device_name=device_name, runs=runs)

    def values(self, metric: str) -> list[float]:
        """Return a metric's positive values of all runs that measured it; no ratio can be formed with a zero."""
        values = (run.readings.get(metric) for run in self.runs)
        return [value for value in values if value is not None and value > 0]


@dataclass(frozen=True, kw_only=True, eq=False)
class SavedRun:
    """All configurations that one session saved.

    Attributes:
        source: Its file, or another name for messages.
        date: Date of the session, ISO 8601, or ``unknown date``.
        configurations: The configurations.
    """

    source: str
    date: str
    configurations: tuple[SavedConfiguration, ...]


def from_records(
    freeze: str, records: Sequence[RunRecord], *, broken: str | None = None, node_id: str | None = None
) -> SavedConfiguration:
    """Return the configuration that the records of its runs make up."""
    if not records:
        return SavedConfiguration(freeze=freeze, node_id=node_id, broken=broken or "it has no runs")
    valid = [record for record in records if record.is_valid]
    # All runs of a configuration share its properties but the device, and an invalid run may have failed before it knew
    # them.
    model = main_model(valid)
    first = (of_model(valid, model) or list(records))[0]
    return SavedConfiguration(
        freeze=freeze,
        node_id=node_id,
        model=first.spec.model,
        model_sha256=first.model_sha256,
        data=first.spec.data.source,
        data_sha256={split: getattr(first.data, f"{split}_sha256") for split in SPLITS} if first.data else {},
        protocol={name: getattr(first.spec.protocol, name) for name in PROTOCOL_FIELDS},
        experiment_id=first.spec.experiment_id,
        device=first.device,
        device_name=first.device_name,
        precision=first.precision,
        broken=broken or (None if valid else f"seed {first.spec.seed}: {first.reason}"),
        test_groups=first.data.test_groups if first.data else None,
        runs=tuple(
            SavedSeed(
                seed=record.spec.seed,
                correct=np.array(record.test_correct, dtype=np.bool_),
                readings={name: reading.value for name, reading in record.readings.items()},
                device_name=None if record.device_name == model else record.device_name,
            )
            for record in valid
        ),
    )


def to_info(saved: SavedConfiguration, *, run_extras: Sequence[Mapping[str, Json]] | None = None) -> dict[str, Json]:
    """Return a configuration in JSON types.

    Outcomes are saved as one bit per test sentence, since a configuration may have millions of them: in order, from the
    highest bit of the first byte on, as ``numpy.packbits`` does it, in Base64. Of the texts, only the sentences that
    repeat an earlier one are saved, by position: ``[[5, 2]]`` where the sixth sentence repeats the third.

    Args:
        saved: The configuration.
        run_extras: Further entries of each run, which ``from_info`` ignores.
    """
    extras = run_extras if run_extras is not None else [{}] * len(saved.runs)
    return {
        "schema": EXTRA_INFO_SCHEMA,
        "freeze": saved.freeze,
        **{name: getattr(saved, name) for name in _TEXTS},
        "data_sha256": dict(saved.data_sha256),
        "protocol": dict(saved.protocol),
        **({} if saved.test_groups is None else {"test_repeats": repeats_of(saved.test_groups)}),
        "runs": [
            {
                "seed": run.seed,
                "accuracy": float(run.correct.mean()),
                "num_test": len(run.correct),
                "test_correct_base64": packed(run.correct),
                "readings": dict(run.readings),
                **({} if run.device_name is None else {"device_name": run.device_name}),
                **extra,
            }
            for run, extra in zip(saved.runs, extras, strict=True)
        ],
    }


def from_info(info: object, node_id: str | None) -> SavedConfiguration:
    """Return the configuration from what ``to_info`` returned.

    Raises:
        RecordError: If the schema is unknown, or an entry is missing, contradictory or damaged.
    """
    schema = info.get("schema") if isinstance(info, dict) else None
    if not isinstance(info, dict) or schema != EXTRA_INFO_SCHEMA:
        is_newer = isinstance(schema, int) and schema > EXTRA_INFO_SCHEMA
        advice = "a newer version wrote it; use that version" if is_newer else "save the reference anew"
        raise RecordError(
            f"figures of schema {brief(schema)}, but this version of freezebench reads {EXTRA_INFO_SCHEMA}: {advice}"
        )
    runs = tuple(_seed(run) for run in _typed(info, "runs", list))
    configuration = SavedConfiguration(
        freeze=saved_freeze(info.get("freeze")),
        node_id=node_id,
        data_sha256=_typed(info, "data_sha256", dict),
        protocol=_typed(info, "protocol", dict),
        test_groups=groups_of(info.get("test_repeats"), len(runs[0].correct)) if runs else None,
        runs=runs,
        **{name: None if info.get(name) is None else _typed(info, name, str) for name in _TEXTS},
    )
    check(configuration)
    return configuration


def check(saved: SavedConfiguration) -> None:
    """Make sure that the runs of a configuration are complete and belong together.

    Raises:
        RecordError: If they do not, or if properties that a comparison needs are missing.
    """
    if saved.broken:
        return
    if not saved.runs:
        raise RecordError(f"{saved.freeze} has no runs, and no reason for it")
    hashes_known = "test" in saved.data_sha256 and all(isinstance(sha256, str) for sha256 in saved.data_sha256.values())
    if None in (saved.model, saved.data, saved.device_name, saved.precision) or not hashes_known:
        raise RecordError(f"{saved.freeze} does not say which model, data, device or precision it ran with")
    # The comparison pairs runs by seed and test sentences by position.
    seeds = [run.seed for run in saved.runs]
    if len(set(seeds)) < len(seeds):
        raise RecordError(f"{saved.freeze} holds a seed twice: {seeds}")
    sizes = {len(run.correct) for run in saved.runs}
    if len(sizes) > 1 or min(sizes) < 2:  # noqa: PLR2004 - an interval needs two sentences
        raise RecordError(f"the runs of {saved.freeze} have {sorted(sizes)} test sentences: expected one number from 2")


def _typed(values: object, name: str, kind: type[_T]) -> _T:
    """Return an entry of a dictionary.

    Raises:
        RecordError: If it is missing or has another type.
    """
    value = values.get(name) if isinstance(values, dict) else None
    # In Python, True is an int; in JSON it is not a number.
    if not isinstance(value, kind) or isinstance(value, bool):
        raise RecordError(f"{name!r} is missing or no {kind.__name__}: {brief(value)}")
    return value


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value from JSON is a finite number that fits into a float."""
    return math.isfinite(real(value))


def _seed(run: object) -> SavedSeed:
    """Return one run.

    Raises:
        RecordError: If an entry is missing or damaged.
    """
    correct = unpacked(_typed(run, "num_test", int), _typed(run, "test_correct_base64", str))
    accuracy = run.get("accuracy") if isinstance(run, dict) else None
    if not is_number(accuracy) or not abs(correct.mean() - accuracy) < _ROUNDING:
        raise RecordError(f"the outcomes give an accuracy of {correct.mean():.4f}, but {brief(accuracy)} was saved")
    readings = _typed(run, "readings", dict)
    for name, value in readings.items():
        if value is not None and not is_number(value):
            raise RecordError(f"reading {name!r} is no finite number: {brief(value)}")
    seed = _typed(run, "seed", int)
    if not 0 <= seed < _SEEDS_END:
        raise RecordError(f"{brief(seed)} is no seed")
    device_name = run.get("device_name") if isinstance(run, dict) else None
    if device_name is not None:
        _typed(run, "device_name", str)
    return SavedSeed(seed=seed, correct=correct, readings=readings, device_name=device_name)

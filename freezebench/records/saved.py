"""Saved runs: the part of an earlier session that a comparison needs, independent of the file format."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from freezebench.records.contention import is_past_limit
from freezebench.records.device_models import main_model, of_model
from freezebench.records.headline import CPU_METRICS, GPU_METRICS
from freezebench.records.saved_metric import CLASSIFICATION, saved_outcomes, too_few_examples
from freezebench.scoring.metrics import ACCURACY, metric_of
from freezebench.specs.run import Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from freezebench.records.run_record import RunRecord
    from freezebench.scoring.metric import Metric
    from freezebench.specs.json_types import Json

SPLITS = ("train", "validation", "test")
# The requested precision is left out: the comparison uses the actual one, which a configuration has as a field.
PROTOCOL_FIELDS = tuple(field.name for field in fields(Protocol) if field.name != "precision")


@dataclass(frozen=True, kw_only=True, eq=False)
class SavedSeed:
    """One valid run.

    Attributes:
        seed: Its seed.
        outcomes: What each test example contributes to the metric, shape (examples,): for accuracy of classification
            whether its class was predicted; for others numbers whose mean is the metric.
        readings: Measured figures by metric name; ``None`` for what was not measured.
        device_name: Model of its GPU or CPU if it is another one than the configuration's; else ``None``.
    """

    seed: int
    outcomes: NDArray[Any]
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
        metric: The metric of their outcomes.
        task: What is learned.
        test_sets: Content hash of every further test set, by its name.
        too_few: Which test examples are too few for an interval of the metric; ``None``: none are.
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
    metric: Metric = ACCURACY
    task: str = CLASSIFICATION
    test_sets: Mapping[str, str] = field(default_factory=dict)
    too_few: str | None = None

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
    freeze: str,
    records: Sequence[RunRecord],
    *,
    broken: str | None = None,
    node_id: str | None = None,
    metric: Metric | None = None,
) -> SavedConfiguration:
    """Return the configuration that the records of its runs make up.

    Args:
        freeze: Canonical id of the freeze spec.
        records: Its runs.
        broken: Why they are not usable; ``None`` if they are.
        node_id: Node id of its test.
        metric: The metric that judges them; ``None``: the usual one of their task.

    Raises:
        RecordError: If a run has not recorded what the metric needs.
    """
    if not records:
        return SavedConfiguration(freeze=freeze, node_id=node_id, broken=broken or "it has no runs")
    valid = [record for record in records if record.is_valid]
    # All runs of a configuration share its properties but the device, and an invalid run may have failed before it knew
    # them.
    model = main_model(valid)
    first = (of_model(valid, model) or list(records))[0]
    data = first.data
    if metric is None:
        metric = metric_of(None, data.task, data.label_names) if data else ACCURACY
    outcomes = [saved_outcomes(record, metric) for record in valid]
    if not all(np.isfinite(values).all() for values in outcomes):
        broken, valid = broken or f"{metric.label} has no value in some run", []
    return SavedConfiguration(
        freeze=freeze,
        node_id=node_id,
        model=first.spec.model,
        model_sha256=first.model_sha256,
        data=first.spec.data.source,
        data_sha256={split: getattr(data, f"{split}_sha256") for split in SPLITS} if data else {},
        protocol={name: getattr(first.spec.protocol, name) for name in PROTOCOL_FIELDS},
        experiment_id=first.spec.experiment_id,
        device=first.device,
        device_name=first.device_name,
        precision=first.precision,
        broken=broken or (None if valid else f"seed {first.spec.seed}: {first.reason}"),
        test_groups=data.test_groups if data else None,
        runs=tuple(
            SavedSeed(
                seed=record.spec.seed,
                outcomes=values,
                readings={name: reading.value for name, reading in record.readings.items()},
                device_name=None if record.device_name == model else record.device_name,
            )
            for record, values in zip(valid, outcomes, strict=False)
        ),
        metric=metric,
        task=data.task if data else CLASSIFICATION,
        test_sets={item.name: item.test_sha256 for item in data.test_sets} if data else {},
        too_few=too_few_examples(valid, metric),
    )

"""Rows: one configuration's figures over its seeds, as every table and file shows them."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.records.headline import headline_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.verdicts.judge import ConfigurationResult


@dataclass(frozen=True, kw_only=True)
class Row:
    """One configuration's figures; ``None`` where something was not measured or a run is invalid.

    Attributes:
        freeze: Canonical id of the freeze spec.
        num_seeds: Number of valid runs behind the figures.
        num_trainable_params: Number of parameters that train.
        trainable_fraction: Their share, 0 to 1.
        learning_rate: AdamW's rate at the first step.
        train_s: Median seconds of training alone.
        speedup: Baseline's median train time over this one's.
        samples_per_s: Training sentences per second, at that median.
        memory_metric: Which figure ``peak_memory_bytes`` is.
        peak_memory_bytes: Largest peak memory over the seeds.
        memory_saving: Share of the baseline's peak that is saved, at most 1.
        energy_metric: Which figure ``energy_j`` is.
        energy_j: Median energy of training, in joules.
        energy_per_1000_samples_j: Median energy per thousand training sentences, in joules.
        energy_saving: Share of the baseline's energy that is saved, at most 1.
        energy_saving_uncertainty: Half-width of the interval around it that the meters' uncertainties allow.
        accuracy: Mean test accuracy, 0 to 1; ``accuracy_sd`` over seeds (``None`` for one seed).
        f1: Mean test F1, 0 to 1; ``f1_sd`` over seeds.
        drop_pp: Accuracy drop against no freezing in percentage points, positive is worse, with one-sided 95 % bounds
            ``lower_pp`` and ``upper_pp``.
        verdict: Verdict at the decision margin.
        limit_pp: Asserted limit in percentage points.
        gate: Verdict at that limit.
        num_parts: Number of further limits of the joint gate: savings, and the comparison with a saved run.
        standing: Where the joint gate stands: ``ok``, ``undecided``, ``worse`` or ``broken``.
        broken: Why the runs mean nothing.
    """

    freeze: str
    num_seeds: int
    num_trainable_params: int | None
    trainable_fraction: float | None
    learning_rate: float | None
    train_s: float | None
    speedup: float | None
    samples_per_s: float | None
    memory_metric: str
    peak_memory_bytes: float | None
    memory_saving: float | None
    energy_metric: str
    energy_j: float | None
    energy_per_1000_samples_j: float | None
    energy_saving: float | None
    energy_saving_uncertainty: float | None
    accuracy: float | None
    accuracy_sd: float | None
    f1: float | None
    f1_sd: float | None
    drop_pp: float | None
    lower_pp: float | None
    upper_pp: float | None
    verdict: str
    limit_pp: float | None
    gate: str | None
    num_parts: int
    standing: str
    broken: str | None


def row(result: ConfigurationResult) -> Row:
    """Return the figures of one configuration."""
    # What is invalid is never averaged into anything.
    records = [] if result.broken else list(result.records)
    baseline = [record for record in result.baseline if record.is_valid]
    memory, energy = headline_metrics(result.baseline)
    train_s, baseline_s = _median(records, "train_s"), _median(baseline, "train_s")
    peak, baseline_peak = _largest(records, memory), _largest(baseline, memory)
    energy_j, baseline_j = _median(records, energy), _median(baseline, energy)
    accuracies = [record.test.accuracy for record in records if record.test]
    f1s = [record.test.f1 for record in records if record.test]
    verdict = result.verdict
    return Row(
        freeze=result.freeze,
        num_seeds=len(records),
        num_trainable_params=records[0].num_trainable_params if records else None,
        trainable_fraction=records[0].trainable_fraction if records else None,
        learning_rate=result.records[0].spec.protocol.learning_rate if result.records else None,
        train_s=train_s,
        speedup=baseline_s / train_s if train_s and baseline_s else None,
        samples_per_s=_samples(records) / train_s if train_s else None,
        memory_metric=memory,
        peak_memory_bytes=peak,
        memory_saving=_saving(peak, baseline_peak),
        energy_metric=energy,
        energy_j=energy_j,
        energy_per_1000_samples_j=_per_1000_samples(records, energy_j),
        energy_saving=_saving(energy_j, baseline_j),
        energy_saving_uncertainty=_saving_uncertainty(records, baseline, energy),
        accuracy=statistics.fmean(accuracies) if accuracies else None,
        accuracy_sd=_sd(accuracies),
        f1=statistics.fmean(f1s) if f1s else None,
        f1_sd=_sd(f1s),
        drop_pp=verdict.drop_pp if verdict else None,
        lower_pp=verdict.lower_pp if verdict else None,
        upper_pp=verdict.upper_pp if verdict else None,
        verdict=_verdict_word(result),
        limit_pp=result.gate.margin_pp if result.gate else None,
        gate=result.gate.outcome if result.gate else None,
        num_parts=len(result.parts),
        standing=result.standing,
        broken=result.broken,
    )


def _verdict_word(result: ConfigurationResult) -> str:
    """Return the verdict at the decision margin; a sound baseline is just that."""
    if result.verdict is not None:
        return result.verdict.outcome
    return "baseline"


def _values(records: Sequence[RunRecord], metric: str) -> list[float] | None:
    """Return a metric of every run; ``None`` unless all of them measured it."""
    values = [value for value in (record.value(metric) for record in records) if value is not None]
    return values if values and len(values) == len(records) else None


def _median(records: Sequence[RunRecord], metric: str) -> float | None:
    # Machines are shared: one disturbed run must not move the figure.
    values = _values(records, metric)
    return statistics.median(values) if values else None


def _largest(records: Sequence[RunRecord], metric: str) -> float | None:
    values = _values(records, metric)
    return max(values) if values else None


def _saving(value: float | None, baseline: float | None) -> float | None:
    return 1 - value / baseline if value is not None and baseline else None


def _samples(records: Sequence[RunRecord]) -> int:
    """Return how many training sentences a run sees, those of all epochs counted."""
    data = records[0].data if records else None
    return 0 if data is None else data.num_train * len(records[0].epochs)


def _per_1000_samples(records: Sequence[RunRecord], energy_j: float | None) -> float | None:
    """Return energy per thousand training sentences."""
    return 1000 * energy_j / _samples(records) if energy_j is not None and _samples(records) else None


def _saving_uncertainty(records: Sequence[RunRecord], baseline: Sequence[RunRecord], metric: str) -> float | None:
    """Return by how much the saving may be off: both arms' largest relative uncertainties, added, as bounds add."""
    value, reference = _median(records, metric), _median(baseline, metric)
    relative = [_relative_uncertainty(records, metric), _relative_uncertainty(baseline, metric)]
    known = [one for one in relative if one is not None]
    if not value or not reference or len(known) < len(relative):
        return None
    return value / reference * sum(known)


def _relative_uncertainty(records: Sequence[RunRecord], metric: str) -> float | None:
    """Return the largest uncertainty of a metric over the runs, as a share of its value; ``None`` if one has none."""
    shares = []
    for record in records:
        reading = record.readings.get(metric)
        if reading is None or not reading.value or reading.uncertainty is None:
            return None
        shares.append(reading.uncertainty / reading.value)
    return max(shares, default=None)


def _sd(values: Sequence[float]) -> float | None:
    # One value has no spread: showing 0 would claim perfect certainty.
    return statistics.stdev(values) if len(values) > 1 else None

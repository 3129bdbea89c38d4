"""The figures of one configuration over its seeds, which every table and file shows."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

from freezebench.records.data_facts import task_of_data
from freezebench.records.device_models import OTHER_MODEL, main_model, of_model
from freezebench.records.headline import headline_metrics
from freezebench.records.run_record import values_of
from freezebench.report.aggregate import aggregate, saving, saving_uncertainty
from freezebench.report.metric_text import judged_metric, metric_shown, result_metric, value_of
from freezebench.scoring.metrics import ACCURACY
from freezebench.verdicts.speedup import Speedup, speedup_of, speedup_outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.scoring.metric import Metric, Unit
    from freezebench.specs.names import TaskName
    from freezebench.specs.run import Engine
    from freezebench.verdicts.gate import Standing
    from freezebench.verdicts.judge import ConfigurationResult
    from freezebench.verdicts.noninferiority import Outcome
    from freezebench.verdicts.speedup import SpeedupOutcome
    from freezebench.verdicts.vocabulary import VerdictKey

Figure = float | str | None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One configuration's figures; ``None`` where something was not measured or a run is invalid.

    The fields but the last two are columns of ``report.csv`` and keys of ``report.json``, where those of the metric are
    the last ones.

    Attributes:
        freeze: Canonical id of the freeze spec.
        num_seeds: Number of valid runs behind the figures.
        num_trainable_params: Number of parameters that train.
        trainable_fraction: Their share, 0 to 1, of those that train without freezing.
        learning_rate: AdamW's rate at the first step.
        train_s: Median seconds of training alone. Times, and energies of a CPU, leave contended runs out, unless
            there are no others.
        speedup: Train time of the baseline over this one's: geometric mean over the seeds that both arms trained
            undisturbed.
        samples_per_s: Training sentences per second, at that median.
        memory_metric: Name of the metric in ``peak_memory_bytes``.
        peak_memory_bytes: Largest peak memory over the seeds.
        memory_saving: Share of the baseline's peak that is saved, at most 1.
        energy_metric: Name of the metric in ``energy_j``.
        energy_j: Median energy of training, in joules.
        energy_per_1000_samples_j: Median energy per thousand training sentences, in joules.
        energy_saving: Share of the baseline's energy that is saved, at most 1.
        energy_saving_uncertainty: Half-width of its interval from the uncertainties of the meters.
        accuracy: Mean test accuracy, 0 to 1.
        accuracy_sd: Its standard deviation over the seeds; ``None`` for one seed.
        f1: Mean test F1, 0 to 1.
        f1_sd: Its standard deviation over the seeds; ``None`` for one seed.
        drop_pp: Drop of the metric against no freezing in percentage points, or in the metric's own unit; positive is
            worse.
        lower_pp: One-sided lower bound of the drop, of 95 %, or of 98 % with several looks.
        upper_pp: One-sided upper bound of the drop, of the same level.
        verdict: Verdict at the decision margin; ``baseline`` for a valid baseline, ``not_run`` without runs.
        limit_pp: Asserted limit in percentage points.
        gate: Verdict at that limit.
        num_parts: Number of further limits of the joint gate: savings, and the comparison with a saved run.
        standing: Standing of the joint gate: ``no_limit``, ``ok``, ``undecided``, ``worse`` or ``broken``.
        broken: Why the runs are invalid.
        speedup_lower: Lower bound of the two-sided 90 % interval of ``speedup``; ``None`` without two seeds that both
            arms trained undisturbed.
        speedup_upper: Upper bound of that interval; likewise.
        speedup_reason: Why ``speedup`` is ``None``.
        contended_share: Largest share of a run's training time in which its threads waited for a processor, 0 to 1.
        num_contended: Number of runs whose share is past the limit, so that their times do not count.
        same_as: The less frozen configuration that trains the same parameters, so that this one was not run.
        left_out: Why it cannot be run: nothing would be left to train, or a strategy cannot be applied.
        device_name: Model of the device that time, memory and energy are of: one for a whole table. Runs on another
            model count for accuracy alone.
        not_needed: Why a search did not need it.
        not_reached: Why the session ended before it had a result.
        metric: Name of the metric that drops and verdicts are about.
        metric_unit: Unit of drops, bounds, margin and limits: ``points``, ``nats`` or ``label units``.
        metric_value: Mean of the metric on the test set, in its own scale.
        metric_sd: Its standard deviation over the seeds; ``None`` for one seed.
        exceeds_costs_alone: Whether its test fails by limits on time, memory or energy alone.
        records: The valid runs, from which further metrics can be aggregated.
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
    verdict: VerdictKey
    limit_pp: float | None
    gate: Outcome | None
    num_parts: int
    standing: Standing
    broken: str | None
    speedup_lower: float | None = None
    speedup_upper: float | None = None
    speedup_reason: str | None = None
    contended_share: float | None = None
    num_contended: int = 0
    same_as: str | None = None
    left_out: str | None = None
    device_name: str | None = None
    not_needed: str | None = None
    not_reached: str | None = None
    metric: str = ACCURACY.name
    metric_unit: Unit = "points"
    metric_value: float | None = None
    metric_sd: float | None = None
    exceeds_costs_alone: bool = field(default=False, repr=False)
    records: tuple[RunRecord, ...] = field(default=(), repr=False)

    @property
    def not_run_words(self) -> str | None:
        """Why it was not run, in a few words; ``None`` if it was, or if it cannot be run."""
        if self.same_as is not None:
            return f"same as {self.same_as}"
        return "not needed" if self.not_needed else "not reached" if self.not_reached else None

    @property
    def is_contended(self) -> bool:
        """Whether its times are those of contended runs, since there are no others."""
        return self.num_contended == len(self.cost_records) > 0

    @property
    def cost_records(self) -> list[RunRecord]:
        """The valid runs whose time, memory and energy count: those on the device model of the table."""
        return of_model(self.records, self.device_name)

    @property
    def num_added_params(self) -> int | None:
        """Number of parameters that strategies added to the model; ``None`` if none were added, or nothing was run."""
        return next((record.num_added_params for record in self.records), None) or None

    @property
    def engine(self) -> Engine | None:
        """The engine that trained it, which strategies may require; ``None`` without valid runs."""
        return next((record.spec.engine for record in self.records), None)

    @property
    def speedup_outcome(self) -> SpeedupOutcome:
        """Whether the speed-up is shown to be a gain or a loss."""
        return speedup_outcome(self.speedup_lower, self.speedup_upper)

    @property
    def task(self) -> TaskName:
        """What the runs learn; without a valid run sequence classification."""
        return task_of_data(self.records[0].data if self.records else None)

    def figures(self) -> dict[str, Figure]:
        """Return every figure by name: the fields that are shown, without the runs."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.repr}


def rows_of(results: Sequence[ConfigurationResult]) -> list[Row]:
    """Return the figures of the configurations of one table, their costs on one model of device."""
    model = table_model(results)
    metric = judged_metric(results)
    return [replace(row(result, model), metric=metric.name, metric_unit=metric.unit) for result in results]


def table_model(results: Iterable[ConfigurationResult]) -> str | None:
    """Return the device model whose costs a table shows: that of most of its runs; ``None`` without valid runs."""
    return main_model(record for result in results for record in result.records)


def row(result: ConfigurationResult, model: str | None = None) -> Row:
    """Return a configuration's figures, the costs on a model of device; ``None``: that of most of its own runs."""
    # An invalid run is never part of an average.
    records = [] if result.broken else list(result.records)
    metric = result_metric(result)
    values = [value for record in records if (value := value_of(record, metric)) is not None]
    return replace(
        _row(result, records, model),
        metric=metric.name,
        metric_unit=metric.unit,
        metric_value=_mean(values),
        metric_sd=_sd(values),
        exceeds_costs_alone=result.exceeds_costs_alone,
    )


def _row(result: ConfigurationResult, records: Sequence[RunRecord], model: str | None) -> Row:
    """Return the figures but those of the metric, of valid runs."""
    model = main_model(records) if model is None else model
    costs, baseline = (of_model(arm, model) for arm in (records, result.baseline))
    memory, energy = headline_metrics(baseline or result.baseline)  # both arms show the same metrics
    train_s, peak, energy_j = (aggregate(costs, metric) for metric in ("train_s", memory, energy))
    is_comparable = all(any(not record.is_contended for record in arm) for arm in (costs, baseline))
    accuracies, f1s = (values_of(records, name) for name in ("accuracy", "f1"))
    verdict, num_samples, speedup = result.verdict, _num_samples(records), _speedup(result, costs)
    interval = None if verdict is None else verdict.interval  # none of too few examples: it would not hold
    return Row(
        freeze=result.freeze,
        num_seeds=len(records),
        num_trainable_params=records[0].num_trainable_params if records else None,
        trainable_fraction=result.trainable_fraction if records else None,
        learning_rate=result.records[0].spec.protocol.learning_rate if result.records else None,
        train_s=train_s,
        speedup=speedup.ratio,
        samples_per_s=num_samples / train_s if train_s else None,
        memory_metric=memory,
        peak_memory_bytes=peak,
        memory_saving=saving(peak, aggregate(baseline, memory)),
        energy_metric=energy,
        energy_j=energy_j,
        energy_per_1000_samples_j=1000 * energy_j / num_samples if energy_j is not None and num_samples else None,
        energy_saving=saving(energy_j, aggregate(baseline, energy)) if is_comparable else None,
        energy_saving_uncertainty=saving_uncertainty(costs, baseline, energy) if is_comparable else None,
        accuracy=_mean(accuracies),
        accuracy_sd=_sd(accuracies),
        f1=_mean(f1s),
        f1_sd=_sd(f1s),
        drop_pp=verdict.drop_pp if verdict else None,
        lower_pp=interval.lower_pp if interval else None,
        upper_pp=interval.upper_pp if interval else None,
        verdict=verdict.outcome if verdict else "baseline" if result.was_run else "not_run",
        limit_pp=result.gate.margin_pp if result.gate else None,
        gate=result.gate.outcome if result.gate else None,
        num_parts=len(result.parts),
        standing=result.standing,
        broken=result.broken,
        speedup_lower=speedup.lower,
        speedup_upper=speedup.upper,
        speedup_reason=speedup.reason,
        contended_share=_largest_share(costs),
        num_contended=sum(record.is_contended for record in costs),
        same_as=result.same_as,
        left_out=result.left_out,
        device_name=model,
        not_needed=result.not_needed,
        not_reached=result.not_reached,
        records=tuple(records),
    )


def table_metric(rows: Iterable[Row]) -> Metric:
    """Return the metric that the rows of one table were judged by."""
    row = next(iter(rows), None)
    return ACCURACY if row is None else metric_shown(row.metric, row.metric_unit)


def task_of(rows: Iterable[Row]) -> TaskName:
    """Return what the runs of one table learn; without a valid run sequence classification."""
    return next((row.task for row in rows if row.records), "sequence-classification")


def has_fixed(rows: Iterable[Row]) -> bool:
    """Return whether no freezing trains fewer than all parameters, since the model itself has some fixed."""
    unfrozen = (record for row in rows if row.freeze == "none" for record in row.records)
    return any(record.num_trainable_params != record.num_params for record in unfrozen)


def share_of(rows: Iterable[Row]) -> str:
    """Return what ``trainable_fraction`` is a share of: ``parameters``, or fewer where the model has some fixed."""
    return "trainable parameters" if has_fixed(rows) else "parameters"


def _speedup(result: ConfigurationResult, costs: Sequence[RunRecord]) -> Speedup:
    """Return the speed-up of a configuration with its interval, or why there is none.

    Args:
        result: The configuration's result.
        costs: Those of its valid runs whose costs count.
    """
    if not costs:
        reason = OTHER_MODEL if result.was_run else "it was not run"
        reason = "the runs are invalid" if result.broken else reason
        return Speedup(ratio=None, lower=None, upper=None, num_pairs=0, reason=reason)
    speedup = speedup_of(costs, [record for record in result.baseline if record.is_valid])
    # A baseline is not compared with itself.
    return replace(speedup, lower=None, upper=None) if result.is_baseline else speedup


def _largest_share(records: Sequence[RunRecord]) -> float | None:
    shares = (record.contended_share for record in records)
    return max((share for share in shares if share is not None), default=None)


def _num_samples(records: Sequence[RunRecord]) -> int:
    """Return how many training sentences a run processes, all epochs counted."""
    data = records[0].data if records else None
    return 0 if data is None else data.num_train * len(records[0].epochs)


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _sd(values: Sequence[float]) -> float | None:
    # One value has no spread: a 0 would claim perfect certainty.
    return statistics.stdev(values) if len(values) > 1 else None

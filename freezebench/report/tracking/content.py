"""What trackers get of an experiment: the same figures and words as the report."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING

from freezebench.report.markdown import markdown_report
from freezebench.report.metric_text import judged_metric, value_of
from freezebench.report.recommendation import recommended
from freezebench.report.tracking.base import LoggedExperiment, LoggedRun
from freezebench.verdicts.vocabulary import standing_term, verdict_term

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from freezebench.records.run_record import Evaluation, RunRecord
    from freezebench.report.experiment import Experiment
    from freezebench.report.rows import Row
    from freezebench.report.tracking.base import Parameter
    from freezebench.scoring.metric import Metric

# Figures of a configuration, with the names of ``report.csv``.
FIGURES = (
    "num_seeds",
    *("drop_pp", "lower_pp", "upper_pp", "limit_pp"),
    *("metric_value", "metric_sd", "accuracy", "f1"),
    *("train_s", "speedup", "speedup_lower", "speedup_upper"),
    *("peak_memory_bytes", "memory_saving"),
    *("energy_j", "energy_saving"),
    *("num_trainable_params", "trainable_fraction"),
)
_OF_RECORD = (
    *("device", "device_name", "precision"),
    *("num_layers", "num_params", "num_trainable_params", "num_added_params"),
)


def logged(
    experiment: Experiment,
    *,
    reused: Collection[str] | None = None,
    files: Mapping[str, Path] = MappingProxyType({}),
) -> LoggedExperiment:
    """Return what is logged of an experiment.

    Args:
        experiment: The experiment, of this session or of a saved report.
        reused: Ids of the runs that an earlier session has trained; ``None``: not known.
        files: Files of its report by name.
    """
    metric = judged_metric(experiment.results)
    records = [record for result in experiment.results for record in result.records]
    runs = [_run(record, metric, reused) for record in records]
    table = [_configuration(row) for row in experiment.rows]
    recommendation = recommended(experiment.results, experiment.rows)
    answer = experiment.summary.answer
    tags = {f"{name}/{entry['freeze']}": str(entry[name]) for name in ("verdict", "test_at_limit") for entry in table}
    tags |= {"outcome": answer.outcome, "answer": answer.headline}
    if recommendation is not None:
        tags["recommended"] = recommendation.freeze
    return LoggedExperiment(
        name=f"{experiment.model} on {experiment.data_source}",
        answer="\n".join(experiment.summary.answer_lines),
        markdown=markdown_report([experiment.summary]),
        parameters={
            "model": experiment.model,
            "data.source": experiment.data_source,
            **_common(runs),
            "metric": metric.name,
            "margin_pp": experiment.margin_pp,
        },
        metrics={
            f"{name}/{entry['freeze']}": float(value)
            for name in FIGURES
            for entry in table
            if isinstance(value := entry[name], int | float)
        },
        tags=tags,
        table=table,
        runs=runs,
        files=files,
    )


def _configuration(row: Row) -> dict[str, Parameter | None]:
    """Return verdicts and figures of a configuration; without valid runs there are no figures."""
    figures = row.figures()
    return {
        "freeze": row.freeze,
        "verdict": verdict_term(row.verdict, row.not_run_words).word,
        "test_at_limit": standing_term(row.standing, is_cost=row.exceeds_costs_alone).word,
        **{name: figures[name] if row.records else None for name in FIGURES},
    }


def _common(runs: Sequence[LoggedRun]) -> dict[str, Parameter]:
    """Return the parameters that all runs share."""
    if not runs:
        return {}
    first, *others = (run.parameters for run in runs)
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}


def _run(record: RunRecord, metric: Metric, reused: Collection[str] | None) -> LoggedRun:
    """Return what is logged of one run."""
    return LoggedRun(
        name=f"{record.spec.freeze}, seed {record.spec.seed}",
        parameters=_parameters(record),
        metrics=_finite(_metrics(record, metric)),
        series={name: points for name, points in _series(record).items() if points},
        tags=_tags(record, reused),
        started_at=record.started_at,
        is_valid=record.is_valid,
    )


def _parameters(record: RunRecord) -> dict[str, Parameter]:
    """Return what determines a run, and the sizes of model and data; what has no value is left out."""
    spec, facts = record.spec, record.data
    values = {name: getattr(spec, name) for name in ("model", "model_revision", "freeze", "seed")}
    values |= {f"data.{name}": value for name, value in vars(spec.data).items()}
    values["data.test_sets"] = tuple(f"{item.name}={item.source}" for item in spec.data.test_sets)
    values |= vars(spec.protocol)
    # In place of ``auto`` and other defaults what was used.
    values |= {
        "engine": spec.engine,
        "prefix_mode": spec.protocol.frozen_part_runs_in,
        "batch_order": spec.protocol.order_of_batches,
        **{name: getattr(record, name) for name in _OF_RECORD if getattr(record, name)},
    }
    if facts is not None:
        values |= {name: getattr(facts, name) for name in ("task", "num_train", "num_validation", "num_test")}
    return {
        name: ", ".join(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value not in (None, ())
    }


def _metrics(record: RunRecord, metric: Metric) -> dict[str, float | None]:
    """Return the figures of a run, also those that were not measured."""
    evaluations = {"test": record.test, "test_before": record.test_before}
    evaluations |= {f"test_sets/{name}": evaluation for name, evaluation in record.tests.items()}
    figures = {
        f"{place}/{name}": value
        for place, evaluation in evaluations.items()
        for name, value in _evaluation(evaluation).items()
    }
    if record.is_valid:
        figures[f"test/{metric.name}"] = value_of(record, metric)
    figures |= {name: reading.value for name, reading in record.readings.items()}
    return {**figures, "best_epoch": record.best_epoch}


def _evaluation(evaluation: Evaluation | None) -> dict[str, float | None]:
    """Return the figures of a split; none if it was not evaluated."""
    if evaluation is None:
        return {}
    return {"loss": evaluation.loss, "accuracy": evaluation.accuracy, "f1": evaluation.f1}


def _series(record: RunRecord) -> dict[str, list[tuple[int, float]]]:
    """Return the losses of the steps, and the evaluations after the epochs, over the number of steps so far."""
    series = {"train/loss": [(step, loss) for step, loss in enumerate(record.step_losses, 1) if math.isfinite(loss)]}
    num_steps = len(record.step_losses) // len(record.epochs) if record.epochs else 0
    for epoch in record.epochs:
        # Every epoch has as many steps as the others.
        step = epoch.epoch * max(1, num_steps)
        figures = {"train/epoch_loss": epoch.train_loss} | {
            f"validation/{name}": value for name, value in _evaluation(epoch.validation).items()
        }
        for name, value in _finite(figures).items():
            series.setdefault(name, []).append((step, value))
    return series


def _tags(record: RunRecord, reused: Collection[str] | None) -> dict[str, str]:
    """Return what a run is known by; no verdict, which is on configurations."""
    spec = record.spec
    values = {
        "run_id": spec.run_id,
        "experiment_id": spec.experiment_id,
        "session": record.session,
        "started_at": record.started_at,
        "status": record.status,
        "cause": record.cause,
        "reason": record.reason,
        "contended": "true" if record.is_contended else None,
        "reused": None if reused is None else str(spec.run_id in reused).lower(),
        **{f"version.{name}": record.environment.get(name) for name in ("freezebench", "torch", "transformers")},
    }
    return {name: value for name, value in values.items() if value}


def _finite(values: Mapping[str, float | None]) -> dict[str, float]:
    """Return the numbers among some figures."""
    return {name: float(value) for name, value in values.items() if value is not None and math.isfinite(value)}
